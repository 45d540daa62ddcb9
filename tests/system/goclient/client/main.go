// A client generated from `tidegate proto hit_counts`: what Get, Scan,
// Subscribe and Session say of some keys, as lines of text.
//
//	goclient HOST:PORT KEY...
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"tidegate/tests/system/goclient/views"
)

const timeout = 30 * time.Second

func show(what string, row *views.HitCountsRow) {
	fmt.Printf("%s %s %d %d\n", what, row.GetK(), row.GetHits(), row.GetTotal())
}

func get(ctx context.Context, client views.HitCountsClient, keys []*views.HitCountsKey) error {
	answer, err := client.Get(ctx, &views.HitCountsGetRequest{Keys: keys})
	if err != nil {
		return err
	}
	for _, entry := range answer.GetEntries() {
		show("get", entry.GetRow())
	}
	return nil
}

func scan(ctx context.Context, client views.HitCountsClient) error {
	request := &views.HitCountsScanRequest{PageSize: 1}
	for {
		page, err := client.Scan(ctx, request)
		if err != nil {
			return err
		}
		for _, row := range page.GetRows() {
			show("scan", row)
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return nil
		}
	}
}

// The upserts up to the end of the snapshot.
func snapshot(what string, read func() (*views.HitCountsSubscribeResponse, error)) error {
	for {
		response, err := read()
		if err != nil {
			return err
		}
		for _, change := range response.GetChanges() {
			if row := change.GetUpsert(); row != nil {
				show(what, row)
			}
		}
		if response.GetSnapshotEnd() {
			return nil
		}
	}
}

func subscribe(ctx context.Context, client views.HitCountsClient, keys []*views.HitCountsKey) error {
	stream, err := client.Subscribe(ctx, &views.HitCountsSubscribeRequest{Keys: keys})
	if err != nil {
		return err
	}
	return snapshot("subscribe", stream.Recv)
}

func session(ctx context.Context, client views.HitCountsClient, keys []*views.HitCountsKey) error {
	stream, err := client.Session(ctx)
	if err != nil {
		return err
	}
	watch := &views.HitCountsSessionRequest_Watch{
		Id:        1,
		Subscribe: &views.HitCountsSubscribeRequest{Keys: keys},
	}
	err = stream.Send(&views.HitCountsSessionRequest{
		Action: &views.HitCountsSessionRequest_Watch_{Watch: watch},
	})
	if err != nil {
		return err
	}
	var updates []*views.HitCountsSessionResponse_Update
	err = snapshot("session", func() (*views.HitCountsSubscribeResponse, error) {
		for len(updates) == 0 {
			response, err := stream.Recv()
			if err != nil {
				return nil, err
			}
			updates = response.GetUpdates()
		}
		next := updates[0]
		updates = updates[1:]
		if failure := next.GetFailure(); failure != nil {
			return nil, errors.New(failure.GetMessage())
		}
		return next.GetResponse(), nil
	})
	if err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func run(address string, words []string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := views.NewHitCountsClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var keys []*views.HitCountsKey
	for _, word := range words {
		keys = append(keys, &views.HitCountsKey{K: proto.String(word)})
	}
	return errors.Join(
		get(ctx, client, keys),
		scan(ctx, client),
		subscribe(ctx, client, keys),
		session(ctx, client, keys),
	)
}

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
