package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

type (
	message = *dynamicpb.Message
	event   = tidegate.Event[message, message]
)

// object is a line of JSON in the making; its members stay in order.
type object struct{ b strings.Builder }

func (o *object) raw(name, value string) *object {
	if o.b.Len() == 0 {
		o.b.WriteByte('{')
	} else {
		o.b.WriteByte(',')
	}
	o.b.WriteString(quoted(name) + ":" + value)
	return o
}

func (o *object) text(name, value string) *object {
	return o.raw(name, quoted(value))
}

func (o *object) end() string {
	if o.b.Len() == 0 {
		return "{}"
	}
	return o.b.String() + "}"
}

func quoted(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string can always be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// columns of a row or key, in the order of names.
func columns(of message, names []string) string {
	values := tidegate.ToMap(of)
	var o object
	for _, name := range names {
		o.raw(name, valueText(values[name]))
	}
	return o.end()
}

func valueText(value any) string {
	switch value := value.(type) {
	case bool:
		return strconv.FormatBool(value)
	case int32:
		return strconv.FormatInt(int64(value), 10)
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		return doubleText(value)
	case string:
		return quoted(value)
	case time.Time:
		return quoted(timeText(value))
	}
	return "null"
}

// doubleText is the shortest text that reads back the same, without an exponent
// from 1e-4 up to 1e15.
func doubleText(value float64) string {
	switch {
	case math.IsNaN(value):
		return `"NaN"`
	case math.IsInf(value, 1):
		return `"Infinity"`
	case math.IsInf(value, -1):
		return `"-Infinity"`
	}
	magnitude := math.Abs(value)
	format := byte('e')
	if magnitude == 0 || magnitude >= 1e-4 && magnitude < 1e15 {
		format = 'f'
	}
	return strconv.FormatFloat(value, format, -1, 64)
}

func timeText(at time.Time) string {
	at = at.UTC().Truncate(time.Microsecond)
	switch {
	case at.Nanosecond() == 0:
		return at.Format("2006-01-02T15:04:05Z")
	case at.Nanosecond()%1e6 == 0:
		return at.Format("2006-01-02T15:04:05.000Z")
	}
	return at.Format("2006-01-02T15:04:05.000000Z")
}

func positionText(position tidegate.Position) string {
	var partitions []string
	for _, number := range slices.Sorted(maps.Keys(position.Seqs)) {
		var o object
		o.raw("partition", strconv.FormatUint(uint64(number), 10))
		o.raw("seq", strconv.FormatUint(position.Seqs[number], 10))
		partitions = append(partitions, o.end())
	}
	var o object
	o.text("incarnation", hex.EncodeToString([]byte(position.Incarnation)))
	o.raw("partitions", "["+strings.Join(partitions, ",")+"]")
	return o.end()
}

func rangesText(ranges []tidegate.Range) string {
	var out []string
	for _, r := range ranges {
		var o object
		o.raw("partition", strconv.FormatUint(uint64(r.Partition), 10))
		o.raw("from", strconv.FormatUint(r.From, 10))
		o.raw("to", strconv.FormatUint(r.To, 10))
		out = append(out, o.end())
	}
	return "[" + strings.Join(out, ",") + "]"
}

func tokenText(token []byte) string {
	return base64.StdEncoding.EncodeToString(token)
}

// common members of markers.
func common(o *object, e event) {
	if e.Position != nil {
		o.raw("position", positionText(*e.Position))
	}
	if len(e.Token) > 0 {
		o.text("token", tokenText(e.Token))
	}
	for _, at := range []struct {
		name string
		time time.Time
	}{
		{"watermark", e.Watermark}, {"committed_at", e.CommittedAt},
		{"sent_at", e.SentAt},
	} {
		if !at.time.IsZero() {
			o.text(at.name, timeText(at.time))
		}
	}
}

// compare the values of a key column.
func compare(a, b any) int {
	switch a := a.(type) {
	case bool:
		return strings.Compare(valueText(a), valueText(b)) // false < true
	case int32:
		if b, ok := b.(int32); ok {
			return int(a) - int(b)
		}
	case int64:
		if b, ok := b.(int64); ok && a != b {
			return sign(a < b)
		}
	case float64:
		if b, ok := b.(float64); ok && a != b {
			return sign(a < b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	}
	if (a == nil) != (b == nil) {
		return sign(a == nil)
	}
	return 0
}

func sign(isLess bool) int {
	if isLess {
		return -1
	}
	return 1
}

// names of a message's fields, as they are declared.
func names(of proto.Message) []string {
	fields := of.ProtoReflect().Descriptor().Fields()
	var out []string
	for i := range fields.Len() {
		out = append(out, string(fields.Get(i).Name()))
	}
	return out
}
