// Package cursor turns the responses of one stream into events in order and
// proves that the stream goes on exactly where it stood. It knows the messages,
// but neither gRPC nor the time.
package cursor

import (
	"fmt"
	"time"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// ChangeKind says what became of a row.
type ChangeKind int

// The kinds of changes.
const (
	Upsert  ChangeKind = iota // the whole row
	Deleted                   // there is no such row
	Left                      // there is one, but the filter does not let it through
)

// Change of one row.
type Change struct {
	Kind     ChangeKind
	Bytes    []byte      // <View>Row of an upsert, else <View>Key
	Finality pb.Finality // of an upsert
}

// Range of one partition of the change log: (From, To].
type Range struct {
	Partition uint32
	From, To  uint64
}

// Position in the change log.
type Position struct {
	Incarnation string
	Seqs        map[uint32]uint64 // by partition
}

// Kind of an event.
type Kind int

// The kinds of events, in the order in which they first come.
const (
	Connected    Kind = iota // resumed from Token; without one: forget all
	Snapshot                 // Changes: rows of the snapshot; Token if one came
	SnapshotEnd              // Position, Token
	Changes                  // Changes (may be none), Ranges, Position, Token
	Reset                    // forget all; Cause, Detail; a snapshot follows
	Drain                    // the server goes away; Token, RetryAfter
	Disconnected             // made by the shells: Detail, RetryAfter
)

// Event is what a subscriber is told. A batch of changes is whole.
type Event struct {
	Kind        Kind
	Changes     []Change
	Ranges      []Range
	Position    *Position
	Token       []byte
	Watermark   time.Time // zero: none
	CommittedAt time.Time
	SentAt      time.Time
	Cause       string // e.g. "HISTORY_TRIMMED"
	Detail      string
	RetryAfter  time.Duration
}

// BrokenError says which promise the stream broke.
type BrokenError struct{ Detail string }

func (e *BrokenError) Error() string { return e.Detail }

// Broken makes a BrokenError.
func Broken(format string, values ...any) error {
	return &BrokenError{fmt.Sprintf(format, values...)}
}

// LimitError says which limit of this client was too low.
type LimitError struct {
	What  string
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s, limit %d", e.What, e.Limit)
}
