package tidegate

import (
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const timestampName = "google.protobuf.Timestamp"

// ToMap returns the columns of a row or key by name: nil for NULL, else bool,
// int32, int64, float64, string or time.Time (UTC).
func ToMap(message proto.Message) map[string]any {
	from := message.ProtoReflect()
	fields := from.Descriptor().Fields()
	columns := make(map[string]any, fields.Len())
	for i := range fields.Len() {
		field := fields.Get(i)
		columns[string(field.Name())] = valueOf(from, field)
	}
	return columns
}

func valueOf(
	message protoreflect.Message, field protoreflect.FieldDescriptor,
) any {
	switch {
	case !message.Has(field):
		return nil
	case field.Kind() == protoreflect.MessageKind:
		return timeOf(message.Get(field).Message())
	default:
		return message.Get(field).Interface()
	}
}

func timeOf(timestamp protoreflect.Message) time.Time {
	fields := timestamp.Descriptor().Fields()
	return time.Unix(timestamp.Get(fields.ByNumber(1)).Int(),
		timestamp.Get(fields.ByNumber(2)).Int()).UTC()
}

// fill sets the columns of a row or key by name; nil is NULL.
func fill(message protoreflect.Message, columns map[string]any) error {
	fields := message.Descriptor().Fields()
	for name, value := range columns {
		field := fields.ByName(protoreflect.Name(name))
		if field == nil {
			return fmt.Errorf("%s has no column %q; its columns are %s",
				message.Descriptor().Name(), name, names(fields))
		}
		if value == nil {
			message.Clear(field)
			continue
		}
		if err := set(message, field, value); err != nil {
			return fmt.Errorf("%s, column %q: %w",
				message.Descriptor().Name(), name, err)
		}
	}
	return nil
}

func names(fields protoreflect.FieldDescriptors) string {
	var out []string
	for i := range fields.Len() {
		out = append(out, string(fields.Get(i).Name()))
	}
	return strings.Join(out, ", ")
}

func set(
	message protoreflect.Message, field protoreflect.FieldDescriptor, value any,
) error {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return setAs[bool](message, field, value)
	case protoreflect.StringKind:
		return setAs[string](message, field, value)
	case protoreflect.DoubleKind:
		return setAs[float64](message, field, value)
	case protoreflect.Int32Kind:
		number, err := toInt(value, math.MinInt32, math.MaxInt32)
		if err == nil {
			message.Set(field, protoreflect.ValueOfInt32(int32(number)))
		}
		return err
	case protoreflect.Int64Kind:
		number, err := toInt(value, math.MinInt64, math.MaxInt64)
		if err == nil {
			message.Set(field, protoreflect.ValueOfInt64(number))
		}
		return err
	}
	at, ok := value.(time.Time)
	if !ok {
		return fmt.Errorf("a %T, wanted a time.Time", value)
	}
	timestamp := message.Mutable(field).Message()
	parts := timestamp.Descriptor().Fields()
	timestamp.Set(parts.ByNumber(1), protoreflect.ValueOfInt64(at.Unix()))
	timestamp.Set(parts.ByNumber(2),
		protoreflect.ValueOfInt32(int32(at.Nanosecond())))
	return nil
}

func setAs[T any](
	message protoreflect.Message, field protoreflect.FieldDescriptor, value any,
) error {
	typed, ok := value.(T)
	if !ok {
		return fmt.Errorf("a %T, wanted a %T", value, typed)
	}
	message.Set(field, protoreflect.ValueOf(typed))
	return nil
}

func toInt(value any, least, most int64) (int64, error) {
	var number int64
	switch value := value.(type) {
	case int:
		number = int64(value)
	case int32:
		number = int64(value)
	case int64:
		number = value
	case uint32:
		number = int64(value)
	default:
		return 0, fmt.Errorf("a %T, wanted an integer", value)
	}
	if number < least || number > most {
		return 0, fmt.Errorf("%d is out of range", number)
	}
	return number, nil
}
