// Package load puts the same load on every peer: updates at a rate, either each
// to one watched key or each to a key that all watch, first with nobody
// watching and then with everybody.
package load

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

const (
	tick        = time.Millisecond // updates come in steps of this
	openers     = 32               // watches opened at a time
	headerBytes = 16               // stamp and number of the update
	settleTime  = 10 * time.Second
)

// Peer is a server under load. Watch may be called from many goroutines at once.
type Peer interface {
	// Watch opens a connection of its own and watches key on it. It returns
	// when the watch is live; seen is called for every value from then on, by
	// one goroutine at a time.
	Watch(ctx context.Context, key string, seen func(value []byte)) error
	// Put sets each key to its value, after those of earlier calls. It may
	// return before the peer has answered.
	Put(ctx context.Context, keys []string, values [][]byte) error
	// Flush returns when the peer has answered for all that was put.
	Flush(ctx context.Context) error
	Close()
}

// Options are the flags that all peers have.
type Options struct {
	Server   string
	PID      int
	Pattern  string
	Watchers int
	Rate     int
	Bytes    int
	WarmUp   time.Duration
	Duration time.Duration
}

// Report is printed as one JSON object.
type Report struct {
	Peer     string  `json:"peer"`
	Pattern  string  `json:"pattern"`
	Watchers int     `json:"watchers"`
	Bytes    int     `json:"bytes"`
	Seconds  float64 `json:"seconds"`
	Puts     int64   `json:"puts"`
	PutsPerS float64 `json:"puts_per_s"`
	// Of the measured time, as is everything but Missing and Stale.
	Deliveries     int64   `json:"deliveries"`
	DeliveriesPerS float64 `json:"deliveries_per_s"`
	CPUSeconds     float64 `json:"cpu_s"`
	// With nobody watching.
	BasePuts         int64   `json:"base_puts"`
	BaseCPUSeconds   float64 `json:"base_cpu_s"`
	CPUPerDeliveryUs float64 `json:"cpu_us_per_delivery"`
	P50Ms            float64 `json:"p50_ms"`
	P99Ms            float64 `json:"p99_ms"`
	// Pattern all: updates that reached every watcher, and the median of the
	// time until the last one had it.
	Bursts int     `json:"bursts"`
	LastMs float64 `json:"last_ms"`
	// Of the whole run: updates that a watcher was never told of, since a newer
	// one had replaced them, and watchers that do not have the newest.
	Missing int64 `json:"missing"`
	Stale   int64 `json:"stale"`
}

// Main runs peer under the load that the flags describe. open is called once
// the flags are known.
func Main(name string, open func(Options) (Peer, error)) {
	var o Options
	flag.StringVar(&o.Server, "server", "", "address of the peer")
	flag.IntVar(&o.PID, "pid", 0, "the peer's process, whose CPU is measured")
	flag.StringVar(&o.Pattern, "pattern", "one",
		"one: each update to one watcher; all: each update to all")
	flag.IntVar(&o.Watchers, "watchers", 1000, "each on its own connection")
	flag.IntVar(&o.Rate, "rate", 20000, "deliveries a second, all together")
	flag.IntVar(&o.Bytes, "bytes", 128, "of a value")
	flag.DurationVar(&o.WarmUp, "warm-up", 2*time.Second, "not measured")
	flag.DurationVar(&o.Duration, "duration", 8*time.Second,
		"measured, without watchers and again with them")
	flag.Parse()
	if err := check(o); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	}
	report, err := run(name, o, open)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(report)
	if report.Stale > 0 {
		fmt.Fprintf(os.Stderr, "%s: watchers without the newest value: %d\n",
			name, report.Stale)
		os.Exit(1)
	}
}

func check(o Options) error {
	switch {
	case o.Server == "" || o.PID == 0:
		return errors.New("-server and -pid are needed")
	case o.Pattern != "one" && o.Pattern != "all":
		return fmt.Errorf("-pattern is neither one nor all: %q", o.Pattern)
	case o.Watchers < 1 || o.Rate < 1:
		return errors.New("-watchers and -rate begin at 1")
	case o.Pattern == "all" && o.Rate < o.Watchers:
		return errors.New("-rate is less than one update a second")
	case o.Bytes < headerBytes:
		return fmt.Errorf("-bytes begins at %d", headerBytes)
	}
	return nil
}

