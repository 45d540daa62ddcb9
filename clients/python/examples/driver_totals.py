"""Keeps a local copy of a view up to date, and shows what becomes of it.

    python driver_totals.py HOST:PORT [VIEW]

Prints the rows, then every change, until Ctrl-C. The view is `driver_totals`,
that of the project's README, by default.
"""

import contextlib
import sys
from typing import Any

import tidegate


def main(server: str, view: str = "driver_totals") -> None:
    with (
        tidegate.Client(server) as client,
        client.subscribe(view) as subscription,
    ):
        for event in subscription:
            show(event, subscription.rows)


def show(event: tidegate.Event[Any], rows: tidegate.Mirror[Any]) -> None:
    match event:
        case tidegate.SnapshotEnd():
            print(f"{len(rows)} rows:")
            for key, row in sorted(rows.items(), key=lambda item: str(item[0])):
                print(f"  {key}  {tidegate.to_dict(row)}")
        case tidegate.Changes():
            for change in event.changes:
                if change.row is None:
                    print(f"  {change.key}  gone")
                else:
                    print(f"  {change.key}  {tidegate.to_dict(change.row)}")
        case tidegate.Reset():
            print(f"starting over: {event.cause}")
        case tidegate.Disconnected():
            print(f"lost the server: {event.error.detail}")
    sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
