"""Six views over a year of flights equal DuckDB's answers on the same rows."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from system import flights
from system.client import Client
from system.flight_views import CASES, Key, Row, ViewCase, differences, sql
from system.kafka import Broker
from system.processes import wait_for, wait_for_none
from system.publish import FlightTopics
from system.subscriber import Subscriber
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_CATCH_UP_S = 120

Expected = dict[str, dict[Key, Row]]


@pytest.fixture(scope="module")
def expected(flight_database: duckdb.DuckDBPyConnection) -> Expected:
    return {case.name: case.expected_rows(flight_database) for case in CASES}


@pytest.fixture(scope="module")
def subscribers() -> Iterator[dict[str, Subscriber]]:
    """By view; opened while the flights are being published."""
    opened: dict[str, Subscriber] = {}
    yield opened
    for subscriber in opened.values():
        subscriber.close()


@pytest.fixture(scope="module")
def server(
    binary: Path,
    work: Path,
    broker: Broker,
    flight_database: duckdb.DuckDBPyConnection,
    subscribers: dict[str, Subscriber],
) -> Iterator[Server]:
    """All rows are published and folded; a tenth of them after the start."""
    topics = FlightTopics(broker, "year")
    topics.publish_airlines(flights.airlines(flight_database))
    server = Server(work / "flights", sql(topics), broker.bootstrap)
    late_rows = flights.ROWS // 10

    def on_row(count: int) -> None:
        if count == flights.ROWS - late_rows:
            server.start()
            for case in CASES:
                subscribers[case.name] = Subscriber(server.address, case.name)

    topics.publish(flights.flights(flight_database), on_row=on_row)
    wait_for("every flight", lambda: _folded(server), _CATCH_UP_S, 0.5)
    yield server
    server.kill()


def _folded(server: Server) -> bool:
    """Both topics were folded to their ends, as two counts of rows say."""
    for view in ("carrier_totals", "plane_history"):
        rows = server.json_lines("scan", view)
        if sum(line["row"]["flights"] for line in rows) < flights.ROWS:
            return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scan_equals_duckdb(
    case: ViewCase, server: Server, expected: Expected
) -> None:
    actual = case.from_json(scan_rows(server, case.name))
    assert differences(expected[case.name], actual) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_snapshot_and_deltas_equal_duckdb(
    case: ViewCase,
    server: Server,
    subscribers: dict[str, Subscriber],
    expected: Expected,
) -> None:
    subscriber = subscribers[case.name]
    wanted = expected[case.name]
    wait_for_none(
        f"{case.name} at its subscriber",
        lambda: differences(wanted, subscriber.rows()),
        30,
    )
    replica = subscriber.replica
    assert replica.snapshots == 1 and replica.resets == 0
    if case.name != "airlines":  # complete beforehand: nothing left to change
        assert replica.deltas > 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rpc_scan_pages_and_get(
    case: ViewCase, server: Server, expected: Expected
) -> None:
    wanted = expected[case.name]
    with Client(server.address) as client:
        types = client.types(case.name)
        rows = list(client.scan(types, page_size=500))
        keys = [types.key_of(row) for row in rows]
        assert keys == sorted(keys, key=_null_last)
        by_key = dict(zip(keys, rows, strict=True))
        assert differences(wanted, by_key) == []

        asked = keys[:: max(1, len(keys) // 50)]
        got = client.get(types, *asked)
        assert got == [by_key[key] for key in asked]


def _null_last(key: Key) -> tuple[tuple[bool, object], ...]:
    """Key order: text by its UTF-8 bytes, NULLs last."""
    return tuple(
        (part is None, part.encode() if isinstance(part, str) else part or 0)
        for part in key
    )
