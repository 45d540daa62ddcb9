package tidegate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// View of a server: its name, and the types of its rows R and keys K. Safe for
// concurrent use.
type View[R, K proto.Message] struct {
	client *Client
	name   string
	codec  *codec[R, K]
}

// DynamicView has the types that the server describes. [ToMap] reads them.
type DynamicView = View[*dynamicpb.Message, *dynamicpb.Message]

// NewView is a view with messages of generated code, as in
//
//	NewView[*viewspb.DriverTotalsRow, *viewspb.DriverTotalsKey](
//		client, "driver_totals")
//
// It does not ask the server.
func NewView[R, K proto.Message](
	client *Client, name string,
) (*View[R, K], error) {
	var row R
	var key K
	for _, message := range []proto.Message{row, key} {
		if _, isDynamic := message.(*dynamicpb.Message); isDynamic ||
			message == nil {
			return nil, errors.New(
				"NewView needs types of generated code; else use Client.View")
		}
	}
	codec, err := newCodec[R, K](
		row.ProtoReflect().Type(), key.ProtoReflect().Type(), nil)
	if err != nil {
		return nil, fmt.Errorf("view %q: %w", name, err)
	}
	return &View[R, K]{client, name, codec}, nil
}

// View asks the server what the rows and keys of a view are.
func (c *Client) View(ctx context.Context, name string) (*DynamicView, error) {
	response, err := c.Describe(ctx, name)
	if err != nil {
		return nil, err
	}
	row, key, err := dynamicTypes(name, response.GetDescriptors())
	if err != nil {
		return nil, err
	}
	codec, err := newCodec[*dynamicpb.Message, *dynamicpb.Message](
		row, key, response.GetView().GetKeyColumns())
	if err != nil {
		return nil, fmt.Errorf("view %q: %w", name, err)
	}
	return &DynamicView{c, name, codec}, nil
}

// Name of the view.
func (v *View[R, K]) Name() string { return v.name }

// Client of the view.
func (v *View[R, K]) Client() *Client { return v.client }

// KeyColumns in the order of the key.
func (v *View[R, K]) KeyColumns() []string {
	var columns []string
	for _, column := range v.codec.columns {
		columns = append(columns, string(column.key.Name()))
	}
	return columns
}

// Key makes a key of its columns, as in {"driver_id": 42}: bool, an integer,
// float64, string or time.Time; nil or absent is NULL.
func (v *View[R, K]) Key(columns map[string]any) (K, error) {
	key := v.codec.keyType.New()
	if err := fill(key, columns); err != nil {
		var none K
		return none, err
	}
	return key.Interface().(K), nil
}

// NewRow makes an empty row.
func (v *View[R, K]) NewRow() R {
	return v.codec.rowType.New().Interface().(R)
}

// KeyOf a row.
func (v *View[R, K]) KeyOf(row R) K { return v.codec.keyOf(row) }

func (v *View[R, K]) encodeKeys(keys []K) ([]string, error) {
	var encoded []string
	for _, key := range keys {
		bytes, err := v.codec.encode(key)
		if err != nil {
			return nil, fmt.Errorf("view %q: %w", v.name, err)
		}
		encoded = append(encoded, string(bytes))
	}
	return encoded, nil
}

// FoundRow is a row, and whether it can still change.
type FoundRow[R proto.Message] struct {
	Row      R
	Finality Finality
}

// Got is what [View.Get] found.
type Got[R proto.Message] struct {
	Rows      []*FoundRow[R] // in the order asked; nil: no such row
	Position  Position
	Watermark time.Time // zero: none
}

// Get reads the current rows of keys. Where the server is away, or says when to
// come back, it is asked again up to the context's deadline; see
// [DefaultRetryTime].
func (v *View[R, K]) Get(
	ctx context.Context, keys []K, options ...GetOption,
) (*Got[R], error) {
	var q query
	for _, option := range options {
		option.get(&q)
	}
	encoded, err := v.encodeKeys(keys)
	if err != nil {
		return nil, err
	}
	request := &pb.GetRequest{
		View: v.name, MinPosition: q.minPosition.message(),
	}
	for _, key := range encoded {
		request.Keys = append(request.Keys, []byte(key))
	}
	response, err := read(ctx, v.client, func() (*pb.GetResponse, error) {
		return v.client.stub.Get(ctx, request)
	})
	if err != nil {
		return nil, err
	}
	return v.got(len(keys), response)
}

func (v *View[R, K]) got(
	asked int, response *pb.GetResponse,
) (*Got[R], error) {
	if len(response.GetEntries()) != asked {
		return nil, &BrokenPromiseError{v.name, fmt.Sprintf(
			"asked for %d keys, answered %d", asked,
			len(response.GetEntries()))}
	}
	got := &Got[R]{Position: toPosition(response.GetPosition())}
	if response.GetWatermark() != nil {
		got.Watermark = response.GetWatermark().AsTime()
	}
	for _, entry := range response.GetEntries() {
		if entry.Row == nil {
			got.Rows = append(got.Rows, nil)
			continue
		}
		row, err := v.codec.row(entry.GetRow())
		if err != nil {
			return nil, &BrokenPromiseError{v.name, err.Error()}
		}
		got.Rows = append(got.Rows,
			&FoundRow[R]{row, toFinality(entry.GetFinality())})
	}
	return got, nil
}

// subscribeRequest is without keys and token.
func (v *View[R, K]) subscribeRequest(q query) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{
		View:             v.name,
		KeyPrefix:        q.keyPrefix,
		Where:            q.where,
		MinInterval:      toDuration(q.minInterval),
		ProgressInterval: toDuration(q.progressInterval),
	}
}

// event reads an event's rows and keys.
func (v *View[R, K]) event(from cursor.Event) (Event[R, K], error) {
	event := Event[R, K]{
		Kind:        EventKind(from.Kind),
		Token:       from.Token,
		Watermark:   from.Watermark,
		CommittedAt: from.CommittedAt,
		SentAt:      from.SentAt,
		Cause:       from.Cause,
		Detail:      from.Detail,
		RetryAfter:  from.RetryAfter,
	}
	if from.Position != nil {
		position := Position(*from.Position)
		event.Position = &position
	}
	for _, r := range from.Ranges {
		event.Ranges = append(event.Ranges, Range(r))
	}
	if len(from.Changes) > 0 {
		event.Changes = make([]Change[R, K], len(from.Changes))
	}
	for i, change := range from.Changes {
		if err := v.change(change, &event.Changes[i]); err != nil {
			return event, &BrokenPromiseError{v.name, err.Error()}
		}
	}
	return event, nil
}

func (v *View[R, K]) change(from cursor.Change, to *Change[R, K]) error {
	to.Kind = ChangeKind(from.Kind)
	to.bytes = len(from.Bytes)
	var err error
	if from.Kind != cursor.Upsert {
		to.Key, err = v.codec.key(from.Bytes)
		return err
	}
	to.Finality = toFinality(from.Finality)
	if to.Row, err = v.codec.row(from.Bytes); err == nil {
		to.Key = v.codec.keyOf(to.Row)
	}
	return err
}
