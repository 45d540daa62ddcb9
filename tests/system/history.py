"""Records what a subscriber sees, as `tidegate watch --format json` does."""

import json
from pathlib import Path
from typing import Any

from system.client import PB, ViewTypes, finality_of
from system.rfc3339 import format_micros


class HistoryWriter:
    """Appends one line for each change and each marker.

    The subject differs from the one that `watch` writes: both write the same
    rows, but not with the same spelling of numbers.
    """

    def __init__(self, path: Path, types: ViewTypes) -> None:
        self._file = path.open("a")
        self._types = types
        self._unfinished: list[Any] = []  # changes of a range not yet whole

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")

    def connect(self, token: bytes) -> None:
        self._unfinished.clear()
        self._write(
            marker="connect",
            view=f"python:{self._types.info.name}",
            resume=token.hex(),
        )

    def response(self, response: Any) -> None:
        if response.HasField("reset"):
            self._unfinished.clear()
            self._write(
                marker="reset",
                cause=PB.Reset.Cause.Name(response.reset.cause),
                detail=response.reset.detail,
            )
        self._unfinished.extend(response.changes)
        if not response.fragment:
            for change in self._unfinished:
                self._change(change)
            self._unfinished.clear()
            self._end(response)
        if response.HasField("drain"):
            self._write(marker="drain", token=response.resume_token.hex())
        self._file.flush()

    def _change(self, change: Any) -> None:
        op = change.WhichOneof("kind")
        if op == "upsert":
            row = self._types.row(change.upsert)
            key = self._types.key_of(row)
            line: dict[str, Any] = {"key": self._key(key), "row": row}
            finality = finality_of(change.finality)
            if finality is not None:
                line["finality"] = finality
            self._write(op=op, **line)
        else:
            key = self._types.key(getattr(change, op))
            self._write(op=op, key=self._key(key))

    def _key(self, key: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(self._types.key_columns, key, strict=True))

    def _end(self, response: Any) -> None:
        """The marker that ends a batch or a chunk, if this response does."""
        line: dict[str, Any] = {"token": response.resume_token.hex()}
        if response.HasField("watermark"):
            line["watermark"] = format_micros(
                response.watermark.ToMicroseconds()
            )
        if response.HasField("position"):
            line["position"] = {
                "incarnation": response.position.incarnation.hex(),
                "partitions": [
                    {"partition": p.partition, "seq": p.seq}
                    for p in response.position.partitions
                ],
            }
        if response.ranges:
            line["ranges"] = [
                {"partition": r.partition, "from": getattr(r, "from"),
                 "to": r.to}
                for r in response.ranges
            ]  # fmt: skip
            self._write(marker="progress", **line)
        if response.snapshot_end:
            self._write(marker="snapshot_end", **line)
        elif response.snapshot:
            self._write(marker="progress", snapshot=True, **line)
