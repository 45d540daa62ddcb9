package tidegate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
)

// mirrorOverhead is what a mirrored row costs besides its bytes on the wire.
const mirrorOverhead = 64

// MirrorLimits of a [Mirror]. One that would pass them ends with a
// [*LimitError]. While a snapshot replaces the rows, old and new are each held
// to them.
type MirrorLimits struct {
	MaxRows int
	// MaxBytes of rows and keys on the wire, and 64 for each row.
	MaxBytes int
}

// DefaultMirrorLimits are those of [WithMirror].
var DefaultMirrorLimits = MirrorLimits{MaxRows: 1_000_000, MaxBytes: 1 << 30}

// MirrorState says what the rows of a [Mirror] are.
type MirrorState int

// The states of a mirror.
const (
	// Loading: a snapshot is under way, or none has begun yet. The rows are
	// those of before it: none, or after a reset the old ones.
	Loading MirrorState = iota
	// Live: connected; every change comes as it happens.
	Live
	// MirrorDisconnected: the rows are as of the position; they stay, and age.
	MirrorDisconnected
	// Ended: for good; the rows stay as they were.
	Ended
)

// String is the state's name.
func (s MirrorState) String() string {
	return [...]string{"loading", "live", "disconnected", "ended"}[s]
}

// ErrEnded: a mirror has ended without what was waited for.
var ErrEnded = errors.New("the mirror has ended")

// Mirror holds the rows of a stream. It is safe for concurrent use, and each
// call sees one state of the view: a snapshot is seen when it is whole, and a
// batch of changes at once or not at all. It moves before the event that tells
// of it is handed over, and keeps its rows when the stream ends.
//
// Rows and keys are shared: they must not be changed.
type Mirror[R, K proto.Message] struct {
	view   *View[R, K]
	limits MirrorLimits

	mu         sync.RWMutex
	rows       mirrorRows[R, K]
	state      MirrorState
	isComplete bool
	position   Position
	watermark  time.Time
	err        error         // why it has ended
	changed    chan struct{} // closed when something has; nil: nobody waits

	// Of the goroutine that asks for events.
	inSnapshot bool
	lacksRows  bool             // of the time before another's token
	next       mirrorRows[R, K] // of a snapshot that is not whole yet
	// Rows of it that came after its last token: a cut takes them back.
	uncertain []Change[R, K]
	lastToken []byte
}

// mirrorRows are rows by the key's id, and what they cost.
type mirrorRows[R, K proto.Message] struct {
	byID  map[string]MirrorRow[R, K]
	bytes int
}

// MirrorRow is a row of a [Mirror].
type MirrorRow[R, K proto.Message] struct {
	Key K
	FoundRow[R]
	bytes int
}

func newMirror[R, K proto.Message](
	view *View[R, K], limits MirrorLimits, isResumed bool,
) *Mirror[R, K] {
	return &Mirror[R, K]{
		view: view, limits: limits,
		inSnapshot: !isResumed, lacksRows: isResumed,
		rows: emptyRows[R, K](), next: emptyRows[R, K](),
	}
}

func emptyRows[R, K proto.Message]() mirrorRows[R, K] {
	return mirrorRows[R, K]{byID: map[string]MirrorRow[R, K]{}}
}

// MirrorView is one state of a [Mirror], within [Mirror.Read].
type MirrorView[R, K proto.Message] struct{ mirror *Mirror[R, K] }

// Read calls read with one state of the rows, which stays until it returns; so
// it should soon, and not call the Mirror.
func (m *Mirror[R, K]) Read(read func(MirrorView[R, K])) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	read(MirrorView[R, K]{m})
}

// Get a row.
func (v MirrorView[R, K]) Get(key K) (FoundRow[R], bool) {
	row, ok := v.mirror.rows.byID[v.mirror.view.codec.id(key)]
	return row.FoundRow, ok
}

// All rows, in no order.
func (v MirrorView[R, K]) All() iter.Seq[MirrorRow[R, K]] {
	return func(yield func(MirrorRow[R, K]) bool) {
		for _, row := range v.mirror.rows.byID {
			if !yield(row) {
				return
			}
		}
	}
}

