package tidegate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	. "github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

type scripts = []func(Subscription) error

func TestResumesAfterACut(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), End(5), Delta(5, 7)),
		Play(Cut(), Delta(7, 9)),
	}}).Start(t)
	o := follow(connect(t, server).Subscribe(testContext(t)))
	o.want(t, "connected", "snapshot_end", "changes", "disconnected",
		"connected", "changes", "disconnected")
	wantStrings(t, "tokens", server.Tokens(), "", "t7", "t9")
	if status.Code(o.err) != codes.NotFound {
		t.Errorf("error %v", o.err)
	}
	if at := o.events[5].Position.Seqs[0]; at != 9 {
		t.Errorf("position %d", at)
	}
}

func TestAnEndWithOkIsACut(t *testing.T) {
	server := (&Server{Subscriptions: scripts{Play(nil, End(5))}}).Start(t)
	o := follow(connect(t, server).Subscribe(testContext(t)))
	o.want(t, "connected", "snapshot_end", "disconnected")
	if status.Code(o.events[2].Err) != codes.Unavailable {
		t.Errorf("error %v", o.events[2].Err)
	}
}

func TestACutBeforeTheFirstTokenStartsOver(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), Rows(upsert(1, 10))),
		Play(Cut(), End(3)),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	o := follow(s)
	wantStrings(t, "tokens", server.Tokens(), "", "", "t3")
	o.want(t, "connected", "snapshot", "disconnected", "connected",
		"snapshot_end", "disconnected")
	wantHeld(t, s.Mirror(), tidegate.Ended, "")
}

func TestRowsAndKeysAreTyped(t *testing.T) {
	final := upsert(1, 10)
	final.Finality = pb.Finality_FINALITY_FINAL
	delta := Delta(5, 6, final, deleted(2))
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	delta.Watermark = timestamppb.New(at)
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), End(5), delta),
	}}).Start(t)
	o := follow(connect(t, server).Subscribe(testContext(t)))
	e := o.events[2]
	if len(e.Changes) != 2 || !e.Watermark.Equal(at) || len(e.Ranges) != 1 {
		t.Fatalf("event %+v", e)
	}
	one, two := e.Changes[0], e.Changes[1]
	if one.Kind != tidegate.Upsert || one.Row.GetOrders() != 10 ||
		one.Key.GetDriverId() != 1 || one.Finality != tidegate.Final {
		t.Errorf("upsert %+v", one)
	}
	if two.Kind != tidegate.Deleted || two.Key.GetDriverId() != 2 ||
		two.Row != nil {
		t.Errorf("deleted %+v", two)
	}
}

func TestObeysADrain(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		// It does not end the stream: the client goes, after a while.
		Hold(End(5), Drain("d5", milliseconds(70))),
		Play(Cut(), Delta(5, 6)),
	}}).Start(t)
	o := follow(connect(t, server).Subscribe(testContext(t)))
	o.want(t, "connected", "snapshot_end", "drain", "disconnected",
		"connected", "changes", "disconnected")
	wantStrings(t, "tokens", server.Tokens(), "", "d5", "t6")
	if wait := o.events[3].RetryAfter; wait < ms(70) || wait > ms(88) {
		t.Errorf("waits %v", wait)
	}
}

func TestADrainReplacesTheBackoff(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), End(5), Drain("d5", milliseconds(0))),
	}}).Start(t)
	slow := tidegate.WithBackoff(time.Hour, time.Hour)
	o := follow(connect(t, server, slow).Subscribe(testContext(t)))
	o.want(t, "connected", "snapshot_end", "drain", "disconnected")
	if wait := o.events[3].RetryAfter; wait > ms(2) {
		t.Errorf("waits %v", wait)
	}
}

func TestObeysRetryInfo(t *testing.T) {
	full, err := status.New(codes.ResourceExhausted, "full").WithDetails(
		&errdetails.RetryInfo{RetryDelay: milliseconds(50)})
	if err != nil {
		t.Fatal(err)
	}
	// The backoff goes on beneath it.
	for _, least := range []time.Duration{ms(1), ms(100)} {
		server := (&Server{Subscriptions: scripts{Play(full.Err())}}).Start(t)
		view := connect(t, server, tidegate.WithBackoff(least, ms(100)))
		o := follow(view.Subscribe(testContext(t)))
		o.want(t, "disconnected")
		wait := o.events[0].RetryAfter
		if wait < ms(50) || least == ms(1) && wait > ms(63) || wait > ms(100) {
			t.Errorf("waits %v", wait)
		}
	}
}

