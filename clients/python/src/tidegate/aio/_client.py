"""The client, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Generic, Self, overload

import grpc
import grpc.aio
from google.protobuf.message import Message

from tidegate._backoff import Retries
from tidegate._calls import (
    Found,
    Page,
    ScanPages,
    ViewInfo,
    described,
    found,
    get_request,
    view_info,
)
from tidegate._events import KeyLike, Position, RowT
from tidegate._known_views import KnownViews
from tidegate._rpc import (
    Option,
    channel_options,
    closed_error,
    stub_of,
    to_error,
)
from tidegate._subscription_core import SubscriptionCore, subject_of
from tidegate.aio._session import Session
from tidegate.aio._subscription import OpenStream, Subscription
from tidegate.errors import RpcError
from tidegate.settings import Backoff, Limits
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


class Scan(Generic[RowT]):
    """The rows of a scan, in key order, all as of one position.

    As `tidegate.Scan`: it begins anew by itself while no row was handed over.
    """

    def __init__(
        self, client: Client, view: View[RowT] | str, arguments: dict[str, Any]
    ) -> None:
        self._client = client
        self._view = view
        self._arguments = arguments
        self._pages: ScanPages[RowT] | None = None

    @property
    def position(self) -> Position | None:
        """None before the first page."""
        return None if self._pages is None else self._pages.position

    async def __aiter__(self) -> AsyncIterator[RowT]:
        async for page in self.pages():
            for row in page.rows:
                yield row

    async def _begun(self) -> ScanPages[RowT]:
        if self._pages is None:
            view = await self._client._resolve(self._view)
            self._pages = ScanPages(view, **self._arguments)
        return self._pages

    async def pages(self) -> AsyncIterator[Page[RowT]]:
        """Those that are left; each is a call."""
        pages = await self._begun()
        while (request := pages.request) is not None:
            try:
                response: pb.ScanResponse = await self._client._read(
                    "Scan", request, request.view
                )
            except RpcError as error:
                await asyncio.sleep(pages.restart(error))
                continue
            yield pages.page(response)

    async def all(self) -> Page[RowT]:
        """The rows that are left, once the last of them is there."""
        pages = await self._begun()
        pages.hold()
        async for _ in self.pages():
            pass
        return pages.whole()


class Client:
    """The views of one server; as `tidegate.Client`, for asyncio.

    Of one event loop, the one that its first call is awaited in.
    """

    def __init__(
        self,
        server: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        timeout_s: float = 30.0,
        backoff: Backoff | None = None,
        limits: Limits | None = None,
        options: Sequence[Option] = (),
    ) -> None:
        """As `tidegate.Client` has them."""
        self._server = server
        self._credentials = credentials
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._timeout_s = timeout_s
        self._known = KnownViews(self._limits.max_known_views)
        self._options = channel_options(self._limits, options)
        self._channel: grpc.aio.Channel | None = None
        self._channel_stub: Any = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every call. Close subscriptions and sessions first."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def list_views(self) -> list[ViewInfo]:
        response: pb.ListViewsResponse = await self._call(
            "ListViews", pb.ListViewsRequest(), None
        )
        return [view_info(each) for each in response.views]

    async def describe(self, name: str) -> ViewInfo:
        """What the view is, with its types; waits for a server that is away."""
        response: pb.DescribeViewResponse = await self._call(
            "DescribeView",
            pb.DescribeViewRequest(view=name),
            name,
            wait_for_ready=True,
        )
        info = described(name, response)
        assert info.view is not None
        self._known.put(info.view)
        return info

    @overload
    async def get(
        self,
        view: View[RowT],
        key: KeyLike,
        *,
        min_position: Position | None = None,
    ) -> RowT | None: ...
    @overload
    async def get(
        self, view: str, key: KeyLike, *, min_position: Position | None = None
    ) -> Message | None: ...
    async def get(
        self,
        view: str | View[Any],
        key: KeyLike,
        *,
        min_position: Position | None = None,
    ) -> Any:
        """The row of a key; None if there is none.

        With `min_position` it waits until the view is at least there.
        """
        answer = await self.get_many(view, [key], min_position=min_position)
        return answer.rows[0]

    @overload
    async def get_many(
        self,
        view: View[RowT],
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Found[RowT]: ...
    @overload
    async def get_many(
        self,
        view: str,
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Found[Message]: ...
    async def get_many(
        self,
        view: str | View[Any],
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Any:
        """The rows of several keys, as of one position, in their order."""
        resolved = await self._resolve(view)
        response: pb.GetResponse = await self._read(
            "Get", get_request(resolved, keys, min_position), resolved.name
        )
        return found(resolved, len(keys), response)

    @overload
    def scan(
        self,
        view: View[RowT],
        *,
        key_prefix: KeyLike = None,
        where: str = "",
        page_size: int = 0,
        min_position: Position | None = None,
    ) -> Scan[RowT]: ...
    @overload
    def scan(
        self,
        view: str,
        *,
        key_prefix: KeyLike = None,
        where: str = "",
        page_size: int = 0,
        min_position: Position | None = None,
    ) -> Scan[Message]: ...
    def scan(
        self,
        view: str | View[Any],
        *,
        key_prefix: KeyLike = None,
        where: str = "",
        page_size: int = 0,
        min_position: Position | None = None,
    ) -> Any:
        """All rows, or those of a prefix of the key or a condition in SQL."""
        arguments = {
            "key_prefix": key_prefix,
            "where": where,
            "page_size": page_size,
            "min_position": min_position,
            "backoff": self._backoff,
        }
        return Scan(self, view, arguments)

    @overload
    def subscribe(
        self,
        view: View[RowT],
        *,
        keys: Iterable[KeyLike] | None = None,
        key_prefix: KeyLike = None,
        where: str = "",
        resume_token: bytes = b"",
        min_interval_s: float = 0.0,
        progress_interval_s: float = 0.0,
    ) -> Subscription[RowT]: ...
    @overload
    def subscribe(
        self,
        view: str,
        *,
        keys: Iterable[KeyLike] | None = None,
        key_prefix: KeyLike = None,
        where: str = "",
        resume_token: bytes = b"",
        min_interval_s: float = 0.0,
        progress_interval_s: float = 0.0,
    ) -> Subscription[Message]: ...
    def subscribe(
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
        """A snapshot, then every change: of all rows, or of some.

        Begins with `async with`, or with the first event. The arguments are
        those of `tidegate.Client.subscribe`.
        """

        async def prepare() -> tuple[SubscriptionCore[Any], OpenStream]:
            resolved, fresh = await self._resolve_stream(view)
            subject = subject_of(
                resolved,
                keys=keys,
                key_prefix=key_prefix,
                where=where,
                min_interval_s=min_interval_s,
                progress_interval_s=progress_interval_s,
            )
            core = SubscriptionCore(
                subject, resolved, resume_token, Retries(self._backoff),
                self._limits, fresh=fresh,
            )  # fmt: skip
            return core, lambda request: self._stub().Subscribe(request)

        return Subscription(prepare, self._view_now)

    def session(self) -> Session:
        """Many watches, of one or several views, on one stream."""

        return Session(
            lambda: self._stub().Session(),
            self._resolve_stream,
            self._view_now,
            self._backoff,
            self._limits,
        )

    async def _view_now(self, name: str) -> View[Message]:
        """Asks the server."""
        response: pb.DescribeViewResponse = await self._call(
            "DescribeView", pb.DescribeViewRequest(view=name), name
        )
        view = described(name, response).view
        assert view is not None
        self._known.put(view)
        return view

    def _stub(self) -> Any:
        """Of a channel that is made when the event loop is there."""
        if self._closed:
            raise closed_error(None)
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(
                    self._server, self._options
                )
            else:
                self._channel = grpc.aio.secure_channel(
                    self._server, self._credentials, self._options
                )
            self._channel_stub = stub_of(self._channel)
        return self._channel_stub

    async def _resolve(self, view: str | View[Any]) -> View[Any]:
        if isinstance(view, View):
            return view
        known = self._known.get(view) or (await self.describe(view)).view
        assert known is not None
        return known

    async def _resolve_stream(
        self, view: str | View[Any]
    ) -> tuple[View[Any], bool]:
        """And whether the server has told of it just now."""
        fresh = isinstance(view, str) and self._known.get(view) is None
        return await self._resolve(view), fresh

    async def _read(
        self, method: str, request: Message, view: str | None
    ) -> Any:
        """A call that is made again within the timeout."""
        until = time.monotonic() + self._timeout_s
        retries = Retries(self._backoff)
        while True:
            left_s = until - time.monotonic()
            try:
                return await self._call(
                    method, request, view, timeout_s=max(0.0, left_s)
                )
            except RpcError as error:
                left_s = until - time.monotonic()
                wait_s = retries.failed_read(error, left_s)
                if wait_s is None:
                    raise
            await asyncio.sleep(wait_s)

    async def _call(
        self,
        method: str,
        request: Message,
        view: str | None,
        wait_for_ready: bool = False,
        timeout_s: float | None = None,
    ) -> Any:
        try:
            return await getattr(self._stub(), method)(
                request,
                timeout=self._timeout_s if timeout_s is None else timeout_s,
                wait_for_ready=wait_for_ready,
            )
        except grpc.aio.AioRpcError as error:
            raise to_error(error, view) from error
