package tidegate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	. "github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// script plays a session: what it reads is noted, as text.
type script struct {
	mu    sync.Mutex
	asked []string
}

func (s *script) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, text)
}

func (s *script) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// read notes so many requests: "watch 1 1,2 t5", "keys 1 r3 +3 -1".
func (s *script) read(stream Session, requests int) {
	for range requests {
		request, err := stream.Recv()
		if err != nil {
			s.note("end")
			return
		}
		s.note(requestText(request))
	}
}

func requestText(request *pb.SessionRequest) string {
	switch action := request.GetAction().(type) {
	case *pb.SessionRequest_Watch_:
		to := action.Watch.GetSubscribe()
		return fmt.Sprintf("watch %d %s%s %s", action.Watch.GetId(),
			drivers(to.GetKeys()), to.GetWhere(), to.GetResumeToken())
	case *pb.SessionRequest_Keys_:
		text := fmt.Sprintf("keys %d r%d", action.Keys.GetId(),
			request.GetRequest())
		if add := drivers(action.Keys.GetAdd()); add != "" {
			text += " +" + add
		}
		if remove := drivers(action.Keys.GetRemove()); remove != "" {
			text += " -" + remove
		}
		return text
	}
	return fmt.Sprintf("unwatch %d", request.GetUnwatch())
}

func drivers(keys [][]byte) string {
	var out []string
	for _, bytes := range keys {
		var key viewspb.DriverTotalsKey
		if err := proto.Unmarshal(bytes, &key); err != nil {
			panic(err)
		}
		out = append(out, fmt.Sprint(key.GetDriverId()))
	}
	return strings.Join(out, ",")
}

func sendAll(stream Session, responses ...*pb.SessionResponse) {
	for _, response := range responses {
		if stream.Send(response) != nil {
			return
		}
	}
}

func failure(id uint32, code codes.Code) *pb.SessionResponse {
	return &pb.SessionResponse{Updates: []*pb.SessionResponse_Update{
		{Id: id, Failure: &pb.Failure{Code: int32(code), Message: "no"}},
	}}
}

func sessionText(
	e tidegate.SessionEvent, watches ...*tidegate.Watch[row, key],
) string {
	switch e.Kind {
	case tidegate.KeysApplied:
		return fmt.Sprintf("%d applied %d", e.Watch, e.Request)
	case tidegate.WatchFailed:
		return fmt.Sprintf("%d failed %v", e.Watch, status.Code(e.Err))
	case tidegate.SessionDrain:
		return "drain"
	case tidegate.SessionDisconnected:
		return "disconnected"
	}
	for _, watch := range watches {
		if own, ok := watch.Event(e); ok {
			return fmt.Sprintf("%d %v", e.Watch, own.Kind)
		}
	}
	return "of no watch"
}

func watchIn(
	t testing.TB, session *tidegate.Session, view *totals,
	options ...tidegate.StreamOption,
) *tidegate.Watch[row, key] {
	t.Helper()
	watch, err := view.Watch(session, options...)
	if err != nil {
		t.Fatal(err)
	}
	return watch
}

func newSession(
	t testing.TB, server *Server, options ...tidegate.Option,
) (*totals, *tidegate.Session) {
	view := connect(t, server, options...)
	session := view.Client().Session(testContext(t))
	t.Cleanup(session.Close)
	return view, session
}

