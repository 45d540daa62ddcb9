"""`tidegate serve` over a topic of orders, filled by `tidegate bench produce`."""

import shutil
import subprocess
from pathlib import Path

from system.kafka import Broker
from system.processes import DIE_WITH_PARENT, wait_for
from system.tidegate import BINARY, Server

VIEW = "driver_totals"
_PRODUCE_TIMEOUT_S = 900
_FOLD_TIMEOUT_S = 900


class Orders:
    """A topic, and a server with its defaults and a directory of its own."""

    def __init__(self, broker: Broker, directory: Path, topic: str) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.directory = directory
        self.topic = topic
        self.keys = 0
        self._broker = broker
        self._produced = 0  # in the topic
        self._folded = 0  # by processes that have ended
        self._server: Server | None = None

    def fill(self, keys: int) -> "Orders":
        """One order for each key, and the views; before the server starts."""
        self.keys = keys
        finished(self._produce(keys, "--views-dir", str(self.directory)))
        self._produced += keys
        return self

    def start(self) -> "Orders":
        """Returns when everything that was produced can be read."""
        views = (self.directory / "views.sql").read_text()
        self._server = Server(self.directory, views, self._broker.bootstrap)
        self._server.start()
        self.wait_folded()
        return self

    @property
    def server(self) -> Server:
        assert self._server is not None
        return self._server

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def load(
        self, rate: int, seconds: int, burst_ms: int = 1
    ) -> subprocess.Popen[bytes]:
        """Orders for the keys in turn, at that rate, in the background."""
        self._produced += rate * seconds
        return self._produce(
            rate * seconds, "--rate", str(rate), "--burst-ms", str(burst_ms)
        )

    def wait_folded(self) -> None:
        wait_for(
            f"{self._produced} orders to be folded", self._all_folded,
            _FOLD_TIMEOUT_S,
        )  # fmt: skip

    def metric(self, name: str) -> float:
        value = self.server.metrics().get(name)
        if value is None:
            raise RuntimeError(f"the server has no metric {name}")
        return value

    def stop(self) -> None:
        """SIGTERM: with a final checkpoint."""
        if self.server.terminate() != 0:
            raise RuntimeError("serve did not end in order")
        self._folded = self._produced

    def kill(self) -> None:
        self.server.kill()
        self._folded = self._produced

    def close(self) -> None:
        """Leaves neither files nor a topic."""
        if self._server is not None:
            self._server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        self._broker.delete_topic(self.topic)

    def _all_folded(self) -> bool:
        folded = self.server.metrics().get("tidegate_records_total", 0.0)
        return self._folded + folded >= self._produced

    def _produce(self, events: int, *flags: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *DIE_WITH_PARENT, str(BINARY), "bench", "produce",
                "--bootstrap-servers", self._broker.bootstrap,
                "--topic", self.topic, "--events", str(events),
                "--keys", str(self.keys), *flags,
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def finished(producer: subprocess.Popen[bytes]) -> None:
    """Waits until everything it sends is acknowledged."""
    if producer.wait(timeout=_PRODUCE_TIMEOUT_S) != 0:
        raise RuntimeError(f"the producer ended with {producer.returncode}")
