"""What a subscriber holds, checked against the contract as it grows."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from system.client import (
    ContractViolation,
    Finality,
    Key,
    Row,
    ViewTypes,
    finality_of,
)

# In the order in which a row goes through them.
_FINALITIES = (None, "provisional", "final", "corrected")


@dataclass
class Replica:
    """What a subscriber holds: folds a stream's responses, and checks them.

    Outlives the streams it is fed from. Not thread-safe but for `lock`, which
    `apply` takes.
    """

    types: ViewTypes
    rows: dict[Key, Row] = field(default_factory=dict)
    # Of each row, as it was sent: a later watermark makes a row final without
    # a word.
    finality: dict[Key, Finality] = field(default_factory=dict)
    position: dict[int, int] | None = None
    token: bytes = b""
    live: bool = False  # the snapshot has ended
    deltas: int = 0
    resumes: int = 0
    resets: int = 0
    snapshots: int = 0
    # Told each change outside a snapshot, once its range is complete: the row
    # that was held, and the new one.
    on_delta: Callable[[Row | None, Row | None], None] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _pending: list[Any] = field(default_factory=list)
    watermark_us: int | None = None
    _fresh_stream: bool = False
    # A snapshot continued after a lost stream may send a key again.
    _snapshot_resumed: bool = False

    def open(self) -> None:
        """A new stream begins, from `token` if there is one."""
        with self.lock:
            self._pending.clear()  # an unfinished range is sent again
            self._fresh_stream = True
            if not self.token:
                self._forget()
            elif not self.live:
                self._snapshot_resumed = True

    def _forget(self) -> None:
        self.rows.clear()
        self.finality.clear()
        self._pending.clear()
        self.position = None
        self.token = b""
        self.live = False
        self.watermark_us = None
        self._snapshot_resumed = False

    def apply(self, response: Any) -> None:
        with self.lock:
            self._apply(response)

    def _apply(self, response: Any) -> None:
        if self._fresh_stream:
            self._check_first(response)
            self._fresh_stream = False
        if response.HasField("reset"):
            if not response.reset.cause:
                raise ContractViolation("a reset without a cause")
            self._forget()
            self.resets += 1
        if response.snapshot and self.live:
            raise ContractViolation("a snapshot's rows after its end")
        self._pending.extend(response.changes)
        if response.fragment:
            if response.resume_token:
                raise ContractViolation("a fragment with a token")
            return
        self._commit(response)

    def _check_first(self, response: Any) -> None:
        if not response.HasField("position"):
            raise ContractViolation("a first response without a position")
        if not self.token or response.HasField("reset"):
            return
        self.resumes += 1
        if self.live and _position(response.position) != self.position:
            raise ContractViolation(
                f"resumed at {_position(response.position)},"
                f" not at {self.position}"
            )

    def _commit(self, response: Any) -> None:
        """The end of a range: changes, position and token go together."""
        if response.ranges:
            self._advance(response.ranges)
        elif self.live and self._pending:
            raise ContractViolation("changes without a range")
        self._check_watermark(response)
        for change in self._pending:
            self._change(change)
        self._pending.clear()
        if response.snapshot_end:
            if self.live:
                raise ContractViolation("a second end of the snapshot")
            self.live = True
            self.snapshots += 1
            self.position = _position(response.position)
        if response.resume_token:
            self.token = response.resume_token
        elif response.ranges or response.snapshot_end:
            raise ContractViolation("a range or snapshot end without a token")

    def _advance(self, ranges: Any) -> None:
        if not self.live or self.position is None:
            raise ContractViolation("a range before the snapshot's end")
        for each in ranges:
            at = self.position.get(each.partition, 0)
            if getattr(each, "from") != at or each.to < at:
                raise ContractViolation(
                    f"standing at {at}, got ({getattr(each, 'from')},"
                    f" {each.to}]"
                )
            self.position[each.partition] = each.to

    def _change(self, change: Any) -> None:
        kind = change.WhichOneof("kind")
        before: Row | None = None
        row: Row | None = None
        if kind == "upsert":
            row = self.types.row(change.upsert)
            key = self.types.key_of(row)
            again = key in self.rows and not self._snapshot_resumed
            if again and not self.live:
                raise ContractViolation(f"{key} twice in one snapshot")
            before = self.rows.get(key)
            finality = finality_of(change.finality)
            self._check_finality(key, row, finality)
            self.rows[key] = row
            self.finality[key] = finality
        elif kind in ("deleted", "left"):
            if not self.live and not self._snapshot_resumed:
                raise ContractViolation(f"{kind} in a snapshot")
            key = self.types.key(getattr(change, kind))
            before = self.rows.pop(key, None)
            self.finality.pop(key, None)
        else:
            raise ContractViolation("a change of no kind")
        if self.live:
            self.deltas += 1
            if self.on_delta is not None:
                self.on_delta(before, row)

    def _check_finality(self, key: Key, row: Row, finality: Finality) -> None:
        if finality in ("final", "corrected") and self.watermark_us is None:
            raise ContractViolation(f"{key} is {finality} at no watermark")
        if not self.live or key not in self.rows:
            return  # a snapshot that moves on may take it back
        before = self.finality[key]
        if _FINALITIES.index(finality) < _FINALITIES.index(before):
            raise ContractViolation(f"{key} was {before}, then {finality}")
        if (
            before == "final"
            and row != self.rows[key]
            and finality != "corrected"
        ):
            raise ContractViolation(f"{key} was final, and has changed")

    def _check_watermark(self, response: Any) -> None:
        if not response.HasField("watermark"):
            return
        watermark = response.watermark.ToMicroseconds()
        if self.watermark_us is not None and watermark < self.watermark_us:
            raise ContractViolation(
                f"the watermark moved back from {self.watermark_us}"
                f" to {watermark}"
            )
        self.watermark_us = watermark


def _position(position: Any) -> dict[int, int]:
    return {p.partition: p.seq for p in position.partitions}
