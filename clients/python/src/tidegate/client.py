"""The client, sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Self, overload

import grpc
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
from tidegate.errors import RpcError
from tidegate.session import Session
from tidegate.settings import Backoff, Limits
from tidegate.subscription import Subscription
from tidegate.v1 import view_service_pb2 as pb
from tidegate.view import View


class Scan(Generic[RowT]):
    """The rows of a scan, in key order, all as of one position.

    A server that gives a scan up (ABORTED) is asked anew, from the beginning,
    unless rows of it have been handed over: these would be of another position.
    """

    def __init__(self, client: Client, pages: ScanPages[RowT]) -> None:
        self._client = client
        self._pages = pages

    @property
    def position(self) -> Position | None:
        """None before the first page."""
        return self._pages.position

    def __iter__(self) -> Iterator[RowT]:
        for page in self.pages():
            yield from page.rows

    def pages(self) -> Iterator[Page[RowT]]:
        """Those that are left; each is a call."""
        while (request := self._pages.request) is not None:
            try:
                response: pb.ScanResponse = self._client._read(
                    self._client._stub.Scan, request, request.view
                )
            except RpcError as error:
                self._client._pause(self._pages.restart(error), request.view)
                continue
            yield self._pages.page(response)

    def all(self) -> Page[RowT]:
        """The rows that are left, once the last of them is there."""
        self._pages.hold()
        for _ in self.pages():
            pass
        return self._pages.whole()


class Client:
    """The views of one server. Thread-safe.

    A view is given by its name, or, for rows of generated classes, as
    `View("driver_totals", DriverTotalsRow, DriverTotalsKey)`. By name, rows are
    of classes made from what the server says of the view, which it is asked
    once; by a stream also whether the key of older types is still the same.

    A key is a value (a tuple if there are several key columns), a dictionary by
    column, or a <View>Key.
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
        """`server` is HOST:PORT, or another name that gRPC resolves.

        Without credentials the connection is plaintext. `timeout_s` is for
        single calls, such as a page of a scan; subscriptions and sessions have
        no end. Within it a read is tried again, by `backoff`, where the server
        is away or says when. `options` are for the gRPC channel.
        """
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._timeout_s = timeout_s
        self._known = KnownViews(self._limits.max_known_views)
        self._closed = threading.Event()
        arguments = channel_options(self._limits, options)
        if credentials is None:
            self._channel = grpc.insecure_channel(server, arguments)
        else:
            self._channel = grpc.secure_channel(server, credentials, arguments)
        self._stub = stub_of(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every call. Close subscriptions and sessions first."""
        self._closed.set()
        self._channel.close()

    def list_views(self) -> list[ViewInfo]:
        response: pb.ListViewsResponse = self._call(
            self._stub.ListViews, pb.ListViewsRequest(), None
        )
        return [view_info(each) for each in response.views]

    def describe(self, name: str) -> ViewInfo:
        """What the view is, with its types; waits for a server that is away."""
        response: pb.DescribeViewResponse = self._call(
            self._stub.DescribeView,
            pb.DescribeViewRequest(view=name),
            name,
            wait_for_ready=True,
        )
        info = described(name, response)
        assert info.view is not None
        self._known.put(info.view)
        return info

    @overload
    def get(
        self,
        view: View[RowT],
        key: KeyLike,
        *,
        min_position: Position | None = None,
    ) -> RowT | None: ...
    @overload
    def get(
        self, view: str, key: KeyLike, *, min_position: Position | None = None
    ) -> Message | None: ...
    def get(
        self,
        view: str | View[Any],
        key: KeyLike,
        *,
        min_position: Position | None = None,
    ) -> Any:
        """The row of a key; None if there is none.

        With `min_position` it waits until the view is at least there.
        """
        return self.get_many(view, [key], min_position=min_position).rows[0]

    @overload
    def get_many(
        self,
        view: View[RowT],
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Found[RowT]: ...
    @overload
    def get_many(
        self,
        view: str,
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Found[Message]: ...
    def get_many(
        self,
        view: str | View[Any],
        keys: Sequence[KeyLike],
        *,
        min_position: Position | None = None,
    ) -> Any:
        """The rows of several keys, as of one position, in their order."""
        resolved = self._resolve(view)
        response: pb.GetResponse = self._read(
            self._stub.Get,
            get_request(resolved, keys, min_position),
            resolved.name,
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
        pages = ScanPages(
            self._resolve(view),
            key_prefix=key_prefix,
            where=where,
            page_size=page_size,
            min_position=min_position,
            backoff=self._backoff,
        )
        return Scan(self, pages)

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

        `resume_token` goes on where another subscription with the same keys,
        prefix or condition had come to. `min_interval_s` conflates: at most one
        batch per interval. `progress_interval_s`: how often to hear of progress
        when nothing changes; 0 leaves it to the server.
        """
        resolved, fresh = self._resolve_stream(view)
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
        return Subscription(self._subscribe, core, self._view_now)

    def session(self) -> Session:
        """Many watches, of one or several views, on one stream."""
        return Session(
            self._open_session, self._resolve_stream, self._view_now,
            self._backoff, self._limits,
        )  # fmt: skip

    def _view_now(self, name: str) -> View[Message]:
        """Asks the server."""
        response: pb.DescribeViewResponse = self._call(
            self._stub.DescribeView, pb.DescribeViewRequest(view=name), name
        )
        view = described(name, response).view
        assert view is not None
        self._known.put(view)
        return view

    def _subscribe(self, request: pb.SubscribeRequest) -> Any:
        return self._start(self._stub.Subscribe, request, request.view)

    def _open_session(self, requests: Iterator[pb.SessionRequest]) -> Any:
        return self._start(self._stub.Session, requests, None)

    def _start(
        self, method: Any, request: Any, view: str | None, **options: Any
    ) -> Any:
        try:
            return method(request, **options)
        except ValueError:
            if self._closed.is_set():  # gRPC calls it a wrong value
                raise closed_error(view) from None
            raise

    def _resolve(self, view: str | View[Any]) -> View[Any]:
        if isinstance(view, View):
            return view
        known = self._known.get(view) or self.describe(view).view
        assert known is not None
        return known

    def _resolve_stream(self, view: str | View[Any]) -> tuple[View[Any], bool]:
        """And whether the server has told of it just now."""
        fresh = isinstance(view, str) and self._known.get(view) is None
        return self._resolve(view), fresh

    def _pause(self, seconds: float, view: str | None) -> None:
        if self._closed.wait(seconds):
            raise closed_error(view)

    def _read(self, method: Any, request: Message, view: str | None) -> Any:
        """A call that is made again within the timeout."""
        until = time.monotonic() + self._timeout_s
        retries = Retries(self._backoff)
        while True:
            left_s = until - time.monotonic()
            try:
                return self._call(
                    method, request, view, timeout_s=max(0.0, left_s)
                )
            except RpcError as error:
                left_s = until - time.monotonic()
                wait_s = retries.failed_read(error, left_s)
                if wait_s is None:
                    raise
            self._pause(wait_s, view)

    def _call(
        self,
        method: Any,
        request: Message,
        view: str | None,
        wait_for_ready: bool = False,
        timeout_s: float | None = None,
    ) -> Any:
        try:
            return self._start(
                method,
                request,
                view,
                timeout=self._timeout_s if timeout_s is None else timeout_s,
                wait_for_ready=wait_for_ready,
            )
        except grpc.RpcError as error:
            raise to_error(error, view) from error
