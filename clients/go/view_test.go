package tidegate_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	tidegate "github.com/tidegate/tidegate/clients/go"
	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	. "github.com/tidegate/tidegate/clients/go/internal/scripted"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

func TestGetAnswersInTheOrderAsked(t *testing.T) {
	var asked *pb.GetRequest
	server := (&Server{
		Gets: func(request *pb.GetRequest) (*pb.GetResponse, error) {
			asked = request
			return &pb.GetResponse{
				Entries: []*pb.GetResponse_Entry{
					{},
					{Row: marshal(rowOf(2, 20)),
						Finality: pb.Finality_FINALITY_CORRECTED},
				},
				Position:  Position(7),
				Watermark: timestamppb.New(time.Unix(9, 0)),
			}, nil
		},
	}).Start(t)
	view := connect(t, server)
	at := tidegate.Position{
		Incarnation: "i", Seqs: map[uint32]uint64{3: 4},
	}
	got, err := view.Get(testContext(t), []key{keyOf(1), keyOf(2)},
		tidegate.MinPosition(at))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows[0] != nil || got.Rows[1].Row.GetOrders() != 20 ||
		got.Rows[1].Finality != tidegate.Corrected ||
		got.Position.Seqs[0] != 7 || got.Watermark.Unix() != 9 {
		t.Errorf("got %+v", got)
	}
	if string(asked.GetKeys()[0]) != string(marshal(keyOf(1))) ||
		asked.GetMinPosition().GetPartitions()[0].GetSeq() != 4 {
		t.Errorf("asked %v", asked)
	}
	_, err = view.Get(testContext(t), []key{keyOf(1)})
	wantBroken(t, err, "asked for 1 keys, answered 2")
}

// pages answers with a row each, the last one at lastPosition.
func pages(rows int, lastPosition uint64) func(*pb.ScanRequest) (
	*pb.ScanResponse, error,
) {
	return func(request *pb.ScanRequest) (*pb.ScanResponse, error) {
		page := int64(len(request.GetPageToken()))
		response := &pb.ScanResponse{
			Rows:     [][]byte{marshal(rowOf(page, page*10))},
			Position: Position(5),
			Finality: []pb.Finality{pb.Finality_FINALITY_FINAL},
		}
		if page+1 < int64(rows) {
			response.NextPageToken = strings.Repeat("x", int(page)+1)
		} else {
			response.Position = Position(lastPosition)
		}
		return response, nil
	}
}

func TestAScanIsOfOnePosition(t *testing.T) {
	server := (&Server{Scans: pages(3, 5)}).Start(t)
	scan := connect(t, server).Scan(testContext(t), tidegate.PageSize(1))
	var orders []int64
	for found, err := range scan.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if found.Finality != tidegate.Final {
			t.Errorf("finality %v", found.Finality)
		}
		orders = append(orders, found.Row.GetOrders())
	}
	if !reflect.DeepEqual(orders, []int64{0, 10, 20}) {
		t.Errorf("rows %v", orders)
	}
	if scan.Position().Seqs[0] != 5 {
		t.Errorf("position %v", scan.Position())
	}
	server.Scans = pages(3, 6)
	var last error
	for _, err := range connect(t, server).Scan(testContext(t)).Rows() {
		last = err
	}
	wantBroken(t, last, "at two positions")
}

// failing is pages of 3 that fail so many times after the first one.
func failing(times int, code codes.Code, asked *[]string) func(
	*pb.ScanRequest,
) (*pb.ScanResponse, error) {
	answer := pages(3, 5)
	return func(request *pb.ScanRequest) (*pb.ScanResponse, error) {
		*asked = append(*asked, request.GetPageToken())
		if request.GetPageToken() != "" && times > 0 {
			times--
			return nil, status.Error(code, "no")
		}
		return answer(request)
	}
}

func TestAPageIsAskedForAgain(t *testing.T) {
	var asked []string
	server := (&Server{
		Scans: failing(2, codes.Unavailable, &asked),
	}).Start(t)
	rows, err := connect(t, server).Scan(testContext(t)).All()
	if err != nil || len(rows) != 3 {
		t.Errorf("%d rows, error %v", len(rows), err)
	}
	wantStrings(t, "tokens", asked, "", "x", "x", "x", "xx")
}

