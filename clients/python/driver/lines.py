"""What the driver prints: the lines of `tidegate watch --format json`, as
cmd/tidegate/watch_lines.h defines them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import tidegate
from tidegate import _values


def double_text(value: float) -> str:
    """As the server's own tools spell it, so that states can be compared."""
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    magnitude = abs(value)
    if magnitude == 0 or 1e-4 <= magnitude < 1e15:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).rstrip("0")
    power = exponent + len(digits) - 1
    fraction = f".{plain[1:]}" if len(plain) > 1 else ""
    minus = "-" if sign else ""
    return f"{minus}{plain[0]}{fraction}e{power:+03}"


def json_text(value: Any) -> str:
    """Compact JSON; times as in RFC 3339."""
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, datetime):
        return f'"{_values.format_rfc3339(value)}"'
    if isinstance(value, Mapping):
        members = (
            f"{json.dumps(name)}:{json_text(each)}"
            for name, each in value.items()
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _base64(token: bytes) -> str:
    return base64.b64encode(token).decode()


def position_members(position: tidegate.Position) -> dict[str, Any]:
    return {
        "incarnation": position.incarnation.hex(),
        "partitions": [
            {"partition": partition, "seq": seq}
            for partition, seq in sorted(position.seqs.items())
        ],
    }


@dataclass
class Subject:
    """What one watch or subscription is of, and what its lines begin with."""

    view: tidegate.View[Any]
    keys: list[dict[str, Any]]
    key_prefix: dict[str, Any] | None
    where: str
    begin: dict[str, Any]

    # Where it stands, for the drain of a session.
    connected: bool = False
    token: bytes = b""
    position: tidegate.Position | None = None

    def lines(self, event: tidegate.WatchEvent[Any]) -> list[str]:
        match event:
            case tidegate.Connected():
                self.connected = True
                self.token = event.resumed_from
                return [self._connect(event)]
            case tidegate.Snapshot():
                lines = self._changes(event.changes)
                if event.token:
                    self.token = event.token
                    lines.append(self._marker("progress", event, snapshot=True))
                return lines
            case tidegate.SnapshotEnd():
                self.token, self.position = event.token, event.position
                return [self._marker("snapshot_end", event)]
            case tidegate.Changes():
                self.token, self.position = event.token, event.position
                ranges = [
                    {"partition": r.partition, "from": r.from_seq,
                     "to": r.to_seq}
                    for r in event.ranges
                ]  # fmt: skip
                return [
                    *self._changes(event.changes),
                    self._marker("progress", event, ranges=ranges),
                ]
            case tidegate.Reset():
                self.token, self.position = b"", None
                return [
                    self._marker(
                        "reset", event, cause=event.cause, detail=event.detail
                    )
                ]
            case tidegate.Drain():
                after = round(event.retry_after_s * 1000)
                return [self._marker("drain", event, retry_after_ms=after)]
            case tidegate.Disconnected():
                self.connected = False
                return []
            case tidegate.KeysApplied():
                return [
                    self._line(marker="keys_applied", request=event.request)
                ]
            case tidegate.WatchFailed():
                return [
                    self._line(
                        marker="failed",
                        code=event.error.code.name,
                        detail=event.error.detail,
                    )
                ]

    def of_session(self, event: tidegate.WatchEvent[Any]) -> list[str]:
        """What happened to the session, as this watch has it."""
        if not self.connected:
            return []
        if isinstance(event, tidegate.Drain):
            event = tidegate.Drain(
                retry_after_s=event.retry_after_s,
                token=self.token,
                position=self.position,
            )
        return self.lines(event)

    def error(self, detail: str) -> str:
        return self._line(marker="error", detail=detail)

    def mirror(self, mirror: tidegate.Mirror[Any]) -> str:
        rows = sorted(mirror.items(), key=_order)
        return self._line(
            marker="mirror",
            rows=[
                {"key": self.view.key_dict(key), "row": tidegate.to_dict(row)}
                for key, row in rows
            ],
        )

    def _line(self, **members: Any) -> str:
        return json_text(self.begin | members)

    def _connect(self, event: tidegate.Connected) -> str:
        line: dict[str, Any] = {"view": self.view.name}
        if self.keys:
            line["keys"] = self.keys
        if self.key_prefix:
            line["key_prefix"] = self.key_prefix
        if self.where:
            line["where"] = self.where
        token = event.resumed_from
        line["resume"] = _base64(token) if token else None
        if event.position is not None:
            line["position"] = position_members(event.position)
        begin = {k: v for k, v in self.begin.items() if k != "view"}
        return json_text(begin | {"marker": "connect"} | line)

    def _changes(self, changes: Iterable[tidegate.Change[Any]]) -> list[str]:
        lines = []
        for change in changes:
            line: dict[str, Any] = {
                "op": change.kind.value,
                "key": self.view.key_dict(change.key),
            }
            if change.row is not None:
                line["row"] = tidegate.to_dict(change.row)
            if change.finality is not tidegate.Finality.NONE:
                line["finality"] = change.finality.name.lower()
            lines.append(self._line(**line))
        return lines

    def _marker(self, marker: str, event: Any, **members: Any) -> str:
        if getattr(event, "position", None) is not None:
            members["position"] = position_members(event.position)
        if getattr(event, "token", b""):
            members["token"] = _base64(event.token)
        for name in ("watermark", "committed_at", "sent_at"):
            time = getattr(event, name)
            if time is not None:
                members[name] = time
        return self._line(marker=marker, **members)


def _order(item: tuple[tidegate.Key, Any]) -> list[tuple[bool, Any]]:
    """By the key's columns, NULLs last."""
    key, _ = item
    values = key if isinstance(key, tuple) else (key,)
    return [(value is None, 0 if value is None else value) for value in values]
