"""What a subscriber is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

from tidegate.errors import Error, RpcError

RowT = TypeVar("RowT", bound=Message)

Scalar: TypeAlias = bool | int | float | str | datetime | None
# The value of the one key column, or a tuple of them in the view's order.
Key: TypeAlias = Scalar | tuple[Scalar, ...]
# A key as a caller may write it: also by name, or as a <View>Key message.
KeyLike: TypeAlias = Key | Mapping[str, Scalar] | Message


@dataclass(frozen=True)
class Position:
    """Where a view stands: per log partition, all up to and including seq."""

    incarnation: bytes = b""
    seqs: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """What a batch covers of a log partition: (from_seq, to_seq]."""

    partition: int
    from_seq: int
    to_seq: int


class Finality(IntEnum):
    """Whether a row can still change, by the watermark it came with.

    A watermark that passes the end of a window makes its row final without a
    change.
    """

    NONE = 0  # the view has no windows
    PROVISIONAL = 1
    FINAL = 2
    CORRECTED = 3  # amended after its window had closed


class ChangeKind(Enum):
    UPSERT = "upsert"
    DELETED = "deleted"  # there is no such row
    LEFT = "left"  # there is, but it does not match the condition


@dataclass(frozen=True, slots=True)
class Change(Generic[RowT]):
    """One row that came, changed or went."""

    kind: ChangeKind
    key: Key
    row: RowT | None = None  # of an upsert, whole
    finality: Finality = Finality.NONE  # of an upsert
    event_time: datetime | None = None  # the newest event folded into the row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    watermark: datetime | None = None
    committed_at: datetime | None = None  # by the server's clock
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(_Received):
    """A stream's first response has come; empty token: forget everything."""

    resumed_from: bytes = b""
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(_Received, Generic[RowT]):
    """Rows of the snapshot. Some may be deletions, if it has moved on."""

    changes: tuple[Change[RowT], ...]
    token: bytes = b""  # to resume after these, if one came


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEnd(_Received):
    """The snapshot is whole, also if it has no rows."""

    position: Position
    token: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(_Received, Generic[RowT]):
    """A batch, whole; without changes: nothing in its ranges concerns us."""

    changes: tuple[Change[RowT], ...]
    ranges: tuple[Range, ...]
    position: Position
    token: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(_Received):
    """Forget everything; a snapshot follows."""

    cause: str  # "HISTORY_TRIMMED", "UNKNOWN_INCARNATION", "VIEW_REBUILT"
    detail: str = ""
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(_Received):
    """The server goes away; the client leaves and comes back elsewhere."""

    retry_after_s: float
    token: bytes = b""
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The stream has ended; another attempt follows after retry_after_s."""

    error: RpcError
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysApplied:
    """Of a session's watch: what came before answers the request for keys."""

    request: int
    removed: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFailed:
    """Of a session's watch: it has ended for good; its last event."""

    error: Error


Event: TypeAlias = (
    Connected
    | Snapshot[RowT]
    | SnapshotEnd
    | Changes[RowT]
    | Reset
    | Drain
    | Disconnected
)
WatchEvent: TypeAlias = Event[RowT] | KeysApplied | WatchFailed


def may_have_another_key(event: WatchEvent[RowT]) -> bool:
    """A view may have been built anew, with another key, before `event`."""
    match event:
        case Reset():
            return event.cause != "HISTORY_TRIMMED"
        case Connected():
            return not event.resumed_from
    return False


def token_after(event: WatchEvent[RowT], token: bytes) -> bytes:
    """Where a stream would resume after `event`; before it, at `token`."""
    match event:
        case Connected():
            return event.resumed_from
        case Snapshot():
            return event.token or token
        case SnapshotEnd() | Changes() | Drain():
            return event.token
        case Reset():
            return b""
    return token
