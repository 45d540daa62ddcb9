package sessionstate

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

const (
	unavailable     = 14
	invalidArgument = 3
)

var limits = backoff.Limits{Min: 100 * time.Millisecond, Max: time.Second}

type fixture struct {
	*testing.T
	*State
	now time.Time
}

func newFixture(t *testing.T) *fixture {
	return &fixture{t, New(limits, cursor.DefaultMaxPendingBytes),
		time.Unix(1_000, 0)}
}

func keyed(keys ...string) Spec {
	return Spec{
		Subscribe: &pb.SubscribeRequest{View: "v"}, Keys: keys, Keyed: true,
	}
}

// asked is everything that is to be sent, as text: "watch 1 v a b token=t5",
// "keys 1 r3 +c -a", "unwatch 1".
func (f *fixture) asked() []string {
	var out []string
	for {
		request, _ := f.NextRequest(f.now)
		if request == nil {
			return out
		}
		out = append(out, text(request))
	}
}

func text(request *pb.SessionRequest) string {
	switch action := request.GetAction().(type) {
	case *pb.SessionRequest_Watch_:
		to := action.Watch.GetSubscribe()
		out := fmt.Sprintf("watch %d %s", action.Watch.GetId(), to.GetView())
		for _, key := range to.GetKeys() {
			out += " " + string(key)
		}
		return out + " token=" + string(to.GetResumeToken())
	case *pb.SessionRequest_Keys_:
		out := fmt.Sprintf("keys %d r%d", action.Keys.GetId(),
			request.GetRequest())
		for _, key := range action.Keys.GetAdd() {
			out += " +" + string(key)
		}
		for _, key := range action.Keys.GetRemove() {
			out += " -" + string(key)
		}
		return out
	}
	return fmt.Sprintf("unwatch %d", request.GetUnwatch())
}

func (f *fixture) wantAsked(want ...string) {
	f.Helper()
	if got := f.asked(); !reflect.DeepEqual(got, want) {
		f.Errorf("asked %q, want %q", got, want)
	}
}

func end(seq uint64) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		SnapshotEnd: true,
		Position: &pb.Position{
			Partitions: []*pb.PartitionSeq{{Seq: seq}},
		},
		ResumeToken: fmt.Appendf(nil, "t%d", seq),
	}
}

func delta(from, to uint64) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		Ranges:      []*pb.Range{{From: from, To: to}},
		ResumeToken: fmt.Appendf(nil, "t%d", to),
	}
}

func update(
	id uint32, r *pb.SubscribeResponse, applied uint64,
) *pb.SessionResponse {
	return &pb.SessionResponse{Updates: []*pb.SessionResponse_Update{
		{Id: id, Response: r, KeysApplied: applied},
	}}
}

func failure(id uint32, code int32) *pb.SessionResponse {
	return &pb.SessionResponse{Updates: []*pb.SessionResponse_Update{
		{Id: id, Failure: &pb.Failure{Code: code, Message: "no"}},
	}}
}

// taken are the events that r completes: "1 changes", "1 applied 3", "drain".
func (f *fixture) taken(r *pb.SessionResponse) []string {
	f.Helper()
	events, err := f.Take(r, f.now, func() uint64 { return 0 })
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for _, e := range events {
		switch e.Kind {
		case KeysApplied:
			out = append(out, fmt.Sprintf("%d applied %d %v", e.Watch,
				e.Request, e.Gone))
		case Failed:
			out = append(out, fmt.Sprintf("%d failed %d %s", e.Watch, e.Code,
				e.Message))
		case Drain:
			out = append(out, fmt.Sprintf("drain %v", e.RetryAfter))
		case Stream:
			name := []string{"connected", "snapshot", "snapshot_end",
				"changes", "reset", "drain", "disconnected"}[e.Event.Kind]
			out = append(out, fmt.Sprintf("%d %s", e.Watch, name))
		}
	}
	return out
}

func (f *fixture) wantTaken(r *pb.SessionResponse, want ...string) {
	f.Helper()
	if got := f.taken(r); !reflect.DeepEqual(got, want) {
		f.Errorf("taken %q, want %q", got, want)
	}
}

func (f *fixture) change(id uint32, add, remove []string) {
	f.Helper()
	if _, err := f.ChangeKeys(id, add, remove); err != nil {
		f.Fatal(err)
	}
}

func TestResumesEachWatchByItsTokenWithTheKeysApplied(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.AddWatch(Spec{Subscribe: &pb.SubscribeRequest{View: "w", Where: "x"}})
	f.BeginStream()
	f.wantAsked("watch 1 v a token=", "watch 2 w token=")
	f.wantTaken(update(1, end(5), 0), "1 connected", "1 snapshot_end")
	f.wantTaken(update(2, end(5), 0), "2 connected", "2 snapshot_end")
	f.change(1, []string{"b", "c"}, []string{"a"})
	f.change(1, []string{"d"}, nil)
	f.wantAsked("keys 1 r1 +b +c -a", "keys 1 r2 +d")
	f.wantTaken(update(1, delta(5, 7), 1), "1 changes", "1 applied 1 [a]")
	f.EndStream()
	f.wantAsked()
	f.BeginStream()
	f.wantAsked("watch 1 v b c token=t7", "keys 1 r2 +d", "watch 2 w token=t5")
	f.wantTaken(update(1, delta(7, 9), 2),
		"1 connected", "1 changes", "1 applied 2 []")
}