func TestASessionResumesEachWatchByItsToken(t *testing.T) {
	var s script
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 2)
			sendAll(stream,
				Update(1, Rows(upsert(1, 10)), 0), Update(1, End(5), 0),
				Update(2, End(5), 0))
			s.read(stream, 2)
			sendAll(stream, Update(1, Delta(5, 7, upsert(2, 20), deleted(3)), 1))
			return Cut()
		},
		func(stream Session) error {
			s.read(stream, 3)
			sendAll(stream, Update(1, Delta(7, 9, upsert(4, 40)), 2),
				Update(2, Delta(5, 9), 0))
			return Cut()
		},
	}}).Start(t)
	view, session := newSession(t, server)
	one := watchIn(t, session, view, view.Keys(keyOf(1)), tidegate.WithMirror())
	two := watchIn(t, session, view, tidegate.Where("x"))
	var told []string
	for e, err := range session.Events() {
		if err != nil {
			if status.Code(err) != codes.NotFound {
				t.Error(err)
			}
			break
		}
		told = append(told, sessionText(e, one, two))
		if told[len(told)-1] == "1 snapshot_end" {
			first, err := one.ChangeKeys(
				[]key{keyOf(2), keyOf(3)}, []key{keyOf(1)})
			second, err2 := one.AddKeys(keyOf(4))
			if first != 1 || second != 2 || err != nil || err2 != nil {
				t.Fatal(first, err, second, err2)
			}
		}
		if told[len(told)-1] == "1 applied 1" {
			wantHeld(t, one.Mirror(), tidegate.Live, "2:20")
		}
	}
	wantStrings(t, "asked", s.got(), "watch 1 1 ", "watch 2 x ",
		"keys 1 r1 +2,3 -1", "keys 1 r2 +4",
		"watch 1 2,3 t7", "keys 1 r2 +4", "watch 2 x t5")
	wantStrings(t, "told", told, "1 connected", "1 snapshot",
		"1 snapshot_end", "2 connected", "2 snapshot_end", "1 changes",
		"1 applied 1", "disconnected", "1 connected", "1 changes",
		"1 applied 2", "2 connected", "2 changes", "disconnected")
	wantHeld(t, one.Mirror(), tidegate.Ended, "2:20 4:40")
	if string(one.Token()) != "t9" {
		t.Errorf("token %q", one.Token())
	}
}

func TestAWatchWithoutKeysWaitsForSome(t *testing.T) {
	var s script
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 1)
			sendAll(stream, Update(1, End(5), 0))
			return Cut()
		},
	}}).Start(t)
	view, session := newSession(t, server)
	watch := watchIn(t, session, view, view.Keys())
	if _, err := watch.AddKeys(keyOf(1)); err != nil {
		t.Fatal(err)
	}
	var told []string
	for e, err := range session.Events() {
		if err == nil {
			told = append(told, sessionText(e, watch))
		}
	}
	wantStrings(t, "asked", s.got(), "watch 1 1 ")
	wantStrings(t, "told", told,
		"1 connected", "1 snapshot_end", "1 applied 1", "disconnected")
}

func TestAFailureEndsOneWatchUnlessItPasses(t *testing.T) {
	var s script
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 3)
			sendAll(stream, failure(1, codes.InvalidArgument),
				failure(2, codes.Unavailable))
			s.read(stream, 1) // once its wait is over
			sendAll(stream, Update(4, End(3), 0))
			return Over()
		},
	}}).Start(t)
	view, session := newSession(t, server)
	var watches []*tidegate.Watch[row, key]
	for driver := range int64(3) {
		watches = append(watches,
			watchIn(t, session, view, view.Keys(keyOf(driver))))
	}
	var told []string
	for e, err := range session.Events() {
		if err == nil {
			told = append(told, sessionText(e, watches...))
		}
	}
	wantStrings(t, "told", told, "1 failed InvalidArgument",
		"2 disconnected", "2 connected", "2 snapshot_end")
	if asked := s.got(); asked[len(asked)-1] != "watch 4 1 " {
		t.Errorf("asked %q", asked)
	}
	if _, err := watches[0].AddKeys(keyOf(1)); err == nil {
		t.Error("keys for a watch that has failed")
	}
}

func TestAGapInOneWatchEndsTheSession(t *testing.T) {
	for says, response := range map[string]*pb.SessionResponse{
		"(6, 7] of partition 0":     Update(1, Delta(6, 7), 0),
		"request 9 applied":         Update(1, nil, 9),
		"malformed DriverTotalsKey": Update(1, Delta(5, 6, malformedKey()), 0),
	} {
		server := (&Server{Sessions: []func(Session) error{
			func(stream Session) error {
				sendAll(stream, Update(1, End(5), 0), response)
				<-stream.Context().Done()
				return nil
			},
		}}).Start(t)
		view, session := newSession(t, server)
		watchIn(t, session, view, view.Keys(keyOf(1)))
		wantBroken(t, session.Run(), says)
	}
}

