// Keys of etcd and their watchers under load.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"tidegate/loadtest/peers/load"
)

const (
	dialTimeout = 10 * time.Second
	maxTxnOps   = 128 // the server's default
)

type peer struct {
	server string
	client *clientv3.Client

	mutex    sync.Mutex
	watching []*clientv3.Client
}

func connect(server string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{server},
		DialTimeout: dialTimeout,
		Logger:      zap.NewNop(),
	})
}

func open(o load.Options) (load.Peer, error) {
	client, err := connect(o.Server)
	if err != nil {
		return nil, err
	}
	return &peer{server: o.Server, client: client}, nil
}

func (p *peer) Watch(
	ctx context.Context, key string, seen func([]byte),
) error {
	client, err := connect(p.server)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	p.watching = append(p.watching, client)
	p.mutex.Unlock()
	watch := client.Watch(ctx, key, clientv3.WithCreatedNotify())
	first, ok := <-watch
	if !ok || !first.Created {
		return errors.Join(errors.New("the watch was not created"), first.Err())
	}
	go func() {
		for answer := range watch {
			for _, event := range answer.Events {
				seen(event.Kv.Value)
			}
		}
	}()
	return nil
}

// Put writes a batch as one transaction, or several: an etcd of one node would
// otherwise spend most of its time on the puts themselves, and not keep up with
// the rate. Each key remains an event of its own for its watcher.
func (p *peer) Put(
	ctx context.Context, keys []string, values [][]byte,
) error {
	var ops []clientv3.Op
	for i, key := range keys {
		ops = append(ops, clientv3.OpPut(key, string(values[i])))
		// The keys take turns, and a transaction sets each of its own once.
		more := i+1 < len(keys) && keys[i+1] != keys[i+1-len(ops)]
		if more && len(ops) < maxTxnOps {
			continue
		}
		if _, err := p.client.Txn(ctx).Then(ops...).Commit(); err != nil {
			return err
		}
		ops = nil
	}
	return nil
}

// Flush has nothing to wait for: Put does.
func (p *peer) Flush(context.Context) error { return nil }

func (p *peer) Close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, client := range p.watching {
		client.Close()
	}
	p.client.Close()
}

func main() { load.Main("etcd", open) }
