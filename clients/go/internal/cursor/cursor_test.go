package cursor

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

func positioned(seq uint64) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{Position: &pb.Position{
		Incarnation: []byte("i1"),
		Partitions:  []*pb.PartitionSeq{{Seq: seq}},
	}}
}

func upsert(row string) *pb.Change {
	return &pb.Change{Kind: &pb.Change_Upsert{Upsert: []byte(row)}}
}

func deleted(key string) *pb.Change {
	return &pb.Change{Kind: &pb.Change_Deleted{Deleted: []byte(key)}}
}

func snapshotRow(row string) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		Snapshot: true, Changes: []*pb.Change{upsert(row)},
	}
}

func end(seq uint64) *pb.SubscribeResponse {
	r := positioned(seq)
	r.SnapshotEnd = true
	r.ResumeToken = token(seq)
	return r
}

func token(seq uint64) []byte { return fmt.Appendf(nil, "t%d", seq) }

func delta(from, to uint64, changes ...*pb.Change) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		Changes:     changes,
		Ranges:      []*pb.Range{{From: from, To: to}},
		ResumeToken: token(to),
	}
}

func fragment(changes ...*pb.Change) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{Changes: changes, Fragment: true}
}

type fixture struct {
	*testing.T
	*Cursor
	events []Event
}

func start(t *testing.T, token string) *fixture {
	f := &fixture{T: t, Cursor: New([]byte(token), DefaultMaxPendingBytes)}
	f.BeginStream()
	return f
}

// live has gone through a snapshot to position 5; its events are forgotten.
func goLive(t *testing.T) *fixture {
	t.Helper()
	f := start(t, "")
	f.take(positioned(5), snapshotRow("a"), end(5))
	f.events = nil
	return f
}

func (f *fixture) take(responses ...*pb.SubscribeResponse) {
	f.Helper()
	for _, r := range responses {
		events, err := f.Take(r)
		if err != nil {
			f.Fatalf("%v: %v", r, err)
		}
		f.events = append(f.events, events...)
	}
}

func (f *fixture) last() Event { return f.events[len(f.events)-1] }

func (f *fixture) wantKinds(want ...Kind) {
	f.Helper()
	var got []Kind
	for _, event := range f.events {
		got = append(got, event.Kind)
	}
	if !reflect.DeepEqual(got, want) {
		f.Errorf("kinds %v, want %v", got, want)
	}
}

func (f *fixture) wantToken(want string) {
	f.Helper()
	if got := string(f.Token()); got != want {
		f.Errorf("token %q, want %q", got, want)
	}
}

func TestSnapshotThenChanges(t *testing.T) {
	f := start(t, "")
	f.take(positioned(5), snapshotRow("a"), end(5), delta(5, 7, upsert("b")))
	f.wantKinds(Connected, Snapshot, SnapshotEnd, Changes)
	f.wantToken("t7")
	last := f.last()
	want := &Position{Incarnation: "i1", Seqs: map[uint32]uint64{0: 7}}
	if !reflect.DeepEqual(last.Position, want) {
		t.Errorf("position %v", last.Position)
	}
	if string(last.Token) != "t7" || string(last.Changes[0].Bytes) != "b" {
		t.Errorf("event %+v", last)
	}
}

func TestAChunkWithATokenIsResumedAfter(t *testing.T) {
	f := start(t, "")
	chunk := snapshotRow("a")
	chunk.ResumeToken = []byte("c1")
	f.take(positioned(5), chunk, snapshotRow("b"))
	f.wantToken("c1")
	f.BeginStream()
	f.take(positioned(6), snapshotRow("b"), end(6))
	f.wantKinds(Connected, Snapshot, Snapshot, Connected, Snapshot, SnapshotEnd)
	if got := string(f.events[3].Token); got != "c1" {
		t.Errorf("resumed from %q", got)
	}
}

func TestFragmentsBecomeOneBatch(t *testing.T) {
	f := goLive(t)
	f.take(fragment(upsert("b")))
	f.wantKinds()
	f.wantToken("t5")
	last := delta(5, 6, deleted("k"))
	f.take(last)
	f.wantKinds(Changes)
	got := f.last().Changes
	if len(got) != 2 || string(got[0].Bytes) != "b" || got[1].Kind != Deleted {
		t.Errorf("changes %+v", got)
	}
}

func TestFragmentsOfACutStreamAreForgotten(t *testing.T) {
	f := goLive(t)
	f.take(fragment(upsert("b")))
	f.BeginStream()
	f.take(delta(5, 8, upsert("c")))
	f.wantKinds(Connected, Changes)
	if got := f.last().Changes; len(got) != 1 || string(got[0].Bytes) != "c" {
		t.Errorf("changes %+v", got)
	}
}

func TestFragmentsAreHeldUpToALimit(t *testing.T) {
	f := &fixture{T: t, Cursor: New(nil, 1000)}
	f.BeginStream()
	f.take(end(5), fragment(upsert(strings.Repeat("x", 500))))
	_, err := f.Take(fragment(upsert(strings.Repeat("x", 500))))
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != 1000 {
		t.Errorf("error %v", err)
	}
}

