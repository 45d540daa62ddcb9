"""A session that survives, for asyncio: many watches on one stream."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from typing import Any, Self, overload

import grpc.aio
from google.protobuf.message import Message

from tidegate._events import KeyLike, Position, RowT
from tidegate._lifecycle import Check, Leave, Open, Read, Stop, Wait
from tidegate._session_core import EmitWatch, SessionCore, WatchCore, passes
from tidegate._subscription_core import subject_of
from tidegate.aio._stream import Pause, ResponseReader, until_at
from tidegate.errors import Closed, Error, LimitExceeded, RpcError
from tidegate.settings import Backoff, Limits
from tidegate.view import View
from tidegate.watch import SessionEvent, Watch, event_of


class Session:
    """Iterates over what happens to its watches, in order, for ever.

    Connects, resumes each watch by its token, and proves continuity for each.
    Ends without an error after `close`. Raises `RpcError` if the server refuses
    the session for good, `BrokenPromise` if it breaks the contract; one watch
    that is refused for good, or whose mirror is full, ends with `WatchFailed`,
    and the session goes on.

    A cancelled `anext`, also by a timeout, loses no event and cuts no
    connection. `async with` sees to `close`.
    """

    def __init__(
        self,
        open_stream: Callable[[], Any],
        resolve: Callable[
            [str | View[Any]], Awaitable[tuple[View[Any], bool]]
        ],
        view_now: Callable[[str], Awaitable[View[Any]]],
        backoff: Backoff,
        limits: Limits,
    ) -> None:
        self._open_stream = open_stream
        self._resolve = resolve
        self._view_now = view_now
        self._core = SessionCore(backoff, limits)
        self._changed = asyncio.Event()  # there may be something to write
        self._closed = asyncio.Event()
        self._pause = Pause()
        self._stream: ResponseReader | None = None
        self._writer: asyncio.Task[None] | None = None
        self._iterating = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @overload
    async def add_watch(
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
    async def add_watch(
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
    async def add_watch(
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
        resolved, fresh = await self._resolve(view)
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
        core = self._core.add_watch(
            subject, resolved, keyed, resume_token, fresh=fresh
        )
        core.handle = Watch(self, core)
        self._changed.set()
        return core.handle

    def __aiter__(self) -> AsyncIterator[SessionEvent]:
        return self

    async def __anext__(self) -> SessionEvent:
        if self._iterating:
            raise RuntimeError("another task is iterating")
        self._iterating = True
        try:
            emit = await self._next()
            while emit is not None and not self._delivered(emit):
                emit = await self._next()
        except Error as error:
            self._core.fail(error)
            await self._end()
            raise
        finally:
            self._iterating = False
        if emit is None:
            raise StopAsyncIteration
        return event_of(emit)

    def _delivered(self, emit: EmitWatch) -> bool:
        """Else its watch has failed, which is told next."""
        try:
            emit.deliver()
        except LimitExceeded as error:
            assert emit.watch is not None
            self._core.give_up(emit.watch, error)
            self._changed.set()
            return False
        return True

    async def wait_until_at(
        self, watch: Watch[Any], position: Position
    ) -> None:
        """Until the watch's `rows` are at `position` or a later one, so that
        what was read or written there is in them; needs a task that iterates.

        Closed if the watch or the session ends before.
        """
        if not await until_at(watch.rows, position):
            raise Closed(f"watch {watch.number} has ended", view=watch.view)

    def disconnect(self) -> None:
        """Cuts the present connection, as a network would; it resumes."""
        if self._stream is not None:
            self._stream.cut()

    async def close(self) -> None:
        """Ends the iteration, whichever task it is in."""
        self._closed.set()
        self.disconnect()
        if not self._iterating:
            await self._end()

    async def _end(self) -> None:
        for watch in self._core.watches:
            watch.mirror.end()
        await self._leave()

    def _change_keys(
        self,
        watch: WatchCore[Any],
        add: tuple[bytes, ...],
        remove: tuple[bytes, ...],
    ) -> int:
        request = self._core.change_keys(watch, add, remove)
        self._changed.set()
        return request

    def _unwatch(self, watch: WatchCore[Any]) -> None:
        self._core.remove_watch(watch)
        watch.mirror.end()
        self._changed.set()

    async def _leave(self) -> None:
        """Ends the stream, and the task that writes to it."""
        writer, self._writer = self._writer, None
        stream, self._stream = self._stream, None
        if writer is not None:
            writer.cancel()
        if stream is not None:
            await stream.close()
        if writer is not None:
            await asyncio.wait({writer})

    async def _next(self) -> EmitWatch | None:
        """None once it is closed."""
        core = self._core
        while not self._closed.is_set():
            step = core.step()
            match step:
                case EmitWatch():
                    return step
                case Open():
                    core.opened()
                    self._open()
                case Check(view):
                    await self._check(view)
                case Read():
                    await self._read()
                case Leave():
                    await self._leave()
                    core.left()
                case Wait(seconds):
                    await self._leave()
                    await self._pause.wait(seconds, self._closed)
                    core.waited()
                case Stop():
                    return None
        await self._end()
        return None

    def _open(self) -> None:
        self._stream = ResponseReader(self._open_stream(), None)
        self._writer = asyncio.create_task(
            self._write(self._stream.call), name="tidegate-session-writer"
        )

    async def _check(self, view: str) -> None:
        try:
            now = await self._view_now(view)
        except Closed:
            raise
        except Error as error:
            if passes(error):
                await self._leave()
            self._core.not_checked(error)
            self._changed.set()
        else:
            self._core.checked(now)
            self._changed.set()

    async def _read(self) -> None:
        assert self._stream is not None
        try:
            response = await self._stream.read()
        except RpcError as error:
            self._core.ended(error)
        else:
            now = asyncio.get_running_loop().time()
            self._core.received(response, now)
            self._changed.set()

    async def _write(self, call: Any) -> None:
        """What the stream is to write, until it is over."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            while (request := self._core.next_request(loop.time())) is not None:
                try:
                    await call.write(request)
                except (
                    grpc.aio.AioRpcError,
                    asyncio.InvalidStateError,
                    grpc.aio.UsageError,
                ):
                    return  # reading tells how it ended
            due = self._core.next_due()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                pass
