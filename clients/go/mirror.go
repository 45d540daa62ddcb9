package tidegate

import (
	"iter"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
)

// mirrorOverhead is what a mirrored row costs besides its bytes on the wire.
const mirrorOverhead = 64

// MirrorState says what the rows of a [Mirror] are.
type MirrorState int

// The states of a mirror.
const (
	// Filling: no snapshot has been whole yet, so there are no rows.
	Filling MirrorState = iota
	// Live: the rows are exactly those of Position. While the stream is cut they
	// stay, and age.
	Live
	// Replacing: there was a reset, or the stream began anew. The rows are those
	// of before, whole, until the new snapshot is.
	Replacing
	// Partial: resumed by a [ResumeToken] of another. The rows are those that
	// have been told of since; a reset makes them whole.
	Partial
)

// String is the state's name.
func (s MirrorState) String() string {
	return [...]string{"filling", "live", "replacing", "partial"}[s]
}

// Mirror holds the rows of a stream. It is safe for concurrent use, and each
// call sees one state of the view: a snapshot is seen when it is whole, and a
// batch of changes at once or not at all. It moves before the event that tells
// of it is handed over, and keeps its rows when the stream ends.
//
// Rows and keys are shared: they must not be changed.
type Mirror[R, K proto.Message] struct {
	view     *View[R, K]
	maxBytes int

	mu        sync.RWMutex
	rows      mirrorRows[R, K]
	state     MirrorState
	position  Position
	watermark time.Time

	// Of the goroutine that asks for events.
	isPartial bool
	next      mirrorRows[R, K] // of a snapshot that is not whole yet
	// Rows of it that came after its last token: a cut takes them back.
	uncertain []Change[R, K]
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
	view *View[R, K], maxBytes int, isResumed bool,
) *Mirror[R, K] {
	m := &Mirror[R, K]{
		view: view, maxBytes: maxBytes, isPartial: isResumed,
		rows: emptyRows[R, K](), next: emptyRows[R, K](),
	}
	if isResumed {
		m.state = Partial
	}
	return m
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

// Position of the rows, if Live.
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

// mirrored is a step of a mirror: an event, or keys that are no more of it.
type mirrored[R, K proto.Message] struct {
	event *Event[R, K] // or nil
	gone  []K
}

// take moves over all steps of one message at once.
func (m *Mirror[R, K]) take(steps []mirrored[R, K]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
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
	case Reset:
		m.startOver()
	case Snapshot:
		m.uncertain = append(m.uncertain, event.Changes...)
		if len(event.Token) > 0 {
			return m.takeUncertain()
		}
	case SnapshotEnd:
		if err := m.takeUncertain(); err != nil {
			return err
		}
		m.rows, m.next = m.next, emptyRows[R, K]()
		m.moveTo(event)
		if !m.isPartial {
			m.state = Live
		}
	case Changes:
		err := m.rows.apply(m.view.codec, event.Changes, m.maxBytes)
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
	m.next = emptyRows[R, K]()
	m.uncertain = nil
	m.isPartial = false
	if m.state != Filling {
		m.state = Replacing
	}
}

func (m *Mirror[R, K]) takeUncertain() error {
	changes := m.uncertain
	m.uncertain = nil
	return m.next.apply(m.view.codec, changes, m.maxBytes)
}

// apply makes all of the changes or, where there is no room, none.
func (r *mirrorRows[R, K]) apply(
	codec *codec[R, K], changes []Change[R, K], maxBytes int,
) error {
	ids := make([]string, len(changes))
	bytes := r.bytes
	for i, change := range changes {
		ids[i] = codec.id(change.Key)
		bytes -= r.byID[ids[i]].bytes
		if change.Kind == Upsert {
			bytes += cost(ids[i], change.bytes)
		}
	}
	if bytes > maxBytes {
		return &cursor.LimitError{
			What: "a mirror has too many bytes", Limit: maxBytes,
		}
	}
	for i, change := range changes {
		r.remove(ids[i])
		if change.Kind == Upsert {
			size := cost(ids[i], change.bytes)
			r.bytes += size
			r.byID[ids[i]] = MirrorRow[R, K]{
				change.Key, FoundRow[R]{change.Row, change.Finality}, size,
			}
		}
	}
	return nil
}

func (r *mirrorRows[R, K]) remove(id string) {
	r.bytes -= r.byID[id].bytes
	delete(r.byID, id)
}

func cost(id string, bytes int) int { return len(id) + bytes + mirrorOverhead }
