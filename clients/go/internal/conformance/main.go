// Command conformance is the driver by which the Go client takes part in
// Tidegate's conformance suite: it prints what `tidegate watch --format json`
// prints. It is no part of the client's API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

// Exit statuses, those of `tidegate`.
const (
	exitOK       = 0
	exitNegative = 1
	exitUsage    = 2
)

const describeTimeout = 10 * time.Second

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(words []string, stdin io.Reader, stdout, stderr io.Writer) int {
	args, err := parse(words)
	if err != nil {
		fmt.Fprintln(stderr, "conformance:", err)
		return exitUsage
	}
	d := &driver{args: args, out: stdout}
	err = d.watch(stdin)
	if err == nil {
		return exitOK
	}
	if line := d.errorLine(err); line != "" {
		fmt.Fprintln(stdout, line)
		return exitNegative
	}
	fmt.Fprintf(stderr, "conformance: %s: %s\n", codeName(status.Code(err)),
		status.Convert(err).Message())
	return exitNegative
}

// driver is one run.
type driver struct {
	args    arguments
	out     io.Writer
	watches []*watched // by number, from 1 on; those given up are nil
}

func (d *driver) print(line string) error {
	_, err := fmt.Fprintln(d.out, line)
	return err
}

// errorLine is of a promise that was broken; "" if it was another error.
func (d *driver) errorLine(err error) string {
	var view string
	var broken *tidegate.BrokenPromiseError
	var limit *tidegate.LimitError
	switch {
	case errors.As(err, &broken):
		view = broken.View
	case errors.As(err, &limit):
		view = limit.View
	default:
		return ""
	}
	line := &object{}
	for _, own := range d.watches {
		if own != nil && own.view.Name() == view {
			line = own.begin()
			break
		}
	}
	return line.text("marker", "error").text("detail", err.Error()).end()
}

func (d *driver) watch(stdin io.Reader) error {
	ctx, stop := signal.NotifyContext(
		context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	client, err := tidegate.Dial(d.args.server)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, spec := range d.args.specs {
		view, err := describe(ctx, client, spec.view)
		if err != nil {
			return err
		}
		own, err := newWatched(view, spec, d.args)
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		d.watches = append(d.watches, own)
	}
	if d.args.reads {
		return d.read(ctx, stdin)
	}
	if d.args.session {
		err = d.runSession(ctx, client, stdin)
	} else {
		err = d.runSubscription(ctx, stdin)
	}
	if err != nil || !d.args.mirror {
		return err
	}
	for _, own := range d.watches {
		if own != nil {
			if err := d.print(own.mirrorLine()); err != nil {
				return err
			}
		}
	}
	return nil
}

func describe(
	ctx context.Context, client *tidegate.Client, view string,
) (*tidegate.DynamicView, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	return client.View(ctx, view)
}

// codeName is as the contract spells it: "NOT_FOUND".
func codeName(code codes.Code) string {
	var name strings.Builder
	for i, letter := range code.String() {
		if i > 0 && letter >= 'A' && letter <= 'Z' && code != codes.OK {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}