func TestBrokenPromisesSayWhat(t *testing.T) {
	noRange := delta(5, 6, upsert("b"))
	noRange.Ranges = nil
	noPosition := end(5)
	noPosition.Position = nil
	lateBegin := delta(5, 6)
	lateBegin.Ranges = append(
		lateBegin.Ranges, &pb.Range{Partition: 3, From: 2, To: 4})
	for name, c := range map[string]struct {
		before bool // it comes before the snapshot's end
		r      *pb.SubscribeResponse
		says   string
	}{
		"gap":          {r: delta(6, 8), says: "(6, 8] of partition 0"},
		"overlap":      {r: delta(4, 8), says: "position 5"},
		"backward":     {r: delta(5, 4), says: "(5, 4]"},
		"late":         {r: lateBegin, says: "partition 3"},
		"silent":       {r: snapshotRow("a"), says: "without a reset"},
		"second end":   {r: end(9), says: "without a reset"},
		"no range":     {r: noRange, says: "without a range"},
		"no kind":      {r: delta(5, 6, &pb.Change{}), says: "without a kind"},
		"early":        {before: true, r: delta(5, 6), says: "before the snap"},
		"no position":  {before: true, r: noPosition, says: "without a position"},
		"row, no kind": {before: true, says: "without a kind", r: &pb.SubscribeResponse{Snapshot: true, Changes: []*pb.Change{{}}}},
	} {
		f := goLive(t)
		if c.before {
			f = start(t, "")
			f.take(positioned(5))
		}
		stood := string(f.Token())
		events, err := f.Take(c.r)
		var broken *BrokenError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v", name, err)
		}
		if len(events) != 0 || string(f.Token()) != stood {
			t.Errorf("%s: %d events, token %q", name, len(events), f.Token())
		}
	}
}

func TestADuplicateBatchIsABrokenPromise(t *testing.T) {
	f := goLive(t)
	twice := delta(5, 7, upsert("b"))
	f.take(twice)
	if _, err := f.Take(proto.CloneOf(twice)); err == nil {
		t.Error("taken twice")
	}
}

func TestSeveralPartitions(t *testing.T) {
	f := start(t, "")
	two := end(5)
	two.Position.Partitions = append(
		two.Position.Partitions, &pb.PartitionSeq{Partition: 1, Seq: 9})
	both := delta(5, 6)
	both.Ranges = append(both.Ranges,
		&pb.Range{Partition: 1, From: 9, To: 12},
		&pb.Range{Partition: 2, From: 0, To: 3}, // new, from its start
		&pb.Range{Partition: 2, From: 3, To: 4})
	f.take(two, both)
	want := map[uint32]uint64{0: 6, 1: 12, 2: 4}
	if got := f.Position().Seqs; !reflect.DeepEqual(got, want) {
		t.Errorf("position %v", got)
	}
	if at := f.events[1].Position.Seqs[0]; at != 5 {
		t.Errorf("an event's position has moved to %d", at)
	}
}

func TestAResetStartsOver(t *testing.T) {
	f := goLive(t)
	f.take(fragment(upsert("pending")))
	f.BeginStream()
	reset := positioned(90)
	reset.Reset_ = &pb.Reset{
		Cause: pb.Reset_HISTORY_TRIMMED, Detail: "too long away",
	}
	f.take(reset)
	f.wantToken("")
	last := f.last()
	if last.Cause != "HISTORY_TRIMMED" || last.Detail != "too long away" {
		t.Errorf("reset %+v", last)
	}
	f.take(end(90), delta(90, 91))
	f.wantKinds(Connected, Reset, SnapshotEnd, Changes)
}

func TestADrainCarriesTokenAndDelay(t *testing.T) {
	f := goLive(t)
	f.take(&pb.SubscribeResponse{
		ResumeToken: []byte("d"),
		Drain: &pb.Drain{
			RetryAfter: durationpb.New(250 * time.Millisecond),
		},
	})
	f.wantKinds(Drain)
	f.wantToken("d")
	if got := f.last().RetryAfter; got != 250*time.Millisecond {
		t.Errorf("retry after %v", got)
	}
}

func TestAForeignTokenTakesThePositionItFinds(t *testing.T) {
	f := start(t, "from elsewhere")
	f.take(delta(41, 42))
	if got := f.Position().Seqs[0]; got != 42 {
		t.Errorf("position %d", got)
	}
	if _, err := f.Take(delta(43, 44)); err == nil {
		t.Error("a gap was taken")
	}
}

func TestResumedElsewhereThanItStood(t *testing.T) {
	for _, from := range []uint64{4, 6} {
		f := goLive(t)
		f.BeginStream()
		f.take(positioned(from))
		if _, err := f.Take(delta(from, 9)); err == nil {
			t.Errorf("resumed at %d", from)
		}
	}
}

func TestASignOfLifeIsNoEvent(t *testing.T) {
	f := goLive(t)
	f.take(&pb.SubscribeResponse{})
	f.wantKinds()
}

func TestRowsKeepTheirFinality(t *testing.T) {
	f := start(t, "")
	row := snapshotRow("a")
	row.Changes[0].Finality = pb.Finality_FINALITY_FINAL
	corrected := upsert("c")
	corrected.Finality = pb.Finality_FINALITY_CORRECTED
	f.take(row, end(5), fragment(upsert("b")), delta(5, 6, corrected))
	got := []pb.Finality{f.events[1].Changes[0].Finality}
	for _, change := range f.last().Changes {
		got = append(got, change.Finality)
	}
	want := []pb.Finality{
		pb.Finality_FINALITY_FINAL,
		pb.Finality_FINALITY_UNSPECIFIED,
		pb.Finality_FINALITY_CORRECTED,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("finality %v", got)
	}
}
