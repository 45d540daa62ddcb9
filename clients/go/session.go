package tidegate

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	"github.com/tidegate/tidegate/clients/go/internal/sessionstate"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// MaxPendingKeyRequests bounds the requests for keys of one watch that have no
// answer yet.
const MaxPendingKeyRequests = sessionstate.MaxPendingKeyRequests

// WatchID is a watch's number in its session, from 1 on, over all connections.
type WatchID uint32

// SessionEventKind of a [SessionEvent].
type SessionEventKind int

// The kinds of events of a session.
const (
	// WatchEvent: [Watch.Event] tells what.
	WatchEvent SessionEventKind = iota
	// KeysApplied: the request of the watch is done; what came before is the
	// answer: a change for each key added. Once for each request, in order. Of
	// keys removed, nothing is told any more: forget their rows now.
	KeysApplied
	// WatchFailed: Err; the server refused the watch for good, its mirror is
	// full (a [*LimitError]), or its view has been built anew with another key
	// (a [*ViewChangedError]) or is there no more. Its last event.
	WatchFailed
	// SessionDrain: the server goes away; RetryAfter.
	SessionDrain
	// SessionDisconnected: Err; another attempt follows after RetryAfter.
	SessionDisconnected
)

// SessionEvent is what happened in a session.
type SessionEvent struct {
	Kind       SessionEventKind
	Watch      WatchID // 0: the session
	Request    uint64
	RetryAfter time.Duration
	Err        error

	event any // Event[R, K] of the watch's types
}

// Session is many watches on one stream. One goroutine asks for its events; all
// else is safe for concurrent use.
type Session struct {
	*lifeline

	// Of the goroutine that asks for events.
	stream     grpc.BidiStreamingClient[pb.SessionRequest, pb.SessionResponse]
	streamCtx  context.Context
	writer     sync.WaitGroup
	isAnswered bool           // the stream
	ready      []SessionEvent // of one message
	err        error          // after these

	stateMu sync.Mutex
	state   *sessionstate.State
	watches map[WatchID]watcher
	wake    chan struct{} // holds one when there may be something to send
}

// watcher is a watch of any types.
type watcher interface {
	// take reads what one message told of the watch, in order, and moves the
	// mirror over it. Its events are as many, or fewer if there is an error.
	take([]sessionstate.Event) ([]any, error)
	// check whether the view has another key, after take.
	check(context.Context) error
	// Of its mirror.
	disconnected()
	end(error)
	viewName() string
}

// Session prepares a session without watches; asking for its first event
// connects. It lives until it is closed, ctx ends, or it fails for good.
func (c *Client) Session(ctx context.Context) *Session {
	return &Session{
		lifeline: c.newLifeline(ctx),
		state: sessionstate.New(
			c.settings.backoff, c.settings.maxPendingBytes),
		watches: map[WatchID]watcher{},
		wake:    make(chan struct{}, 1),
	}
}

// Close ends the session; its events end too, without an error.
func (s *Session) Close() {
	s.close()
	s.endAll(nil)
}

func (s *Session) endAll(err error) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	for _, watch := range s.watches {
		watch.end(err)
	}
}

// Disconnect cuts the present stream, as a network would; it is resumed.
func (s *Session) Disconnect() { s.disconnect() }

// Events as they come, until Close. An error is the last pair: a
// [*BrokenPromiseError] of one of the watches or a [*LimitError] of its batch,
// the context's, or the status by which the server refused the session for good. The loop may
// be left, and entered again.
func (s *Session) Events() iter.Seq2[SessionEvent, error] {
	return yieldAll(s.Next)
}

// Run keeps the mirrors going; returns nil after Close.
func (s *Session) Run() error {
	for _, err := range s.Events() {
		if err != nil {
			return err
		}
	}
	return nil
}

// Next waits for the next event. After Close it is io.EOF; other errors are as
// for [Session.Events].
func (s *Session) Next() (SessionEvent, error) {
	for len(s.ready) == 0 && s.err == nil {
		if s.stream == nil {
			s.open()
		} else {
			s.receive()
		}
	}
	if len(s.ready) > 0 {
		event := s.ready[0]
		s.ready = s.ready[1:]
		return event, nil
	}
	s.cancel()
	s.endAll(unlessClosed(s.err))
	return SessionEvent{}, s.err
}

func (s *Session) open() {
	ctx, err := s.begin()
	if err != nil {
		s.err = err
		return
	}
	s.isAnswered = false
	stream, err := s.client.stub.Session(ctx)
	if err != nil {
		s.ended(err)
		return
	}
	s.stream = stream
	s.streamCtx = ctx
	s.stateMu.Lock()
	s.state.BeginStream()
	s.stateMu.Unlock()
	s.writer.Go(func() { s.write(ctx, stream) })
}

// write sends what is to be sent, until the stream ends.
func (s *Session) write(
	ctx context.Context,
	stream grpc.BidiStreamingClient[pb.SessionRequest, pb.SessionResponse],
) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		s.stateMu.Lock()
		now := time.Now()
		request, due := s.state.NextRequest(now)
		s.stateMu.Unlock()
		if request != nil {
			if stream.Send(request) != nil {
				return // receiving tells how it ended
			}
			continue
		}
		var dueC <-chan time.Time
		if !due.IsZero() {
			timer.Reset(due.Sub(now))
			dueC = timer.C
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-dueC:
		}
	}
}

