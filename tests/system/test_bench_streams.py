"""Kafka Streams' program in the benchmarks has the view that ours has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from harness import streams, totals
from harness.report import Entry, at_least, at_most
from harness.streams import Streams

from system.client import Client, Row, ViewTypes
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import Server

_KEYS = 300
_FIRST = 6_000
_MORE = 3_000
_TIMEOUT_S = 60


class Rows:
    """The newest row of each driver in Kafka Streams' output topic."""

    def __init__(self, broker: Broker, topic: str, types: ViewTypes) -> None:
        self.rows: dict[int, Row] = {}
        self._types = types
        self._consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "rows"}
        )
        self._consumer.assign(
            [
                TopicPartition(topic, partition, 0)
                for partition in range(totals.PARTITIONS)
            ]
        )

    def has(self, orders: int) -> bool:
        """Reads on; whether all the rows together count so many orders."""
        for record in self._consumer.consume(1_000, timeout=0.2):
            assert record.error() is None, record.error()
            value = record.value()
            assert isinstance(value, bytes)
            row = self._types.row(value)
            assert str(row["driver_id"]).encode() == record.key()
            self.rows[row["driver_id"]] = row
        return sum(row["orders"] for row in self.rows.values()) == orders

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture(scope="module")
def views(work: Path, broker: Broker, binary: Path) -> Path:
    """Views over the topic "bench-orders", which has the first orders."""
    streams.install()
    directory = work / "bench-views"
    directory.mkdir()
    totals.produce(
        broker.bootstrap, "bench-orders", _FIRST, _KEYS, views_dir=directory
    )
    return directory


@pytest.fixture
def server(scratch: Path, broker: Broker, views: Path) -> Iterator[Server]:
    server = totals.make_server(scratch / "server", views, broker.bootstrap)
    yield server
    server.kill()


@pytest.mark.kafka
@pytest.mark.server
def test_kafka_streams_keeps_the_same_rows_also_after_a_stop(
    scratch: Path, broker: Broker, server: Server
) -> None:
    broker.create_topic("bench-rows", totals.PARTITIONS)
    peer = Streams(
        scratch / "streams", broker.bootstrap, "bench-orders",
        "exactly_once_v2", {"output-topic": "bench-rows", "linger-ms": 1},
    )  # fmt: skip
    try:
        totals.fold(server, _FIRST)
        with Client(server.address) as client:
            types = client.types(totals.VIEW)
            rows = Rows(broker, "bench-rows", types)
            for already, events in ((0, _FIRST), (_FIRST, _MORE)):
                if already:
                    totals.produce(
                        broker.bootstrap, "bench-orders", events, _KEYS, already
                    )
                peer.start(events)
                running = peer.report("running")
                half, last = peer.report("half"), peer.report("all")
                assert (half.folded, last.folded) == (events // 2, events)
                assert running.seconds <= last.seconds
                assert half.cpu_s <= last.cpu_s
                assert peer.stop().folded == events
                total = already + events
                wait_for("the rows", lambda: rows.has(total), _TIMEOUT_S)
                wait_for(
                    "our rows",
                    lambda: totals.folded(server) == total,
                    _TIMEOUT_S,
                )
                ours = {row["driver_id"]: row for row in client.scan(types)}
                assert len(ours) == _KEYS
                assert rows.rows == ours
            rows.close()
        assert totals.stop(server) > 0
    finally:
        peer.kill()


def test_an_entry_says_whether_its_goal_is_met() -> None:
    entry = Entry("x", "us", "a peer", at_most(0.5))
    entry.add(ours=2, theirs=10)
    entry.add(ours=4, theirs=5)
    entry.add(ours=3, theirs=6)
    assert entry.to_json() == {
        "name": "x",
        "ours": 3,
        "unit": "us",
        "against": "a peer",
        "value_against": 6,
        "kind": "ratio",
        "result": 0.5,
        "goal": "<= 0.5",
        "met": True,
        "samples": {"ours": [2, 4, 3], "against": [10, 5, 6]},
    }
    paired = Entry("x", "us", "a peer", at_most(0.7), paired=True)
    paired.ours, paired.theirs = [2, 4, 3], [10, 5, 4]
    assert paired.result == 0.75  # that of the medians is 0.6
    assert not paired.to_json()["met"]
    missed = Entry("x", "1/s", "a peer", at_least(0), kind="difference")
    missed.add(ours=1, theirs=2)
    assert missed.to_json()["result"] == -1
    assert missed.to_json()["met"] is False
