"""A gRPC server that says what it is told to, and notes what it is asked."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2

from conformance import messages
from conformance.contract import PB, STUBS
from conformance.views import VIEWS, View, canonical

# Streams that may be open at once, those that nobody has ended included.
_MAX_STREAMS = 32


class Refusal(grpc.Status):
    """How a stream ends; with `retry_ms`, google.rpc.RetryInfo goes along."""

    def __init__(
        self, code: str, message: str, retry_ms: int | None = None
    ) -> None:
        self.code = grpc.StatusCode[code]
        self.details = message
        self.trailing_metadata = ()
        if retry_ms is None:
            return
        # RetryInfo {Duration retry_delay = 1} in an Any in a google.rpc.Status
        # {int32 code = 1; string message = 2; repeated Any details = 3}.
        delay = messages.milliseconds(retry_ms).SerializeToString()
        info = any_pb2.Any(
            type_url="type.googleapis.com/google.rpc.RetryInfo",
            value=b"\x0a" + bytes([len(delay)]) + delay,
        ).SerializeToString()
        text = message.encode()
        status = (
            b"\x08" + bytes([self.code.value[0]])
            + b"\x12" + bytes([len(text)]) + text
            + b"\x1a" + bytes([len(info)]) + info
        )  # fmt: skip
        self.trailing_metadata = (("grpc-status-details-bin", status),)


class Stream:
    """One call, as the script has it; a Get or a Scan is a stream of one
    response. Thread-safe."""

    def __init__(self, wake: Callable[[], None], first: Any = None) -> None:
        self._wake = wake
        self._outgoing: queue.Queue[Any] = queue.Queue()
        self.request = first  # but of a session
        self.requests: list[Any] = []  # of a session, those nobody took yet
        self._finished = False  # by the script
        self.started_s = time.monotonic()
        self.ended_s: float | None = None

    def send(self, response: Any) -> None:
        self._outgoing.put(response)

    def finish(self, refusal: Refusal | None) -> None:
        """After what was sent; with OK if there is no refusal."""
        self._finished = True
        self._outgoing.put((refusal,))

    def leave(self) -> None:
        """It has ended, or the client has given it up; then it is not served
        any further."""
        if self.ended_s is None:
            self.ended_s = time.monotonic()
        self._outgoing.put((None,))
        self._wake()

    def asked(self, request: Any) -> None:
        if not self._finished:  # the client does not know that yet
            self.requests.append(request)
        self._wake()

    def serve(self, context: Any) -> Iterator[Any]:
        """On the call's thread: what the script says, until it ends."""
        while True:
            item = self._outgoing.get()
            if not isinstance(item, tuple):
                yield item
                continue
            if self.ended_s is None:
                self.ended_s = time.monotonic()
            self._wake()
            if item[0] is not None:
                context.abort_with_status(item[0])
            return


class Server:
    """One server; `arrived` is told of each stream, on the stream's thread."""

    def __init__(
        self, arrived: Callable[[Stream], None], wake: Callable[[], None]
    ) -> None:
        self._arrived = arrived
        self._wake = wake
        # By view. Get and Scan of those that are here are answered by it, of
        # the others by the script.
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=_MAX_STREAMS),
            options=[("grpc.so_reuseport", 0)],
        )
        STUBS.add_ViewServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(grace=0).wait()

    # ViewService, as the generated code calls it.

    def ListViews(self, request: Any, context: Any) -> Any:
        return PB.ListViewsResponse(views=[v.info() for v in VIEWS.values()])

    def DescribeView(self, request: Any, context: Any) -> Any:
        view = self._view(request.view, context)
        return PB.DescribeViewResponse(
            view=view.info(), descriptors=view.descriptors
        )

    def Get(self, request: Any, context: Any) -> Any:
        view = self._view(request.view, context)
        if view.name not in self.rows:
            return self._on_cue(request, context, PB.GetResponse())
        rows = {
            canonical(view.key_of(row)): row for row in self.rows[view.name]
        }
        answer = PB.GetResponse(position=messages.position(1))
        for key in request.keys:
            entry = answer.entries.add()
            row = rows.get(canonical(view.decode_key(key)))
            if row is not None:
                entry.row = view.encode_row(row)
        return answer

    def Scan(self, request: Any, context: Any) -> Any:
        """Pages of `page_size` rows, in the order in which they are given."""
        view = self._view(request.view, context)
        if view.name not in self.rows:
            return self._on_cue(request, context, PB.ScanResponse())
        rows = self.rows[view.name]
        first = int(request.page_token or "0")
        last = first + (request.page_size or len(rows))
        return PB.ScanResponse(
            rows=[view.encode_row(row) for row in rows[first:last]],
            next_page_token=str(last) if last < len(rows) else "",
            position=messages.position(1),
        )

    def _on_cue(self, request: Any, context: Any, if_none: Any) -> Any:
        """As the script answers, or refuses; `if_none` to a client that has
        given up."""
        call = Stream(self._wake, request)
        context.add_callback(call.leave)
        self._arrived(call)
        return next(call.serve(context), if_none)

    def Subscribe(self, request: Any, context: Any) -> Iterator[Any]:
        stream = Stream(self._wake, request)
        context.add_callback(stream.leave)
        self._arrived(stream)
        yield from stream.serve(context)

    def Session(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        stream = Stream(self._wake)
        context.add_callback(stream.leave)
        self._arrived(stream)

        def read() -> None:
            try:
                for request in requests:
                    stream.asked(request)
            except grpc.RpcError:
                pass  # it was cut
            except Exception:  # grpc raises a bare one when a call has ended
                if context.is_active():
                    raise

        threading.Thread(target=read, daemon=True).start()
        yield from stream.serve(context)

    @staticmethod
    def _view(name: str, context: Any) -> View:
        if name not in VIEWS:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f'no view "{name}"; there are {", ".join(VIEWS)}',
            )
        return VIEWS[name]
