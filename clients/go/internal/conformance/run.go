package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

const maxCommandBytes = 16 << 20

// isStopped: the context's end is how a driver is told to end.
func isStopped(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && ctx.Err() != nil
}

func tellLost(err error, wait any) {
	fmt.Fprintf(os.Stderr, "conformance: lost: %v; again in %v\n", err, wait)
}

func (d *driver) runSubscription(ctx context.Context, stdin io.Reader) error {
	own := d.watches[0]
	s := own.view.Subscribe(ctx, own.options...)
	defer s.Close()
	own.mirror = s.Mirror()
	if d.args.mirror {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			s.Close()
		}()
	}
	for e, err := range s.Events() {
		if isStopped(ctx, err) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Kind == tidegate.Disconnected {
			tellLost(e.Err, e.RetryAfter)
		}
		for _, line := range own.lines(e) {
			if err := d.print(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// sessionDriver is a driver with a session.
type sessionDriver struct {
	*driver
	ctx     context.Context
	client  *tidegate.Client
	session *tidegate.Session

	mu      sync.Mutex // over the driver's watches
	failure error      // of a command
}

func (d *driver) runSession(
	ctx context.Context, client *tidegate.Client, stdin io.Reader,
) error {
	s := &sessionDriver{
		driver: d, ctx: ctx, client: client, session: client.Session(ctx),
	}
	defer s.session.Close()
	for number, own := range d.watches {
		if err := s.open(own, number+1); err != nil {
			return err
		}
	}
	if d.args.commands {
		go s.obey(stdin)
	} else if d.args.mirror {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			s.session.Close()
		}()
	}
	for e, err := range s.session.Events() {
		if isStopped(ctx, err) {
			break
		}
		if err != nil {
			return err
		}
		if err := s.show(e); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *sessionDriver) open(own *watched, number int) error {
	if s.args.commands {
		own.number = number
	}
	var err error
	if own.watch, err = own.view.Watch(s.session, own.options...); err != nil {
		return err
	}
	own.mirror = own.watch.Mirror()
	return nil
}

func (s *sessionDriver) show(e tidegate.SessionEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Watch == 0 {
		return s.showSession(e)
	}
	own := s.watches[e.Watch-1]
	if own == nil {
		return nil // given up, and this was under way
	}
	var lines []string
	switch e.Kind {
	case tidegate.KeysApplied:
		if s.args.commands {
			lines = append(lines, own.begin().text("marker", "keys_applied").
				raw("request", strconv.FormatUint(e.Request, 10)).end())
		}
	case tidegate.WatchFailed:
		if !s.args.commands {
			return e.Err
		}
		lines = append(lines, own.begin().text("marker", "failed").
			text("code", codeName(status.Code(e.Err))).
			text("detail", status.Convert(e.Err).Message()).end())
		s.watches[e.Watch-1] = nil
	default:
		event, _ := own.watch.Event(e)
		if event.Kind == tidegate.Disconnected {
			tellLost(event.Err, event.RetryAfter)
		}
		lines = own.lines(event)
	}
	return s.printAll(lines)
}

// showSession: what happens to the session happens to each watch.
func (s *sessionDriver) showSession(e tidegate.SessionEvent) error {
	own := event{Kind: tidegate.Drain, RetryAfter: e.RetryAfter}
	if e.Kind == tidegate.SessionDisconnected {
		own.Kind = tidegate.Disconnected
		tellLost(e.Err, e.RetryAfter)
	}
	for _, watched := range s.watches {
		if watched == nil || !watched.isConnected {
			continue
		}
		own.Token, own.Position = watched.token, watched.position
		if err := s.printAll(watched.lines(own)); err != nil {
			return err
		}
	}
	return nil
}

func (s *sessionDriver) printAll(lines []string) error {
	for _, line := range lines {
		if err := s.print(line); err != nil {
			return err
		}
	}
	return nil
}

// command is a line on stdin.
type command struct {
	Watch   int
	Add     []json.RawMessage
	Remove  []json.RawMessage
	Unwatch int
	Open    *struct {
		View      string
		Keys      []json.RawMessage
		KeyPrefix json.RawMessage `json:"key_prefix"`
		Where     string
	}
}

// obey commands until stdin closes or one is wrong; then the session ends.
func (s *sessionDriver) obey(stdin io.Reader) {
	defer s.session.Close()
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxCommandBytes)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = s.do(c)
		}
		if err != nil {
			s.mu.Lock()
			s.failure = fmt.Errorf("command %s: %w", lines.Text(), err)
			s.mu.Unlock()
			return
		}
	}
}

func (s *sessionDriver) do(c command) error {
	if c.Open != nil {
		return s.openAnother(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	number := max(c.Watch, c.Unwatch)
	if number < 1 || number > len(s.watches) || s.watches[number-1] == nil {
		return fmt.Errorf("no watch %d", number)
	}
	own := s.watches[number-1]
	if c.Unwatch > 0 {
		own.watch.Close()
		s.watches[number-1] = nil
		return nil
	}
	add, err := jsonKeys(own.view, c.Add)
	if err != nil {
		return err
	}
	remove, err := jsonKeys(own.view, c.Remove)
	if err != nil {
		return err
	}
	_, err = own.watch.ChangeKeys(add, remove)
	return err
}

func (s *sessionDriver) openAnother(c command) error {
	view, err := describe(s.ctx, s.client, c.Open.View)
	if err != nil {
		return err
	}
	of := &spec{
		view: c.Open.View, where: c.Open.Where,
		keyPrefix: string(c.Open.KeyPrefix), isKeyed: c.Open.Keys != nil,
	}
	for _, key := range c.Open.Keys {
		of.keys = append(of.keys, string(key))
	}
	own, err := newWatched(view, of, s.args)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = append(s.watches, own)
	return s.open(own, len(s.watches))
}

func jsonKeys(
	view *tidegate.DynamicView, texts []json.RawMessage,
) ([]message, error) {
	var keys []message
	for _, text := range texts {
		key, err := view.Key(nil)
		if err == nil {
			err = protojson.Unmarshal(text, key)
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
