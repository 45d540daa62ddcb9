package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watcher is one of them. Its peer calls it from one goroutine, and the report
// is made by another.
type watcher struct {
	mutex     sync.Mutex
	newest    int64 // number of the newest update seen; -1: none
	received  int64
	latencies []time.Duration // of what was measured
}

// burst is an update that all are to get.
type burst struct {
	reached int
	last    time.Duration // after it was put
}

type watchers struct {
	o         Options
	publisher *publisher
	first     int64 // number of the first update that they are to see
	all       []*watcher
	measuring atomic.Bool

	mutex  sync.Mutex
	bursts map[int64]*burst // by number; pattern all, measured
}

func newWatchers(o Options, p *publisher) *watchers {
	w := &watchers{
		o: o, publisher: p, first: p.next, bursts: map[int64]*burst{},
	}
	for range o.Watchers {
		w.all = append(w.all, &watcher{newest: -1})
	}
	return w
}

// open returns when every watch is live.
func (w *watchers) open(
	ctx context.Context, peer Peer,
) error {
	keys := w.publisher.keys
	next := make(chan int)
	failures := make(chan error, openers)
	var group sync.WaitGroup
	for range openers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range next {
				err := peer.Watch(ctx, keys[i%len(keys)], func(value []byte) {
					w.seen(w.all[i], value)
				})
				if err != nil {
					failures <- fmt.Errorf("watch %d: %w", i, err)
					return
				}
			}
		}()
	}
	var err error
	for i := 0; i < len(w.all) && err == nil; {
		select {
		case next <- i:
			i++
		case err = <-failures:
		}
	}
	close(next)
	group.Wait()
	select {
	case err = <-failures:
	default:
	}
	return err
}

func (w *watchers) seen(one *watcher, value []byte) {
	if len(value) < headerBytes {
		return
	}
	now := time.Since(w.publisher.start)
	stamp := time.Duration(binary.LittleEndian.Uint64(value))
	number := int64(binary.LittleEndian.Uint64(value[8:]))
	one.mutex.Lock()
	defer one.mutex.Unlock()
	if number <= one.newest {
		return // said twice
	}
	one.newest = number
	if number < w.first {
		return // what was there when it began to watch
	}
	one.received++
	if !w.measuring.Load() {
		return
	}
	one.latencies = append(one.latencies, now-stamp)
	if w.o.Pattern == "all" {
		w.reach(number, now-stamp)
	}
}

func (w *watchers) reach(number int64, after time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	b := w.bursts[number]
	if b == nil {
		b = &burst{}
		w.bursts[number] = b
	}
	b.reached++
	b.last = max(b.last, after)
}

func (w *watchers) measure(now bool) { w.measuring.Store(now) }

// newestOf is the number of the newest update of watcher i's key.
func (w *watchers) newestOf(i int) int64 {
	count := int64(len(w.publisher.keys))
	key := int64(i) % count
	return key + (w.publisher.next-1-key)/count*count
}

func (w *watchers) stale() int64 {
	var count int64
	for i, one := range w.all {
		one.mutex.Lock()
		if one.newest < w.newestOf(i) {
			count++
		}
		one.mutex.Unlock()
	}
	return count
}

// settle waits until all have the newest value, for at most settleTime.
func (w *watchers) settle() {
	deadline := time.Now().Add(settleTime)
	for w.stale() > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * tick)
	}
}

// fill completes the report.
func (w *watchers) fill(r *Report) {
	var latencies []time.Duration
	expected := w.publisher.next - w.first
	if w.o.Pattern == "all" {
		expected *= int64(w.o.Watchers)
	}
	for _, one := range w.all {
		one.mutex.Lock()
		latencies = append(latencies, one.latencies...)
		expected -= one.received
		one.mutex.Unlock()
	}
	r.Missing = expected
	r.Stale = w.stale()
	r.Deliveries = int64(len(latencies))
	r.DeliveriesPerS = float64(r.Deliveries) / r.Seconds
	r.P50Ms = percentileMs(latencies, 50)
	r.P99Ms = percentileMs(latencies, 99)
	var lasts []time.Duration
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, b := range w.bursts {
		if b.reached == w.o.Watchers {
			lasts = append(lasts, b.last)
		}
	}
	r.Bursts = len(lasts)
	r.LastMs = percentileMs(lasts, 50)
}

func percentileMs(values []time.Duration, percent int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	at := (len(values)*percent + 99) / 100
	return float64(values[max(at-1, 0)].Nanoseconds()) / 1e6
}
