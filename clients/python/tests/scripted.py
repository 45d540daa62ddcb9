"""A server that plays scripts, made from the .proto alone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
import tally
from google.protobuf import any_pb2, duration_pb2

from tidegate.v1 import view_service_pb2 as pb

# No HTTP proxy for loopback.
OPTIONS = [("grpc.enable_http_proxy", 0)]

# Yields the responses of one stream; may end it by `context.abort`.
Script = Callable[[Any, grpc.ServicerContext], Iterator[Any]]

_WAIT_S = 30


def hold(context: grpc.ServicerContext) -> None:
    """Keeps the stream open until the client has gone."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        assert gone.wait(_WAIT_S), "the client stays"


def say(*responses: Any) -> Script:
    """These responses; then the stream is cut."""

    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from responses
        context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    return script


def say_and_hold(*responses: Any) -> Script:
    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from responses
        hold(context)

    return script


def say_and_note(gone: threading.Event, *responses: Any) -> Script:
    """These responses; `gone` is set when the client has left."""

    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(gone.set)
        yield from responses
        hold(context)

    return script


def refuse(code: grpc.StatusCode, details: bytes = b"") -> Script:
    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        if details:
            context.set_trailing_metadata(
                (("grpc-status-details-bin", details),)
            )
        context.abort(code, "no")
        yield

    return script


def retry_details(seconds: float) -> bytes:
    """A google.rpc.Status with RetryInfo, encoded by hand."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(seconds * 1000))

    def field(number: int, data: bytes) -> bytes:
        assert len(data) < 128
        return bytes([number << 3 | 2, len(data)]) + data

    info = any_pb2.Any(
        type_url="type.googleapis.com/google.rpc.RetryInfo",
        value=field(1, delay.SerializeToString()),
    )
    other = any_pb2.Any(type_url="type.googleapis.com/google.rpc.Help")
    return (
        b"\x08\x08"
        + field(2, b"no")
        + b"".join(field(3, each.SerializeToString()) for each in (other, info))
    )


class Refused(Exception):
    """Raised by an answer: the call fails with that code."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code = code


class ScriptedServer:
    """Plays one script per stream, in order; then NOT_FOUND, for good.

    `asked` has the requests of the streams, `calls` those of the unary calls,
    which `answers` answers by method.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = iter(scripts)
        self._lock = threading.Lock()
        self.asked: list[Any] = []
        self.calls: list[Any] = []
        self.answers: dict[str, Callable[[Any], Any]] = {
            "DescribeView": lambda request: tally.description(request.view)
        }
        # A stream of each script may be held.
        self._pool = ThreadPoolExecutor(len(scripts) + 4)
        self._server = grpc.server(self._pool)
        self._server.add_generic_rpc_handlers([self._handlers()])
        self.address = (
            f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=0).wait()
        self._pool.shutdown()

    def _handlers(self) -> grpc.GenericRpcHandler:
        service = pb.DESCRIPTOR.services_by_name["ViewService"]
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for method in service.methods:
            request = getattr(pb, method.input_type.name)
            make = grpc.unary_unary_rpc_method_handler
            behavior: Any = self._unary(method.name)
            if method.name == "Subscribe":
                make = grpc.unary_stream_rpc_method_handler
                behavior = self._stream
            elif method.name == "Session":
                make = grpc.stream_stream_rpc_method_handler
                behavior = self._session
            handlers[method.name] = make(
                behavior,
                request_deserializer=request.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    def _unary(self, name: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            with self._lock:
                self.calls.append(request)
            try:
                return self.answers[name](request)
            except Refused as refused:
                context.abort(refused.code, "no")
            except KeyError as missing:
                context.abort(grpc.StatusCode.NOT_FOUND, f"no view {missing}")

        return answer

    def _next(self) -> Script:
        with self._lock:
            return next(self._scripts, refuse(grpc.StatusCode.NOT_FOUND))

    def _stream(
        self, request: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        with self._lock:
            self.asked.append(request)
        return self._next()(request, context)

    def _session(
        self, requests: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        return self._next()(self._noted(requests), context)

    def _noted(self, requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            with self._lock:
                self.asked.append(request)
            yield request
