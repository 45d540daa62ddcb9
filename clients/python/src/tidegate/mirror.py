"""A local copy of a subscription's rows, safe to read from several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar, overload

from tidegate._events import (
    Change,
    Changes,
    Connected,
    Disconnected,
    Drain,
    Finality,
    Key,
    KeyLike,
    KeysApplied,
    Position,
    Reset,
    RowT,
    Snapshot,
    SnapshotEnd,
    WatchEvent,
)
from tidegate.errors import LimitExceeded
from tidegate.settings import Limits
from tidegate.view import View

DefaultT = TypeVar("DefaultT")


class MirrorState(Enum):
    LOADING = "loading"  # a snapshot is under way, or none has begun yet
    LIVE = "live"  # connected: every change comes as it happens
    DISCONNECTED = "disconnected"  # the rows stay, and grow old
    ENDED = "ended"  # for good


@dataclass(frozen=True, slots=True)
class MirrorCopy(Generic[RowT]):
    """All rows of one moment."""

    rows: dict[Key, RowT]
    finality: dict[Key, Finality]  # of rows in windows
    position: Position | None
    watermark: datetime | None
    state: MirrorState


class _Rows(Generic[RowT]):
    """Rows by key; what was put since the last `keep` can be taken back."""

    def __init__(self) -> None:
        self.rows: dict[Key, RowT] = {}
        self.finality: dict[Key, Finality] = {}
        self._before: dict[Key, tuple[RowT | None, Finality]] = {}

    def put(self, change: Change[RowT]) -> None:
        key = change.key
        if key not in self._before:
            said = self.finality.get(key, Finality.NONE)
            self._before[key] = (self.rows.get(key), said)
        self._set(key, change.row, change.finality)

    def keep(self) -> None:
        self._before.clear()

    def take_back(self) -> None:
        for key, (row, finality) in self._before.items():
            self._set(key, row, finality)
        self._before.clear()

    def forget(self, key: Key) -> None:
        self._set(key, None, Finality.NONE)
        self._before.pop(key, None)

    def _set(self, key: Key, row: RowT | None, finality: Finality) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
        if finality is Finality.NONE:
            self.finality.pop(key, None)
        else:
            self.finality[key] = finality


class Mirror(Generic[RowT]):
    """Rows by key, as of `position`: what the events so far come to.

    Every call sees the state after one whole batch, never half a commit; for
    several calls at one position there are `locked` and `copy`.

    *Until the first snapshot has ended there are no rows, and `complete` is
    False. After a reset, or when a stream starts anew, the rows stay those from
    before it, in the state LOADING, until the new snapshot's end shows the new
    ones, all at once.* While the connection is lost they stay, too. A mirror
    that began with another process's token has only what came since, and is not
    complete before the end of a snapshot that follows a reset.

    Keys are values where the view has one key column, else tuples in the view's
    order; to look up, a dictionary or a <View>Key will do too. Rows belong to
    the mirror: do not change them.
    """

    def __init__(
        self,
        view: View[RowT],
        *,
        resumed: bool = False,
        max_rows: int = Limits.max_mirror_rows,
    ) -> None:
        self._view = view
        self._max_rows = max_rows
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._told: list[Callable[[], None]] = []
        self._shown = _Rows[RowT]()
        # Of a snapshot that has not ended; kept as of its last token, which is
        # where another stream goes on.
        self._staged = _Rows[RowT]()
        self._staged_token = b""
        self._lacks_rows = resumed  # of the time before another's token
        self._loading = not resumed
        self._state = MirrorState.LOADING
        self._complete = False
        self._position: Position | None = None
        self._watermark: datetime | None = None

    @property
    def view(self) -> View[RowT]:
        return self._view

    @property
    def state(self) -> MirrorState:
        with self._lock:
            return self._state

    @property
    def complete(self) -> bool:
        """Holds all rows of the subscription, as of `position`."""
        with self._lock:
            return self._complete

    @property
    def position(self) -> Position | None:
        with self._lock:
            return self._position

    @property
    def watermark(self) -> datetime | None:
        with self._lock:
            return self._watermark

    def __len__(self) -> int:
        with self._lock:
            return len(self._shown.rows)

    def __contains__(self, key: KeyLike) -> bool:
        return self.get(key) is not None

    def __getitem__(self, key: KeyLike) -> RowT:
        normal = self._view.normalize_key(key)
        with self._lock:
            return self._shown.rows[normal]

    @overload
    def get(self, key: KeyLike) -> RowT | None: ...
    @overload
    def get(self, key: KeyLike, default: DefaultT) -> RowT | DefaultT: ...
    def get(
        self, key: KeyLike, default: DefaultT | None = None
    ) -> RowT | DefaultT | None:
        normal = self._view.normalize_key(key)
        with self._lock:
            return self._shown.rows.get(normal, default)

    def finality(self, key: KeyLike) -> Finality:
        """What the server said of the row when it sent it; KeyError."""
        normal = self._view.normalize_key(key)
        with self._lock:
            self._shown.rows[normal]
            return self._shown.finality.get(normal, Finality.NONE)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys())

    def keys(self) -> list[Key]:
        with self._lock:
            return list(self._shown.rows)

    def values(self) -> list[RowT]:
        with self._lock:
            return list(self._shown.rows.values())

    def items(self) -> list[tuple[Key, RowT]]:
        with self._lock:
            return list(self._shown.rows.items())

    def copy(self) -> MirrorCopy[RowT]:
        """All of it, at one position."""
        with self._lock:
            return MirrorCopy(
                dict(self._shown.rows),
                dict(self._shown.finality),
                self._position,
                self._watermark,
                self._state,
            )

    @contextmanager
    def locked(self) -> Iterator[Mirror[RowT]]:
        """Nothing changes within the `with` block; the stream waits for it."""
        with self._lock:
            yield self

    def wait_complete(self, timeout_s: float | None = None) -> bool:
        """Blocks until `complete`; False if time runs out or the stream ends.

        Another thread has to read the events (`start`).
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._complete or self._state is MirrorState.ENDED,
                timeout_s,
            )
            return self._complete

    def reached(self, position: Position) -> bool:
        """Complete, and as of `position` or a later one: what was read there is
        here as well. Of a history that has been lost since, numbers are
        compared all the same."""
        with self._lock:
            seqs = {} if self._position is None else self._position.seqs
            return self._complete and all(
                partition in seqs and seqs[partition] >= seq
                for partition, seq in position.seqs.items()
            )

    def wait_until_at(
        self, position: Position, timeout_s: float | None = None
    ) -> bool:
        """Blocks until `reached`; False if time runs out or the stream ends.

        Another thread has to read the events (`start`). Not for asyncio: see
        there.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self.reached(position) or self._state is MirrorState.ENDED
                ),
                timeout_s,
            )
            return self.reached(position)

    @contextmanager
    def on_move(self, told: Callable[[], None]) -> Iterator[None]:
        """`told` is called, and must be short, after each move within the
        `with` block, also at its end, by whoever feeds the mirror."""
        with self._lock:
            self._told.append(told)
        try:
            yield
        finally:
            with self._lock:
                self._told.remove(told)

    # Feeding: by its subscription alone.

    def apply(self, event: WatchEvent[RowT]) -> None:
        """LimitExceeded if there are too many rows; then readers see what they
        saw before."""
        with self._lock:
            if self._state is MirrorState.ENDED:
                return
            match event:
                case Connected(resumed_from=b"") | Reset():
                    self._start_over()
                case Connected() if self._loading:
                    # What came after the token comes again, if it is still so.
                    self._staged.take_back()
                    self._state = MirrorState.LOADING
                case Connected():
                    self._state = MirrorState.LIVE
                case Disconnected():
                    self._state = MirrorState.DISCONNECTED
                case Snapshot():
                    self._loading = True
                    self._state = MirrorState.LOADING
                    for change in event.changes:
                        self._staged.put(change)
                    self._check_limit(self._staged)
                    self._keep_staged(event.token)
                case Drain():
                    self._keep_staged(event.token)
                case SnapshotEnd():
                    self._show_snapshot()
                    self._move(event.position, event.watermark)
                case Changes():
                    for change in event.changes:
                        self._shown.put(change)
                    self._check_limit(self._shown)
                    self._shown.keep()
                    self._move(event.position, event.watermark)
                case KeysApplied():
                    for key in event.removed:
                        self._shown.forget(key)
                        self._staged.forget(key)

    def end(self) -> None:
        """Nothing will come any more."""
        with self._changed:
            self._state = MirrorState.ENDED
            self._tell()

    def _start_over(self) -> None:
        """A snapshot follows; what is shown stays until its end."""
        self._staged = _Rows()
        self._staged_token = b""
        self._lacks_rows = False
        self._loading = True
        self._state = MirrorState.LOADING

    def _keep_staged(self, token: bytes) -> None:
        # A drain may repeat one.
        if token not in (b"", self._staged_token):
            self._staged_token = token
            self._staged.keep()

    def _check_limit(self, held: _Rows[RowT]) -> None:
        if len(held.rows) > self._max_rows:
            held.take_back()
            raise LimitExceeded(
                f"more than max_mirror_rows, {self._max_rows}",
                view=self._view.name,
            )

    def _show_snapshot(self) -> None:
        self._shown = self._staged
        self._shown.keep()
        self._staged = _Rows()
        self._staged_token = b""
        self._complete = not self._lacks_rows
        self._watermark = None

    def _move(self, position: Position, watermark: datetime | None) -> None:
        self._loading = False
        self._state = MirrorState.LIVE
        self._position = position
        if watermark is not None:
            self._watermark = watermark
        self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for told in self._told:
            told()
