package tidegate

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidegate/tidegate/clients/go/internal/backoff"
)

// read makes a call, again and again where that may help, up to the context's
// deadline. A wait that would end behind it is not begun: the caller is told
// what the last attempt was.
func read[Response any](
	ctx context.Context, client *Client, call func() (Response, error),
) (Response, error) {
	deadline, isGiven := ctx.Deadline()
	if !isGiven {
		deadline = time.Now().Add(DefaultRetryTime)
	}
	random := client.newRandom()
	for failures := 1; ; failures++ {
		response, err := call()
		if err == nil {
			return response, nil
		}
		wait, isAgain := client.waitToRead(err, failures, random)
		if !isAgain || !time.Now().Add(wait).Before(deadline) {
			return response, err
		}
		if err := pause(ctx, wait); err != nil {
			return response, err
		}
	}
}

// waitToRead before the next attempt, if there is to be one.
func (c *Client) waitToRead(
	err error, failures int, random *rand.Rand,
) (time.Duration, bool) {
	hint := retryHint(err)
	if isPermanent(err) ||
		hint == 0 && status.Code(err) != codes.Unavailable ||
		c.settings.maxAttempts > 0 && failures > c.settings.maxAttempts {
		return 0, false
	}
	wait := c.settings.backoff.Delay(failures, random.Uint64())
	if hint > 0 {
		wait = max(wait, backoff.AfterHint(hint, random.Uint64()))
	}
	return wait, true
}

// pause ends early, with gRPC's status, when the context does.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
