"""`tidegate serve` with orders at a rate from a real broker."""

import contextlib
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from system.kafka import Broker
from system.processes import BUILD, DIE_WITH_PARENT, wait_for
from system.tidegate import Server

from harness.swarm import RELEASE

VIEW = "drivers"
PARTITIONS = 4
_FOLD_TIMEOUT_S = 60
# Of the orders' load, beyond what is measured: it is ended when that is over.
_LONG = "600s"

# bench.Order of loadtest/bench/workload.cc. `sent` is when the newest order of
# the row was produced.
_PROTO = """\
syntax = "proto3";
package bench;
import "google/protobuf/timestamp.proto";
message Order {
  int64 order_id = 1;
  int64 driver_id = 2;
  string region = 3;
  double amount = 4;
  google.protobuf.Timestamp ts = 5;
  string note = 6;
}
"""
_VIEWS = """\
CREATE SOURCE orders (
  order_id BIGINT, driver_id BIGINT, region VARCHAR,
  amount DOUBLE PRECISION, ts TIMESTAMPTZ, note VARCHAR,
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH (topic = '{topic}', key = 'driver_id')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'bench.Order', file = 'order.proto');

CREATE MATERIALIZED VIEW drivers AS
  SELECT driver_id, count(*) AS orders, sum(amount) AS total,
         last_value(region ORDER BY ts) AS region, max(ts) AS sent
  FROM orders GROUP BY driver_id;
"""

_topics = (f"fanout-{number}" for number in itertools.count())


class Ours:
    """A server of its own over a topic of its own, while it is entered."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self._broker = broker
        self._topic = next(_topics)
        broker.create_topic(self._topic, PARTITIONS)
        shutil.rmtree(directory, ignore_errors=True)
        self.server = Server(
            directory, _VIEWS.format(topic=self._topic), broker.bootstrap
        )
        (directory / "order.proto").write_text(_PROTO)

    def __enter__(self) -> "Ours":
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()
        self._broker.delete_topic(self._topic)

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def fill(self, keys: int) -> None:
        """One order of each driver, folded."""
        self._orders(keys, rate=1000 * keys, duration="1ms").wait(timeout=60)
        wait_for(
            f"{keys} orders to be folded",
            lambda: self.server.metrics()["tidegate_records_total"] >= keys,
            _FOLD_TIMEOUT_S,
        )

    @contextlib.contextmanager
    def orders(self, keys: int, rate: int) -> Iterator[None]:
        """That many a second meanwhile, of drivers who take turns."""
        producer = self._orders(keys, rate, _LONG)
        try:
            yield
            if producer.poll() is not None:
                raise RuntimeError("the producer has ended too early")
        finally:
            producer.kill()
            producer.wait()

    def _orders(
        self, keys: int, rate: int, duration: str
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *DIE_WITH_PARENT, str(RELEASE / "tidegate_orders"),
                f"--bootstrap_servers={self._broker.bootstrap}",
                f"--topic={self._topic}", f"--partitions={PARTITIONS}",
                f"--keys={keys}", f"--rate={rate}", f"--duration={duration}",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def work_directory(name: str) -> Path:
    return BUILD / "system" / "bench-fanout" / name
