// Package sessionstate is a session over all its connections: its watches, what
// the server is to be asked, and what the answers mean. It knows the messages,
// but not gRPC; the time is an argument.
package sessionstate

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// MaxPendingKeyRequests bounds the requests for keys of one watch that have no
// answer yet.
const MaxPendingKeyRequests = 10_000

// Kind of an event.
type Kind int

// The kinds of events.
const (
	Stream      Kind = iota // Event, of the watch
	KeysApplied             // Request, of the watch; Gone
	Failed                  // Code, Message: the watch's last event
	Drain                   // RetryAfter, of the session
)

// Event of one watch, or of the session (watch 0).
type Event struct {
	Kind       Kind
	Watch      uint32
	Event      cursor.Event
	Request    uint64
	Gone       []string // keys that the watch has no more
	Code       int32    // google.rpc.Code
	Message    string
	RetryAfter time.Duration
}

// BrokenWatchError says which watch's stream was wrong.
type BrokenWatchError struct {
	Watch uint32
	Err   error // *cursor.BrokenError or *cursor.LimitError
}

func (e *BrokenWatchError) Error() string { return e.Err.Error() }

func (e *BrokenWatchError) Unwrap() error { return e.Err }

// State is not safe for concurrent use.
type State struct {
	maxPendingBytes int
	backoff         backoff.Limits
	watches         map[uint32]*watch
	isStreaming     bool
	// Of the present stream. Ids are not used twice.
	byWireID map[uint32]*watch
	refused  map[uint32]*watch // to be asked for again, at their openAt
	outbox   []*pb.SessionRequest

	lastWatch, lastWireID uint32
	lastRequest           uint64
}

// New makes the state of a session without watches.
func New(limits backoff.Limits, maxPendingBytes int) *State {
	return &State{
		maxPendingBytes: maxPendingBytes,
		backoff:         limits,
		watches:         map[uint32]*watch{},
		byWireID:        map[uint32]*watch{},
		refused:         map[uint32]*watch{},
	}
}

// AddWatch returns the watch's number, from 1 on.
func (s *State) AddWatch(spec Spec) uint32 {
	s.lastWatch++
	w := newWatch(s.lastWatch, spec, s.maxPendingBytes)
	s.watches[w.id] = w
	if s.isStreaming {
		s.open(w)
	}
	return w.id
}

// RemoveWatch gives a watch up: no event of it follows.
func (s *State) RemoveWatch(id uint32) {
	w := s.watches[id]
	if w == nil {
		return
	}
	if s.isStreaming && w.isOpen {
		delete(s.byWireID, w.wireID)
		s.outbox = append(s.outbox, &pb.SessionRequest{
			Action: &pb.SessionRequest_Unwatch{Unwatch: w.wireID},
		})
	}
	delete(s.refused, id)
	delete(s.watches, id)
}

// ChangeKeys asks for keys to come and go; returns the request's number.
func (s *State) ChangeKeys(id uint32, add, remove []string) (uint64, error) {
	w := s.watches[id]
	switch {
	case w == nil:
		return 0, fmt.Errorf("no watch %d", id)
	case !w.spec.Keyed:
		return 0, fmt.Errorf("watch %d has no keys", id)
	case len(w.asked) >= MaxPendingKeyRequests:
		return 0, &cursor.LimitError{
			What:  "too many requests for keys wait",
			Limit: MaxPendingKeyRequests,
		}
	}
	s.lastRequest++
	request := keyRequest{s.lastRequest, add, remove}
	w.asked = append(w.asked, request)
	if s.isStreaming {
		if w.isOpen {
			s.outbox = append(s.outbox, w.request(request))
		} else if s.refused[id] == nil {
			s.open(w)
		}
	}
	return request.number, nil
}

// Token is where a watch resumes, with the keys applied so far.
func (s *State) Token(id uint32) []byte {
	if w := s.watches[id]; w != nil {
		return w.cursor.Token()
	}
	return nil
}

