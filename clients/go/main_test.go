package tidegate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	"github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

const patience = 20 * time.Second

// The tests leave no goroutine behind, neither the client's nor gRPC's.
func TestMain(m *testing.M) {
	status := m.Run()
	if left := leaked(patience); left != "" && status == 0 {
		fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", left)
		status = 1
	}
	os.Exit(status)
}

// leaked are the goroutines that have not ended within a deadline.
func leaked(within time.Duration) string {
	deadline := time.Now().Add(within)
	for {
		var left []string
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		// The first one is this one.
		for _, stack := range strings.Split(string(stacks), "\n\n")[1:] {
			if strings.Contains(stack, "tidegate") ||
				strings.Contains(stack, "grpc") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
		time.Sleep(time.Millisecond)
	}
}

type (
	row    = *viewspb.DriverTotalsRow
	key    = *viewspb.DriverTotalsKey
	totals = tidegate.View[row, key]
	event  = tidegate.Event[row, key]
)

func keyOf(driver int64) key {
	return &viewspb.DriverTotalsKey{DriverId: &driver}
}

func rowOf(driver, orders int64) row {
	return &viewspb.DriverTotalsRow{DriverId: &driver, Orders: &orders}
}

func marshal(message proto.Message) []byte {
	bytes, err := proto.Marshal(message)
	if err != nil {
		panic(err)
	}
	return bytes
}

func upsert(driver, orders int64) *pb.Change {
	return &pb.Change{Kind: &pb.Change_Upsert{
		Upsert: marshal(rowOf(driver, orders)),
	}}
}

func deleted(driver int64) *pb.Change {
	return &pb.Change{Kind: &pb.Change_Deleted{
		Deleted: marshal(keyOf(driver)),
	}}
}

func milliseconds(n int64) *durationpb.Duration {
	return durationpb.New(time.Duration(n) * time.Millisecond)
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// connect makes a client that does not wait long.
func connect(
	t testing.TB, server *scripted.Server, options ...tidegate.Option,
) *totals {
	t.Helper()
	options = append([]tidegate.Option{
		tidegate.WithBackoff(ms(1), ms(2)), tidegate.WithSeed(1),
	}, options...)
	client, err := tidegate.Dial(server.Address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	view, err := tidegate.NewView[row, key](client, "driver_totals")
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// outcome is all that a subscription told.
type outcome struct {
	kinds  []string
	events []event
	err    error
}

func follow(s *tidegate.Subscription[row, key]) outcome {
	var o outcome
	for e, err := range s.Events() {
		if err != nil {
			o.err = err
			break
		}
		o.kinds = append(o.kinds, e.Kind.String())
		o.events = append(o.events, e)
	}
	s.Close()
	return o
}

func (o outcome) want(t testing.TB, kinds ...string) {
	t.Helper()
	if got, want := strings.Join(o.kinds, " "),
		strings.Join(kinds, " "); got != want {
		t.Errorf("events %s\n want %s (%v)", got, want, o.err)
	}
}

func wantStrings(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func wantBroken(t testing.TB, err error, says string) {
	t.Helper()
	var broken *tidegate.BrokenPromiseError
	if !errors.As(err, &broken) || !strings.Contains(broken.Detail, says) ||
		broken.View != "driver_totals" {
		t.Errorf("error %v, want one that says %q", err, says)
	}
}

// held is what a mirror holds: "1:10 2:20".
func held(m *tidegate.Mirror[row, key]) string {
	var out []string
	for driver := int64(0); driver < 10; driver++ {
		if found, ok := m.Get(keyOf(driver)); ok {
			out = append(out,
				fmt.Sprintf("%d:%d", driver, found.Row.GetOrders()))
		}
	}
	if len(out) != m.Len() || len(out) != len(m.Rows()) {
		out = append(out, fmt.Sprintf("of %d", m.Len()))
	}
	return strings.Join(out, " ")
}

func wantHeld(
	t testing.TB, m *tidegate.Mirror[row, key], state tidegate.MirrorState,
	want string,
) {
	t.Helper()
	if got := held(m); got != want || m.State() != state {
		t.Errorf("mirror %q %v, want %q %v", got, m.State(), want, state)
	}
}
