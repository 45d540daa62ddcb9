package tidegate

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// query is what the options say.
type query struct {
	keys             []string
	isKeyed          bool
	keyPrefix        []byte
	where            string
	token            []byte
	minInterval      time.Duration
	progressInterval time.Duration
	minPosition      Position
	pageSize         uint32
	hasMirror        bool
	mirrorLimits     MirrorLimits
	err              error // the first option that is wrong
}

func (q *query) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// GetOption of [View.Get].
type GetOption interface{ get(*query) }

// ScanOption of [View.Scan].
type ScanOption interface{ scan(*query) }

// StreamOption of [View.Subscribe] and [View.Watch].
type StreamOption interface{ stream(*query) }

// ReadOption is for reads.
type ReadOption interface {
	GetOption
	ScanOption
}

// FilterOption is for scans and streams.
type FilterOption interface {
	ScanOption
	StreamOption
}

type setting func(*query)

func (s setting) get(q *query)    { s(q) }
func (s setting) scan(q *query)   { s(q) }
func (s setting) stream(q *query) { s(q) }

// Keys: these rows only. In a session the keys may come and go, also from none;
// a subscription needs one at least.
func (v *View[R, K]) Keys(keys ...K) StreamOption {
	return setting(func(q *query) {
		q.isKeyed = true
		encoded, err := v.encodeKeys(keys)
		if err != nil {
			q.fail(err)
		}
		q.keys = append(q.keys, encoded...)
	})
}

// KeyPrefix: the rows whose leading key columns are those set in prefix.
func (v *View[R, K]) KeyPrefix(prefix K) FilterOption {
	return setting(func(q *query) {
		encoded, err := v.codec.encode(prefix)
		if err == nil && len(encoded) == 0 {
			err = errors.New("the key prefix has no column set")
		}
		if err != nil {
			q.fail(err)
		}
		q.keyPrefix = encoded
	})
}

// Where: only rows for which this SQL condition over the view's columns holds.
func Where(condition string) FilterOption {
	return setting(func(q *query) { q.where = condition })
}

// ResumeToken goes on where an earlier stream with the same view and filter
// stood. A mirror then holds only the rows that came since.
func ResumeToken(token []byte) StreamOption {
	return setting(func(q *query) { q.token = token })
}

// MinInterval: at the head, at most one batch per interval.
func MinInterval(interval time.Duration) StreamOption {
	return setting(func(q *query) { q.minInterval = interval })
}

// ProgressInterval: how often to hear of progress where nothing has changed.
func ProgressInterval(interval time.Duration) StreamOption {
	return setting(func(q *query) { q.progressInterval = interval })
}

// WithMirror keeps the rows in a [Mirror] of [DefaultMirrorLimits].
func WithMirror() StreamOption { return WithMirrorOf(DefaultMirrorLimits) }

// WithMirrorOf keeps the rows in a [Mirror] of these limits.
func WithMirrorOf(limits MirrorLimits) StreamOption {
	return setting(func(q *query) {
		q.hasMirror = true
		q.mirrorLimits = limits
	})
}

// MinPosition waits until the view is there, up to the context's deadline.
func MinPosition(position Position) ReadOption {
	return setting(func(q *query) { q.minPosition = position })
}

// PageSize of a scan, in rows; the default is the server's.
func PageSize(rows uint32) ScanOption {
	return setting(func(q *query) { q.pageSize = rows })
}

func streamQuery(options []StreamOption) query {
	var q query
	for _, option := range options {
		option.stream(&q)
	}
	return q
}

func toDuration(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}
