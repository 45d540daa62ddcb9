"""A session that survives, sync: many watches on one stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, overload

import grpc
from google.protobuf.message import Message

from tidegate._events import KeyLike, RowT
from tidegate._lifecycle import Check, Leave, Open, Read, Stop, Wait
from tidegate._rpc import ended_error, to_error
from tidegate._session_core import EmitWatch, SessionCore, WatchCore, passes
from tidegate._subscription_core import subject_of
from tidegate.errors import Closed, Error, LimitExceeded
from tidegate.settings import Backoff, Limits
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View
from tidegate.watch import SessionEvent, Watch, event_of


class Session:
    """Iterates over what happens to its watches, in order, for ever.

    Connects, resumes each watch by its token, and proves continuity for each.
    Ends without an error after `close`. Raises `RpcError` if the server refuses
    the session for good, `BrokenPromise` if it breaks the contract; one watch
    that is refused for good, or whose mirror is full, ends with `WatchFailed`,
    and the session goes on.

    One thread iterates; the rest is for any thread, also while iterating.
    """

    def __init__(
        self,
        open_stream: Callable[[Iterator[pb.SessionRequest]], Any],
        resolve: Callable[[str | View[Any]], tuple[View[Any], bool]],
        view_now: Callable[[str], View[Any]],
        backoff: Backoff,
        limits: Limits,
    ) -> None:
        self._open_stream = open_stream
        self._resolve = resolve
        self._view_now = view_now
        self._iterating = threading.Lock()
        # Guards all below. Recursive, so that a signal handler may close it.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._core = SessionCore(backoff, limits)
        self._closed = False
        self._call: Any = None
        self._stream = 0  # number of the present one; 0: none
        self._last_stream = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @overload
    def add_watch(
        self,
        view: View[RowT],
        *,
        keys: Iterable[KeyLike] | None = None,
        key_prefix: KeyLike = None,
        where: str = "",
        resume_token: bytes = b"",
        min_interval_s: float = 0.0,
        progress_interval_s: float = 0.0,
    ) -> Watch[RowT]: ...
    @overload
    def add_watch(
        self,
        view: str,
        *,
        keys: Iterable[KeyLike] | None = None,
        key_prefix: KeyLike = None,
        where: str = "",
        resume_token: bytes = b"",
        min_interval_s: float = 0.0,
        progress_interval_s: float = 0.0,
    ) -> Watch[Message]: ...
    def add_watch(
        self,
        view: str | View[Any],
        *,
        keys: Iterable[KeyLike] | None = None,
        key_prefix: KeyLike = None,
        where: str = "",
        resume_token: bytes = b"",
        min_interval_s: float = 0.0,
        progress_interval_s: float = 0.0,
    ) -> Any:
        """With `keys`, also with none, its keys come and go; else it is of all
        rows, or of those of a prefix or condition.

        `resume_token` goes with the keys applied when it came.
        """
        resolved, fresh = self._resolve(view)
        keyed = keys is not None
        subject = subject_of(
            resolved,
            keys=keys,
            key_prefix=key_prefix,
            where=where,
            min_interval_s=min_interval_s,
            progress_interval_s=progress_interval_s,
            may_lack_keys=True,
        )
        with self._changed:
            core = self._core.add_watch(
                subject, resolved, keyed, resume_token, fresh=fresh
            )
            core.handle = Watch(self, core)
            self._changed.notify_all()
        return core.handle

    def __iter__(self) -> Iterator[SessionEvent]:
        return self

    def __next__(self) -> SessionEvent:
        with self._iterating:
            try:
                emit = self._next()
                while emit is not None and not self._delivered(emit):
                    emit = self._next()
            except BaseException as error:
                self._cut()
                if isinstance(error, Error):
                    with self._lock:
                        self._core.fail(error)
                    self._end_mirrors()
                raise
        if emit is None:
            raise StopIteration
        return event_of(emit)

    def _delivered(self, emit: EmitWatch) -> bool:
        """Else its watch has failed, which is told next."""
        try:
            emit.deliver()
        except LimitExceeded as error:
            assert emit.watch is not None
            with self._changed:
                self._core.give_up(emit.watch, error)
                self._changed.notify_all()
            return False
        return True

    def disconnect(self) -> None:
        """Cuts the present connection, as a network would; it resumes."""
        with self._lock:
            if self._call is not None:
                self._call.cancel()

    def close(self) -> None:
        """Ends the iteration, whichever thread it is in."""
        with self._changed:
            self._closed = True
        self._cut()
        self._end_mirrors()

    def _end_mirrors(self) -> None:
        with self._lock:
            watches = self._core.watches
        for watch in watches:  # without the lock: this waits for readers
            watch.mirror.end()

    def _change_keys(
        self,
        watch: WatchCore[Any],
        add: tuple[bytes, ...],
        remove: tuple[bytes, ...],
    ) -> int:
        with self._changed:
            request = self._core.change_keys(watch, add, remove)
            self._changed.notify_all()
        return request

    def _unwatch(self, watch: WatchCore[Any]) -> None:
        with self._changed:
            self._core.remove_watch(watch)
            self._changed.notify_all()
        watch.mirror.end()

    def _cut(self) -> None:
        """Ends the stream, and the thread that writes to it."""
        with self._changed:
            self._stream = 0
            if self._call is not None:
                self._call.cancel()
            self._changed.notify_all()

    def _next(self) -> EmitWatch | None:
        """None once it is closed."""
        core = self._core
        while True:
            with self._changed:
                if self._closed:
                    self._cut()
                    return None
                step = core.step()
                match step:
                    case EmitWatch():
                        return step
                    case Open():
                        core.opened()
                        self._open()
                    case Wait(seconds):
                        self._wait(seconds)
                        core.waited()
                    case Stop():
                        return None
            match step:
                case Check(view):
                    self._check(view)
                case Read():
                    self._read()
                case Leave():
                    self._cut()
                    with self._lock:
                        core.left()

    def _open(self) -> None:
        self._last_stream += 1
        self._stream = self._last_stream
        self._call = self._open_stream(self._requests(self._stream))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closed and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)

    def _check(self, view: str) -> None:
        try:
            now = self._view_now(view)
        except Closed:
            raise
        except Error as error:
            if passes(error):
                self._cut()
            with self._changed:
                self._core.not_checked(error)
                self._changed.notify_all()
        else:
            with self._changed:
                self._core.checked(now)
                self._changed.notify_all()

    def _read(self) -> None:
        try:
            response = next(self._call)
        except StopIteration:
            self._ended(ended_error(None))
        except grpc.RpcError as error:
            self._ended(to_error(error, None))
        else:
            with self._changed:
                self._core.received(response, time.monotonic())
                self._changed.notify_all()

    def _ended(self, error: Any) -> None:
        self._cut()
        with self._lock:
            self._core.ended(error)

    def _requests(self, stream: int) -> Iterator[pb.SessionRequest]:
        """What the stream is to write; runs in a thread of gRPC's."""
        while (request := self._next_request(stream)) is not None:
            yield request

    def _next_request(self, stream: int) -> pb.SessionRequest | None:
        """Waits for one; None when the stream is over."""
        with self._changed:
            while self._stream == stream:
                now = time.monotonic()
                request = self._core.next_request(now)
                if request is not None:
                    return request
                due = self._core.next_due()
                self._changed.wait(None if due is None else due - now)
        return None
