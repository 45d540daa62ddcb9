// Package scripted is a server for tests: it plays a script to each stream.
package scripted

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tidegate/tidegate/clients/go/examples/viewspb"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Subscription is a stream of the server.
type Subscription = grpc.ServerStreamingServer[pb.SubscribeResponse]

// Session is a stream of the server.
type Session = grpc.BidiStreamingServer[pb.SessionRequest, pb.SessionResponse]

// Server plays its scripts, one for each stream, in order; then it refuses for
// good, with NOT_FOUND.
type Server struct {
	pb.UnimplementedViewServiceServer
	Subscriptions []func(Subscription) error
	Sessions      []func(Session) error
	Gets          func(*pb.GetRequest) (*pb.GetResponse, error)
	Scans         func(*pb.ScanRequest) (*pb.ScanResponse, error)
	Views         map[string]*pb.DescribeViewResponse // and driver_totals

	Address string

	mu       sync.Mutex
	requests []*pb.SubscribeRequest
	sessions int
}

// Start serves as Listen does, until the test ends.
func (s *Server) Start(t testing.TB) *Server {
	t.Helper()
	stop, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

// Listen serves at Address, or else on a free port, until stop is called.
func (s *Server) Listen() (stop func(), err error) {
	if s.Address == "" {
		s.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return nil, err
	}
	s.Address = listener.Addr().String()
	server := grpc.NewServer(grpc.Creds(insecure.NewCredentials()))
	pb.RegisterViewServiceServer(server, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() {
		server.Stop()
		serving.Wait()
	}, nil
}

// Requests are those of the subscriptions so far.
func (s *Server) Requests() []*pb.SubscribeRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*pb.SubscribeRequest(nil), s.requests...)
}

// Tokens are those of the subscriptions so far.
func (s *Server) Tokens() []string {
	var tokens []string
	for _, request := range s.Requests() {
		tokens = append(tokens, string(request.GetResumeToken()))
	}
	return tokens
}

// Subscribe is the server's.
func (s *Server) Subscribe(
	request *pb.SubscribeRequest, stream Subscription,
) error {
	s.mu.Lock()
	number := len(s.requests)
	s.requests = append(s.requests, request)
	s.mu.Unlock()
	if number >= len(s.Subscriptions) {
		return Over()
	}
	return s.Subscriptions[number](stream)
}

// Session is the server's.
func (s *Server) Session(stream Session) error {
	s.mu.Lock()
	number := s.sessions
	s.sessions++
	s.mu.Unlock()
	if number >= len(s.Sessions) {
		return Over()
	}
	return s.Sessions[number](stream)
}

// Get is the server's.
func (s *Server) Get(
	_ context.Context, request *pb.GetRequest,
) (*pb.GetResponse, error) {
	return s.Gets(request)
}

// Scan is the server's.
func (s *Server) Scan(
	_ context.Context, request *pb.ScanRequest,
) (*pb.ScanResponse, error) {
	return s.Scans(request)
}

// DescribeView is the server's.
func (s *Server) DescribeView(
	_ context.Context, request *pb.DescribeViewRequest,
) (*pb.DescribeViewResponse, error) {
	if view := s.Views[request.GetView()]; view != nil {
		return view, nil
	}
	if request.GetView() == "driver_totals" {
		return DriverTotals(), nil
	}
	return nil, status.Error(codes.NotFound, "no such view")
}

// ListViews is the server's.
func (s *Server) ListViews(
	context.Context, *pb.ListViewsRequest,
) (*pb.ListViewsResponse, error) {
	response := &pb.ListViewsResponse{}
	for _, view := range s.Views {
		response.Views = append(response.Views, view.GetView())
	}
	return response, nil
}

// Cut is a failure that passes.
func Cut() error { return status.Error(codes.Unavailable, "cut") }

// Over is a failure that does not.
func Over() error { return status.Error(codes.NotFound, "script is over") }

// Play makes a script that sends responses, then ends with err.
func Play(
	err error, responses ...*pb.SubscribeResponse,
) func(Subscription) error {
	return func(stream Subscription) error {
		for _, response := range responses {
			if stream.Send(response) != nil {
				break
			}
		}
		return err
	}
}

// Hold makes a script that sends responses, then waits for the client to go.
func Hold(responses ...*pb.SubscribeResponse) func(Subscription) error {
	return func(stream Subscription) error {
		err := Play(nil, responses...)(stream)
		<-stream.Context().Done()
		return err
	}
}

// Token of a position.
func Token(seq uint64) []byte { return fmt.Appendf(nil, "t%d", seq) }

// Position of partition 0.
func Position(seq uint64) *pb.Position {
	return &pb.Position{
		Incarnation: []byte("i1"),
		Partitions:  []*pb.PartitionSeq{{Seq: seq}},
	}
}

// Rows of a snapshot.
func Rows(changes ...*pb.Change) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{Snapshot: true, Changes: changes}
}

// End of a snapshot.
func End(seq uint64) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		SnapshotEnd: true, Position: Position(seq), ResumeToken: Token(seq),
	}
}

// Delta is a whole batch.
func Delta(from, to uint64, changes ...*pb.Change) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		Changes:     changes,
		Ranges:      []*pb.Range{{From: from, To: to}},
		ResumeToken: Token(to),
	}
}

// Drain with a token.
func Drain(token string, after *durationpb.Duration) *pb.SubscribeResponse {
	return &pb.SubscribeResponse{
		ResumeToken: []byte(token), Drain: &pb.Drain{RetryAfter: after},
	}
}

// Update of one watch.
func Update(
	id uint32, response *pb.SubscribeResponse, applied uint64,
) *pb.SessionResponse {
	return &pb.SessionResponse{Updates: []*pb.SessionResponse_Update{
		{Id: id, Response: response, KeysApplied: applied},
	}}
}

// DriverTotals is the description of that view.
func DriverTotals() *pb.DescribeViewResponse {
	return &pb.DescribeViewResponse{
		View: &pb.ViewInfo{
			Name: "driver_totals", KeyColumns: []string{"driver_id"},
		},
		Descriptors: &descriptorpb.FileDescriptorSet{
			File: []*descriptorpb.FileDescriptorProto{
				protodesc.ToFileDescriptorProto(
					viewspb.File_driver_totals_proto),
			},
		},
	}
}