// Len is how many rows there are.
func (v MirrorView[R, K]) Len() int { return len(v.mirror.rows.byID) }

// State says what the rows are.
func (v MirrorView[R, K]) State() MirrorState { return v.mirror.state }

// IsComplete: the rows are all of those that the stream is of, as of Position.
// They are not before the first snapshot's end, nor after a [ResumeToken]: then
// they are those that have been told of since, until a reset.
func (v MirrorView[R, K]) IsComplete() bool { return v.mirror.isComplete }

// Position of the rows.
func (v MirrorView[R, K]) Position() Position { return v.mirror.position }

// Watermark that came last; zero: none.
func (v MirrorView[R, K]) Watermark() time.Time { return v.mirror.watermark }

// Get a row.
func (m *Mirror[R, K]) Get(key K) (row FoundRow[R], ok bool) {
	m.Read(func(v MirrorView[R, K]) { row, ok = v.Get(key) })
	return row, ok
}

// Rows, all of them, in no order.
func (m *Mirror[R, K]) Rows() (rows []MirrorRow[R, K]) {
	m.Read(func(v MirrorView[R, K]) {
		rows = make([]MirrorRow[R, K], 0, v.Len())
		for row := range v.All() {
			rows = append(rows, row)
		}
	})
	return rows
}

// Len is how many rows there are.
func (m *Mirror[R, K]) Len() (rows int) {
	m.Read(func(v MirrorView[R, K]) { rows = v.Len() })
	return rows
}

// State says what the rows are.
func (m *Mirror[R, K]) State() (state MirrorState) {
	m.Read(func(v MirrorView[R, K]) { state = v.State() })
	return state
}

// WaitUntil the condition holds: nil. If that is not before ctx ends, or cannot
// be any more because the mirror has ended, an error says so ([ErrEnded]). The
// mirror moves only while someone asks for the stream's events.
func (m *Mirror[R, K]) WaitUntil(
	ctx context.Context, condition func(MirrorView[R, K]) bool,
) error {
	for {
		isTrue, err, changed := m.check(condition)
		if isTrue || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *Mirror[R, K]) check(condition func(MirrorView[R, K]) bool) (
	isTrue bool, err error, changed <-chan struct{},
) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case condition(MirrorView[R, K]{m}):
		return true, nil, nil
	case m.state == Ended && m.err != nil:
		return false, fmt.Errorf("%w: %w", ErrEnded, m.err), nil
	case m.state == Ended:
		return false, ErrEnded, nil
	case m.changed == nil:
		m.changed = make(chan struct{})
	}
	return false, nil, m.changed
}

// WaitUntilLive waits until the rows are whole and every change comes.
func (m *Mirror[R, K]) WaitUntilLive(ctx context.Context) error {
	return m.WaitUntil(ctx, func(v MirrorView[R, K]) bool {
		return v.State() == Live
	})
}

// WaitUntilAt waits until what was read elsewhere, at that position, is here
// as well. Of a history that has been lost since, numbers are compared all the
// same.
func (m *Mirror[R, K]) WaitUntilAt(
	ctx context.Context, position Position,
) error {
	return m.WaitUntil(ctx, func(v MirrorView[R, K]) bool {
		for partition, seq := range position.Seqs {
			if at, ok := v.Position().Seqs[partition]; !ok || at < seq {
				return false
			}
		}
		return v.IsComplete()
	})
}

// tell those who wait.
func (m *Mirror[R, K]) tell() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// disconnected: the stream has gone, and comes again.
func (m *Mirror[R, K]) disconnected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != Ended {
		m.state = MirrorDisconnected
		m.tell()
	}
}

// end it for good; err nil: it was closed.
func (m *Mirror[R, K]) end(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != Ended {
		m.state = Ended
		m.err = err
		m.tell()
	}
}