func TestAppliesAReset(t *testing.T) {
	reset := &pb.SubscribeResponse{Reset_: &pb.Reset{
		Cause: pb.Reset_UNKNOWN_INCARNATION,
	}}
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), Rows(upsert(1, 10), upsert(2, 20)), End(5)),
		Play(Cut(), reset, Rows(upsert(2, 21)), End(2),
			Delta(2, 3, upsert(3, 30))),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	var during []string
	for e, err := range s.Events() {
		if err != nil {
			break
		}
		during = append(during, e.Kind.String()+" "+
			s.Mirror().State().String()+" "+held(s.Mirror()))
	}
	s.Close()
	wantStrings(t, "tokens", server.Tokens(), "", "t5", "t3")
	wantStrings(t, "mirror", during,
		"connected loading ",
		"snapshot loading ",
		"snapshot_end live 1:10 2:20",
		"disconnected disconnected 1:10 2:20",
		// The first message is the reset.
		"connected loading 1:10 2:20",
		"reset loading 1:10 2:20",
		"snapshot loading 1:10 2:20",
		"snapshot_end live 2:21",
		"changes live 2:21 3:30",
		"disconnected disconnected 2:21 3:30")
}

// anotherKey describes driver_totals after it was built anew: by region too.
func anotherKey() map[string]*pb.DescribeViewResponse {
	described := DriverTotals()
	key := described.GetDescriptors().GetFile()[0].GetMessageType()[1]
	region := proto.CloneOf(
		described.GetDescriptors().GetFile()[0].GetMessageType()[0].
			GetField()[3])
	region.OneofIndex, region.Proto3Optional = nil, nil
	key.Field = append(key.Field, region)
	described.View.KeyColumns = append(described.View.KeyColumns, "region")
	return map[string]*pb.DescribeViewResponse{"driver_totals": described}
}

func TestAnotherKeyEndsIt(t *testing.T) {
	reset := &pb.SubscribeResponse{Reset_: &pb.Reset{
		Cause: pb.Reset_VIEW_REBUILT,
	}}
	for what, first := range map[string]*pb.SubscribeResponse{
		"reset": reset, "began anew": Rows(upsert(2, 21)),
	} {
		before := []*pb.SubscribeResponse{Rows(upsert(1, 10))}
		if first == reset {
			before = append(before, End(5))
		}
		server := (&Server{Views: anotherKey(), Subscriptions: scripts{
			Play(Cut(), before...), Hold(first, Rows(upsert(3, 30)), End(2)),
		}}).Start(t)
		s := connect(t, server).Subscribe(
			testContext(t), tidegate.WithMirror())
		o := follow(s)
		var changed *tidegate.ViewChangedError
		if !errors.As(o.err, &changed) ||
			!strings.Contains(changed.Detail, "2 columns instead of 1") {
			t.Errorf("%s: error %v", what, o.err)
		}
		if last := o.kinds[len(o.kinds)-1]; last != "disconnected" {
			t.Errorf("%s: told of %s", what, last)
		}
	}
}

func TestBrokenPromisesEndIt(t *testing.T) {
	malformed := Delta(5, 6)
	malformed.Changes = []*pb.Change{
		{Kind: &pb.Change_Upsert{Upsert: []byte{0xff}}},
	}
	for says, response := range map[string]*pb.SubscribeResponse{
		"(6, 7] of partition 0":     Delta(6, 7, upsert(2, 20)),
		"(4, 5] of partition 0":     Delta(4, 5, upsert(2, 20)),
		"without a reset":           End(5),
		"malformed DriverTotalsRow": malformed,
	} {
		server := (&Server{Subscriptions: scripts{
			Hold(Rows(upsert(1, 10)), End(5), response),
		}}).Start(t)
		s := connect(t, server).Subscribe(
			testContext(t), tidegate.WithMirror())
		o := follow(s)
		o.want(t, "connected", "snapshot", "snapshot_end")
		wantBroken(t, o.err, says)
		wantHeld(t, s.Mirror(), tidegate.Ended, "1:10")
		if len(server.Requests()) != 1 {
			t.Errorf("%s: it came back", says)
		}
		if _, err := s.Next(); err == nil {
			t.Errorf("%s: it goes on", says)
		}
	}
}

func TestABatchHasALimit(t *testing.T) {
	fragment := &pb.SubscribeResponse{
		Changes: []*pb.Change{upsert(1, 11)}, Fragment: true,
	}
	server := (&Server{Subscriptions: scripts{
		Hold(End(5), fragment, fragment),
	}}).Start(t)
	o := follow(connect(t, server, tidegate.WithMaxPendingBytes(100)).
		Subscribe(testContext(t)))
	var limit *tidegate.LimitError
	if !errors.As(o.err, &limit) || limit.Limit != 100 {
		t.Errorf("error %v", o.err)
	}
}

