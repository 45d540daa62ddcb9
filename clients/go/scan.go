package tidegate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// Scan of a view, in key order, all of it as of one position. Its rows are
// read by one goroutine, once.
type Scan[R, K proto.Message] struct {
	view      *View[R, K]
	ctx       context.Context
	request   *pb.ScanRequest
	position  Position
	watermark time.Time
	err       error
}

// Scan prepares a scan; [Scan.Rows] asks for its pages, one after another.
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

// Rows in key order. An error is the last pair.
func (s *Scan[R, K]) Rows() iter.Seq2[FoundRow[R], error] {
	return func(yield func(FoundRow[R], error) bool) {
		for s.err == nil {
			var response *pb.ScanResponse
			response, s.err = s.page()
			if s.err != nil {
				break
			}
			for i, bytes := range response.GetRows() {
				row, err := s.view.codec.row(bytes)
				if err != nil {
					s.err = &BrokenPromiseError{s.view.name, err.Error()}
					break
				}
				found := FoundRow[R]{Row: row}
				if len(response.GetFinality()) > 0 {
					found.Finality = toFinality(response.GetFinality()[i])
				}
				if !yield(found, nil) {
					s.err = errScanIsOver
					return
				}
			}
			s.request.PageToken = response.GetNextPageToken()
			if s.err == nil && s.request.GetPageToken() == "" {
				s.err = errScanIsOver
			}
		}
		if !errors.Is(s.err, errScanIsOver) {
			yield(FoundRow[R]{}, s.err)
		}
	}
}

var errScanIsOver = errors.New("the scan is over")

func (s *Scan[R, K]) page() (*pb.ScanResponse, error) {
	response, err := s.view.client.stub.Scan(s.ctx, s.request)
	if err != nil {
		return nil, err
	}
	rows, judged := len(response.GetRows()), len(response.GetFinality())
	if judged > 0 && judged != rows {
		return nil, &BrokenPromiseError{s.view.name, fmt.Sprintf(
			"%d rows with the finality of %d", rows, judged)}
	}
	position := toPosition(response.GetPosition())
	isFirst := s.request.GetPageToken() == ""
	if !isFirst && (position.Incarnation != s.position.Incarnation ||
		!maps.Equal(position.Seqs, s.position.Seqs)) {
		return nil, &BrokenPromiseError{s.view.name, fmt.Sprintf(
			"pages of one scan at two positions: %v and %v",
			s.position.Seqs, position.Seqs)}
	}
	s.position = position
	if response.GetWatermark() != nil {
		s.watermark = response.GetWatermark().AsTime()
	}
	return response, nil
}

// Position of the scan, known from its first row on.
func (s *Scan[R, K]) Position() Position { return s.position }

// Watermark by which the rows are judged; zero: none. Known from its first row
// on.
func (s *Scan[R, K]) Watermark() time.Time { return s.watermark }
