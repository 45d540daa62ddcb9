package tidegate

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// codec reads the rows and keys of one view. Safe for concurrent use.
type codec[R, K proto.Message] struct {
	rowType, keyType protoreflect.MessageType
	columns          []keyColumn // in key order
}

// keyColumn is one column of the key, in both messages.
type keyColumn struct{ row, key protoreflect.FieldDescriptor }

// newCodec: keyColumns nil means the fields of the key as they are declared.
func newCodec[R, K proto.Message](
	rowType, keyType protoreflect.MessageType, keyColumns []string,
) (*codec[R, K], error) {
	c := &codec[R, K]{rowType: rowType, keyType: keyType}
	row, key := rowType.Descriptor().Fields(), keyType.Descriptor().Fields()
	for _, fields := range []protoreflect.FieldDescriptors{row, key} {
		for i := range fields.Len() {
			if err := checkField(fields.Get(i)); err != nil {
				return nil, err
			}
		}
	}
	if keyColumns == nil {
		for i := range key.Len() {
			keyColumns = append(keyColumns, string(key.Get(i).Name()))
		}
	}
	for _, name := range keyColumns {
		column := keyColumn{
			row.ByName(protoreflect.Name(name)),
			key.ByName(protoreflect.Name(name)),
		}
		if column.row == nil || column.key == nil ||
			column.row.Kind() != column.key.Kind() {
			return nil, fmt.Errorf(
				"%s and %s are not a row and its key: column %q",
				rowType.Descriptor().FullName(),
				keyType.Descriptor().FullName(), name)
		}
		c.columns = append(c.columns, column)
	}
	return c, nil
}

func checkField(field protoreflect.FieldDescriptor) error {
	switch field.Kind() {
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind,
		protoreflect.DoubleKind, protoreflect.StringKind:
	case protoreflect.MessageKind:
		if field.Message().FullName() != timestampName {
			return fmt.Errorf("field %s has a type that this client does "+
				"not know: %s", field.FullName(), field.Message().FullName())
		}
	default:
		return fmt.Errorf("field %s has a type that this client does not "+
			"know: %s", field.FullName(), field.Kind())
	}
	if field.Cardinality() == protoreflect.Repeated {
		return fmt.Errorf("field %s is repeated", field.FullName())
	}
	return nil
}

func (c *codec[R, K]) row(bytes []byte) (R, error) {
	return unmarshal[R](c.rowType, bytes)
}

func (c *codec[R, K]) key(bytes []byte) (K, error) {
	return unmarshal[K](c.keyType, bytes)
}

func unmarshal[M proto.Message](
	of protoreflect.MessageType, bytes []byte,
) (M, error) {
	message := of.New().Interface().(M)
	if err := proto.Unmarshal(bytes, message); err != nil {
		return message, fmt.Errorf("malformed %s of %d bytes",
			of.Descriptor().Name(), len(bytes))
	}
	return message, nil
}

func (c *codec[R, K]) keyOf(row R) K {
	from, key := row.ProtoReflect(), c.keyType.New()
	for _, column := range c.columns {
		if from.Has(column.row) {
			key.Set(column.key, from.Get(column.row))
		}
	}
	return key.Interface().(K)
}

// encode is the key as the server takes it.
func (c *codec[R, K]) encode(key K) ([]byte, error) {
	if !key.ProtoReflect().IsValid() {
		return nil, errors.New("a key is nil")
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(key)
}

// id is the same text for the same key of one process. It knows nothing of
// fields that are not the key's.
func (c *codec[R, K]) id(key K) string {
	from, known := key.ProtoReflect(), c.keyType.New()
	for _, column := range c.columns {
		if from.Has(column.key) {
			known.Set(column.key, from.Get(column.key))
		}
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.
		Marshal(known.Interface())
	if err != nil { // a string that is not UTF-8
		return fmt.Sprint(key)
	}
	return string(bytes)
}

// dynamicTypes finds <View>Row and <View>Key in what DescribeView answers.
func dynamicTypes(view string, set *descriptorpb.FileDescriptorSet) (
	row, key protoreflect.MessageType, err error,
) {
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, nil, fmt.Errorf("descriptors do not fit together: %w", err)
	}
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		messages := file.Messages()
		for i := range messages.Len() {
			switch squeeze(string(messages.Get(i).Name())) {
			case squeeze(view) + "row":
				row = dynamicpb.NewMessageType(messages.Get(i))
			case squeeze(view) + "key":
				key = dynamicpb.NewMessageType(messages.Get(i))
			}
		}
		return true
	})
	if row == nil || key == nil {
		return nil, nil, fmt.Errorf("no row and key message for view %q", view)
	}
	return row, key, nil
}

// squeeze makes "driver_totals" and "DriverTotals" alike.
func squeeze(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}
