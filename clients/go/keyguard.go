package tidegate

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	pb "github.com/tidegate/tidegate/clients/go/tidegatepb"
)

// ViewChangedError: the view was built anew with another key than that of the
// [View], which can no longer tell its rows apart. Make the view again.
type ViewChangedError struct {
	View   string
	Detail string
}

func (e *ViewChangedError) Error() string {
	return fmt.Sprintf("view %q has another key: %s", e.View, e.Detail)
}

// keyGuard of a stream: whenever it begins anew, the view may have been built
// anew meanwhile. Of the goroutine that asks for events.
type keyGuard[R, K proto.Message] struct {
	view        *View[R, K]
	hasBegun    bool
	isUnchecked bool
}

func (g *keyGuard[R, K]) see(event *Event[R, K]) {
	switch {
	case event.Kind == Reset:
		g.isUnchecked = true
	case event.Kind == Connected && len(event.Token) == 0:
		// The first time, the view has just been made.
		g.isUnchecked = g.isUnchecked || g.hasBegun
		g.hasBegun = true
	}
}

// check asks the server, if need be. A [*ViewChangedError] is for good; after
// another error the next check asks again.
func (g *keyGuard[R, K]) check(ctx context.Context) error {
	if !g.isUnchecked {
		return nil
	}
	described, err := g.view.client.Describe(ctx, g.view.name)
	if err != nil {
		return err
	}
	if err := g.view.codec.checkKey(g.view.name, described); err != nil {
		return &ViewChangedError{g.view.name, err.Error()}
	}
	g.isUnchecked = false
	return nil
}

// checkKey: columns may have come and gone, those of the key must be the same.
func (c *codec[R, K]) checkKey(
	view string, described *pb.DescribeViewResponse,
) error {
	row, key, err := dynamicTypes(view, described.GetDescriptors())
	if err != nil {
		return err
	}
	now, err := newCodec[*dynamicpb.Message, *dynamicpb.Message](
		row, key, described.GetView().GetKeyColumns())
	if err != nil {
		return err
	}
	if len(now.columns) != len(c.columns) {
		return fmt.Errorf("%d columns instead of %d", len(now.columns),
			len(c.columns))
	}
	for _, column := range now.columns {
		if !c.hasKeyColumn(column) {
			return fmt.Errorf("column %q is new, or another",
				column.key.Name())
		}
	}
	return nil
}

func (c *codec[R, K]) hasKeyColumn(wanted keyColumn) bool {
	for _, column := range c.columns {
		if column.key.Name() == wanted.key.Name() {
			return column.key.Number() == wanted.key.Number() &&
				column.row.Number() == wanted.row.Number() &&
				column.key.Kind() == wanted.key.Kind()
		}
	}
	return false
}
