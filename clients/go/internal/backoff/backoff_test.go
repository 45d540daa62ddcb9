package backoff

import (
	"math"
	"testing"
	"time"
)

func TestDelayDoublesWithinItsLimitsAndJitters(t *testing.T) {
	limits := Limits{Min: 100, Max: 1000}
	for _, c := range []struct {
		failures int
		whole    time.Duration
	}{{1, 100}, {2, 200}, {4, 800}, {5, 1000}, {1_000_000, 1000}} {
		if got := limits.Delay(c.failures, 0); got != c.whole/2+1 {
			t.Errorf("least of failure %d: %d", c.failures, got)
		}
		if got := limits.Delay(c.failures, uint64(c.whole/2-1)); got != c.whole {
			t.Errorf("most of failure %d: %d", c.failures, got)
		}
	}
}

func TestLimitsThatMakeNoSenseStillWait(t *testing.T) {
	for _, limits := range []Limits{{}, {Min: -5, Max: -1}, {Min: 10, Max: 1}} {
		for _, random := range []uint64{0, 1, math.MaxUint64} {
			if got := limits.Delay(3, random); got <= 0 || got > 10 {
				t.Errorf("%+v: %d", limits, got)
			}
		}
	}
}

func TestAHintIsNeverCutShort(t *testing.T) {
	const hint = 200 * time.Millisecond
	for random := uint64(0); random < 1_000; random++ {
		got := AfterHint(hint, random*0x9e3779b97f4a7c15)
		if got < hint || got > hint+hint/4 {
			t.Fatalf("random %d: %v", random, got)
		}
	}
	if AfterHint(hint, 1) == AfterHint(hint, 2) {
		t.Error("it does not jitter")
	}
	if got := AfterHint(0, 7); got < time.Millisecond {
		t.Errorf("at once: %v", got)
	}
	if got := AfterHint(math.MaxInt64, math.MaxUint64); got > MaxHint*5/4 {
		t.Errorf("for ever: %v", got)
	}
}

func TestPermanentCodes(t *testing.T) {
	const (
		cancelled, unknown, invalid, deadline, notFound = 1, 2, 3, 4, 5
		exhausted, unavailable, dataLoss, unauthed      = 8, 14, 15, 16
	)
	for code, want := range map[int32]bool{
		0: false, cancelled: false, unknown: false, invalid: true,
		deadline: false, notFound: true, exhausted: false, unavailable: false,
		dataLoss: false, unauthed: true,
	} {
		if Permanent(code) != want {
			t.Errorf("code %d: %v", code, !want)
		}
	}
}
