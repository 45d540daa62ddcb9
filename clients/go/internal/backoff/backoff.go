// Package backoff says when a client tries again. Pure: randomness and the
// count of failures are arguments.
package backoff

import "time"

const (
	// DefaultMin and DefaultMax are the same in all of Tidegate's clients.
	DefaultMin = 50 * time.Millisecond
	DefaultMax = 5 * time.Second
	// MaxHint bounds what a server may ask a client to wait.
	MaxHint = 10 * time.Minute
)

// Limits of the time between attempts. It doubles from Min to Max, each time a
// random part of its upper half.
type Limits struct {
	Min, Max time.Duration
}

// Delay before attempt number failures+1, for failures >= 1: more than half of
// the whole, up to the whole. random is uniform over 64 bits.
func (l Limits) Delay(failures int, random uint64) time.Duration {
	whole := max(l.Min, 2)
	for i := 1; i < failures && whole < l.Max; i++ {
		whole *= 2
	}
	whole = min(whole, max(l.Max, 2))
	half := whole / 2
	return half + 1 + time.Duration(random%uint64(whole-half))
}

// AfterHint is the wait that a server asked for, as in a drain's retry_after:
// never less, and up to a quarter more, so that those who were told the same do
// not come back together.
func AfterHint(hint time.Duration, random uint64) time.Duration {
	hint = min(max(hint, time.Millisecond), MaxHint)
	return hint + time.Duration(random%uint64(hint/4+1))
}

// The numbers of google.rpc.Code that say no for good.
var permanent = map[int32]bool{
	3:  true, // INVALID_ARGUMENT
	5:  true, // NOT_FOUND
	6:  true, // ALREADY_EXISTS
	7:  true, // PERMISSION_DENIED
	9:  true, // FAILED_PRECONDITION
	11: true, // OUT_OF_RANGE
	12: true, // UNIMPLEMENTED
	16: true, // UNAUTHENTICATED
}

// Permanent tells whether a new attempt could not end otherwise. code is a
// google.rpc.Code.
func Permanent(code int32) bool { return permanent[code] }