func TestGivesUpAfterTheAllowedAttempts(t *testing.T) {
	server := (&Server{Subscriptions: slices.Repeat(
		scripts{Play(Cut())}, 6)}).Start(t)
	o := follow(connect(t, server, tidegate.WithMaxFailedAttempts(2)).
		Subscribe(testContext(t)))
	o.want(t, "disconnected", "disconnected")
	if status.Code(o.err) != codes.Unavailable || len(server.Requests()) != 3 {
		t.Errorf("error %v after %d", o.err, len(server.Requests()))
	}
}

func TestDisconnectAndCloseFromAnotherGoroutine(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Hold(End(5)), Hold(Delta(5, 6)),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t))
	for e, err := range s.Events() {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Kind == tidegate.SnapshotEnd:
			go s.Disconnect()
		case e.Kind == tidegate.Changes:
			go s.Close()
		}
	}
	wantStrings(t, "tokens", server.Tokens(), "", "t5")
	s.Close()
}

func TestTheContextEndsIt(t *testing.T) {
	server := (&Server{Subscriptions: scripts{Hold(End(5))}}).Start(t)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	s := connect(t, server).Subscribe(ctx)
	var last error
	for e, err := range s.Events() {
		if last = err; err == nil && e.Kind == tidegate.SnapshotEnd {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("error %v", last)
	}
}

func TestAServerThatIsBackIsFoundByTheNextAttempt(t *testing.T) {
	server := &Server{}
	stop, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	stop()
	server.Subscriptions = scripts{Hold(End(5))}
	// gRPC by itself would not try again before the test is over.
	s := connect(t, server, tidegate.WithDialOptions(
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: time.Hour, MaxDelay: time.Hour},
		}))).Subscribe(testContext(t))
	defer s.Close()
	var kinds []string
	for e, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if kinds = append(kinds, e.Kind.String()); len(kinds) == 1 {
			server.Start(t)
		}
		if e.Kind == tidegate.SnapshotEnd {
			break
		}
	}
	wantStrings(t, "events", kinds,
		"disconnected", "connected", "snapshot_end")
}

func TestItEndsWhileItWaits(t *testing.T) {
	server := (&Server{Subscriptions: scripts{Play(Cut())}}).Start(t)
	s := connect(t, server, tidegate.WithBackoff(time.Hour, time.Hour)).
		Subscribe(testContext(t))
	for e, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == tidegate.Disconnected {
			go s.Close()
		}
	}
}

func TestAClosedClientEndsIt(t *testing.T) {
	server := (&Server{Subscriptions: scripts{Hold(End(5))}}).Start(t)
	client, err := tidegate.Dial(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	view, err := tidegate.NewView[row, key](client, "driver_totals")
	if err != nil {
		t.Fatal(err)
	}
	s := view.Subscribe(testContext(t))
	defer s.Close()
	for e, err := range s.Events() {
		if err == nil && e.Kind == tidegate.SnapshotEnd {
			_ = client.Close()
		}
	}
	if _, err := s.Next(); err == nil {
		t.Error("it goes on")
	}
}

func TestAsksForWhatItsOptionsSay(t *testing.T) {
	server := (&Server{}).Start(t)
	view := connect(t, server)
	follow(view.Subscribe(testContext(t), view.KeyPrefix(keyOf(4)),
		tidegate.Where("orders > 1"), tidegate.MinInterval(ms(2500)),
		tidegate.ProgressInterval(ms(40)),
		tidegate.ResumeToken([]byte("t0"))))
	follow(view.Subscribe(testContext(t), view.Keys(keyOf(1), keyOf(2))))
	requests := server.Requests()
	one, two := requests[0], requests[1]
	if one.GetView() != "driver_totals" || one.GetWhere() != "orders > 1" ||
		string(one.GetKeyPrefix()) != string(marshal(keyOf(4))) ||
		string(one.GetResumeToken()) != "t0" ||
		one.GetMinInterval().AsDuration() != ms(2500) ||
		one.GetProgressInterval().AsDuration() != ms(40) {
		t.Errorf("request %v", one)
	}
	if len(two.GetKeys()) != 2 ||
		string(two.GetKeys()[1]) != string(marshal(keyOf(2))) {
		t.Errorf("request %v", two)
	}
}

func TestWhatIsWrongWithItsOptionsIsSaid(t *testing.T) {
	server := (&Server{}).Start(t)
	view := connect(t, server)
	for says, option := range map[string]tidegate.StreamOption{
		"no keys":       view.Keys(),
		"is nil":        view.Keys(nil),
		"no column set": view.KeyPrefix(&viewspb.DriverTotalsKey{}),
	} {
		o := follow(view.Subscribe(testContext(t), option))
		if o.err == nil || !strings.Contains(o.err.Error(), says) {
			t.Errorf("error %v, want one that says %q", o.err, says)
		}
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