// mirrored is a step of a mirror: an event, or keys that are no more of it.
type mirrored[R, K proto.Message] struct {
	event *Event[R, K] // or nil
	gone  []K
}

// take moves over all steps of one message at once.
func (m *Mirror[R, K]) take(steps []mirrored[R, K]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == Ended {
		return nil
	}
	defer m.tell()
	for _, step := range steps {
		for _, key := range step.gone {
			id := m.view.codec.id(key)
			m.rows.remove(id)
			m.next.remove(id)
		}
		if step.event == nil {
			continue
		}
		if err := m.takeEvent(step.event); err != nil {
			return ofView(m.view.name, err)
		}
	}
	return nil
}

func (m *Mirror[R, K]) takeEvent(event *Event[R, K]) error {
	if !event.Watermark.IsZero() {
		m.watermark = event.Watermark
	}
	switch event.Kind {
	case Connected:
		m.uncertain = nil
		if len(event.Token) == 0 {
			m.startOver()
		}
		m.state = Live
		if m.inSnapshot {
			m.state = Loading
		}
	case Reset:
		m.startOver()
		m.state = Loading
	case Snapshot:
		m.uncertain = append(m.uncertain, event.Changes...)
		return m.keep(event.Token)
	case Drain:
		return m.keep(event.Token)
	case SnapshotEnd:
		if err := m.takeUncertain(); err != nil {
			return err
		}
		m.rows, m.next = m.next, emptyRows[R, K]()
		m.inSnapshot = false
		m.isComplete = !m.lacksRows
		m.state = Live
		m.moveTo(event)
	case Changes:
		err := m.rows.apply(m.view.codec, event.Changes, m.limits)
		if err != nil {
			return err
		}
		m.moveTo(event)
	}
	return nil
}

func (m *Mirror[R, K]) moveTo(event *Event[R, K]) {
	if event.Position != nil {
		m.position = *event.Position
	}
}

func (m *Mirror[R, K]) startOver() {
	m.inSnapshot = true
	m.lacksRows = false
	m.next = emptyRows[R, K]()
	m.uncertain = nil
	m.lastToken = nil
}

// keep the rows of a snapshot that came before a new token.
func (m *Mirror[R, K]) keep(token []byte) error {
	if !m.inSnapshot || len(token) == 0 || bytes.Equal(token, m.lastToken) {
		return nil
	}
	m.lastToken = token
	return m.takeUncertain()
}

func (m *Mirror[R, K]) takeUncertain() error {
	changes := m.uncertain
	m.uncertain = nil
	return m.next.apply(m.view.codec, changes, m.limits)
}

// apply makes all of the changes or, where there is no room, none.
func (r *mirrorRows[R, K]) apply(
	codec *codec[R, K], changes []Change[R, K], limits MirrorLimits,
) error {
	ids := make([]string, len(changes))
	size, added := r.bytes, 0
	for i, change := range changes {
		ids[i] = codec.id(change.Key)
		old, had := r.byID[ids[i]]
		size -= old.bytes
		if had {
			added--
		}
		if change.Kind == Upsert {
			size += cost(ids[i], change.bytes)
			added++
		}
	}
	if rows := len(r.byID) + added; rows > limits.MaxRows {
		return &cursor.LimitError{
			What: "a mirror has too many rows", Limit: limits.MaxRows,
		}
	}
	if size > limits.MaxBytes {
		return &cursor.LimitError{
			What: "a mirror has too many bytes", Limit: limits.MaxBytes,
		}
	}
	for i, change := range changes {
		r.remove(ids[i])
		if change.Kind == Upsert {
			cost := cost(ids[i], change.bytes)
			r.bytes += cost
			r.byID[ids[i]] = MirrorRow[R, K]{
				change.Key, FoundRow[R]{change.Row, change.Finality}, cost,
			}
		}
	}
	return nil
}

func (r *mirrorRows[R, K]) remove(id string) {
	r.bytes -= r.byID[id].bytes
	delete(r.byID, id)
}

func cost(id string, size int) int { return len(id) + size + mirrorOverhead }
