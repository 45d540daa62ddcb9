"""A TCP proxy on loopback that can cut its connections in mid-stream."""

import contextlib
import socket
import struct
import threading

_CHUNK_BYTES = 4096


class CuttingProxy:
    """Forwards 127.0.0.1:port to `target`; `cut` resets every connection.

    With `cut_after_bytes`, each connection is cut by itself once that much has
    come from the target: anywhere within a message. Thread-safe.
    """

    def __init__(self, target: str, cut_after_bytes: int | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.cut_after_bytes = cut_after_bytes  # for connections to come
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.connections = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "CuttingProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
                self.connections += 1
            for source, sink, limit in (
                (client, server, None),
                (server, client, self.cut_after_bytes),
            ):
                threading.Thread(
                    target=self._pump, args=(source, sink, limit), daemon=True
                ).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, limit: int | None
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if limit is not None and passed + len(chunk) >= limit:
                    sink.sendall(chunk[: limit - passed])
                    self.cuts += 1
                    break
                passed += len(chunk)
                sink.sendall(chunk)
        self._close(source, sink)

    def _close(self, *sockets: socket.socket) -> None:
        with self._lock:
            for each in sockets:
                self._open.discard(each)
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def cut(self) -> None:
        """Resets all connections; new ones are accepted as before."""
        with self._lock:
            victims, self._open = self._open, set()
            self.cuts += bool(victims)
        for each in victims:
            with contextlib.suppress(OSError):
                # A linger of zero sends RST: nothing queued is delivered.
                each.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                each.shutdown(socket.SHUT_RDWR)