func TestAFullMirrorEndsItsWatchOnly(t *testing.T) {
	var s script
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 2)
			sendAll(stream, Update(1, Rows(upsert(1, 10), upsert(2, 20)), 0),
				Update(1, End(5), 0), Update(2, End(5), 0))
			s.read(stream, 1)
			return Over()
		},
	}}).Start(t)
	view, session := newSession(t, server)
	one := watchIn(t, session, view, tidegate.WithMirrorOf(
		tidegate.MirrorLimits{MaxRows: 1, MaxBytes: 1 << 20}))
	two := watchIn(t, session, view, tidegate.WithMirror())
	var told []string
	for e, err := range session.Events() {
		if err != nil {
			break
		}
		told = append(told, sessionText(e, one, two))
		var limit *tidegate.LimitError
		if e.Kind == tidegate.WatchFailed && !errors.As(e.Err, &limit) {
			t.Errorf("error %v", e.Err)
		}
	}
	wantStrings(t, "told", told, "1 connected", "1 snapshot",
		"1 snapshot_end", "1 failed Unknown", "2 connected", "2 snapshot_end")
	wantStrings(t, "asked", s.got(), "watch 1  ", "watch 2  ", "unwatch 1")
	wantHeld(t, one.Mirror(), tidegate.Ended, "")
}

func TestAViewThatIsAnotherEndsItsWatchOnly(t *testing.T) {
	reset := &pb.Reset{Cause: pb.Reset_VIEW_REBUILT}
	failures := map[string]codes.Code{
		"driver_totals": codes.Unknown, "gone": codes.NotFound,
	}
	for name, failure := range failures {
		var s script
		server := (&Server{Views: anotherKey(), Sessions: []func(Session) error{
			func(stream Session) error {
				s.read(stream, 2)
				sendAll(stream, Update(1, End(5), 0), Update(2, End(5), 0),
					Update(1, &pb.SubscribeResponse{Reset_: reset}, 0))
				s.read(stream, 1)
				sendAll(stream, Update(2, Delta(5, 6), 0))
				return Over()
			},
		}}).Start(t)
		view, session := newSession(t, server)
		named, err := tidegate.NewView[row, key](view.Client(), name)
		if err != nil {
			t.Fatal(err)
		}
		one, two := watchIn(t, session, named), watchIn(t, session, view)
		var told []string
		for e, err := range session.Events() {
			if err != nil {
				break
			}
			told = append(told, sessionText(e, one, two))
			var changed *tidegate.ViewChangedError
			if e.Kind == tidegate.WatchFailed &&
				errors.As(e.Err, &changed) != (failure == codes.Unknown) {
				t.Errorf("error %v", e.Err)
			}
		}
		wantStrings(t, "told", told, "1 connected", "1 snapshot_end",
			"2 connected", "2 snapshot_end", "1 failed "+failure.String(), "2 changes")
		wantStrings(t, "asked", s.got(), "watch 1  ", "watch 2  ", "unwatch 1")
	}
}

func malformedKey() *pb.Change {
	return &pb.Change{Kind: &pb.Change_Deleted{Deleted: []byte{0xff}}}
}