func run(
	name string, o Options, open func(Options) (Peer, error),
) (*Report, error) {
	peer, err := open(o)
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := newPublisher(ctx, o, peer)

	base, err := p.measure(func(bool) {})
	if err != nil {
		return nil, fmt.Errorf("without watchers: %w", err)
	}
	w := newWatchers(o, p)
	if err := w.open(ctx, peer); err != nil {
		return nil, err
	}
	loaded, err := p.measure(w.measure)
	if err != nil {
		return nil, fmt.Errorf("with watchers: %w", err)
	}
	w.settle()

	r := &Report{
		Peer: name, Pattern: o.Pattern, Watchers: o.Watchers, Bytes: o.Bytes,
		Seconds: loaded.seconds, Puts: loaded.puts,
		PutsPerS:   float64(loaded.puts) / loaded.seconds,
		CPUSeconds: loaded.cpuSeconds,
		BasePuts:   base.puts, BaseCPUSeconds: base.cpuSeconds,
	}
	w.fill(r)
	// Should the peer not keep up with the rate, less is put in one of them.
	basePart := base.cpuSeconds * float64(loaded.puts) / float64(base.puts)
	if r.Deliveries > 0 {
		r.CPUPerDeliveryUs = (r.CPUSeconds - basePart) * 1e6 /
			float64(r.Deliveries)
	}
	return r, nil
}

// publisher numbers the updates from 0; update i goes to key i mod keys.
type publisher struct {
	ctx   context.Context
	o     Options
	peer  Peer
	start time.Time // stamps count from here
	keys  []string
	next  int64
}

type phase struct {
	seconds    float64
	puts       int64
	cpuSeconds float64
}

func newPublisher(ctx context.Context, o Options, peer Peer) *publisher {
	p := &publisher{ctx: ctx, o: o, peer: peer, start: time.Now()}
	count := o.Watchers
	if o.Pattern == "all" {
		count = 1
	}
	for i := range count {
		p.keys = append(p.keys, fmt.Sprintf("k%06d", i))
	}
	return p
}

func (p *publisher) value(number int64) []byte {
	value := make([]byte, p.o.Bytes)
	binary.LittleEndian.PutUint64(value, uint64(time.Since(p.start)))
	binary.LittleEndian.PutUint64(value[8:], uint64(number))
	return value
}

// measure publishes for the warm-up, then for what is measured; it tells when
// that begins and ends.
func (p *publisher) measure(tell func(bool)) (phase, error) {
	if _, err := p.publish(p.o.WarmUp); err != nil {
		return phase{}, err
	}
	cpu, err := cpuSeconds(p.o.PID)
	if err != nil {
		return phase{}, err
	}
	tell(true)
	started := time.Now()
	puts, err := p.publish(p.o.Duration)
	if err != nil {
		return phase{}, err
	}
	tell(false)
	after, err := cpuSeconds(p.o.PID)
	return phase{time.Since(started).Seconds(), puts, after - cpu}, err
}

// publish keeps the rate for so long and waits for every answer. What comes due
// while a peer is slow to take it is put together then.
func (p *publisher) publish(length time.Duration) (int64, error) {
	perSecond := p.o.Rate * len(p.keys) / p.o.Watchers
	started := time.Now()
	var done int64
	for {
		elapsed := min(time.Since(started), length)
		due := int64(elapsed.Seconds() * float64(perSecond))
		var keys []string
		var values [][]byte
		for ; done < due; done++ {
			keys = append(keys, p.keys[p.next%int64(len(p.keys))])
			values = append(values, p.value(p.next))
			p.next++
		}
		if len(keys) > 0 {
			if err := p.peer.Put(p.ctx, keys, values); err != nil {
				return 0, err
			}
		}
		if elapsed == length {
			return done, p.peer.Flush(p.ctx)
		}
		time.Sleep(time.Until(started.Add(elapsed + tick)))
	}
}
