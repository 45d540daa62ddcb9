// Command driver_totals follows a view: it prints what drivers have earned, and
// again whenever that changes.
//
//	go run ./examples/driver_totals -server localhost:7070 -where 'total > 100'
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
)

func main() {
	server := flag.String("server", "localhost:7070", "HOST:PORT of tidegate")
	where := flag.String("where", "", "a condition in SQL")
	once := flag.Bool("once", false, "end after the snapshot")
	flag.Parse()
	if err := follow(*server, *where, *once); err != nil {
		log.Fatal(err)
	}
}

func follow(server, where string, once bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := tidegate.Dial(server)
	if err != nil {
		return err
	}
	defer client.Close()
	totals, err := tidegate.NewView[
		*viewspb.DriverTotalsRow, *viewspb.DriverTotalsKey](
		client, "driver_totals")
	if err != nil {
		return err
	}
	subscription := totals.Subscribe(ctx,
		tidegate.Where(where), tidegate.WithMirror())
	defer subscription.Close()
	mirror := subscription.Mirror() // for any goroutine to read

	for event, err := range subscription.Events() {
		if ctx.Err() != nil {
			return nil // interrupted
		}
		if err != nil {
			return err
		}
		switch event.Kind {
		case tidegate.Disconnected:
			log.Printf("lost: %v; again in %v", event.Err, event.RetryAfter)
		case tidegate.Reset:
			log.Printf("starting over: %s", event.Cause)
		case tidegate.SnapshotEnd:
			for _, found := range mirror.Rows() {
				fmt.Printf("driver %d: %d orders, %.2f\n",
					found.Key.GetDriverId(), found.Row.GetOrders(),
					found.Row.GetTotal())
			}
			if once {
				return nil
			}
		case tidegate.Changes:
			for _, change := range event.Changes {
				fmt.Printf("driver %d %v: %d orders, %.2f\n",
					change.Key.GetDriverId(), change.Kind,
					change.Row.GetOrders(), change.Row.GetTotal())
			}
		}
	}
	return nil
}
