package tidegate

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
	"github.com/tidegate/tidegate/clients/go/internal/cursor"
)

// BrokenPromiseError: a server broke the contract. Nothing that came after it
// can be trusted, so the stream is not resumed.
type BrokenPromiseError struct {
	View   string
	Detail string // what is wrong
}

func (e *BrokenPromiseError) Error() string {
	return fmt.Sprintf("view %q: a promise was broken: %s", e.View, e.Detail)
}

// LimitError: what came, or was asked for, is over a limit of this client.
type LimitError struct {
	View  string
	What  string
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("view %q: %s, limit %d", e.View, e.What, e.Limit)
}

// ofView makes what the pure core found wrong an error of this package.
func ofView(view string, err error) error {
	var broken *cursor.BrokenError
	if errors.As(err, &broken) {
		return &BrokenPromiseError{view, broken.Detail}
	}
	var limit *cursor.LimitError
	if errors.As(err, &limit) {
		return &LimitError{view, limit.What, limit.Limit}
	}
	return err
}

// isPermanent tells whether a new attempt could not end otherwise.
func isPermanent(err error) bool {
	return backoff.Permanent(int32(status.Code(err)))
}

// retryHint is the wait that a refusal asks for; 0: none.
func retryHint(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// asStatus makes the end of a stream an error to tell: one that ended without
// one was ended by the server.
func asStatus(err error, what string) error {
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Unavailable, "the server ended the "+what)
	}
	return err
}