// changed tells the writer that there may be something to send.
func (s *Session) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Session) receive() {
	response, err := s.stream.Recv()
	if err != nil {
		s.ended(err)
		return
	}
	s.isAnswered = true
	if err := s.take(response); err != nil {
		s.err = err
		s.end()
		s.writer.Wait()
		return
	}
	s.changed()
	if drain := response.GetDrain(); drain != nil {
		s.drained(drain)
	}
	if err := s.check(); err != nil {
		s.ended(err)
	}
}

// check the keys of the views that a message was of. A watch whose view has
// another, or is none any more, ends; other errors are of the connection.
func (s *Session) check() error {
	for id, watch := range s.told() {
		err := watch.check(s.streamCtx)
		if err == nil {
			continue
		}
		var changed *ViewChangedError
		if !errors.As(err, &changed) && !isPermanent(err) {
			return err
		}
		// Its events were read by the key that was.
		s.ready = slices.DeleteFunc(s.ready, func(e SessionEvent) bool {
			return e.Watch == id
		})
		s.stateMu.Lock()
		s.giveUp(id, err)
		s.stateMu.Unlock()
		s.changed()
	}
	return nil
}

// told are the watches that a message has just been of.
func (s *Session) told() map[WatchID]watcher {
	out := map[WatchID]watcher{}
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	for _, event := range s.ready {
		if watch := s.watches[event.Watch]; watch != nil {
			out[event.Watch] = watch
		}
	}
	return out
}

// take hands over what a message told, to the mirrors first.
func (s *Session) take(response *pb.SessionResponse) error {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	events, err := s.state.Take(response, time.Now(), s.random.Uint64)
	byWatch := map[WatchID][]sessionstate.Event{}
	for _, event := range events {
		id := WatchID(event.Watch)
		byWatch[id] = append(byWatch[id], event)
	}
	read := map[WatchID][]any{}
	full := map[WatchID]error{}
	for id, own := range byWatch {
		watch := s.watches[id]
		if watch == nil {
			continue
		}
		var failed error
		read[id], failed = watch.take(own)
		var limit *LimitError
		if errors.As(failed, &limit) {
			full[id] = failed
		} else if failed != nil && err == nil {
			err = failed
		}
	}
	var broken *sessionstate.BrokenWatchError
	if errors.As(err, &broken) {
		err = ofView(s.watches[WatchID(broken.Watch)].viewName(), broken.Err)
	}
	for _, event := range events {
		s.hand(event, read)
	}
	for id, limit := range full {
		s.giveUp(id, limit)
	}
	return err
}

// hand over one event; read are those of each watch that are left.
func (s *Session) hand(event sessionstate.Event, read map[WatchID][]any) {
	id := WatchID(event.Watch)
	if id == 0 {
		s.ready = append(s.ready, ofSession(event))
		return
	}
	if len(read[id]) == 0 {
		return // it could not be read, or nobody is there for it
	}
	told := ofWatch(event, read[id][0])
	read[id] = read[id][1:]
	s.ready = append(s.ready, told)
	if told.Kind == WatchFailed {
		s.watches[id].end(told.Err)
		delete(s.watches, id)
	}
}

// giveUp a watch; the session goes on.
func (s *Session) giveUp(id WatchID, err error) {
	s.state.RemoveWatch(uint32(id))
	if watch := s.watches[id]; watch != nil {
		watch.end(err)
		delete(s.watches, id)
		s.ready = append(s.ready, SessionEvent{
			Kind: WatchFailed, Watch: id, Err: err,
		})
	}
}

func ofSession(event sessionstate.Event) SessionEvent {
	return SessionEvent{Kind: SessionDrain, RetryAfter: event.RetryAfter}
}

func ofWatch(event sessionstate.Event, read any) SessionEvent {
	out := SessionEvent{Watch: WatchID(event.Watch), Request: event.Request}
	switch event.Kind {
	case sessionstate.KeysApplied:
		out.Kind = KeysApplied
	case sessionstate.Failed:
		out.Kind = WatchFailed
		out.Err = status.Error(codes.Code(event.Code), event.Message)
	default:
		out.event = read
		if event.Event.Kind == cursor.Disconnected {
			out.Err = status.Error(codes.Unavailable, event.Event.Detail)
			out.RetryAfter = event.Event.RetryAfter
		}
	}
	return out
}

func (s *Session) ended(err error) {
	s.stream = nil
	s.end()
	s.writer.Wait()
	s.stateMu.Lock()
	s.state.EndStream()
	for _, watch := range s.watches {
		watch.disconnected()
	}
	s.stateMu.Unlock()
	err = asStatus(err, "session")
	wait, final := s.lost(err, s.isAnswered)
	if final != nil {
		s.err = final
		return
	}
	s.ready = append(s.ready, SessionEvent{
		Kind: SessionDisconnected, Err: err, RetryAfter: wait,
	})
}
