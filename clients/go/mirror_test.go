package tidegate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tidegate "github.com/tidegate/tidegate/clients/go"
	. "github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

func TestACutInASnapshotKeepsTheRowsBeforeItsToken(t *testing.T) {
	chunk := Rows(upsert(1, 10))
	chunk.ResumeToken = []byte("c1")
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), chunk, Rows(upsert(2, 20))),
		Play(Cut(), Rows(upsert(3, 30)), End(6)),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	follow(s)
	wantStrings(t, "tokens", server.Tokens(), "", "c1", "t6")
	wantHeld(t, s.Mirror(), tidegate.Ended, "1:10 3:30")
}

func TestABatchIsSeenWholeOrNotAtAll(t *testing.T) {
	fragment := &pb.SubscribeResponse{
		Changes: []*pb.Change{upsert(1, 11)}, Fragment: true,
	}
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), Rows(upsert(1, 10)), End(5), fragment),
		Hold(Delta(5, 6, upsert(1, 12), deleted(7), upsert(2, 20))),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	defer s.Close()
	for e, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == tidegate.Disconnected {
			wantHeld(t, s.Mirror(), tidegate.MirrorDisconnected, "1:10")
		}
		if e.Kind == tidegate.Changes {
			break
		}
	}
	wantHeld(t, s.Mirror(), tidegate.Live, "1:12 2:20")
}

func TestEveryReaderSeesOneState(t *testing.T) {
	const batches, readers = 300, 3
	script := []*pb.SubscribeResponse{
		Rows(upsert(1, 0), upsert(2, 0)), End(5),
	}
	for i := range uint64(batches) {
		script = append(script, Delta(5+i, 6+i,
			upsert(1, int64(i+1)), upsert(2, int64(i+1))))
	}
	server := (&Server{Subscriptions: scripts{
		Play(Over(), script...),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	done := make(chan error, readers)
	stop := make(chan struct{})
	for range readers {
		go func() {
			for {
				var failed error
				s.Mirror().Read(
					func(v tidegate.MirrorView[row, key]) {
						one, _ := v.Get(keyOf(1))
						two, _ := v.Get(keyOf(2))
						if one.Row.GetOrders() != two.Row.GetOrders() {
							failed = errors.New("half a batch was seen")
						}
					})
				select {
				case <-stop:
					done <- failed
					return
				default:
					if failed != nil {
						done <- failed
						return
					}
				}
			}
		}()
	}
	err := s.Run()
	close(stop)
	for range readers {
		if failed := <-done; failed != nil {
			t.Error(failed)
		}
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("error %v", err)
	}
	wantHeld(t, s.Mirror(), tidegate.Ended, "1:300 2:300")
}

func TestAMirrorHasLimits(t *testing.T) {
	for what, limits := range map[string]tidegate.MirrorLimits{
		"bytes": {MaxRows: 100, MaxBytes: 100},
		"rows":  {MaxRows: 1, MaxBytes: 1 << 20},
	} {
		server := (&Server{Subscriptions: scripts{
			Hold(Rows(upsert(1, 10)), End(5), Delta(5, 6, upsert(1, 11)),
				Delta(6, 7, upsert(1, 12), upsert(2, 20))),
		}}).Start(t)
		s := connect(t, server).Subscribe(
			testContext(t), tidegate.WithMirrorOf(limits))
		o := follow(s)
		var limit *tidegate.LimitError
		if !errors.As(o.err, &limit) || !strings.Contains(limit.What, what) {
			t.Errorf("error %v", o.err)
		}
		wantHeld(t, s.Mirror(), tidegate.Ended, "1:11")
	}
}

func TestResumedFromAnothersTokenAMirrorIsNotComplete(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Hold(Delta(41, 42, upsert(1, 10))),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t),
		tidegate.ResumeToken([]byte("elsewhere")), tidegate.WithMirror())
	defer s.Close()
	for e, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == tidegate.Changes {
			break
		}
	}
	wantHeld(t, s.Mirror(), tidegate.Live, "1:10")
	s.Mirror().Read(func(v tidegate.MirrorView[row, key]) {
		if v.IsComplete() {
			t.Error("it is called complete")
		}
	})
}

func TestADrainsTokenKeepsTheRowsBeforeIt(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Play(Cut(), Rows(upsert(1, 10)), Drain("d1", milliseconds(1))),
		Play(Cut(), Rows(upsert(2, 20)), Drain("", milliseconds(1))),
		Play(Cut(), Rows(upsert(3, 30)), End(6)),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	follow(s)
	wantStrings(t, "tokens", server.Tokens(), "", "d1", "d1", "t6")
	wantHeld(t, s.Mirror(), tidegate.Ended, "1:10 3:30")
}

func TestWaitsForAMirror(t *testing.T) {
	server := (&Server{Subscriptions: scripts{
		Hold(Rows(upsert(1, 10)), End(5), Delta(5, 7, upsert(2, 20))),
	}}).Start(t)
	s := connect(t, server).Subscribe(testContext(t), tidegate.WithMirror())
	m := s.Mirror()
	ended := make(chan error)
	go func() { ended <- s.Run() }()
	if err := m.WaitUntilLive(testContext(t)); err != nil {
		t.Error(err)
	}
	at := tidegate.Position{Seqs: map[uint32]uint64{0: 7}}
	if err := m.WaitUntilAt(testContext(t), at); err != nil {
		t.Error(err)
	}
	wantHeld(t, m, tidegate.Live, "1:10 2:20")
	at.Seqs[0] = 8
	short, cancel := context.WithCancel(testContext(t))
	go cancel()
	if err := m.WaitUntilAt(short, at); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	go s.Close()
	if err := m.WaitUntilAt(testContext(t), at); !errors.Is(
		err, tidegate.ErrEnded) {
		t.Errorf("error %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
