"""What the gRPC shells share, sync and asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from tidegate._retry_info import DETAILS_KEY, retry_delay_s
from tidegate.errors import Closed, Code, RpcError, rpc_error
from tidegate.settings import Limits
from tidegate.v1.view_service_pb2_grpc import ViewServiceStub

Option = tuple[str, Any]


def stub_of(channel: Any) -> Any:
    return ViewServiceStub(channel)  # type: ignore[no-untyped-call]


def channel_options(limits: Limits, more: Sequence[Option]) -> Sequence[Option]:
    """`more` comes last, and so wins."""
    return [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        # Despite its name, how long an attempt to connect may take: on a busy
        # machine the first answer of a server that is there takes a while.
        ("grpc.min_reconnect_backoff_ms", 2_000),
        # Our own backoff decides; gRPC's must not be slower.
        ("grpc.initial_reconnect_backoff_ms", 20),
        ("grpc.max_reconnect_backoff_ms", 500),
        # A peer that vanished is noticed.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Connections are this channel's own.
        ("grpc.use_local_subchannel_pool", 1),
        *more,
    ]


def closed_error(view: str | None) -> Closed:
    return Closed("the client has been closed", view=view)


def _delay_s(metadata: Iterable[tuple[str, Any]] | None) -> float | None:
    for key, value in metadata or ():
        if key == DETAILS_KEY:
            return retry_delay_s(value)
    return None


def to_error(error: Any, view: str | None) -> RpcError:
    """Of a failed call, whose code is known."""
    code: grpc.StatusCode = error.code()
    return rpc_error(
        code.value[0],
        error.details() or "",
        view=view,
        retry_after_s=_delay_s(error.trailing_metadata()),
    )


def ended_error(view: str | None) -> RpcError:
    """Of a stream that has ended with OK, which it should not."""
    return rpc_error(Code.UNAVAILABLE, "the server ended the stream", view=view)