func TestAScanStartsAgainWhileNoRowIsHandedOver(t *testing.T) {
	var asked []string
	server := (&Server{Scans: failing(2, codes.Aborted, &asked)}).Start(t)
	scan := connect(t, server).Scan(testContext(t))
	rows, err := scan.All()
	if err != nil || len(rows) != 3 || scan.Position().Seqs[0] != 5 {
		t.Errorf("%d rows at %v, error %v", len(rows), scan.Position(), err)
	}
	wantStrings(t, "tokens", asked, "", "x", "", "x", "", "x", "xx")

	server.Scans = failing(1, codes.Aborted, &asked)
	seen := 0
	var last error
	for _, err := range connect(t, server).Scan(testContext(t)).Rows() {
		if last = err; err == nil {
			seen++
		}
	}
	if seen != 1 || status.Code(last) != codes.Aborted {
		t.Errorf("%d rows, error %v", seen, last)
	}
}

func TestAReadThatWaitsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := (&Server{
		Gets: func(*pb.GetRequest) (*pb.GetResponse, error) {
			// While the call is under way, or the wait after it.
			defer cancel()
			return nil, status.Error(codes.Unavailable, "no")
		},
	}).Start(t)
	view := connect(t, server, tidegate.WithBackoff(patience, patience))
	if _, err := view.Get(ctx, []key{keyOf(1)}); status.Code(err) !=
		codes.Canceled {
		t.Errorf("error %v", err)
	}
	view = connect(t, server, tidegate.WithBackoff(time.Hour, time.Hour))
	ctx = testContext(t)
	if _, err := view.Get(ctx, []key{keyOf(1)}); status.Code(err) !=
		codes.Unavailable || ctx.Err() != nil {
		t.Errorf("error %v: it waits for nothing", err)
	}
}

func TestAScanAsksForWhatItsOptionsSay(t *testing.T) {
	var asked *pb.ScanRequest
	server := (&Server{
		Scans: func(request *pb.ScanRequest) (*pb.ScanResponse, error) {
			asked = request
			return nil, status.Error(codes.InvalidArgument, "no")
		},
	}).Start(t)
	view := connect(t, server)
	var last error
	for _, err := range view.Scan(testContext(t), tidegate.Where("w"),
		view.KeyPrefix(keyOf(4)), tidegate.PageSize(9)).Rows() {
		last = err
	}
	if status.Code(last) != codes.InvalidArgument {
		t.Errorf("error %v", last)
	}
	if asked.GetWhere() != "w" || asked.GetPageSize() != 9 ||
		string(asked.GetKeyPrefix()) != string(marshal(keyOf(4))) {
		t.Errorf("asked %v", asked)
	}
}

func TestNewViewChecksItsTypes(t *testing.T) {
	client, err := tidegate.Dial("localhost:1")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = tidegate.NewView[*viewspb.DriverTotalsKey, *viewspb.DriverTotalsRow](
		client, "driver_totals")
	if err == nil || !strings.Contains(err.Error(), `column "orders"`) {
		t.Errorf("error %v", err)
	}
	_, err = tidegate.NewView[*pb.ViewInfo, *pb.ViewInfo](client, "v")
	if err == nil || !strings.Contains(err.Error(), "key_columns") {
		t.Errorf("error %v", err)
	}
	_, err = tidegate.NewView[*dynamicpb.Message, *dynamicpb.Message](
		client, "v")
	if err == nil {
		t.Error("a dynamic view without its types")
	}
	if _, err = tidegate.NewView[proto.Message, proto.Message](
		client, "v"); err == nil {
		t.Error("a view without types")
	}
}

// described is a view with every type of column, as a server describes it.
func described() *pb.DescribeViewResponse {
	field := func(
		name string, number int32, of descriptorpb.FieldDescriptorProto_Type,
	) *descriptorpb.FieldDescriptorProto {
		out := &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number, Type: &of,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if of == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
			out.TypeName = proto.String(".google.protobuf.Timestamp")
		}
		return out
	}
	const (
		isBool   = descriptorpb.FieldDescriptorProto_TYPE_BOOL
		isInt32  = descriptorpb.FieldDescriptorProto_TYPE_INT32
		isInt64  = descriptorpb.FieldDescriptorProto_TYPE_INT64
		isDouble = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		isString = descriptorpb.FieldDescriptorProto_TYPE_STRING
		isTime   = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	key := []*descriptorpb.FieldDescriptorProto{
		field("s", 9, isString), field("at", 4, isTime),
	}
	row := append([]*descriptorpb.FieldDescriptorProto{
		field("b", 1, isBool), field("i", 2, isInt32),
		field("n", 3, isInt64), field("d", 7, isDouble),
	}, key...)
	return &pb.DescribeViewResponse{
		View: &pb.ViewInfo{
			Name: "all_types", KeyColumns: []string{"at", "s"},
		},
		Descriptors: &descriptorpb.FileDescriptorSet{
			File: []*descriptorpb.FileDescriptorProto{
				protodesc.ToFileDescriptorProto(
					timestamppb.File_google_protobuf_timestamp_proto),
				{
					Name:       proto.String("tidegate/views/all_types.proto"),
					Package:    proto.String("tidegate.views"),
					Syntax:     proto.String("proto3"),
					Dependency: []string{"google/protobuf/timestamp.proto"},
					MessageType: []*descriptorpb.DescriptorProto{
						{Name: proto.String("AllTypesRow"), Field: row},
						{Name: proto.String("AllTypesKey"), Field: key},
					},
				},
			},
		},
	}
}

