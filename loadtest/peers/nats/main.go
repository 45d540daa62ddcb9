// A bucket of NATS KV and its watchers under load. The bucket is what
// CreateKeyValue makes when only its name is given: one replica, in a file, with
// the newest value of each key.
package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidegate/loadtest/peers/load"
)

const (
	bucket = "load"
	// How long a put may wait for answers to earlier ones, of which only so many
	// may be outstanding.
	stallTime = 30 * time.Second
)

type peer struct {
	server string
	conn   *nats.Conn
	js     jetstream.JetStream
	failed atomic.Pointer[error] // a put

	mutex    sync.Mutex
	watching []*nats.Conn
}

func open(o load.Options) (load.Peer, error) {
	conn, err := nats.Connect(o.Server)
	if err != nil {
		return nil, err
	}
	p := &peer{server: o.Server, conn: conn}
	p.js, err = jetstream.New(conn, jetstream.WithPublishAsyncErrHandler(
		func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			p.failed.Store(&err)
		}))
	if err != nil {
		return nil, err
	}
	_, err = p.js.CreateKeyValue(context.Background(),
		jetstream.KeyValueConfig{Bucket: bucket})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *peer) Watch(
	ctx context.Context, key string, seen func([]byte),
) error {
	conn, err := nats.Connect(p.server)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	p.watching = append(p.watching, conn)
	p.mutex.Unlock()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return err
	}
	watch, err := kv.Watch(ctx, key)
	if err != nil {
		return err
	}
	// What is there comes first, then nil.
	for entry := range watch.Updates() {
		if entry == nil {
			go follow(watch, seen)
			return nil
		}
		seen(entry.Value())
	}
	return fmt.Errorf("the watch of %s ended", key)
}

func follow(watch jetstream.KeyWatcher, seen func([]byte)) {
	for entry := range watch.Updates() {
		if entry != nil {
			seen(entry.Value())
		}
	}
}

// Put publishes as KeyValue.Put does, to the key's subject, but does not wait
// for the answer.
func (p *peer) Put(_ context.Context, keys []string, values [][]byte) error {
	for i, key := range keys {
		_, err := p.js.PublishAsync("$KV."+bucket+"."+key, values[i],
			jetstream.WithStallWait(stallTime))
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) Flush(ctx context.Context) error {
	select {
	case <-p.js.PublishAsyncComplete():
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *peer) Close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, conn := range p.watching {
		conn.Close()
	}
	p.conn.Close()
}

func main() { load.Main("nats", open) }
