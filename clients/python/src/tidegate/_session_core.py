"""One session over all its connections. Knows neither gRPC nor a clock: the
time is an argument, in seconds of any steady clock."""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Any, Generic

from google.protobuf.message import Message

from tidegate._backoff import Retries
from tidegate._cursor import StreamCursor
from tidegate._events import (
    Disconnected,
    Drain,
    Event,
    KeysApplied,
    RowT,
    SnapshotEnd,
    WatchEvent,
    WatchFailed,
    may_have_another_key,
    token_after,
)
from tidegate._lifecycle import Check, Leave, Lifecycle, Open, Read, Stop, Wait
from tidegate._subscription_core import Subject, drained_error
from tidegate._values import to_seconds
from tidegate._watch_keys import KeysRequest, WatchKeys
from tidegate.errors import Closed, Error, LimitExceeded, RpcError, rpc_error
from tidegate.mirror import Mirror
from tidegate.settings import Backoff, Limits
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


def passes(error: Error) -> bool:
    """Another attempt may end otherwise."""
    return isinstance(error, RpcError) and not error.permanent


class WatchCore(Generic[RowT]):
    """One watch and its place in the present stream."""

    def __init__(
        self,
        number: int,
        subject: Subject,
        view: View[RowT],
        keyed: bool,
        token: bytes,
        backoff: Backoff,
        limits: Limits,
    ) -> None:
        self.number = number
        self.subject = subject
        self.view = view
        self.keys = WatchKeys(keyed, subject.keys)
        self.mirror = Mirror(
            view, resumed=bool(token), max_rows=limits.max_mirror_rows
        )
        self.token = token  # as of the last event handed over
        self.retries = Retries(backoff)
        self.wire_id: int | None = None  # None: the server is not asked for it
        self.open_at: float | None = None  # refused: ask again then
        self.removed = False
        self.handle: Any = None  # what the application has of it
        self.fresh = False  # the server has told its key just now
        self._max_pending_bytes = limits.max_pending_bytes
        self.cursor = StreamCursor(view, token, self._max_pending_bytes)

    def forget_stream(self) -> None:
        """What was sent and not completed is void."""
        self.wire_id = None
        self.open_at = None
        if not self.keys.openable:
            self.start_anew()
        self.cursor.begin_stream()

    def start_anew(self) -> None:
        self.cursor = StreamCursor(self.view, b"", self._max_pending_bytes)

    def opening(self) -> pb.SessionRequest:
        assert self.wire_id is not None
        subject = dataclasses.replace(self.subject, keys=self.keys.keys)
        return pb.SessionRequest(
            watch=pb.SessionRequest.Watch(
                id=self.wire_id, subscribe=subject.request(self.cursor.token)
            )
        )


@dataclass(frozen=True, slots=True)
class EmitWatch:
    """Deliver the event and hand it over; `watch` is None for the session's."""

    watch: WatchCore[Any] | None
    event: WatchEvent[Message]
    of_all: tuple[WatchCore[Any], ...] = ()  # those that the session has then

    def deliver(self) -> None:
        """To the mirror; LimitExceeded if it is full.

        Waits for who reads it: hold no lock meanwhile.
        """
        if self.watch is None:
            for watch in self.of_all:
                watch.mirror.apply(self.event)
            return
        self.watch.mirror.apply(self.event)
        self.watch.token = token_after(self.event, self.watch.token)
        if isinstance(self.event, WatchFailed):
            self.watch.mirror.end()


