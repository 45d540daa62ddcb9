package main

import (
	"slices"
	"strconv"
	"strings"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

// watched is one view that is watched, and prints what happens there.
type watched struct {
	view       *tidegate.DynamicView
	spec       *spec
	number     int // with --commands, else 0
	isSeveral  bool
	options    []tidegate.StreamOption
	keys       []message
	prefix     message
	rowColumns []string

	mirror *tidegate.Mirror[message, message] // nil: none
	watch  *tidegate.Watch[message, message]  // of a session
	// Of the present stream: for the session's drain.
	isConnected bool
	position    *tidegate.Position
	token       []byte
}

func newWatched(
	view *tidegate.DynamicView, spec *spec, args arguments,
) (*watched, error) {
	w := &watched{view: view, spec: spec, isSeveral: args.areSeveral()}
	var err error
	if w.keys, err = parseKeys(view, spec.keys); err != nil {
		return nil, err
	}
	if spec.isKeyed {
		w.options = append(w.options, view.Keys(w.keys...))
	}
	if spec.keyPrefix != "" {
		if w.prefix, err = parseKey(view, spec.keyPrefix); err != nil {
			return nil, err
		}
		w.options = append(w.options, view.KeyPrefix(w.prefix))
	}
	if spec.where != "" {
		w.options = append(w.options, tidegate.Where(spec.where))
	}
	if len(spec.resume) > 0 {
		w.options = append(w.options, tidegate.ResumeToken(spec.resume))
	}
	if args.minInterval > 0 {
		w.options = append(w.options, tidegate.MinInterval(args.minInterval))
	}
	if args.mirror {
		w.options = append(w.options, tidegate.WithMirror())
	}
	w.rowColumns = names(view.NewRow())
	return w, nil
}

// begin a line: which watch it is of.
func (w *watched) begin() *object {
	var o object
	if w.number > 0 {
		o.raw("watch", strconv.Itoa(w.number))
	}
	if w.isSeveral {
		o.text("view", w.view.Name())
	}
	return &o
}

func (w *watched) keyText(key message) string {
	return columns(key, w.view.KeyColumns())
}

// lines of an event, as cmd/tidegate/watch_lines.h defines them.
func (w *watched) lines(e event) []string {
	var lines []string
	switch e.Kind {
	case tidegate.Disconnected:
		w.isConnected = false
		return nil
	case tidegate.Connected:
		w.isConnected = true
		w.token = e.Token
		if len(e.Token) == 0 {
			w.position = nil
		}
		return []string{w.connectLine(e)}
	case tidegate.Reset:
		w.token, w.position = nil, nil
	case tidegate.Snapshot:
		if len(e.Token) > 0 {
			w.token = e.Token
		}
	case tidegate.SnapshotEnd, tidegate.Changes:
		w.token, w.position = e.Token, e.Position
	}
	for _, change := range e.Changes {
		lines = append(lines, w.changeLine(change))
	}
	if e.Kind == tidegate.Snapshot && len(e.Token) == 0 {
		return lines
	}
	return append(lines, w.markerLine(e))
}

func (w *watched) connectLine(e event) string {
	var o object
	if w.number > 0 {
		o.raw("watch", strconv.Itoa(w.number))
	}
	o.text("marker", "connect").text("view", w.view.Name())
	if len(w.keys) > 0 {
		var keys []string
		for _, key := range w.keys {
			keys = append(keys, w.keyText(key))
		}
		o.raw("keys", "["+strings.Join(keys, ",")+"]")
	}
	if w.prefix != nil {
		o.raw("key_prefix", w.keyText(w.prefix))
	}
	if w.spec.where != "" {
		o.text("where", w.spec.where)
	}
	if len(e.Token) == 0 {
		o.raw("resume", "null")
	} else {
		o.text("resume", tokenText(e.Token))
	}
	if e.Position != nil {
		o.raw("position", positionText(*e.Position))
	}
	return o.end()
}

func (w *watched) changeLine(
	change tidegate.Change[message, message],
) string {
	o := w.begin().text("op", change.Kind.String())
	o.raw("key", w.keyText(change.Key))
	if change.Kind == tidegate.Upsert {
		o.raw("row", columns(change.Row, w.rowColumns))
		if finality := change.Finality.String(); finality != "" {
			o.text("finality", finality)
		}
	}
	return o.end()
}

func (w *watched) markerLine(e event) string {
	o := w.begin()
	switch e.Kind {
	case tidegate.Snapshot:
		o.text("marker", "progress").raw("snapshot", "true")
	case tidegate.SnapshotEnd:
		o.text("marker", "snapshot_end")
	case tidegate.Reset:
		o.text("marker", "reset").text("cause", e.Cause)
		o.text("detail", e.Detail)
	case tidegate.Drain:
		o.text("marker", "drain").raw("retry_after_ms",
			strconv.FormatInt(e.RetryAfter.Milliseconds(), 10))
	default:
		o.text("marker", "progress").raw("ranges", rangesText(e.Ranges))
	}
	common(o, e)
	return o.end()
}

// mirrorLine is sorted by the values of the key columns.
func (w *watched) mirrorLine() string {
	type entry struct {
		values []any
		text   string
	}
	var entries []entry
	for _, row := range w.mirror.Rows() {
		var o object
		o.raw("key", w.keyText(row.Key))
		o.raw("row", columns(row.Row, w.rowColumns))
		values := tidegate.ToMap(row.Key)
		e := entry{text: o.end()}
		for _, name := range w.view.KeyColumns() {
			e.values = append(e.values, values[name])
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return slices.CompareFunc(a.values, b.values, compare)
	})
	var rows []string
	for _, e := range entries {
		rows = append(rows, e.text)
	}
	return w.begin().text("marker", "mirror").
		raw("rows", "["+strings.Join(rows, ",")+"]").end()
}
