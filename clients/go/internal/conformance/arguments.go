package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// spec is what one watch is of.
type spec struct {
	view      string
	keys      []string // as written
	keyPrefix string
	where     string
	resume    []byte
	isKeyed   bool // its keys may come and go
}

type arguments struct {
	server                    string
	specs                     []*spec
	session, mirror, commands bool
	reads                     bool
	minInterval               time.Duration
	timeout                   time.Duration // of a read
}

// areSeveral: the lines name the view.
func (a arguments) areSeveral() bool { return len(a.specs) > 1 }

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

func parse(words []string) (arguments, error) {
	var a arguments
	var keys, prefixes, conditions, resumes list
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&a.server, "server", "", "")
	format := flags.String("format", "json", "")
	flags.Var(&keys, "key", "")
	flags.Var(&prefixes, "key-prefix", "")
	flags.Var(&conditions, "where", "")
	flags.Var(&resumes, "resume", "")
	flags.BoolVar(&a.session, "session", false, "")
	flags.BoolVar(&a.mirror, "mirror", false, "")
	flags.BoolVar(&a.commands, "commands", false, "")
	flags.BoolVar(&a.reads, "reads", false, "")
	timeoutMS := flags.Int64("timeout-ms", 30_000, "")
	flags.DurationVar(&a.minInterval, "min-interval", 0, "")
	// Views may stand before the flags, between them and after.
	for rest := words; len(rest) > 0; {
		if !strings.HasPrefix(rest[0], "-") {
			a.specs = append(a.specs, &spec{view: rest[0]})
			rest = rest[1:]
			continue
		}
		if err := flags.Parse(rest); err != nil {
			return a, err
		}
		rest = flags.Args()
	}
	a.timeout = time.Duration(*timeoutMS) * time.Millisecond
	switch {
	case *format != "json":
		return a, fmt.Errorf("unknown format %q", *format)
	case a.server == "" || len(a.specs) == 0:
		return a, errors.New("usage: conformance VIEW... --server HOST:PORT")
	case a.areSeveral() && !a.session:
		return a, errors.New("several views take --session")
	case a.commands && !a.session:
		return a, errors.New("--commands takes --session")
	}
	return a, a.address(keys, prefixes, conditions, resumes)
}

// address gives each flag's values to the views they are for.
func (a *arguments) address(keys, prefixes, conditions, resumes list) error {
	for name, values := range map[string]list{
		"key": keys, "key-prefix": prefixes, "where": conditions,
		"resume": resumes,
	} {
		for _, value := range values {
			to, value, err := a.addressee(name, value)
			if err != nil {
				return err
			}
			switch name {
			case "key":
				to.keys = append(to.keys, value)
				to.isKeyed = true
			case "key-prefix":
				to.keyPrefix = value
			case "where":
				to.where = value
			case "resume":
				if to.resume, err = base64.StdEncoding.DecodeString(
					value); err != nil {
					return errors.New("--resume: not a token of watch")
				}
			}
		}
	}
	return nil
}

// addressee cuts the view's name off the value, if there are several views.
func (a *arguments) addressee(name, value string) (*spec, string, error) {
	if !a.areSeveral() {
		return a.specs[0], value, nil
	}
	view, rest, _ := strings.Cut(value, ":")
	for _, spec := range a.specs {
		if spec.view == view {
			return spec, rest, nil
		}
	}
	return nil, "", fmt.Errorf("--%s: begin with the view it is for", name)
}