func TestADynamicView(t *testing.T) {
	server := (&Server{
		Views: map[string]*pb.DescribeViewResponse{"all_types": described()},
	}).Start(t)
	client := connect(t, server).Client()
	view, err := client.View(testContext(t), "all_types")
	if err != nil {
		t.Fatal(err)
	}
	wantStrings(t, "key columns", view.KeyColumns(), "at", "s")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	key, err := view.Key(map[string]any{"at": at, "s": "x"})
	if err != nil {
		t.Fatal(err)
	}
	// The server sends a whole row of that key, then deletes it.
	row := map[string]any{
		"b": true, "i": int32(-1), "n": int64(1 << 40), "d": 0.5, "s": "x",
		"at": at,
	}
	server.Subscriptions = scripts{Hold(
		Rows(&pb.Change{Kind: &pb.Change_Upsert{
			Upsert: marshal(dynamicRow(t, row)),
		}}), End(5),
		Delta(5, 6, &pb.Change{
			Kind: &pb.Change_Deleted{Deleted: marshal(key)},
		}))}
	s := view.Subscribe(testContext(t), tidegate.WithMirror())
	defer s.Close()
	for e, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == tidegate.SnapshotEnd {
			found, ok := s.Mirror().Get(key)
			if !ok || !reflect.DeepEqual(tidegate.ToMap(found.Row), row) {
				t.Errorf("row %v", found.Row)
			}
		}
		if e.Kind == tidegate.Changes {
			break
		}
	}
	if s.Mirror().Len() != 0 {
		t.Errorf("%d rows are left", s.Mirror().Len())
	}
	if _, err := client.View(testContext(t), "other"); status.Code(err) !=
		codes.NotFound {
		t.Errorf("error %v", err)
	}
}

// dynamicRow fills AllTypesRow as another program would.
func dynamicRow(t *testing.T, columns map[string]any) proto.Message {
	files, err := protodesc.NewFiles(described().GetDescriptors())
	if err != nil {
		t.Fatal(err)
	}
	found, err := files.FindDescriptorByName("tidegate.views.AllTypesRow")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("b: %v i: %d n: %d d: %v s: %q at { seconds: %d "+
		"nanos: %d }", columns["b"], columns["i"], columns["n"], columns["d"],
		columns["s"], columns["at"].(time.Time).Unix(),
		columns["at"].(time.Time).Nanosecond())
	return parseText(t, found, text)
}

func TestAKeyOfItsColumns(t *testing.T) {
	view := connect(t, (&Server{}).Start(t))
	key, err := view.Key(map[string]any{"driver_id": 42})
	if err != nil || key.GetDriverId() != 42 {
		t.Errorf("key %v, error %v", key, err)
	}
	none, err := view.Key(map[string]any{"driver_id": nil})
	if err != nil || none.DriverId != nil {
		t.Errorf("key %v, error %v", none, err)
	}
	for says, columns := range map[string]map[string]any{
		"its columns are driver_id": {"driver": 1},
		"wanted an integer":         {"driver_id": "x"},
	} {
		if _, err := view.Key(columns); err == nil ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
	if got := tidegate.ToMap(rowOf(1, 2)); !reflect.DeepEqual(got,
		map[string]any{
			"driver_id": int64(1), "orders": int64(2), "total": nil,
			"region": nil,
		}) {
		t.Errorf("row %v", got)
	}
}

func TestErrorsSayWhatTheyAre(t *testing.T) {
	err := error(&tidegate.BrokenPromiseError{View: "v", Detail: "gap"})
	if err.Error() != `view "v": a promise was broken: gap` {
		t.Error(err)
	}
	err = &tidegate.LimitError{View: "v", What: "too much", Limit: 3}
	if err.Error() != `view "v": too much, limit 3` {
		t.Error(err)
	}
	if errors.Is(err, &tidegate.BrokenPromiseError{}) {
		t.Error("they are one")
	}
}

func parseText(
	t *testing.T, of protoreflect.Descriptor, text string,
) proto.Message {
	message := dynamicpb.NewMessage(of.(protoreflect.MessageDescriptor))
	if err := prototext.Unmarshal([]byte(text), message); err != nil {
		t.Fatal(err)
	}
	return message
}
