"""The address that a client knows: forwards to a server, cuts, or refuses."""

import contextlib
import socket
import struct
import threading

_CHUNK_BYTES = 1 << 16
# With a linger of zero a close sends RST: nothing queued is delivered.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Front:
    """Forwards 127.0.0.1:port to a server's port. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._target: int | None = None
        self._open: set[socket.socket] = set()
        self._refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes accept, which a close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def forward_to(self, port: int) -> None:
        with self._changed:
            self._target = port

    def refuse(self) -> None:
        """From now on connections are closed as soon as they are made."""
        with self._changed:
            self._target = None
            self._refused = 0

    def wait_for_a_refused_one(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: self._refused > 0, timeout_s
            )

    def cut(self) -> None:
        """Resets the connections there are."""
        with self._changed:
            victims, self._open = self._open, set()
        for each in victims:
            self._reset(each)

    @staticmethod
    def _reset(each: socket.socket) -> None:
        with contextlib.suppress(OSError):
            each.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
            )
            each.shutdown(socket.SHUT_RDWR)
        each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                target = self._target
                if target is None:
                    self._refused += 1
                    self._changed.notify_all()
            if target is None:
                self._reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", target))
            except OSError:
                self._reset(client)
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pump, args=(source, sink), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                sink.sendall(chunk)
        with self._changed:
            for each in (source, sink):
                self._open.discard(each)
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
