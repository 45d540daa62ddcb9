"""The tests' own instruments: the broker, the data set, the comparison."""

import signal
import socket
import struct
from itertools import islice
from pathlib import Path

import duckdb
import pytest
from confluent_kafka import Consumer, TopicPartition

from system import flights
from system.flight_views import CASES, differences
from system.kafka import Broker
from system.proxy import CuttingProxy
from system.publish import (
    FlightTopics,
    flight_json,
    flight_message,
    flight_proto,
)


def test_the_whole_year_is_there(
    flight_database: duckdb.DuckDBPyConnection,
) -> None:
    counts = flight_database.execute(
        "SELECT count(*), count(DISTINCT (jpart, joff)),"
        " count(DISTINCT (ppart, poff)), count(*) FILTER (cancelled),"
        " count(DISTINCT jpart), count(DISTINCT ppart) FROM flights"
    ).fetchone()
    assert counts == (flights.ROWS, flights.ROWS, flights.ROWS, 8255, 4, 4)


def test_a_difference_is_found(
    flight_database: duckdb.DuckDBPyConnection,
) -> None:
    case = next(case for case in CASES if case.name == "carrier_totals")
    wanted = case.expected_rows(flight_database)
    assert differences(wanted, wanted) == []
    for column, change in {
        "flights": 1,
        "delay_sum": -1,
        "hours": 1e-3,
        "last_ts": 1,
    }.items():
        actual = {key: dict(row) for key, row in wanted.items()}
        actual[("UA",)][column] += change
        assert len(differences(wanted, actual)) == 2, column
    actual = dict(wanted)
    actual[("ZZ",)] = actual.pop(("UA",))
    assert len(differences(wanted, actual)) == 3


def test_a_broker_keeps_its_records_through_a_crash(
    work: Path, broker: Broker
) -> None:
    node = Broker(work / "crashing-kafka")
    node.start()
    database = flights.load(limit=2000)
    topics = FlightTopics(node, "crash")
    topics.publish(islice(flights.flights(database), 1000))
    node.restart(signal.SIGKILL)
    node.restart(signal.SIGTERM)
    # The offsets are checked by the producer: they go on where they stood.
    topics.publish(islice(flights.flights(database), 1000, 2000))
    node.delete_records(topics.json, 0, 5)
    consumer = Consumer(
        {"bootstrap.servers": node.bootstrap, "group.id": "ends"}
    )
    low, high = consumer.get_watermark_offsets(
        TopicPartition(topics.json, 0), timeout=10
    )
    (in_partition_0,) = database.execute(
        "SELECT count(*) FROM flights WHERE jpart = 0"
    ).fetchone() or (0,)
    assert (low, high) == (5, in_partition_0)
    consumer.close()
    node.stop()


def test_both_encodings_say_the_same(
    flight_database: duckdb.DuckDBPyConnection,
) -> None:
    row = next(flights.flights(flight_database))
    message = flight_message().FromString(flight_proto(row))
    assert message.carrier == row.carrier == "UA"
    assert message.ts.ToMicroseconds() == row.ts
    assert b'"ts":"2013-01-01T10:17:00Z"' in flight_json(row)


def test_the_proxy_cuts_where_it_is_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    target = f"127.0.0.1:{listener.getsockname()[1]}"
    with CuttingProxy(target, cut_after_bytes=10) as proxy:
        host, _, port = proxy.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            peer, _ = listener.accept()
            peer.sendall(struct.pack("16s", b"0123456789abcdef"))
            received = b""
            try:
                while chunk := client.recv(64):
                    received += chunk
            except ConnectionResetError:
                pytest.fail("reset before the bytes that were let through")
        assert received == b"0123456789"
        assert proxy.cuts == 1
    listener.close()
