package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc/status"

	tidegate "github.com/tidegate/tidegate/clients/go"
)

// readCommand is a line on stdin, with --reads.
type readCommand struct {
	Get         []json.RawMessage
	Scan        *scanCommand
	ScanAll     *scanCommand `json:"scan_all"`
	MinPosition *struct {
		Incarnation string
		Partitions  []struct {
			Partition uint32
			Seq       uint64
		}
	} `json:"min_position"`
}

type scanCommand struct {
	KeyPrefix json.RawMessage `json:"key_prefix"`
	Where     string
	PageSize  uint32 `json:"page_size"`
}

type found = tidegate.FoundRow[message]

// read does as stdin says until it closes.
func (d *driver) read(ctx context.Context, stdin io.Reader) error {
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxCommandBytes)
	for lines.Scan() {
		var c readCommand
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		line, err := d.readOnce(ctx, c)
		if err != nil {
			line = failedLine(err)
		}
		if err := d.print(line); err != nil {
			return err
		}
	}
	return lines.Err()
}

// readOnce returns the last line.
func (d *driver) readOnce(ctx context.Context, c readCommand) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.args.timeout)
	defer cancel()
	least, err := c.minPosition()
	if err != nil {
		return "", err
	}
	if c.Get != nil {
		return d.get(ctx, c.Get, least)
	}
	if c.ScanAll != nil {
		return d.scan(ctx, c.ScanAll, true, least)
	}
	return d.scan(ctx, c.Scan, false, least)
}

func (c readCommand) minPosition() ([]tidegate.ReadOption, error) {
	if c.MinPosition == nil {
		return nil, nil
	}
	incarnation, err := hex.DecodeString(c.MinPosition.Incarnation)
	least := tidegate.Position{
		Incarnation: string(incarnation), Seqs: map[uint32]uint64{},
	}
	for _, each := range c.MinPosition.Partitions {
		least.Seqs[each.Partition] = each.Seq
	}
	return []tidegate.ReadOption{tidegate.MinPosition(least)}, err
}

func (d *driver) get(
	ctx context.Context, texts []json.RawMessage, least []tidegate.ReadOption,
) (string, error) {
	own := d.watches[0]
	keys, err := jsonKeys(own.view, texts)
	if err != nil {
		return "", err
	}
	var options []tidegate.GetOption
	for _, option := range least {
		options = append(options, option)
	}
	got, err := own.view.Get(ctx, keys, options...)
	if err != nil {
		return "", err
	}
	var rows []string
	for _, each := range got.Rows {
		if each == nil {
			rows = append(rows, "null")
			continue
		}
		rows = append(rows, own.foundMembers(&object{}, *each).end())
	}
	line := (&object{}).text("marker", "got").
		raw("rows", "["+strings.Join(rows, ",")+"]").
		raw("position", positionText(got.Position))
	if !got.Watermark.IsZero() {
		line.text("watermark", timeText(got.Watermark))
	}
	return line.end(), nil
}

func (d *driver) scan(
	ctx context.Context, c *scanCommand, isWhole bool,
	least []tidegate.ReadOption,
) (string, error) {
	own := d.watches[0]
	options := []tidegate.ScanOption{
		tidegate.Where(c.Where), tidegate.PageSize(c.PageSize),
	}
	for _, option := range least {
		options = append(options, option)
	}
	if c.KeyPrefix != nil {
		prefix, err := parseKey(own.view, string(c.KeyPrefix))
		if err != nil {
			return "", err
		}
		options = append(options, own.view.KeyPrefix(prefix))
	}
	scan := own.view.Scan(ctx, options...)
	if err := d.printRows(own, scan, isWhole); err != nil {
		return "", err
	}
	return (&object{}).text("marker", "scanned").
		raw("position", positionText(scan.Position())).end(), nil
}

func (d *driver) printRows(
	own *watched, scan *tidegate.Scan[message, message], isWhole bool,
) error {
	tell := func(row found) error {
		line := (&object{}).text("marker", "row")
		return d.print(own.foundMembers(line, row).end())
	}
	if isWhole {
		rows, err := scan.All()
		for _, row := range rows {
			if err := tell(row); err != nil {
				return err
			}
		}
		return err
	}
	for row, err := range scan.Rows() {
		if err == nil {
			err = tell(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *watched) foundMembers(o *object, row found) *object {
	o.raw("row", columns(row.Row, w.rowColumns))
	if finality := row.Finality.String(); finality != "" {
		o.text("finality", finality)
	}
	return o
}

func failedLine(err error) string {
	var broken *tidegate.BrokenPromiseError
	if errors.As(err, &broken) {
		return (&object{}).text("marker", "broken").
			text("detail", broken.Detail).end()
	}
	return (&object{}).text("marker", "failed").
		text("code", codeName(status.Code(err))).
		text("detail", status.Convert(err).Message()).end()
}