// BeginStream: a new stream is there; it is asked for every watch.
func (s *State) BeginStream() {
	s.isStreaming = true
	s.outbox = nil
	clear(s.byWireID)
	clear(s.refused)
	s.lastWireID = 0
	for _, id := range slices.Sorted(maps.Keys(s.watches)) {
		w := s.watches[id]
		w.forget()
		s.open(w)
	}
}

// EndStream: the stream has gone.
func (s *State) EndStream() {
	s.isStreaming = false
	s.outbox = nil
}

func (s *State) open(w *watch) {
	delete(s.refused, w.id)
	w.adopt()
	if !w.hasKeys() {
		return
	}
	w.isOpen = true
	s.lastWireID++
	w.wireID = s.lastWireID
	s.byWireID[w.wireID] = w
	s.outbox = append(s.outbox, w.opening())
	for _, request := range w.asked {
		s.outbox = append(s.outbox, w.request(request))
	}
}

// NextRequest is what is to be sent now, or nil. Then due is when to ask again
// at the latest; zero: when something else happens.
func (s *State) NextRequest(now time.Time) (
	request *pb.SessionRequest, due time.Time,
) {
	if !s.isStreaming {
		return nil, due
	}
	for _, id := range slices.Sorted(maps.Keys(s.refused)) {
		w := s.refused[id]
		if !w.openAt.After(now) {
			s.open(w)
		} else if due.IsZero() || w.openAt.Before(due) {
			due = w.openAt
		}
	}
	if len(s.outbox) == 0 {
		return nil, due
	}
	request = s.outbox[0]
	s.outbox = s.outbox[1:]
	return request, time.Time{}
}

// Take returns the events that r completes, in order. A *BrokenWatchError comes
// with those that precede what was wrong.
func (s *State) Take(
	r *pb.SessionResponse, now time.Time, random func() uint64,
) ([]Event, error) {
	var events []Event
	for _, update := range r.GetUpdates() {
		w := s.byWireID[update.GetId()]
		if w == nil {
			continue // it was removed meanwhile
		}
		var err error
		events, err = s.takeUpdate(w, update, events)
		if err != nil {
			return events, &BrokenWatchError{w.id, err}
		}
		if failure := update.GetFailure(); failure != nil {
			events = append(events, s.fail(w, failure, now, random))
		}
	}
	if drain := r.GetDrain(); drain != nil {
		events = append(events, Event{
			Kind: Drain, RetryAfter: drain.GetRetryAfter().AsDuration(),
		})
	}
	return events, nil
}

func (s *State) takeUpdate(
	w *watch, update *pb.SessionResponse_Update, events []Event,
) ([]Event, error) {
	if update.GetResponse() != nil {
		taken, err := w.cursor.Take(update.GetResponse())
		for _, event := range taken {
			events = append(events, Event{Watch: w.id, Event: event})
			if event.Kind != cursor.SnapshotEnd {
				continue
			}
			for _, number := range w.atSnapshotEnd {
				events = append(events, Event{
					Kind: KeysApplied, Watch: w.id, Request: number,
				})
			}
			w.atSnapshotEnd = nil
		}
		if err != nil {
			return events, err
		}
		w.failures = 0
	}
	if number := update.GetKeysApplied(); number != 0 {
		request, err := w.applied(number)
		if err != nil {
			return events, err
		}
		events = append(events, Event{
			Kind: KeysApplied, Watch: w.id, Request: number,
			Gone: request.gone(),
		})
	}
	return events, nil
}

func (s *State) fail(
	w *watch, failure *pb.Failure, now time.Time, random func() uint64,
) Event {
	delete(s.byWireID, w.wireID)
	if backoff.Permanent(failure.GetCode()) {
		delete(s.watches, w.id)
		return Event{
			Kind: Failed, Watch: w.id,
			Code: failure.GetCode(), Message: failure.GetMessage(),
		}
	}
	w.forget()
	w.failures++
	wait := s.backoff.Delay(w.failures, random())
	w.openAt = now.Add(wait)
	s.refused[w.id] = w
	return Event{Watch: w.id, Event: cursor.Event{
		Kind: cursor.Disconnected, Detail: failure.GetMessage(),
		RetryAfter: wait,
	}}
}