func TestAWatchWithoutKeysIsNotOpenedUntilSomeCome(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed())
	f.BeginStream()
	f.wantAsked()
	f.change(1, []string{"a"}, nil)
	f.wantAsked("watch 1 v a token=")
	f.wantTaken(update(1, end(5), 0),
		"1 connected", "1 snapshot_end", "1 applied 1 []")
}

func TestAnEmptiedWatchStartsAgainFromASnapshot(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.BeginStream()
	f.asked()
	f.taken(update(1, end(5), 0))
	f.change(1, nil, []string{"a"})
	f.wantTaken(update(1, delta(5, 6), 1), "1 changes", "1 applied 1 [a]")
	f.EndStream()
	f.BeginStream()
	f.wantAsked()
	f.change(1, []string{"b"}, nil)
	f.change(1, []string{"c"}, nil)
	f.wantAsked("watch 1 v b token=", "keys 1 r3 +c")
	f.wantTaken(update(1, end(9), 0),
		"1 connected", "1 snapshot_end", "1 applied 2 []")
	f.wantTaken(update(1, delta(9, 9), 3), "1 changes", "1 applied 3 []")
}

func TestAKeyRemovedAndAddedInOneRequestStays(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a", "b"))
	f.BeginStream()
	f.taken(update(1, end(5), 0))
	f.change(1, []string{"a"}, []string{"a", "b"})
	f.wantTaken(update(1, delta(5, 6), 1), "1 changes", "1 applied 1 [b]")
}

func TestAFailureEndsOneWatchUnlessItPasses(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"a", "b", "c"} {
		f.AddWatch(keyed(key))
	}
	f.BeginStream()
	f.asked()
	f.wantTaken(failure(1, invalidArgument), "1 failed 3 no")
	f.wantTaken(failure(2, unavailable), "2 disconnected")
	f.change(2, []string{"x"}, nil) // waits for it to be asked for
	request, due := f.NextRequest(f.now)
	wait := due.Sub(f.now)
	if request != nil || wait < limits.Min/2 || wait > limits.Min {
		t.Fatalf("request %v after %v", request, wait)
	}
	f.now = due
	f.wantAsked("watch 4 v b token=", "keys 4 r1 +x")
	f.wantTaken(update(2, end(3), 0)) // of the one that was refused
	f.wantTaken(update(4, end(3), 0), "2 connected", "2 snapshot_end")
	f.wantTaken(failure(4, unavailable), "2 disconnected")
	if _, again := f.NextRequest(f.now); again.Sub(f.now) > limits.Min {
		t.Errorf("waits %v though it had been answered", again.Sub(f.now))
	}
	if _, err := f.ChangeKeys(1, nil, nil); err == nil {
		t.Error("keys for a watch that failed")
	}
}

func TestAGapSaysWhichWatch(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.BeginStream()
	f.taken(update(1, end(5), 0))
	_, err := f.Take(update(1, delta(6, 7), 0), f.now, nil)
	var broken *BrokenWatchError
	var cause *cursor.BrokenError
	if !errors.As(err, &broken) || broken.Watch != 1 ||
		!errors.As(err, &cause) {
		t.Errorf("error %v", err)
	}
}

func TestKeysAppliedOutOfTurnBreakThePromise(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.BeginStream()
	f.taken(update(1, end(5), 0))
	if _, err := f.Take(update(1, nil, 9), f.now, nil); err == nil {
		t.Error("none was asked for")
	}
	f.change(1, []string{"b"}, nil)
	f.change(1, []string{"c"}, nil)
	if _, err := f.Take(update(1, nil, 2), f.now, nil); err == nil {
		t.Error("the second before the first")
	}
}

func TestOfARemovedWatchNothingIsTold(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.BeginStream()
	f.asked()
	f.RemoveWatch(1)
	f.wantAsked("unwatch 1")
	f.wantTaken(update(1, end(5), 0))
	f.EndStream()
	f.BeginStream()
	f.wantAsked()
	f.RemoveWatch(1)
}

func TestADrainIsTheSessions(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.BeginStream()
	r := update(1, end(5), 0)
	r.Drain = &pb.Drain{RetryAfter: durationpb.New(7 * time.Millisecond)}
	f.wantTaken(r, "1 connected", "1 snapshot_end", "drain 7ms")
}

func TestRequestsForKeysAreLimited(t *testing.T) {
	f := newFixture(t)
	f.AddWatch(keyed("a"))
	f.AddWatch(Spec{Subscribe: &pb.SubscribeRequest{View: "w"}})
	for range MaxPendingKeyRequests {
		f.change(1, []string{"b"}, nil)
	}
	_, err := f.ChangeKeys(1, nil, nil)
	var limit *cursor.LimitError
	if !errors.As(err, &limit) {
		t.Errorf("error %v", err)
	}
	if _, err := f.ChangeKeys(2, []string{"b"}, nil); err == nil {
		t.Error("keys for a watch of all rows")
	}
}
