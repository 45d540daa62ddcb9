package sessionstate

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Spec says what a watch is of.
type Spec struct {
	// Subscribe without keys and token.
	Subscribe *pb.SubscribeRequest
	Keys      []string // <View>Key messages
	// Keyed: it has keys, though there may be none now; else no keys mean all
	// rows.
	Keyed bool
	Token []byte // with the keys applied when it came
}

// keyRequest is one change of keys that has no answer yet; those to remove go
// first.
type keyRequest struct {
	number      uint64
	add, remove []string
}

// gone are the keys that the watch has no more once it is applied.
func (r keyRequest) gone() []string {
	added := make(map[string]struct{}, len(r.add))
	for _, key := range r.add {
		added[key] = struct{}{}
	}
	var gone []string
	for _, key := range r.remove {
		if _, again := added[key]; !again {
			gone = append(gone, key)
		}
	}
	return gone
}

// watch knows which keys the server has, and which it has been asked for.
type watch struct {
	id    uint32 // over all connections
	spec  Spec
	keys  map[string]struct{} // applied
	asked []keyRequest        // in order
	// Requests that the next snapshot answers.
	atSnapshotEnd []uint64
	cursor        *cursor.Cursor
	maxPending    int // bytes, of the cursor

	// Of the present stream.
	isOpen bool // the server has been, or is being, asked for it
	wireID uint32

	// Refused, so many times in a row: the time to ask again.
	failures int
	openAt   time.Time
}

func newWatch(id uint32, spec Spec, maxPending int) *watch {
	w := &watch{
		id:         id,
		spec:       spec,
		keys:       map[string]struct{}{},
		cursor:     cursor.New(spec.Token, maxPending),
		maxPending: maxPending,
	}
	for _, key := range spec.Keys {
		w.keys[key] = struct{}{}
	}
	return w
}

// hasKeys tells whether the server may be asked for it: a watch without keys
// may not, for there they mean all rows.
func (w *watch) hasKeys() bool { return !w.spec.Keyed || len(w.keys) > 0 }

func (w *watch) apply(r keyRequest) {
	for _, key := range r.remove {
		delete(w.keys, key)
	}
	for _, key := range r.add {
		w.keys[key] = struct{}{}
	}
}

// forget: nothing of what was sent counts any more but what was applied.
func (w *watch) forget() {
	w.isOpen = false
	if !w.hasKeys() {
		w.cursor = cursor.New(nil, w.maxPending)
	}
	w.cursor.BeginStream()
}

// adopt makes the keys asked for the watch's own if it has none: they are part
// of its opening, whose snapshot is the answer.
func (w *watch) adopt() {
	if !w.spec.Keyed || len(w.keys) > 0 {
		return
	}
	for _, request := range w.asked {
		w.apply(request)
		w.atSnapshotEnd = append(w.atSnapshotEnd, request.number)
	}
	w.asked = nil
}

func (w *watch) opening() *pb.SessionRequest {
	subscribe := proto.CloneOf(w.spec.Subscribe)
	for _, key := range slices.Sorted(maps.Keys(w.keys)) {
		subscribe.Keys = append(subscribe.Keys, []byte(key))
	}
	subscribe.ResumeToken = w.cursor.Token()
	return &pb.SessionRequest{Action: &pb.SessionRequest_Watch_{
		Watch: &pb.SessionRequest_Watch{Id: w.wireID, Subscribe: subscribe},
	}}
}

func (w *watch) request(r keyRequest) *pb.SessionRequest {
	return &pb.SessionRequest{
		Request: r.number,
		Action: &pb.SessionRequest_Keys_{Keys: &pb.SessionRequest_Keys{
			Id:     w.wireID,
			Add:    toBytes(r.add),
			Remove: toBytes(r.remove),
		}},
	}
}

// applied takes the answer to a request; it must be the next one's.
func (w *watch) applied(number uint64) (keyRequest, error) {
	if len(w.asked) == 0 {
		return keyRequest{}, cursor.Broken(
			"keys of request %d applied, expected none", number)
	}
	request := w.asked[0]
	if request.number != number {
		return keyRequest{}, cursor.Broken(
			"keys of request %d applied, expected %d", number, request.number)
	}
	w.apply(request)
	w.asked = w.asked[1:]
	return request, nil
}

func toBytes(keys []string) [][]byte {
	var out [][]byte
	for _, key := range keys {
		out = append(out, []byte(key))
	}
	return out
}
