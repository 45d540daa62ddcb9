"""The unary calls: their requests, and what their responses say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from google.protobuf.message import Message

from tidegate._backoff import Retries
from tidegate._events import Finality, KeyLike, Position, RowT
from tidegate._values import to_seconds
from tidegate._wire import (
    finality_of,
    position_message,
    position_of,
    time_of,
)
from tidegate.errors import BrokenPromise, Code, RpcError
from tidegate.settings import Backoff
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


# A scan that was too long so often will be so again.
_MAX_SCAN_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far a partition of the view's sources has come in event time."""

    topic: str
    partition: int
    watermark: datetime | None  # None: none yet
    state: str  # "active", "idle", "no_events", "error", "unread", …
    holds_back: bool  # the view's watermark waits for this one


@dataclass(frozen=True, slots=True)
class ViewInfo:
    """What a view is and how far it has come."""

    name: str
    definition: str  # the SQL
    key_columns: tuple[str, ...]
    pipeline: str
    version: int
    row_count_estimate: int
    position: Position
    watermark: datetime | None
    event_time_column: str
    watermark_delay_s: float | None
    # Those that bear on the watermark, by topic, then number.
    partitions: tuple[PartitionProgress, ...]
    view: View[Message] | None = None  # its types; from `describe` only


@dataclass(frozen=True, slots=True)
class FoundRow(Generic[RowT]):
    row: RowT
    finality: Finality


@dataclass(frozen=True, slots=True)
class Found(Generic[RowT]):
    """One entry per key asked for, in that order; None: there is no row."""

    entries: tuple[FoundRow[RowT] | None, ...]
    position: Position
    watermark: datetime | None

    @property
    def rows(self) -> list[RowT | None]:
        return [None if each is None else each.row for each in self.entries]


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Rows in key order, all pages of a scan at one position."""

    entries: tuple[FoundRow[RowT], ...]
    position: Position
    watermark: datetime | None

    @property
    def rows(self) -> list[RowT]:
        return [each.row for each in self.entries]


def _partition(sent: pb.PartitionWatermark) -> PartitionProgress:
    states = pb.PartitionWatermark.State
    known = sent.state in states.values()
    return PartitionProgress(
        sent.topic,
        sent.partition,
        time_of(sent, "watermark"),
        states.Name(sent.state).lower() if known else str(sent.state),
        sent.holds_back,
    )


def view_info(sent: pb.ViewInfo, view: View[Message] | None = None) -> ViewInfo:
    delay = None
    if sent.HasField("watermark_delay"):
        delay = to_seconds(sent.watermark_delay)
    return ViewInfo(
        name=sent.name,
        definition=sent.definition,
        key_columns=tuple(sent.key_columns),
        pipeline=sent.pipeline,
        version=sent.version,
        row_count_estimate=sent.row_count_estimate,
        position=position_of(sent.position),
        watermark=time_of(sent, "watermark"),
        event_time_column=sent.event_time_column,
        watermark_delay_s=delay,
        partitions=tuple(_partition(each) for each in sent.partitions),
        view=view,
    )


def described(name: str, response: pb.DescribeViewResponse) -> ViewInfo:
    """With the view's types."""
    try:
        view = View.from_descriptors(
            name, response.view.key_columns, response.descriptors
        )
    except (TypeError, ValueError) as error:
        raise BrokenPromise(
            f"descriptors that cannot be used: {error}", view=name
        ) from error
    return view_info(response.view, view)


def get_request(
    view: View[RowT],
    keys: Sequence[KeyLike],
    min_position: Position | None,
) -> pb.GetRequest:
    request = pb.GetRequest(
        view=view.name, keys=[view.encode_key(key) for key in keys]
    )
    if min_position is not None:
        request.min_position.CopyFrom(position_message(min_position))
    return request


def found(
    view: View[RowT], count: int, response: pb.GetResponse
) -> Found[RowT]:
    if len(response.entries) != count:
        raise BrokenPromise(
            f"asked for {count} keys, answered {len(response.entries)}",
            view=view.name,
        )
    return Found(
        tuple(
            FoundRow(view.decode_row(entry.row), finality_of(entry.finality))
            if entry.HasField("row")
            else None
            for entry in response.entries
        ),
        position_of(response.position),
        time_of(response, "watermark"),
    )


class ScanPages(Generic[RowT]):
    """Page after page of one scan; proves that they show one position."""

    # Of the next page; None after the last.
    request: pb.ScanRequest | None

    def __init__(
        self,
        view: View[RowT],
        *,
        key_prefix: KeyLike,
        where: str,
        page_size: int,
        min_position: Position | None,
        backoff: Backoff,
    ) -> None:
        self._view = view
        self._backoff = backoff
        self._restarts = 0
        self._holds = False
        self._held: list[FoundRow[RowT]] = []
        self._handed_over = False  # any row
        self._watermark: datetime | None = None
        self.position: Position | None = None
        request = pb.ScanRequest(
            view=view.name, where=where, page_size=page_size
        )
        if key_prefix is not None:
            request.key_prefix = view.encode_key(key_prefix, prefix=True)
        if min_position is not None:
            request.min_position.CopyFrom(position_message(min_position))
        self.request = request

    def hold(self) -> None:
        """The pages from here on are for `whole`, and for nobody else."""
        self._holds = True

    def whole(self) -> Page[RowT]:
        """What has been held, once there is no further page."""
        assert self.position is not None
        return Page(tuple(self._held), self.position, self._watermark)

    def restart(self, error: RpcError) -> float:
        """In so many seconds it begins again; raises `error` if it cannot:
        rows of two positions are no scan."""
        if (
            error.code is not Code.ABORTED
            or self._handed_over
            or self._restarts == _MAX_SCAN_RESTARTS
        ):
            raise error
        assert self.request is not None
        self._restarts += 1
        self._held = []
        self.position = None
        self.request.page_token = ""
        return Retries(self._backoff).failed(error) or 0.0

    def page(self, response: pb.ScanResponse) -> Page[RowT]:
        """The page that `request` was answered with; sets the next one."""
        assert self.request is not None
        position = position_of(response.position)
        if self.position is not None and position != self.position:
            raise BrokenPromise(
                "the pages of one scan are at two positions,"
                f" {self.position} and {position}",
                view=self._view.name,
            )
        entries = tuple(self._rows(response))
        if self._holds:
            self._held += entries
        elif entries:
            self._handed_over = True
        self.position = position
        self._watermark = time_of(response, "watermark")
        if response.next_page_token:
            self.request.page_token = response.next_page_token
        else:
            self.request = None
        return Page(entries, position, self._watermark)

    def _rows(self, response: pb.ScanResponse) -> Iterator[FoundRow[RowT]]:
        said = list(response.finality)
        if said and len(said) != len(response.rows):
            raise BrokenPromise(
                f"{len(response.rows)} rows with the finality of {len(said)}",
                view=self._view.name,
            )
        for number, row in enumerate(response.rows):
            finality = finality_of(said[number]) if said else Finality.NONE
            yield FoundRow(self._view.decode_row(row), finality)
