package tidegate_test

import (
	"context"
	"fmt"
	"log"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	"github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// exampleServer has two drivers, then one that earns more and one that leaves.
func exampleServer() (address string, stop func()) {
	server := &scripted.Server{
		Subscriptions: scripts{scripted.Play(scripted.Over(),
			scripted.Rows(upsert(1, 10), upsert(2, 20)), scripted.End(5),
			scripted.Delta(5, 6, upsert(1, 11), deleted(2)))},
		Sessions: []func(scripted.Session) error{
			func(stream scripted.Session) error {
				sendAll(stream,
					scripted.Update(1, scripted.Rows(upsert(1, 10)), 0),
					scripted.Update(1, scripted.End(5), 0),
					scripted.Update(1,
						scripted.Delta(5, 6, upsert(2, 20)), 1))
				return scripted.Over()
			},
		},
		Gets: func(*pb.GetRequest) (*pb.GetResponse, error) {
			return &pb.GetResponse{Entries: []*pb.GetResponse_Entry{
				{Row: marshal(rowOf(1, 10))},
			}}, nil
		},
	}
	stop, err := server.Listen()
	if err != nil {
		log.Fatal(err)
	}
	return server.Address, stop
}

func Example() {
	server, stop := exampleServer()
	defer stop()

	client, err := tidegate.Dial(server)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	totals, err := tidegate.NewView[
		*viewspb.DriverTotalsRow, *viewspb.DriverTotalsKey](
		client, "driver_totals")
	if err != nil {
		log.Fatal(err)
	}

	subscription := totals.Subscribe(context.Background())
	defer subscription.Close()
	for event, err := range subscription.Events() {
		if err != nil {
			fmt.Println("refused for good:", err)
			break
		}
		switch event.Kind {
		case tidegate.Snapshot, tidegate.Changes:
			for _, change := range event.Changes {
				fmt.Println("driver", change.Key.GetDriverId(), change.Kind,
					change.Row.GetOrders())
			}
		case tidegate.SnapshotEnd:
			fmt.Println("live")
		}
	}
	// Output:
	// driver 1 upsert 10
	// driver 2 upsert 20
	// live
	// driver 1 upsert 11
	// driver 2 deleted 0
	// refused for good: rpc error: code = NotFound desc = script is over
}

func ExampleView_Get() {
	server, stop := exampleServer()
	defer stop()
	client, err := tidegate.Dial(server)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	totals, err := tidegate.NewView[
		*viewspb.DriverTotalsRow, *viewspb.DriverTotalsKey](
		client, "driver_totals")
	if err != nil {
		log.Fatal(err)
	}

	driver, err := totals.Key(map[string]any{"driver_id": 1})
	if err != nil {
		log.Fatal(err)
	}
	got, err := totals.Get(
		context.Background(), []*viewspb.DriverTotalsKey{driver})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Rows[0].Row.GetOrders(), "orders")
	// Output:
	// 10 orders
}

func ExampleSession() {
	server, stop := exampleServer()
	defer stop()
	client, err := tidegate.Dial(server)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	totals, err := tidegate.NewView[
		*viewspb.DriverTotalsRow, *viewspb.DriverTotalsKey](
		client, "driver_totals")
	if err != nil {
		log.Fatal(err)
	}

	session := client.Session(context.Background())
	defer session.Close()
	drivers, err := totals.Watch(session,
		totals.Keys(keyOf(1)), tidegate.WithMirror())
	if err != nil {
		log.Fatal(err)
	}
	// From here on any goroutine may add and remove keys.
	if _, err := drivers.AddKeys(keyOf(2)); err != nil {
		log.Fatal(err)
	}
	for event, err := range session.Events() {
		if err != nil {
			break
		}
		if event.Kind == tidegate.KeysApplied {
			fmt.Println("request", event.Request, "is applied, and",
				drivers.Mirror().Len(), "rows are held")
		}
		if own, ok := drivers.Event(event); ok {
			fmt.Println(own.Kind)
		}
	}
	// Output:
	// connected
	// snapshot
	// snapshot_end
	// changes
	// request 1 is applied, and 2 rows are held
}