func TestASessionObeysADrain(t *testing.T) {
	var s script
	drain := Update(1, Delta(5, 6), 0)
	drain.Drain = &pb.Drain{RetryAfter: milliseconds(30)}
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 1)
			sendAll(stream, Update(1, End(5), 0), drain)
			s.read(stream, 1) // the client goes by itself
			return nil
		},
		func(stream Session) error {
			s.read(stream, 1)
			sendAll(stream, Update(1, Delta(6, 7), 0))
			<-stream.Context().Done()
			return nil
		},
	}}).Start(t)
	view, session := newSession(t, server)
	watch := watchIn(t, session, view)
	var told []string
	for e, err := range session.Events() {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, sessionText(e, watch))
		if e.Kind == tidegate.SessionDisconnected {
			if e.RetryAfter < ms(30) || e.RetryAfter > ms(38) {
				t.Errorf("waits %v", e.RetryAfter)
			}
		}
		if len(told) == 7 {
			go session.Close()
		}
	}
	wantStrings(t, "told", told, "1 connected", "1 snapshot_end",
		"1 changes", "drain", "disconnected", "1 connected", "1 changes")
	wantStrings(t, "asked", s.got(), "watch 1  ", "end", "watch 1  t6")
}

func TestAWatchThatIsClosed(t *testing.T) {
	var s script
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			s.read(stream, 1)
			sendAll(stream, Update(1, End(5), 0))
			s.read(stream, 2)
			sendAll(stream, Update(1, Delta(5, 6), 0), Update(2, End(6), 0))
			return Over()
		},
	}}).Start(t)
	view, session := newSession(t, server)
	one := watchIn(t, session, view, view.Keys(keyOf(1)))
	var two *tidegate.Watch[row, key]
	var told []string
	for e, err := range session.Events() {
		if err != nil {
			break
		}
		if two == nil {
			told = append(told, sessionText(e, one))
		} else {
			told = append(told, sessionText(e, two))
		}
		if told[len(told)-1] == "1 snapshot_end" {
			one.Close()
			two = watchIn(t, session, view)
		}
	}
	wantStrings(t, "told", told,
		"1 connected", "1 snapshot_end", "2 connected", "2 snapshot_end")
	wantStrings(t, "asked", s.got(), "watch 1 1 ", "unwatch 1", "watch 2  ")
}

func TestASessionsRequestsAreChecked(t *testing.T) {
	server := (&Server{}).Start(t)
	view, session := newSession(t, server)
	all := watchIn(t, session, view)
	if _, err := all.AddKeys(keyOf(1)); err == nil {
		t.Error("keys for a watch of all rows")
	}
	keyed := watchIn(t, session, view, view.Keys())
	if _, err := keyed.AddKeys(nil); err == nil {
		t.Error("a key that is nil")
	}
	var err error
	for range tidegate.MaxPendingKeyRequests + 1 {
		_, err = keyed.AddKeys(keyOf(1))
	}
	var limit *tidegate.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("error %v", err)
	}
	if _, err := connect(t, server).Watch(session); err == nil {
		t.Error("a view of another client")
	}
}

func TestASessionIsUsedFromSeveralGoroutines(t *testing.T) {
	const goroutines, requests = 4, 25
	server := (&Server{Sessions: []func(Session) error{
		func(stream Session) error {
			at := uint64(5)
			for {
				request, err := stream.Recv()
				switch {
				case err != nil:
					return nil
				case request.GetKeys() == nil:
					sendAll(stream, Update(1, End(at), 0))
				default:
					sendAll(stream, Update(1, Delta(at, at+1),
						request.GetRequest()))
					at++
				}
			}
		},
	}}).Start(t)
	view, session := newSession(t, server)
	watch := watchIn(t, session, view, view.Keys(keyOf(0)),
		tidegate.WithMirror())
	var askers sync.WaitGroup
	for driver := range int64(goroutines) {
		askers.Go(func() {
			for range requests {
				if _, err := watch.AddKeys(keyOf(driver)); err != nil {
					t.Error(err)
				}
				_ = watch.Mirror().Len()
				_ = watch.Token()
			}
		})
	}
	next := uint64(1)
	for e, err := range session.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != tidegate.KeysApplied {
			continue
		}
		if e.Request != next {
			t.Fatalf("applied %d, want %d", e.Request, next)
		}
		if next++; next > goroutines*requests {
			session.Close()
		}
	}
	askers.Wait()
}
