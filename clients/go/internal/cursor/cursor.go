package cursor

import (
	"maps"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

const (
	// DefaultMaxPendingBytes bounds what is held of a fragmented range or
	// commit until it is whole.
	DefaultMaxPendingBytes = 256 << 20
	// changeOverhead is what a held change costs besides its bytes.
	changeOverhead = 48
)

type phase int

const (
	inSnapshot phase = iota
	live
	foreign // resumed from another cursor's token, nothing received yet
)

// Cursor lives across the connections of one subscriber. Not safe for
// concurrent use.
type Cursor struct {
	maxPendingBytes int
	token           []byte
	incarnation     string
	position        *Position // nil: not known
	isFirst         bool      // no response of this stream has come
	phase           phase
	pending         []Change
	pendingBytes    int
}

// New makes a cursor that resumes from token; without one, from a snapshot.
func New(token []byte, maxPendingBytes int) *Cursor {
	c := &Cursor{token: token, maxPendingBytes: maxPendingBytes, isFirst: true}
	if len(token) > 0 {
		c.phase = foreign
	}
	return c
}

// Token is where a new stream should resume; empty: from a snapshot.
func (c *Cursor) Token() []byte { return c.token }

// Position is where the stream stands; nil if that is not known.
func (c *Cursor) Position() *Position { return c.position }

// BeginStream: a new stream was asked for with Token. What was held of an
// unfinished range is dropped.
func (c *Cursor) BeginStream() {
	c.isFirst = true
	c.dropPending()
	if len(c.token) == 0 {
		c.phase = inSnapshot
		c.position = nil
	}
}

// Take returns the events that r completes, in order. A *BrokenError or
// *LimitError comes with those that precede what was wrong.
func (c *Cursor) Take(r *pb.SubscribeResponse) ([]Event, error) {
	var events []Event
	if i := r.GetPosition().GetIncarnation(); len(i) > 0 {
		c.incarnation = string(i)
	}
	if c.isFirst {
		c.isFirst = false
		event := makeEvent(Connected, r)
		event.Token = c.token
		event.Position = toPosition(r.GetPosition())
		events = append(events, event)
	}
	if r.GetReset_() != nil {
		events = append(events, c.takeReset(r))
	}
	var err error
	if r.GetSnapshot() || r.GetSnapshotEnd() {
		events, err = c.takeSnapshot(r, events)
	} else {
		events, err = c.takeDelta(r, events)
	}
	if err != nil {
		return events, err
	}
	if drain := r.GetDrain(); drain != nil {
		event := makeEvent(Drain, r)
		c.adopt(r.GetResumeToken())
		event.Token = c.token
		event.Position = c.position
		event.RetryAfter = drain.GetRetryAfter().AsDuration()
		events = append(events, event)
	}
	return events, nil
}

func (c *Cursor) takeReset(r *pb.SubscribeResponse) Event {
	event := makeEvent(Reset, r)
	event.Cause = r.GetReset_().GetCause().String()
	event.Detail = r.GetReset_().GetDetail()
	event.Position = toPosition(r.GetPosition())
	c.token = nil
	c.position = nil
	c.dropPending()
	c.phase = inSnapshot
	return event
}

func (c *Cursor) takeSnapshot(
	r *pb.SubscribeResponse, events []Event,
) ([]Event, error) {
	if c.phase == live {
		return events, Broken("a snapshot came without a reset")
	}
	c.phase = inSnapshot
	if len(r.GetChanges()) > 0 {
		event := makeEvent(Snapshot, r)
		var err error
		if event.Changes, _, err = takeChanges(nil, r); err != nil {
			return events, err
		}
		if !r.GetSnapshotEnd() {
			c.adopt(r.GetResumeToken())
			event.Token = r.GetResumeToken()
		}
		events = append(events, event)
	}
	if !r.GetSnapshotEnd() {
		return events, nil
	}
	if r.GetPosition() == nil {
		return events, Broken("a snapshot's end came without a position")
	}
	c.phase = live
	c.position = toPosition(r.GetPosition())
	c.token = r.GetResumeToken()
	event := makeEvent(SnapshotEnd, r)
	event.Token = c.token
	event.Position = c.position
	return append(events, event), nil
}

func (c *Cursor) takeDelta(
	r *pb.SubscribeResponse, events []Event,
) ([]Event, error) {
	hasContent := len(r.GetChanges()) > 0 || len(r.GetRanges()) > 0
	if !hasContent && !r.GetFragment() && len(c.pending) == 0 {
		// A first response, a reset or a drain alone; or a sign of life.
		return events, nil
	}
	if c.phase == inSnapshot {
		return events, Broken("changes came before the snapshot's end")
	}
	c.phase = live
	if err := c.hold(r); err != nil {
		return events, err
	}
	if r.GetFragment() {
		return events, nil
	}
	event := makeEvent(Changes, r)
	event.Changes = c.pending
	c.dropPending()
	for _, from := range r.GetRanges() {
		event.Ranges = append(event.Ranges, Range{
			Partition: from.GetPartition(),
			From:      from.GetFrom(),
			To:        from.GetTo(),
		})
	}
	if len(event.Ranges) == 0 {
		return events, Broken("changes came without a range")
	}
	if err := c.advance(event.Ranges); err != nil {
		return events, err
	}
	c.adopt(r.GetResumeToken())
	event.Token = c.token
	event.Position = c.position
	return append(events, event), nil
}

// hold keeps the changes of a fragment.
func (c *Cursor) hold(r *pb.SubscribeResponse) error {
	var bytes int
	var err error
	if c.pending, bytes, err = takeChanges(c.pending, r); err != nil {
		return err
	}
	c.pendingBytes += bytes
	if c.pendingBytes > c.maxPendingBytes {
		return &LimitError{"one batch of changes has too many bytes",
			c.maxPendingBytes}
	}
	return nil
}

// advance moves the position over ranges, or says what is wrong with them.
func (c *Cursor) advance(ranges []Range) error {
	next := &Position{Incarnation: c.incarnation, Seqs: map[uint32]uint64{}}
	if c.position != nil {
		maps.Copy(next.Seqs, c.position.Seqs)
	}
	for _, r := range ranges {
		at, known := next.Seqs[r.Partition]
		if !known && c.position == nil {
			at = r.From
		}
		// A partition that appears later begins at its log's start: at 0.
		if r.From != at || r.To < r.From {
			return Broken(
				"range (%d, %d] of partition %d does not continue position %d",
				r.From, r.To, r.Partition, at)
		}
		next.Seqs[r.Partition] = r.To
	}
	c.position = next
	return nil
}

func (c *Cursor) adopt(token []byte) {
	if len(token) > 0 {
		c.token = token
	}
}

func (c *Cursor) dropPending() {
	c.pending = nil
	c.pendingBytes = 0
}

func makeEvent(kind Kind, r *pb.SubscribeResponse) Event {
	event := Event{Kind: kind}
	if r.GetWatermark() != nil {
		event.Watermark = r.GetWatermark().AsTime()
	}
	if r.GetCommittedAt() != nil {
		event.CommittedAt = r.GetCommittedAt().AsTime()
	}
	if r.GetSentAt() != nil {
		event.SentAt = r.GetSentAt().AsTime()
	}
	return event
}

// takeChanges appends the changes of r to out; also returns what they cost.
func takeChanges(
	out []Change, r *pb.SubscribeResponse,
) ([]Change, int, error) {
	bytes := 0
	for _, change := range r.GetChanges() {
		var taken Change
		switch kind := change.GetKind().(type) {
		case *pb.Change_Upsert:
			taken.Bytes = kind.Upsert
			taken.Finality = change.GetFinality()
		case *pb.Change_Deleted:
			taken.Kind = Deleted
			taken.Bytes = kind.Deleted
		case *pb.Change_Left:
			taken.Kind = Left
			taken.Bytes = kind.Left
		default:
			return out, 0, Broken("a change came without a kind")
		}
		bytes += len(taken.Bytes) + changeOverhead
		out = append(out, taken)
	}
	return out, bytes, nil
}

func toPosition(from *pb.Position) *Position {
	if from == nil {
		return nil
	}
	position := &Position{
		Incarnation: string(from.GetIncarnation()),
		Seqs:        map[uint32]uint64{},
	}
	for _, entry := range from.GetPartitions() {
		position.Seqs[entry.GetPartition()] = entry.GetSeq()
	}
	return position
}
