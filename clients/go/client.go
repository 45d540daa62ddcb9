package tidegate

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
	"github.com/tidegate/tidegate/clients/go/internal/cursor"
	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Limits and defaults.
const (
	// DefaultMinBackoff and DefaultMaxBackoff bound the time between attempts.
	// It doubles from the one to the other, each time a random part of its upper
	// half; a response takes it back to the start.
	DefaultMinBackoff = backoff.DefaultMin
	DefaultMaxBackoff = backoff.DefaultMax
	// MaxRetryHint bounds what a server may ask a client to wait.
	MaxRetryHint = backoff.MaxHint
	// DefaultRetryTime is how long reads are tried again whose context has no
	// deadline.
	DefaultRetryTime = 30 * time.Second
	// DrainGrace is how long a server that drains may take to end the stream.
	DrainGrace = 500 * time.Millisecond
	// MaxMessageBytes bounds one message from the server.
	MaxMessageBytes = 256 << 20
	// DefaultMaxPendingBytes bounds what is held of a fragmented range or commit
	// until it is whole.
	DefaultMaxPendingBytes = cursor.DefaultMaxPendingBytes
)

// A peer that has vanished is noticed.
const (
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
)

// Option of a [Client].
type Option func(*settings)

type settings struct {
	credentials     credentials.TransportCredentials
	dial            []grpc.DialOption
	backoff         backoff.Limits
	maxAttempts     int
	maxPendingBytes int
	seed            uint64
}

// WithTransportCredentials is for TLS; the default is plaintext.
func WithTransportCredentials(c credentials.TransportCredentials) Option {
	return func(s *settings) { s.credentials = c }
}

// WithDialOptions adds gRPC's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// WithBackoff sets the bounds of the time between attempts.
func WithBackoff(minimum, maximum time.Duration) Option {
	return func(s *settings) { s.backoff = backoff.Limits{Min: minimum, Max: maximum} }
}

// WithMaxFailedAttempts: so many attempts in a row may fail; the default, 0, is
// any number.
func WithMaxFailedAttempts(attempts int) Option {
	return func(s *settings) { s.maxAttempts = attempts }
}

// WithMaxPendingBytes bounds what each stream holds of an unfinished batch.
func WithMaxPendingBytes(bytes int) Option {
	return func(s *settings) { s.maxPendingBytes = bytes }
}

// WithSeed makes the jitter the same in every run; the default is random.
func WithSeed(seed uint64) Option {
	return func(s *settings) { s.seed = seed }
}

// Client of one server or of several that serve the same views.
type Client struct {
	stub     pb.ViewServiceClient
	conn     *grpc.ClientConn // nil: not ours
	settings settings
	streams  atomic.Uint64 // and reads, made so far
}

// Dial makes a client of the server at target, "host:port" or another name that
// gRPC knows. It does not wait for the server.
func Dial(target string, options ...Option) (*Client, error) {
	s := makeSettings(options)
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(s.credentials),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout,
		}),
		// Our own backoff decides; gRPC's must not be slower.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: grpcbackoff.Config{
				BaseDelay:  20 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   500 * time.Millisecond,
			},
			MinConnectTimeout: 2 * time.Second,
		}),
	}
	conn, err := grpc.NewClient(target, append(dial, s.dial...)...)
	if err != nil {
		return nil, err
	}
	client := newClient(conn, s)
	client.conn = conn
	return client, nil
}

// NewClient makes a client over a connection that stays the caller's. Its limit
// for messages must be that of the server's at least: [MaxMessageBytes].
func NewClient(conn grpc.ClientConnInterface, options ...Option) *Client {
	return newClient(conn, makeSettings(options))
}

func makeSettings(options []Option) settings {
	s := settings{
		credentials:     insecure.NewCredentials(),
		backoff:         backoff.Limits{Min: DefaultMinBackoff, Max: DefaultMaxBackoff},
		maxPendingBytes: DefaultMaxPendingBytes,
		seed:            rand.Uint64(),
	}
	for _, option := range options {
		option(&s)
	}
	return s
}

func newClient(conn grpc.ClientConnInterface, s settings) *Client {
	return &Client{stub: pb.NewViewServiceClient(conn), settings: s}
}

// Close ends the connection that [Dial] made, and with it every stream.
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

func (c *Client) isClosed() bool {
	return c.conn != nil && c.conn.GetState() == connectivity.Shutdown
}

// ListViews tells what the server serves.
func (c *Client) ListViews(ctx context.Context) ([]*pb.ViewInfo, error) {
	response, err := c.stub.ListViews(ctx, &pb.ListViewsRequest{})
	if err != nil {
		return nil, err
	}
	return response.GetViews(), nil
}

// Describe tells about one view, with the descriptors of its messages.
func (c *Client) Describe(
	ctx context.Context, view string,
) (*pb.DescribeViewResponse, error) {
	return c.stub.DescribeView(ctx, &pb.DescribeViewRequest{View: view})
}

// newRandom is for the jitter of one stream or read.
func (c *Client) newRandom() *rand.Rand {
	return rand.New(rand.NewPCG(c.settings.seed, c.streams.Add(1)))
}

func (c *Client) newLifeline(ctx context.Context) *lifeline {
	ctx, cancel := context.WithCancel(ctx)
	return &lifeline{
		client: c,
		ctx:    ctx,
		cancel: cancel,
		random: c.newRandom(),
	}
}