class SessionCore:
    """Guarded by its shell; mirrors may be read by others."""

    def __init__(self, backoff: Backoff, limits: Limits) -> None:
        self._backoff = backoff
        self._limits = limits
        self._life = Lifecycle(Retries(backoff))
        self._watches: dict[int, WatchCore[Any]] = {}
        self._by_wire_id: dict[int, WatchCore[Any]] = {}
        self._refused: list[WatchCore[Any]] = []  # those with an open_at
        self._unchecked: deque[WatchCore[Any]] = deque()
        self._outbox: deque[pb.SessionRequest] = deque()
        self._events: deque[EmitWatch] = deque()
        self._last_watch = 0
        self._last_wire_id = 0
        self._last_request = 0

    @property
    def watches(self) -> list[WatchCore[Any]]:
        return list(self._watches.values())

    # What the application asks for.

    def add_watch(
        self,
        subject: Subject,
        view: View[RowT],
        keyed: bool,
        token: bytes,
        *,
        fresh: bool = False,
    ) -> WatchCore[RowT]:
        """`fresh`: the server has told just now what the view's key is."""
        if len(self._watches) >= self._limits.max_watches_per_session:
            raise LimitExceeded(
                "a session has at most max_watches_per_session watches,"
                f" {self._limits.max_watches_per_session}",
                view=subject.view,
            )
        self._last_watch += 1
        backoff = self._backoff
        if backoff.seed is not None:
            backoff = dataclasses.replace(
                backoff, seed=backoff.seed + self._last_watch
            )
        watch = WatchCore(
            self._last_watch, subject, view, keyed, token, backoff,
            self._limits,
        )  # fmt: skip
        watch.fresh = fresh
        self._watches[watch.number] = watch
        if self._life.streaming:
            self._open(watch)
        return watch

    def remove_watch(self, watch: WatchCore[Any]) -> None:
        """Nothing more is told of it."""
        if self._watches.pop(watch.number, None) is None:
            return
        watch.removed = True
        watch.open_at = None
        if watch.wire_id is not None:
            del self._by_wire_id[watch.wire_id]
            self._outbox.append(pb.SessionRequest(unwatch=watch.wire_id))

    def change_keys(
        self,
        watch: WatchCore[Any],
        add: tuple[bytes, ...],
        remove: tuple[bytes, ...],
    ) -> int:
        """The request's number."""
        view = watch.subject.view
        if watch.number not in self._watches:
            raise Closed(f"watch {watch.number} has ended", view=view)
        if not watch.keys.keyed:
            raise ValueError(f"watch {watch.number} was added without keys")
        if len(watch.keys.pending) >= self._limits.max_pending_key_requests:
            raise LimitExceeded(
                "requests for keys without an answer: at most"
                " max_pending_key_requests,"
                f" {self._limits.max_pending_key_requests}",
                view=view,
            )
        self._last_request += 1
        request = KeysRequest(self._last_request, add, remove)
        watch.keys.ask(request)
        if not self._life.streaming:
            return request.number
        if watch.wire_id is not None:
            self._outbox.append(request.message(watch.wire_id))
        elif watch.open_at is None:
            self._open(watch)
        return request.number

    # What the stream does.

    def step(self) -> EmitWatch | Check | Open | Read | Leave | Wait | Stop:
        """What to do next. Raises what it has failed with, once told all."""
        if self._unchecked:
            return Check(self._unchecked[0].view.name)
        while self._events:
            emit = self._events.popleft()
            if emit.watch is None or not emit.watch.removed:
                return emit
        if self._life.failure is not None:
            raise self._life.failure
        return self._life.next()

    def opened(self) -> None:
        """A new stream: each watch is asked for anew."""
        self._life.opened()
        self._outbox.clear()
        self._by_wire_id.clear()
        self._last_wire_id = 0
        for watch in self._watches.values():
            watch.forget_stream()
            self._open(watch)

    def next_request(self, now: float) -> pb.SessionRequest | None:
        """What is to be written next, if anything is."""
        for watch in self._refused:
            if watch.open_at is not None and watch.open_at <= now:
                self._open(watch)
        self._refused = [w for w in self._refused if w.open_at is not None]
        return self._outbox.popleft() if self._outbox else None

    def next_due(self) -> float | None:
        """When `next_request` will have something, if nothing comes before."""
        times = (watch.open_at for watch in self._refused)
        return min((t for t in times if t is not None), default=None)

    def received(self, response: pb.SessionResponse, now: float) -> None:
        self._life.answered()
        for update in response.updates:
            watch = self._by_wire_id.get(update.id)
            if watch is None:
                continue  # it was removed meanwhile
            try:
                self._take(watch, update, now)
            except Error as error:
                error.view = watch.subject.view
                error.watch = watch.number
                self._life.fail(error)
                return
        if response.HasField("drain"):
            retry_after_s = to_seconds(response.drain.retry_after)
            self._tell(None, Drain(retry_after_s=retry_after_s))
            self._life.drained(retry_after_s)

    def checked(self, now: View[Any]) -> None:
        """A watch whose view has another key ends; the session goes on."""
        watch = self._unchecked.popleft()
        try:
            watch.view.check_key(now)
        except Error as error:
            self.give_up(watch, error)

    def give_up(self, watch: WatchCore[Any], error: Error) -> None:
        """It ends with `error`, before what it has not been told of yet; the
        session goes on."""
        error.watch = watch.number
        self._withdraw(watch)
        self._unchecked = deque(w for w in self._unchecked if w is not watch)
        if watch.number in self._watches:
            self.remove_watch(watch)
            watch.removed = False
            self._tell(watch, WatchFailed(error=error))

    def not_checked(self, error: Error) -> None:
        """An error for good is the watch's own, whose view cannot be used.

        Else the stream is cut; on another one the unchecked start anew.
        """
        if not passes(error):
            self.give_up(self._unchecked[0], error)
            return
        for watch in self._unchecked:
            self._withdraw(watch)
            watch.start_anew()
        self._unchecked.clear()
        assert isinstance(error, RpcError)
        self.ended(error)

    def _withdraw(self, watch: WatchCore[Any]) -> None:
        """What it has not been told of yet."""
        self._events = deque(e for e in self._events if e.watch is not watch)

    def ended(self, error: RpcError) -> None:
        self._disconnected(error, self._life.ended(error))

    def left(self) -> None:
        self._disconnected(drained_error(), self._life.left())

    def waited(self) -> None:
        self._life.waited()

    def fail(self, error: Error) -> None:
        """Of the session as a whole: nothing comes after it."""
        self._events.clear()
        self._life.fail(error)

    def _disconnected(self, error: RpcError, wait_s: float | None) -> None:
        if wait_s is not None:
            self._tell(None, Disconnected(error=error, retry_after_s=wait_s))

    def _tell(
        self, watch: WatchCore[Any] | None, event: WatchEvent[Message]
    ) -> None:
        of_all = () if watch is not None else tuple(self._watches.values())
        self._events.append(EmitWatch(watch, event, of_all))

    def _open(self, watch: WatchCore[Any]) -> None:
        watch.open_at = None
        watch.keys.adopt()
        if not watch.keys.openable:
            return
        self._last_wire_id += 1
        watch.wire_id = self._last_wire_id
        self._by_wire_id[watch.wire_id] = watch
        self._outbox.append(watch.opening())
        for request in watch.keys.pending:
            self._outbox.append(request.message(watch.wire_id))

    def _take(
        self,
        watch: WatchCore[Any],
        update: pb.SessionResponse.Update,
        now: float,
    ) -> None:
        if update.HasField("response"):
            self._take_response(watch, update.response)
        if update.keys_applied:
            self._tell_applied(watch, watch.keys.applied(update.keys_applied))
        if update.HasField("failure"):
            self._take_failure(watch, update.failure, now)

    def _take_response(
        self, watch: WatchCore[Any], response: pb.SubscribeResponse
    ) -> None:
        events: list[Event[Message]] = []
        try:
            watch.cursor.take(response, events)
        finally:
            for event in events:
                self._tell(watch, event)
        watch.retries.answered()
        if not watch.fresh and any(map(may_have_another_key, events)):
            self._unchecked.append(watch)
        watch.fresh = False
        if any(isinstance(event, SnapshotEnd) for event in events):
            # The snapshot is of the keys that they all come to.
            for number in watch.keys.snapshot_ended():
                self._tell(watch, KeysApplied(request=number))

    def _tell_applied(
        self, watch: WatchCore[Any], request: KeysRequest
    ) -> None:
        removed = tuple(
            watch.view.decode_key(key)
            for key in request.remove
            if key not in request.add
        )
        self._tell(watch, KeysApplied(request=request.number, removed=removed))

    def _take_failure(
        self, watch: WatchCore[Any], failure: pb.Failure, now: float
    ) -> None:
        """The watch has ended; unless that is for good, it is asked for again.

        The session goes on in either case.
        """
        assert watch.wire_id is not None
        del self._by_wire_id[watch.wire_id]
        error = rpc_error(
            failure.code, failure.message, view=watch.subject.view
        )
        wait_s = watch.retries.failed(error)
        if wait_s is None:
            watch.wire_id = None
            del self._watches[watch.number]
            self._tell(watch, WatchFailed(error=error))
            return
        watch.forget_stream()
        watch.open_at = now + wait_s
        self._refused.append(watch)
        self._tell(watch, Disconnected(error=error, retry_after_s=wait_s))
