"""One subscription over all its connections. Knows neither gRPC nor a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic

from tidegate._backoff import Retries
from tidegate._cursor import StreamCursor
from tidegate._events import (
    Disconnected,
    Drain,
    Event,
    KeyLike,
    RowT,
    may_have_another_key,
    token_after,
)
from tidegate._lifecycle import Check, Leave, Lifecycle, Open, Read, Stop, Wait
from tidegate._values import set_duration
from tidegate.errors import Code, Error, InvalidKey, RpcError, rpc_error
from tidegate.mirror import Mirror
from tidegate.settings import Limits
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is subscribed to, with keys as the wire has them."""

    view: str
    keys: tuple[bytes, ...] = ()
    key_prefix: bytes = b""
    where: str = ""
    min_interval_s: float = 0.0
    progress_interval_s: float = 0.0

    def request(self, token: bytes) -> pb.SubscribeRequest:
        request = pb.SubscribeRequest(
            view=self.view,
            keys=self.keys,
            key_prefix=self.key_prefix,
            where=self.where,
            resume_token=token,
        )
        if self.min_interval_s > 0:
            set_duration(request.min_interval, self.min_interval_s)
        if self.progress_interval_s > 0:
            set_duration(request.progress_interval, self.progress_interval_s)
        return request


def subject_of(
    view: View[RowT],
    *,
    keys: Iterable[KeyLike] | None,
    key_prefix: KeyLike,
    where: str,
    min_interval_s: float,
    progress_interval_s: float,
    may_lack_keys: bool = False,
) -> Subject:
    """Without keys (None): all rows. No keys at all are a mistake, unless
    `may_lack_keys`: on the wire they would mean all rows."""
    encoded = tuple(view.encode_key(key) for key in keys or ())
    if keys is not None and not encoded and not may_lack_keys:
        raise InvalidKey("keys are given, but none", view=view.name)
    return Subject(
        view=view.name,
        keys=encoded,
        key_prefix=b""
        if key_prefix is None
        else view.encode_key(key_prefix, prefix=True),
        where=where,
        min_interval_s=min_interval_s,
        progress_interval_s=progress_interval_s,
    )


@dataclass(frozen=True, slots=True)
class Emit(Generic[RowT]):
    """Hand the event over; the mirror has it already."""

    event: Event[RowT]


def drained_error(view: str | None = None) -> RpcError:
    return rpc_error(Code.UNAVAILABLE, "the server goes away", view=view)


class SubscriptionCore(Generic[RowT]):
    """Of one thread; the mirror may be read by others."""

    def __init__(
        self,
        subject: Subject,
        view: View[RowT],
        token: bytes,
        retries: Retries,
        limits: Limits,
        *,
        fresh: bool = False,
    ) -> None:
        """`fresh`: the server has told just now what the view's key is."""
        self._subject = subject
        self._view = view
        self._max_pending_bytes = limits.max_pending_bytes
        self._cursor = StreamCursor(view, token, self._max_pending_bytes)
        self._fresh = fresh
        self._unchecked = False
        self._life = Lifecycle(retries)
        self._events: deque[Event[RowT]] = deque()
        self.mirror = Mirror(
            view, resumed=bool(token), max_rows=limits.max_mirror_rows
        )
        # As of the last event handed over.
        self.token = token

    def step(self) -> Emit[RowT] | Check | Open | Read | Leave | Wait | Stop:
        """What to do next. Raises what it has failed with, once told all."""
        if self._unchecked:
            return Check(self._view.name)
        if self._events:
            event = self._events.popleft()
            try:
                self.mirror.apply(event)
            except Error as error:
                self._events.clear()
                self._life.fail(error)
                raise
            self.token = token_after(event, self.token)
            return Emit(event)
        if self._life.failure is not None:
            raise self._life.failure
        return self._life.next()

    def opened(self) -> pb.SubscribeRequest:
        """The request that the stream is to be opened with."""
        self._cursor.begin_stream()
        self._life.opened()
        return self._subject.request(self._cursor.token)

    def received(self, response: pb.SubscribeResponse) -> None:
        self._life.answered()
        events: list[Event[RowT]] = []
        try:
            self._cursor.take(response, events)
        except Error as error:
            error.view = self._subject.view
            self._life.fail(error)
        self._events.extend(events)
        self._unchecked = not self._fresh and any(
            map(may_have_another_key, events)
        )
        self._fresh = False
        for event in events:
            if isinstance(event, Drain) and self._life.streaming:
                self._life.drained(event.retry_after_s)

    def checked(self, now: View[Any]) -> None:
        self._unchecked = False
        try:
            self._view.check_key(now)
        except Error as error:
            self._events.clear()
            self._life.fail(error)

    def not_checked(self, error: RpcError) -> None:
        """The shell has cut the stream; another one starts anew."""
        self._unchecked = False
        self._events.clear()
        self._cursor = StreamCursor(self._view, b"", self._max_pending_bytes)
        self.ended(error)

    def ended(self, error: RpcError) -> None:
        self._disconnected(error, self._life.ended(error))

    def left(self) -> None:
        error = drained_error(self._subject.view)
        self._disconnected(error, self._life.left())

    def waited(self) -> None:
        self._life.waited()

    def _disconnected(self, error: RpcError, wait_s: float | None) -> None:
        if wait_s is not None:
            self._events.append(Disconnected(error=error, retry_after_s=wait_s))
