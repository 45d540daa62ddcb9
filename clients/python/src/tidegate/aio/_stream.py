"""One gRPC stream, read so that a cancelled wait loses nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from tidegate._events import Position
from tidegate._rpc import ended_error, to_error
from tidegate.errors import Code, RpcError, rpc_error
from tidegate.mirror import Mirror, MirrorState


class ResponseReader:
    """Reads the responses of a call.

    A read that is cancelled in gRPC would end the stream; here it goes on, and
    whoever reads next gets its response.
    """

    def __init__(self, call: Any, view: str | None) -> None:
        self.call = call
        self._view = view
        self._reading: asyncio.Task[Any] | None = None

    async def read(self) -> Any:
        """The next response; RpcError at the stream's end, however it came."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self.call.read())
        await asyncio.wait({self._reading})
        done, self._reading = self._reading, None
        if done.cancelled():
            raise rpc_error(Code.CANCELLED, "cut", view=self._view)
        try:
            response = done.result()
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error
        if response is grpc.aio.EOF:
            raise ended_error(self._view)
        return response

    def _error(self, error: grpc.aio.AioRpcError) -> RpcError:
        return to_error(error, self._view)

    def cut(self) -> None:
        self.call.cancel()

    async def close(self) -> None:
        """Cuts it, and leaves no task behind."""
        self.cut()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # so that it counts as seen


async def until_at(mirror: Mirror[Any], position: Position) -> bool:
    """False if the mirror has ended without."""
    moved = asyncio.Event()
    with mirror.on_move(moved.set):
        while not mirror.reached(position):
            if mirror.state is MirrorState.ENDED:
                return False
            await moved.wait()
            moved.clear()
    return True


class Pause:
    """A wait over several calls: one that is cancelled is not begun anew."""

    def __init__(self) -> None:
        self._until: float | None = None

    async def wait(self, seconds: float, ended: asyncio.Event) -> None:
        """Until that long after the first call; at once if `ended`."""
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + seconds
        try:
            async with asyncio.timeout_at(self._until):
                await ended.wait()
        except TimeoutError:
            pass
        self._until = None
