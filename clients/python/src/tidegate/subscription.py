"""A subscription that survives, sync."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Self

import grpc

from tidegate._events import Event, Position, RowT
from tidegate._lifecycle import Check, Leave, Open, Read, Stop, Wait
from tidegate._rpc import ended_error, to_error
from tidegate._subscription_core import Emit, SubscriptionCore
from tidegate.errors import Error, RpcError
from tidegate.mirror import Mirror
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


class Subscription(Generic[RowT]):
    """Iterates over events, in order, for ever: connects, resumes by token,
    obeys drains and proves continuity.

    Ends without an error after `close`. Raises `RpcError` if the server refuses
    for good, `BrokenPromise` if it breaks the contract. The connection is made
    with the first event that is asked for.

    One thread iterates, or `start` has one do it; the rest is for any thread.
    """

    def __init__(
        self,
        subscribe: Callable[[pb.SubscribeRequest], Any],
        core: SubscriptionCore[RowT],
        view_now: Callable[[str], View[Any]],
    ) -> None:
        self._view_now = view_now
        self._subscribe = subscribe
        self._core = core
        self._iterating = threading.Lock()
        self._closed = threading.Event()
        # Guards _call. Recursive, so that a signal handler may close it.
        self._lock = threading.RLock()
        self._call: Any = None
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    @property
    def rows(self) -> Mirror[RowT]:
        """What the events so far come to."""
        return self._core.mirror

    @property
    def token(self) -> bytes:
        """Resumes after the last event, with the same keys or condition."""
        return self._core.token

    @property
    def failure(self) -> Exception | None:
        """What has ended it, if anything has."""
        return self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event[RowT]]:
        return self

    def __next__(self) -> Event[RowT]:
        with self._iterating:
            try:
                event = self._next()
            except BaseException as error:
                if isinstance(error, Error):
                    self._failure = error
                    self.rows.end()
                self.disconnect()
                raise
        if event is None:
            raise StopIteration
        return event

    def start(
        self, on_event: Callable[[Event[RowT]], None] | None = None
    ) -> Self:
        """Reads the events in a thread, for the sake of `rows`.

        `on_event` is called in that thread. If it fails, that ends the
        subscription. What has ended it is in `failure`.
        """
        if self._thread is not None:
            raise RuntimeError("the subscription has been started")

        def run() -> None:
            try:
                for event in self:
                    if on_event is not None:
                        on_event(event)
            except Exception as error:
                self._failure = error
            finally:
                self.disconnect()
                self.rows.end()

        self._thread = threading.Thread(
            target=run, name="tidegate-subscription", daemon=True
        )
        self._thread.start()
        return self

    def wait_complete(self, timeout_s: float | None = None) -> bool:
        """Blocks until `rows` holds all of them; needs `start`.

        False if time runs out or it is closed; raises what has ended it.
        """
        complete = self.rows.wait_complete(timeout_s)
        if not complete and self._failure is not None:
            raise self._failure
        return complete

    def wait_until_at(
        self, position: Position, timeout_s: float | None = None
    ) -> bool:
        """Blocks until `rows` is at `position` or a later one, so that what was
        read or written there is in it; needs `start`.

        False if time runs out or it is closed; raises what has ended it.
        """
        reached = self.rows.wait_until_at(position, timeout_s)
        if not reached and self._failure is not None:
            raise self._failure
        return reached

    def disconnect(self) -> None:
        """Cuts the present connection, as a network would; it resumes."""
        with self._lock:
            if self._call is not None:
                self._call.cancel()

    def close(self) -> None:
        """Ends the iteration, whichever thread it is in."""
        with self._lock:
            self._closed.set()
            if self._call is not None:
                self._call.cancel()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.rows.end()

    def _next(self) -> Event[RowT] | None:
        """None once it is closed."""
        core = self._core
        while not self._closed.is_set():
            match core.step():
                case Emit(event):
                    return event
                case Open():
                    self._open(core.opened())
                case Check(view):
                    self._check(view)
                case Read():
                    self._read()
                case Leave():
                    self.disconnect()
                    core.left()
                case Wait(seconds):
                    self._closed.wait(seconds)
                    core.waited()
                case Stop():
                    return None
        self.disconnect()
        return None

    def _open(self, request: pb.SubscribeRequest) -> None:
        with self._lock:
            if not self._closed.is_set():
                self._call = self._subscribe(request)

    def _check(self, view: str) -> None:
        try:
            now = self._view_now(view)
        except RpcError as error:
            self.disconnect()
            self._core.not_checked(error)
        else:
            self._core.checked(now)

    def _read(self) -> None:
        view = self.rows.view.name
        try:
            response = next(self._call)
        except StopIteration:
            self._core.ended(ended_error(view))
        except grpc.RpcError as error:
            self._core.ended(to_error(error, view))
        else:
            self._core.received(response)
