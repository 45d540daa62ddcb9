"""A subscription that survives, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Self

from tidegate._events import Event, Position, RowT
from tidegate._lifecycle import Check, Leave, Open, Read, Stop, Wait
from tidegate._subscription_core import Emit, SubscriptionCore
from tidegate.aio._stream import Pause, ResponseReader, until_at
from tidegate.errors import Closed, Error, RpcError
from tidegate.mirror import Mirror
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View

OpenStream = Callable[[pb.SubscribeRequest], Any]


class Subscription(Generic[RowT]):
    """Iterates over events, in order, for ever: connects, resumes by token,
    obeys drains and proves continuity.

    Ends without an error after `close`. Raises `RpcError` if the server refuses
    for good, `BrokenPromise` if it breaks the contract.

    A cancelled `anext`, also by a timeout, loses no event and cuts no
    connection. `async with` sees to `close`.
    """

    def __init__(
        self,
        prepare: Callable[
            [], Awaitable[tuple[SubscriptionCore[RowT], OpenStream]]
        ],
        view_now: Callable[[str], Awaitable[View[Any]]],
    ) -> None:
        self._prepare = prepare
        self._view_now = view_now
        self._core: SubscriptionCore[RowT] | None = None
        self._open_stream: OpenStream | None = None
        self._stream: ResponseReader | None = None
        self._pause = Pause()
        self._closed = asyncio.Event()
        # Set once `rows` is complete, or there is nothing to wait for.
        self._settled = asyncio.Event()
        self._iterating = False
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    @property
    def rows(self) -> Mirror[RowT]:
        """What the events so far come to."""
        return self._prepared().mirror

    @property
    def token(self) -> bytes:
        """Resumes after the last event, with the same keys or condition."""
        return self._prepared().token

    @property
    def failure(self) -> Exception | None:
        """What has ended it, if anything has."""
        return self._failure

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Event[RowT]]:
        return self

    async def __anext__(self) -> Event[RowT]:
        if self._iterating:
            raise RuntimeError("another task is iterating")
        self._iterating = True
        try:
            event = await self._next()
        except Error as error:
            self._failure = error
            await self._end()
            raise
        finally:
            self._iterating = False
        if event is None:
            raise StopAsyncIteration
        if self.rows.complete:
            self._settled.set()
        return event

    def start(
        self, on_event: Callable[[Event[RowT]], None] | None = None
    ) -> Self:
        """Reads the events in a task, for the sake of `rows`.

        `on_event` is called in that task. If it fails, that ends the
        subscription. What has ended it is in `failure`.
        """
        if self._task is not None:
            raise RuntimeError("the subscription has been started")

        async def run() -> None:
            try:
                async for event in self:
                    if on_event is not None:
                        on_event(event)
            except Exception as error:
                self._failure = error
            finally:
                await self._end()

        self._task = asyncio.create_task(run(), name="tidegate-subscription")
        return self

    async def wait_complete(self) -> None:
        """Until `rows` holds all of them; needs `start`.

        Raises what has ended it meanwhile.
        """
        await self._settled.wait()
        if self._failure is not None:
            raise self._failure
        if self._core is None or not self._core.mirror.complete:
            raise Closed("the subscription has been closed")

    async def wait_until_at(self, position: Position) -> None:
        """Until `rows` is at `position` or a later one, so that what was read
        or written there is in it; needs `start`, or a task that iterates.

        Raises what has ended it meanwhile.
        """
        await self.wait_complete()
        if not await until_at(self.rows, position):
            raise self._failure or Closed("the subscription has been closed")

    def disconnect(self) -> None:
        """Cuts the present connection, as a network would; it resumes."""
        if self._stream is not None:
            self._stream.cut()

    async def close(self) -> None:
        """Ends the iteration, whichever task it is in."""
        self._closed.set()
        self.disconnect()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait({task})
        if not self._iterating:
            await self._end()
        elif self._core is not None:
            self._core.mirror.end()

    async def _end(self) -> None:
        if self._core is not None:
            self._core.mirror.end()
        self._settled.set()
        await self._leave()

    async def _begin(self) -> None:
        if self._core is None:
            self._core, self._open_stream = await self._prepare()

    def _prepared(self) -> SubscriptionCore[RowT]:
        if self._core is None:
            raise RuntimeError(
                "the subscription has not begun: use `async with`"
            )
        return self._core

    async def _leave(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _next(self) -> Event[RowT] | None:
        """None once it is closed."""
        await self._begin()
        core = self._prepared()
        while not self._closed.is_set():
            match core.step():
                case Emit(event):
                    return event
                case Open():
                    self._open(core.opened())
                case Check(view):
                    await self._check(core, view)
                case Read():
                    await self._read(core)
                case Leave():
                    await self._leave()
                    core.left()
                case Wait(seconds):
                    await self._pause.wait(seconds, self._closed)
                    core.waited()
                case Stop():
                    return None
        await self._leave()
        return None

    def _open(self, request: pb.SubscribeRequest) -> None:
        assert self._open_stream is not None
        self._stream = ResponseReader(
            self._open_stream(request), self.rows.view.name
        )

    async def _check(self, core: SubscriptionCore[RowT], view: str) -> None:
        try:
            now = await self._view_now(view)
        except RpcError as error:
            await self._leave()
            core.not_checked(error)
        else:
            core.checked(now)

    async def _read(self, core: SubscriptionCore[RowT]) -> None:
        assert self._stream is not None
        try:
            response = await self._stream.read()
        except RpcError as error:
            core.ended(error)
        else:
            core.received(response)
