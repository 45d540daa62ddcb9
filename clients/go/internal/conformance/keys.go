package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

// parseKey reads a key as `tidegate` does: the value of the one key column,
// "a=1,b=x" if there are several, or a JSON object.
func parseKey(view *tidegate.DynamicView, text string) (message, error) {
	key, err := view.Key(nil)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return key, protojson.Unmarshal([]byte(text), key)
	}
	columns := view.KeyColumns()
	fields := key.Descriptor().Fields()
	values := map[string]any{}
	pairs := []string{columns[0] + "=" + text}
	if len(columns) > 1 {
		pairs = strings.Split(text, ",")
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		field := fields.ByName(protoreflect.Name(name))
		if field == nil {
			return nil, fmt.Errorf("no key column %q", name)
		}
		if values[name], err = parseValue(field.Kind(), value); err != nil {
			return nil, fmt.Errorf("key column %s: %w", name, err)
		}
	}
	return view.Key(values)
}

func parseValue(kind protoreflect.Kind, text string) (any, error) {
	switch kind {
	case protoreflect.BoolKind:
		return strconv.ParseBool(text)
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return strconv.ParseInt(text, 10, 64)
	case protoreflect.DoubleKind:
		return strconv.ParseFloat(text, 64)
	case protoreflect.StringKind:
		return text, nil
	}
	return time.Parse(time.RFC3339Nano, text)
}

func parseKeys(
	view *tidegate.DynamicView, texts []string,
) ([]message, error) {
	var keys []message
	for _, text := range texts {
		key, err := parseKey(view, text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
