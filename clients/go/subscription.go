package tidegate

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Subscription is one view, or some rows of it: a snapshot, then every change.
// One goroutine asks for its events; all else is safe for concurrent use.
type Subscription[R, K proto.Message] struct {
	view    *View[R, K]
	request *pb.SubscribeRequest // without the token
	mirror  *Mirror[R, K]        // nil: none

	*lifeline
	guard      keyGuard[R, K]
	streamCtx  context.Context
	cursor     *cursor.Cursor
	stream     grpc.ServerStreamingClient[pb.SubscribeResponse] // or nil
	isAnswered bool                                             // the stream
	ready      []Event[R, K]                                    // of one message
	err        error                                            // after these
}

// Subscribe prepares a subscription; asking for its first event connects. It
// lives until it is closed, ctx ends, or it fails for good.
func (v *View[R, K]) Subscribe(
	ctx context.Context, options ...StreamOption,
) *Subscription[R, K] {
	q := streamQuery(options)
	if q.isKeyed && len(q.keys) == 0 {
		q.fail(fmt.Errorf("view %q: a subscription to no keys", v.name))
	}
	s := &Subscription[R, K]{
		view:     v,
		request:  v.subscribeRequest(q),
		lifeline: v.client.newLifeline(ctx),
		guard:    keyGuard[R, K]{view: v},
		cursor:   cursor.New(q.token, v.client.settings.maxPendingBytes),
		err:      q.err,
	}
	for _, key := range q.keys {
		s.request.Keys = append(s.request.Keys, []byte(key))
	}
	if q.hasMirror {
		s.mirror = newMirror(v, q.mirrorLimits, len(q.token) > 0)
	}
	return s
}

// Mirror of the rows, or nil: see [WithMirror].
func (s *Subscription[R, K]) Mirror() *Mirror[R, K] { return s.mirror }

// Close ends the subscription; its events end too, without an error.
func (s *Subscription[R, K]) Close() {
	s.close()
	if s.mirror != nil {
		s.mirror.end(nil)
	}
}

// Disconnect cuts the present stream, as a network would; it is resumed.
func (s *Subscription[R, K]) Disconnect() { s.disconnect() }

// Events as they come, until Close. An error is the last pair: a
// [*BrokenPromiseError], a [*LimitError], a [*ViewChangedError], the context's,
// or the status by which the server refused for good. The loop may be left, and entered again.
func (s *Subscription[R, K]) Events() iter.Seq2[Event[R, K], error] {
	return yieldAll(s.Next)
}

// Run keeps the [Mirror] going; returns nil after Close.
func (s *Subscription[R, K]) Run() error {
	for _, err := range s.Events() {
		if err != nil {
			return err
		}
	}
	return nil
}

// Next waits for the next event. After Close it is io.EOF; other errors are as
// for [Subscription.Events].
func (s *Subscription[R, K]) Next() (Event[R, K], error) {
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
	if s.mirror != nil {
		s.mirror.end(unlessClosed(s.err))
	}
	return Event[R, K]{}, s.err
}

func (s *Subscription[R, K]) open() {
	ctx, err := s.begin()
	if err != nil {
		s.err = err
		return
	}
	s.streamCtx = ctx
	s.cursor.BeginStream()
	s.isAnswered = false
	request := proto.CloneOf(s.request)
	request.ResumeToken = s.cursor.Token()
	s.stream, err = s.view.client.stub.Subscribe(ctx, request)
	if err != nil {
		s.ended(err)
	}
}

func (s *Subscription[R, K]) receive() {
	response, err := s.stream.Recv()
	if err != nil {
		s.ended(err)
		return
	}
	s.isAnswered = true
	events, err := s.cursor.Take(response)
	if failed := s.take(events); failed != nil {
		err = failed
	}
	if err != nil {
		s.err = ofView(s.view.name, err)
		s.end()
		return
	}
	if drain := response.GetDrain(); drain != nil {
		s.drained(drain)
	}
	err = s.guard.check(s.streamCtx)
	var changed *ViewChangedError
	switch {
	case errors.As(err, &changed):
		s.ready = nil // read by the key that was
		s.err = err
		s.end()
	case err != nil:
		s.ended(err)
	}
}

// take hands events over, to the mirror first.
func (s *Subscription[R, K]) take(events []cursor.Event) error {
	steps := make([]mirrored[R, K], 0, len(events))
	for _, from := range events {
		event, err := s.view.event(from)
		if err != nil {
			return err
		}
		s.guard.see(&event)
		s.ready = append(s.ready, event)
		steps = append(steps, mirrored[R, K]{event: &event})
	}
	if s.mirror == nil {
		return nil
	}
	return s.mirror.take(steps)
}

func (s *Subscription[R, K]) ended(err error) {
	s.stream = nil
	s.end()
	err = asStatus(err, "stream")
	wait, final := s.lost(err, s.isAnswered)
	if final != nil {
		s.err = final
		return
	}
	if s.mirror != nil {
		s.mirror.disconnected()
	}
	s.ready = append(s.ready, Event[R, K]{
		Kind: Disconnected, Err: err, Detail: err.Error(), RetryAfter: wait,
	})
}
