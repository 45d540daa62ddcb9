package tidegate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// maxScanRestarts: what was too long so often will be so again.
const maxScanRestarts = 3

// Scan of a view, in key order, all of it as of one position. Its rows are
// read by one goroutine, once.
//
// A scan that the server gives up, with ABORTED, begins anew, unless rows of it
// have been handed over: these would be of another position.
type Scan[R, K proto.Message] struct {
	view         *View[R, K]
	ctx          context.Context
	request      *pb.ScanRequest
	position     Position
	watermark    time.Time
	held         []FoundRow[R]
	isHandedOver bool // any row
	restarts     int
	err          error
}

// Scan prepares a scan; [Scan.Rows] and [Scan.All] ask for its pages, one after
// another.
func (v *View[R, K]) Scan(
	ctx context.Context, options ...ScanOption,
) *Scan[R, K] {
	var q query
	for _, option := range options {
		option.scan(&q)
	}
	return &Scan[R, K]{
		view: v,
		ctx:  ctx,
		err:  q.err,
		request: &pb.ScanRequest{
			View:        v.name,
			KeyPrefix:   q.keyPrefix,
			Where:       q.where,
			PageSize:    q.pageSize,
			MinPosition: q.minPosition.message(),
		},
	}
}

// Rows in key order, as their pages come. An error is the last pair.
func (s *Scan[R, K]) Rows() iter.Seq2[FoundRow[R], error] {
	return func(yield func(FoundRow[R], error) bool) {
		for s.err == nil {
			for _, found := range s.next() {
				s.isHandedOver = true
				if !yield(found, nil) {
					s.err = errScanIsOver
					return
				}
			}
		}
		if !errors.Is(s.err, errScanIsOver) {
			yield(FoundRow[R]{}, s.err)
		}
	}
}

// All rows, or those that Rows has left, once the last one is there.
func (s *Scan[R, K]) All() ([]FoundRow[R], error) {
	for s.err == nil {
		s.held = append(s.held, s.next()...)
	}
	held := s.held
	s.held = nil
	if !errors.Is(s.err, errScanIsOver) {
		return nil, s.err
	}
	return held, nil
}

var errScanIsOver = errors.New("the scan is over")

// next page's rows. After the last page, or where it fails, s.err is set.
func (s *Scan[R, K]) next() []FoundRow[R] {
	stub := s.view.client.stub
	response, err := read(s.ctx, s.view.client,
		func() (*pb.ScanResponse, error) {
			return stub.Scan(s.ctx, s.request)
		})
	if err != nil {
		s.err = s.restart(err)
		return nil
	}
	rows, err := s.page(response)
	if err != nil {
		s.err = err
		return nil
	}
	s.request.PageToken = response.GetNextPageToken()
	if s.request.GetPageToken() == "" {
		s.err = errScanIsOver
	}
	return rows
}

// restart makes the next page the first one; err if it must not.
func (s *Scan[R, K]) restart(err error) error {
	if status.Code(err) != codes.Aborted || s.isHandedOver ||
		s.restarts == maxScanRestarts {
		return err
	}
	s.restarts++
	s.held = nil
	s.request.PageToken = ""
	client := s.view.client
	return pause(s.ctx,
		client.settings.backoff.Delay(1, client.newRandom().Uint64()))
}

func (s *Scan[R, K]) page(response *pb.ScanResponse) ([]FoundRow[R], error) {
	judged := len(response.GetFinality())
	if judged > 0 && judged != len(response.GetRows()) {
		return nil, &BrokenPromiseError{s.view.name, fmt.Sprintf(
			"%d rows with the finality of %d", len(response.GetRows()), judged)}
	}
	position := toPosition(response.GetPosition())
	isFirst := s.request.GetPageToken() == ""
	if !isFirst && (position.Incarnation != s.position.Incarnation ||
		!maps.Equal(position.Seqs, s.position.Seqs)) {
		return nil, &BrokenPromiseError{s.view.name, fmt.Sprintf(
			"pages of one scan at two positions: %v and %v",
			s.position.Seqs, position.Seqs)}
	}
	rows := make([]FoundRow[R], len(response.GetRows()))
	for i, bytes := range response.GetRows() {
		row, err := s.view.codec.row(bytes)
		if err != nil {
			return nil, &BrokenPromiseError{s.view.name, err.Error()}
		}
		rows[i].Row = row
		if judged > 0 {
			rows[i].Finality = toFinality(response.GetFinality()[i])
		}
	}
	s.position = position
	if response.GetWatermark() != nil {
		s.watermark = response.GetWatermark().AsTime()
	}
	return rows, nil
}

// Position of the scan, known from its first row on.
func (s *Scan[R, K]) Position() Position { return s.position }

// Watermark by which the rows are judged; zero: none. Known from its first row
// on.
func (s *Scan[R, K]) Watermark() time.Time { return s.watermark }
