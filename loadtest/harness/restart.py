"""How long a server takes to serve again, beside opening its store alone."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import grpc
from system.client import PB, Client
from system.processes import wait_for
from system.tidegate import BINARY, Server

from harness.orders import VIEW, Orders, finished
from harness.report import Entry, at_most

_LOG_RATE = 10_000
_TIMEOUT_S = 120
_STEP_S = 0.002


class Restart:
    """Many rows, and a log of so many seconds that no checkpoint has."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._key = b""
        self._entry = Entry(
            "restart", "s", "opening the bare RocksDB", at_most(2), "difference"
        )

    def prepare(self, orders: Orders) -> None:
        """Leaves the directory of a server that was killed under load."""
        orders.start()
        with Client(orders.server.address) as client:
            self._key = client.types(VIEW).encode_key(0)
        orders.stop()
        orders.start()
        finished(orders.load(_LOG_RATE, self._seconds))
        orders.wait_folded()
        orders.kill()

    def round(self, orders: Orders) -> None:
        bare = self._open_bare(orders)
        ours = self._serve(orders)
        print(f"  served in {ours:.3f} s, opened in {bare:.3f} s", flush=True)
        self._entry.add(ours, bare)

    def entry(self) -> Entry:
        return self._entry

    def _open_bare(self, orders: Orders) -> float:
        data = _copy(orders, "bare")
        store = _store(data)
        began = time.monotonic()
        with subprocess.Popen(
            [str(BINARY), "bench", "open-store", "--store", str(store)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            line = process.stdout.readline()
            took = time.monotonic() - began
        if not line.startswith("opened "):
            raise RuntimeError(f"the store was not opened: {line!r}")
        shutil.rmtree(data.parent)
        return took

    def _serve(self, orders: Orders) -> float:
        data = _copy(orders, "ours")
        views = (orders.directory / "views.sql").read_text()
        shutil.copy(orders.directory / "order.proto", data.parent)
        server = Server(data.parent, views, orders.bootstrap)
        began = time.monotonic()
        try:
            server.launch()
            address = wait_for(
                "serve to listen", lambda: _address(data.parent), _TIMEOUT_S,
                _STEP_S,
            )  # fmt: skip
            with Client(address) as client:
                wait_for(
                    "a successful Get", lambda: self._get(client), _TIMEOUT_S,
                    _STEP_S,
                )  # fmt: skip
            took = time.monotonic() - began
        finally:
            server.kill()
        shutil.rmtree(data.parent)
        return took

    def _get(self, client: Client) -> bool:
        try:
            answer = client.stub.Get(
                PB.GetRequest(view=VIEW, keys=[self._key]), timeout=_TIMEOUT_S
            )
        except grpc.RpcError:
            return False
        return bool(answer.entries[0].HasField("row"))


def _copy(orders: Orders, name: str) -> Path:
    """The data directory, in one of its own; its files are in memory then, and
    on the disk, so that nobody's fsync waits for them."""
    directory = orders.directory / name
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(orders.directory / "data", directory / "data")
    os.sync()
    return directory / "data"


def _store(data: Path) -> Path:
    """The only RocksDB below: the pipeline's current build."""
    (found,) = {manifest.parent for manifest in data.rglob("MANIFEST-*")}
    return found


def _address(directory: Path) -> str | None:
    """Where a server listens, once it has said so."""
    words = (directory / "server.out").read_text().split()
    grpc_words = [word for word in words if word.startswith("grpc=")]
    return grpc_words[0].removeprefix("grpc=") if grpc_words else None
