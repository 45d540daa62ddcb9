package tidegate

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Position in the change log: for each of its partitions, everything up to and
// including a sequence number.
type Position struct {
	Incarnation string // bytes
	Seqs        map[uint32]uint64
}

func (p Position) message() *pb.Position {
	if len(p.Seqs) == 0 {
		return nil
	}
	message := &pb.Position{Incarnation: []byte(p.Incarnation)}
	for partition, seq := range p.Seqs {
		message.Partitions = append(message.Partitions,
			&pb.PartitionSeq{Partition: partition, Seq: seq})
	}
	return message
}

func toPosition(from *pb.Position) Position {
	position := Position{Incarnation: string(from.GetIncarnation())}
	if len(from.GetPartitions()) > 0 {
		position.Seqs = map[uint32]uint64{}
	}
	for _, entry := range from.GetPartitions() {
		position.Seqs[entry.GetPartition()] = entry.GetSeq()
	}
	return position
}

// Range of one partition of the change log, after From up to and including To.
type Range struct {
	Partition uint32
	From, To  uint64
}

// Finality says whether a row can still change. A watermark that passes the end
// of a window makes its row final without a change: compare them.
type Finality int

// The degrees of finality.
const (
	NoFinality  Finality = iota // the view has no windows
	Provisional                 // its window was open
	Final                       // changes by correction only
	Corrected                   // amended after its window had closed
)

// String is "provisional", "final", "corrected" or "".
func (f Finality) String() string {
	switch f {
	case Provisional:
		return "provisional"
	case Final:
		return "final"
	case Corrected:
		return "corrected"
	}
	return ""
}

// toFinality: a number that this client does not know is none.
func toFinality(number pb.Finality) Finality {
	if number < 0 || Finality(number) > Corrected {
		return NoFinality
	}
	return Finality(number)
}

// ChangeKind says what became of a row.
type ChangeKind int

// The kinds of changes.
const (
	Upsert  = ChangeKind(cursor.Upsert)  // here it is, whole
	Deleted = ChangeKind(cursor.Deleted) // there is no such row
	Left    = ChangeKind(cursor.Left)    // the filter does not let it through
)

// String is "upsert", "deleted" or "left".
func (k ChangeKind) String() string {
	return [...]string{"upsert", "deleted", "left"}[k]
}

// Change of one row. Deleted and Left may name a row that the client does not
// hold: there is nothing to forget then.
type Change[R, K proto.Message] struct {
	Kind     ChangeKind
	Key      K
	Row      R        // of an Upsert
	Finality Finality // of an Upsert

	bytes int
}

// EventKind of an [Event].
type EventKind int

// The kinds of events. Of each, only the members named here mean something,
// and, where the server sent them, the times.
const (
	// Connected: a stream's first response has come. Token is where it resumed;
	// without one, forget everything held.
	Connected = EventKind(cursor.Connected)
	// Snapshot: Changes are rows of the snapshot. With a Token, a cut is resumed
	// after them; what came after the last Token comes again, or is gone.
	Snapshot = EventKind(cursor.Snapshot)
	// SnapshotEnd: Position, Token.
	SnapshotEnd = EventKind(cursor.SnapshotEnd)
	// Changes: a whole batch, maybe without Changes; Ranges, Position, Token.
	Changes = EventKind(cursor.Changes)
	// Reset: forget everything, because of Cause and Detail. A snapshot follows.
	Reset = EventKind(cursor.Reset)
	// Drain: the server goes away; Token, Position, RetryAfter.
	Drain = EventKind(cursor.Drain)
	// Disconnected: Err; another attempt follows after RetryAfter.
	Disconnected = EventKind(cursor.Disconnected)
)

// String is the kind's name, as "snapshot_end".
func (k EventKind) String() string {
	return [...]string{"connected", "snapshot", "snapshot_end", "changes",
		"reset", "drain", "disconnected"}[k]
}

// Event is what happened in a stream.
type Event[R, K proto.Message] struct {
	Kind     EventKind
	Changes  []Change[R, K]
	Ranges   []Range
	Position *Position // nil: not known
	Token    []byte
	// Zero: the server sent none.
	Watermark   time.Time
	CommittedAt time.Time // by the server's clock
	SentAt      time.Time
	Cause       string // as "HISTORY_TRIMMED"
	Detail      string
	RetryAfter  time.Duration
	Err         error
}
