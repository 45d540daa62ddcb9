package tidegate

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// reconnectTime is how long an attempt waits for a failed connection.
const reconnectTime = 250 * time.Millisecond

// lifeline is what a subscription and a session have in common: when to try
// again, and how it ends.
type lifeline struct {
	client *Client
	ctx    context.Context
	cancel context.CancelFunc

	// Of the goroutine that asks for events.
	random   *rand.Rand
	failures int           // in a row
	wait     time.Duration // before the next attempt
	drain    time.Duration // what one of the present stream asked for; 0: none

	mu       sync.Mutex
	isClosed bool
	cut      context.CancelFunc // of the present stream; nil: there is none
	leaving  *time.Timer        // cuts it; nil: no drain
}

// begin waits until it is time, and then returns the context of a new stream,
// which end releases.
func (l *lifeline) begin() (context.Context, error) {
	if l.wait > 0 {
		timer := time.NewTimer(l.wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			l.wait = 0
		case <-l.ctx.Done():
			return nil, l.over()
		}
	}
	l.reconnect()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, l.overLocked()
	}
	ctx, cut := context.WithCancel(l.ctx)
	l.cut = cut
	return ctx, nil
}

// reconnect gives a connection that has failed a moment to come back: without
// it this attempt would fail by what is known of an earlier one, and a server
// that is back would be found by the next.
func (l *lifeline) reconnect() {
	const failed = connectivity.TransientFailure
	conn := l.client.conn
	if conn == nil || conn.GetState() != failed {
		return
	}
	conn.ResetConnectBackoff()
	ctx, cancel := context.WithTimeout(l.ctx, reconnectTime)
	defer cancel()
	conn.WaitForStateChange(ctx, failed)
}

// drained: the server goes away, and ends the stream itself. Where that takes
// longer than DrainGrace, the client goes.
func (l *lifeline) drained(drain *pb.Drain) {
	l.drain = max(drain.GetRetryAfter().AsDuration(), time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil && l.leaving == nil {
		l.leaving = time.AfterFunc(DrainGrace, l.cut)
	}
}

// end of a stream: there is none now.
func (l *lifeline) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving != nil {
		l.leaving.Stop()
		l.leaving = nil
	}
	if l.cut != nil {
		l.cut()
		l.cut = nil
	}
}

// lost tells what follows a stream that ended by err: another attempt after a
// wait, or, with an error, nothing.
func (l *lifeline) lost(err error, isAnswered bool) (time.Duration, error) {
	drain := l.drain
	l.drain = 0
	if l.ctx.Err() != nil {
		return 0, l.over()
	}
	if isPermanent(err) || l.client.isClosed() {
		return 0, err
	}
	if isAnswered {
		l.failures = 0
	}
	l.failures++
	settings := l.client.settings
	if settings.maxAttempts > 0 && l.failures > settings.maxAttempts {
		return 0, err
	}
	if drain > 0 {
		l.wait = backoff.AfterHint(drain, l.random.Uint64())
		return l.wait, nil
	}
	l.wait = settings.backoff.Delay(l.failures, l.random.Uint64())
	if hint := retryHint(err); hint > 0 {
		l.wait = max(l.wait, backoff.AfterHint(hint, l.random.Uint64()))
	}
	return l.wait, nil
}

// over is why it ended from this side: io.EOF if it was closed.
func (l *lifeline) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.overLocked()
}

func (l *lifeline) overLocked() error {
	if l.isClosed {
		return io.EOF
	}
	return context.Cause(l.ctx)
}

// unlessClosed is nil for what over says of a close.
func unlessClosed(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// close ends it from this side.
func (l *lifeline) close() {
	l.mu.Lock()
	if l.ctx.Err() == nil {
		l.isClosed = true
	}
	l.mu.Unlock()
	l.cancel()
}

// disconnect cuts the present stream, as a network would.
func (l *lifeline) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil {
		l.cut()
	}
}

// yieldAll makes an iterator of a function that returns one after another.
func yieldAll[E any](next func() (E, error)) func(func(E, error) bool) {
	return func(yield func(E, error) bool) {
		for {
			event, err := next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}
