"""What a subscriber knows of its stream: turns responses into events in order
and proves continuity. Knows Protobuf, but neither gRPC nor time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto
from typing import Any, Generic

from tidegate._events import (
    Change,
    ChangeKind,
    Changes,
    Connected,
    Drain,
    Event,
    Finality,
    Position,
    Range,
    Reset,
    RowT,
    Snapshot,
    SnapshotEnd,
)
from tidegate._values import to_seconds
from tidegate._wire import finality_of, position_of, time_of
from tidegate.errors import BrokenPromise, LimitExceeded
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View

# What a change takes beside its bytes, roughly.
_CHANGE_BYTES = 200


class _Phase(Enum):
    SNAPSHOT = auto()
    LIVE = auto()
    # Resumed from another cursor's token, nothing received yet.
    FOREIGN = auto()


def _times(response: pb.SubscribeResponse) -> dict[str, Any]:
    return {
        name: time_of(response, name)
        for name in ("watermark", "committed_at", "sent_at")
    }


class StreamCursor(Generic[RowT]):
    """Of one thread. Lives across the connections of one subscriber."""

    def __init__(
        self, view: View[RowT], token: bytes, max_pending_bytes: int
    ) -> None:
        """`token` resumes an earlier subscriber's stream; empty: none."""
        self._view = view
        self._max_pending_bytes = max_pending_bytes
        self._token = token
        self._phase = _Phase.FOREIGN if token else _Phase.SNAPSHOT
        self._incarnation = b""
        self._position: Position | None = None
        self._watermark: datetime | None = None
        self._first_response = True
        self._pending: list[Change[RowT]] = []
        self._pending_bytes = 0
        self._in_fragments = False

    @property
    def token(self) -> bytes:
        """Where a new stream should resume; empty: from a snapshot."""
        return self._token

    @property
    def position(self) -> Position | None:
        return self._position

    def begin_stream(self) -> None:
        """A new stream is asked for with `token`; drops what was pending."""
        self._first_response = True
        self._drop_pending()
        if not self._token:
            self._phase = _Phase.SNAPSHOT
            self._position = None
            self._watermark = None

    def take(
        self, response: pb.SubscribeResponse, out: list[Event[RowT]]
    ) -> None:
        """Appends the events that `response` completes, in order.

        BrokenPromise if it breaks continuity, LimitExceeded if a batch is too
        large; what `out` has got before then counts.
        """
        if response.position.incarnation:
            self._incarnation = response.position.incarnation
        if self._first_response:
            self._first_response = False
            out.append(
                Connected(
                    resumed_from=self._token,
                    position=self._sent_position(response),
                    **_times(response),
                )
            )
        if response.HasField("reset"):
            self._take_reset(response, out)
        if response.snapshot or response.snapshot_end:
            self._take_snapshot(response, out)
        else:
            self._take_delta(response, out)
        if response.HasField("drain"):
            self._token = response.resume_token or self._token
            out.append(
                Drain(
                    retry_after_s=to_seconds(response.drain.retry_after),
                    token=self._token,
                    position=self._position,
                    **_times(response),
                )
            )

    def _take_reset(
        self, response: pb.SubscribeResponse, out: list[Event[RowT]]
    ) -> None:
        self._token = b""
        self._drop_pending()
        self._position = None
        self._phase = _Phase.SNAPSHOT
        # Another history has a watermark of its own; a trimmed one goes on.
        if response.reset.cause != pb.Reset.HISTORY_TRIMMED:
            self._watermark = None
        number = response.reset.cause
        known = pb.Reset.Cause.values()
        out.append(
            Reset(
                cause=pb.Reset.Cause.Name(number)
                if number in known
                else str(number),
                detail=response.reset.detail,
                position=self._sent_position(response),
                **_times(response),
            )
        )

    def _take_snapshot(
        self, response: pb.SubscribeResponse, out: list[Event[RowT]]
    ) -> None:
        if self._phase is _Phase.LIVE:
            raise self._broken(
                "a second end of a snapshot"
                if not response.changes
                else "a snapshot came without a reset"
            )
        self._phase = _Phase.SNAPSHOT
        self._check_watermark(response)
        changes, _ = self._decode(response.changes)
        if changes:
            token = b"" if response.snapshot_end else response.resume_token
            self._token = token or self._token
            out.append(
                Snapshot(
                    changes=tuple(changes), token=token, **_times(response)
                )
            )
        if not response.snapshot_end:
            return
        position = self._sent_position(response)
        if position is None:
            raise self._broken("a snapshot's end came without a position")
        self._phase = _Phase.LIVE
        self._position = position
        self._token = response.resume_token
        out.append(
            SnapshotEnd(
                position=position, token=self._token, **_times(response)
            )
        )

    def _take_delta(
        self, response: pb.SubscribeResponse, out: list[Event[RowT]]
    ) -> None:
        if not (response.changes or response.ranges or response.fragment):
            if response.HasField("drain"):
                self._drop_pending()  # the rest is not going to come
            if not self._in_fragments:
                # A first response, a reset or a drain alone; a sign of life.
                return
        if self._phase is _Phase.SNAPSHOT:
            raise self._broken("changes came before the snapshot's end")
        self._phase = _Phase.LIVE
        self._hold(response)
        if response.fragment:
            return
        ranges = tuple(
            Range(sent.partition, getattr(sent, "from"), sent.to)
            for sent in response.ranges
        )
        if not ranges:
            raise self._broken(
                "the rest of an unfinished range did not come"
                if self._in_fragments
                else "changes came without a range"
            )
        position = self._advanced(ranges)
        self._check_watermark(response)
        self._position = position
        self._token = response.resume_token or self._token
        changes = tuple(self._pending)
        self._drop_pending()
        out.append(
            Changes(
                changes=changes,
                ranges=ranges,
                position=position,
                token=self._token,
                **_times(response),
            )
        )

    def _hold(self, response: pb.SubscribeResponse) -> None:
        changes, size = self._decode(response.changes)
        self._pending += changes
        self._pending_bytes += size
        if response.fragment:
            self._in_fragments = True
        if self._pending_bytes > self._max_pending_bytes:
            raise LimitExceeded(
                "one batch of changes is larger than max_pending_bytes,"
                f" {self._max_pending_bytes}",
                view=self._view.name,
            )

    def _drop_pending(self) -> None:
        self._pending = []
        self._pending_bytes = 0
        self._in_fragments = False

    def _advanced(self, ranges: tuple[Range, ...]) -> Position:
        """Where the ranges lead, or what is wrong with them."""
        seqs = {} if self._position is None else dict(self._position.seqs)
        for each in ranges:
            at = seqs.get(each.partition)
            # A partition that appears later begins at its log's start.
            if at is None and (self._position is None or each.from_seq == 0):
                at = each.from_seq
            if at != each.from_seq or each.to_seq < each.from_seq:
                raise self._broken(
                    f"range ({each.from_seq}, {each.to_seq}] of partition"
                    f" {each.partition} does not continue position {at or 0}"
                )
            seqs[each.partition] = each.to_seq
        return Position(self._incarnation, seqs)

    def _check_watermark(self, response: pb.SubscribeResponse) -> None:
        watermark = time_of(response, "watermark")
        if watermark is None:
            return
        if self._watermark is not None and watermark < self._watermark:
            raise self._broken(
                f"the watermark moved back from {self._watermark.isoformat()}"
                f" to {watermark.isoformat()}"
            )
        self._watermark = watermark

    def _decode(
        self, sent: Iterable[pb.Change]
    ) -> tuple[list[Change[RowT]], int]:
        """The changes, and about how much memory they take."""
        view = self._view
        changes: list[Change[RowT]] = []
        size = 0
        for change in sent:
            kind = change.WhichOneof("kind")
            if kind == "upsert":
                data = change.upsert
                row = view.decode_row(data)
                finality = Finality.NONE
                if change.finality:
                    finality = finality_of(change.finality)
                changes.append(
                    Change(
                        ChangeKind.UPSERT,
                        view.key_of(row),
                        row,
                        finality,
                        time_of(change, "event_time"),
                    )
                )
            elif kind is not None:
                data = getattr(change, kind)
                key = view.decode_key(data)
                changes.append(Change(ChangeKind(kind), key))
            else:
                raise self._broken("a change came without a kind")
            size += len(data) + _CHANGE_BYTES
        return changes, size

    @staticmethod
    def _sent_position(response: pb.SubscribeResponse) -> Position | None:
        if not response.HasField("position"):
            return None
        return position_of(response.position)

    def _broken(self, what: str) -> BrokenPromise:
        return BrokenPromise(what, view=self._view.name)
