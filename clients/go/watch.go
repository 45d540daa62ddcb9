package tidegate

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/sessionstate"
)

// Watch is one view in a session, or some rows of it: one position and one
// token however many keys. Safe for concurrent use.
type Watch[R, K proto.Message] struct {
	view    *View[R, K]
	session *Session
	id      WatchID
	mirror  *Mirror[R, K] // nil: none
	guard   keyGuard[R, K]
}

// Watch adds a watch to a session of the view's client. With [View.Keys], also
// of none, its keys may come and go.
func (v *View[R, K]) Watch(
	session *Session, options ...StreamOption,
) (*Watch[R, K], error) {
	q := streamQuery(options)
	if session.client != v.client {
		q.fail(fmt.Errorf("view %q is of another client", v.name))
	}
	if q.err != nil {
		return nil, q.err
	}
	w := &Watch[R, K]{
		view: v, session: session, guard: keyGuard[R, K]{view: v},
	}
	if q.hasMirror {
		w.mirror = newMirror(v, q.mirrorLimits, len(q.token) > 0)
	}
	session.stateMu.Lock()
	w.id = WatchID(session.state.AddWatch(sessionstate.Spec{
		Subscribe: v.subscribeRequest(q),
		Keys:      q.keys,
		Keyed:     q.isKeyed,
		Token:     q.token,
	}))
	session.watches[w.id] = w
	session.stateMu.Unlock()
	session.changed()
	return w, nil
}

// ID of the watch in its session.
func (w *Watch[R, K]) ID() WatchID { return w.id }

// Mirror of the rows, or nil: see [WithMirror]. It forgets the rows of keys
// removed when the request is applied.
func (w *Watch[R, K]) Mirror() *Mirror[R, K] { return w.mirror }

// Token is where the watch resumes, with the keys applied so far.
func (w *Watch[R, K]) Token() []byte {
	w.session.stateMu.Lock()
	defer w.session.stateMu.Unlock()
	return w.session.state.Token(uint32(w.id))
}

// Event tells what a [WatchEvent] of this watch was; false: it is another's, or
// of another kind.
func (w *Watch[R, K]) Event(event SessionEvent) (Event[R, K], bool) {
	if event.Watch != w.id {
		return Event[R, K]{}, false
	}
	own, ok := event.event.(Event[R, K])
	if ok && own.Kind == Disconnected {
		own.Err = event.Err
	}
	return own, ok
}

// AddKeys returns the request's number; [KeysApplied] tells when it is done.
func (w *Watch[R, K]) AddKeys(keys ...K) (uint64, error) {
	return w.ChangeKeys(keys, nil)
}

// RemoveKeys returns the request's number; [KeysApplied] tells when it is done.
func (w *Watch[R, K]) RemoveKeys(keys ...K) (uint64, error) {
	return w.ChangeKeys(nil, keys)
}

// ChangeKeys by one request; those to remove go first. After a watch has had no
// keys at all, it starts again with a snapshot.
func (w *Watch[R, K]) ChangeKeys(add, remove []K) (uint64, error) {
	added, err := w.view.encodeKeys(add)
	if err != nil {
		return 0, err
	}
	removed, err := w.view.encodeKeys(remove)
	if err != nil {
		return 0, err
	}
	session := w.session
	session.stateMu.Lock()
	number, err := session.state.ChangeKeys(uint32(w.id), added, removed)
	session.stateMu.Unlock()
	session.changed()
	return number, ofView(w.view.name, err)
}

// Close gives the watch up. Events that are under way may still come.
func (w *Watch[R, K]) Close() {
	session := w.session
	session.stateMu.Lock()
	session.state.RemoveWatch(uint32(w.id))
	delete(session.watches, w.id)
	session.stateMu.Unlock()
	session.changed()
	w.end(nil)
}

func (w *Watch[R, K]) check(ctx context.Context) error {
	return w.guard.check(ctx)
}

func (w *Watch[R, K]) viewName() string { return w.view.name }

func (w *Watch[R, K]) disconnected() {
	if w.mirror != nil {
		w.mirror.disconnected()
	}
}

func (w *Watch[R, K]) end(err error) {
	if w.mirror != nil {
		w.mirror.end(err)
	}
}

func (w *Watch[R, K]) take(events []sessionstate.Event) ([]any, error) {
	read := make([]any, 0, len(events))
	steps := make([]mirrored[R, K], 0, len(events))
	for _, from := range events {
		switch from.Kind {
		case sessionstate.Stream:
			event, err := w.view.event(from.Event)
			if err != nil {
				return read, err
			}
			w.guard.see(&event)
			read = append(read, event)
			if event.Kind == Disconnected {
				w.disconnected()
				continue
			}
			steps = append(steps, mirrored[R, K]{event: &event})
		case sessionstate.KeysApplied:
			step, err := w.applied(from)
			if err != nil {
				return read, err
			}
			read = append(read, nil)
			steps = append(steps, step)
		default:
			read = append(read, nil)
		}
	}
	if w.mirror == nil {
		return read, nil
	}
	return read, w.mirror.take(steps)
}

func (w *Watch[R, K]) applied(
	from sessionstate.Event,
) (mirrored[R, K], error) {
	var step mirrored[R, K]
	for _, encoded := range from.Gone {
		key, err := w.view.codec.key([]byte(encoded))
		if err != nil {
			return step, err
		}
		step.gone = append(step.gone, key)
	}
	return step, nil
}
