"""A subscriber that reconnects and resumes by itself."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from system.client import PB, Client, Key, Row
from system.history import HistoryWriter
from system.replica import Replica


class Subscriber:
    """Keeps a replica fed from a thread, reconnecting and resuming by itself.

    The first violation of the contract ends it and is raised by `close`.
    """

    RETRIED = (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,  # a connection cut in the middle of a frame
        grpc.StatusCode.INTERNAL,
    )

    def __init__(
        self,
        address: str,
        view: str,
        keys: tuple[Key, ...] = (),
        history: Path | None = None,
        on_delta: Callable[[Row | None, Row | None], None] | None = None,
    ) -> None:
        with Client(address) as client:
            types = client.types(view)
        self.replica = Replica(types, on_delta=on_delta)
        self._history = None
        if history is not None:
            self._history = HistoryWriter(history, types)
        self._address = address
        self._keys = [self.replica.types.encode_key(*key) for key in keys]
        self._stopped = threading.Event()
        self._call: Any = None
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with Client(self._address) as client:
                    self._stream(client)
            except grpc.RpcError as error:
                if error.code() not in self.RETRIED:
                    self.failure = error
                    return
            except Exception as error:
                self.failure = error
                return
            self._stopped.wait(0.1)

    def _stream(self, client: Client) -> None:
        self.replica.open()
        request = PB.SubscribeRequest(
            view=self.replica.types.info.name,
            keys=self._keys,
            resume_token=self.replica.token,
        )
        request.progress_interval.FromMilliseconds(200)
        self._call = client.stub.Subscribe(request)
        first = True
        for response in self._call:
            if self._history is not None:
                if first:
                    self._history.connect(request.resume_token)
                self._history.response(response)
            first = False
            self.replica.apply(response)

    def cut(self) -> None:
        """Ends the stream; the thread resumes on a new connection."""
        if self._call is not None:
            self._call.cancel()

    def rows(self) -> dict[Key, Row]:
        """A copy of what it holds now."""
        if self.failure is not None:
            raise self.failure
        with self.replica.lock:
            return dict(self.replica.rows)

    def close(self) -> Replica:
        self._stopped.set()
        self.cut()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure
        return self.replica
