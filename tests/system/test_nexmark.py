"""Nexmark's queries over its generated bids equal DuckDB's answers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from system import tidegate
from system.client import PB, Client
from system.event_oracle import DAY, HOUR, MINUTE, SECOND, session, tumble
from system.flight_views import ViewCase, differences
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_PREFIX = "nexmark"
_EVENTS = 60_000
_BIDS = _EVENTS // 50 * 46
_EVENT_RATE = 500  # so two minutes of event time
_SEED = 20_150_715
_BOUND_US = 4 * SECOND  # nexmark.sql's

_COLUMNS = {
    "part": "INTEGER",
    "off": "BIGINT",
    "auction": "BIGINT",
    "bidder": "BIGINT",
    "price": "BIGINT",
    "channel": "VARCHAR",
    "url": "VARCHAR",
    "date_time": "BIGINT",
    "extra": "VARCHAR",
}

_PLACE = "part AS kafka_partition, off AS kafka_offset"
_LAST_MINUTE = f"date_time + {MINUTE} > w()"
_BY_PLACE = ("kafka_partition", "kafka_offset")
_FIRST_HIGHEST = "ORDER BY price DESC, date_time, part, off"
_WINDOW = ("window_start", "window_end")
_TENS = tumble("bid", "date_time", 10 * SECOND)

_CASES = (
    ViewCase(
        name="q0",
        key=_BY_PLACE,
        timestamps=("date_time",),
        expected=f"""
            SELECT auction, bidder, price, date_time, extra, {_PLACE}
            FROM bid WHERE {_LAST_MINUTE}""",
    ),
    ViewCase(
        name="q1",
        key=_BY_PLACE,
        timestamps=("date_time",),
        expected=f"""
            SELECT auction, bidder, 0.908::DOUBLE * price AS price, date_time,
                   extra, {_PLACE}
            FROM bid WHERE {_LAST_MINUTE}""",
    ),
    ViewCase(
        name="q2",
        key=_BY_PLACE,
        expected=f"""
            SELECT auction, price, {_PLACE}
            FROM bid WHERE auction % 123 = 0 AND {_LAST_MINUTE}""",
    ),
    ViewCase(
        name="q7",
        key=_WINDOW,
        timestamps=(*_WINDOW, "date_time"),
        expected=f"""
            SELECT window_start, window_end, max(price) AS price,
                   first(auction {_FIRST_HIGHEST}) AS auction,
                   first(bidder {_FIRST_HIGHEST}) AS bidder,
                   first(date_time {_FIRST_HIGHEST}) AS date_time,
                   first(extra {_FIRST_HIGHEST}) AS extra
            FROM {_TENS} WHERE window_end <= w()
            GROUP BY window_start, window_end""",
    ),
    ViewCase(
        name="q11",
        key=("bidder", "window_start"),
        timestamps=_WINDOW,
        expected=f"""
            SELECT bidder, window_start, window_end, count(*) AS bids
            FROM {session("bid", "date_time", 10 * SECOND, "bidder")}
            GROUP BY bidder, window_start, window_end""",
    ),
    ViewCase(
        name="q12",
        key=("bidder", "window_start", "window_end"),
        timestamps=_WINDOW,
        expected=f"""
            SELECT bidder, window_start, window_end, count(*) AS bids
            FROM {_TENS} GROUP BY bidder, window_start, window_end""",
    ),
    ViewCase(
        name="q13",
        key=_BY_PLACE,
        timestamps=("date_time",),
        expected=f"""
            SELECT auction, bidder, price, date_time,
                   'side ' || auction % 10000 AS value, {_PLACE}
            FROM bid WHERE {_LAST_MINUTE}""",
    ),
    ViewCase(
        name="q14",
        key=_BY_PLACE,
        timestamps=("date_time",),
        expected=f"""
            SELECT auction, bidder, 0.908::DOUBLE * price AS price,
                   CASE WHEN hour BETWEEN 8 AND 18 THEN 'dayTime'
                        WHEN hour <= 6 OR hour >= 20 THEN 'nightTime'
                        ELSE 'otherTime' END AS bid_time_type,
                   date_time, extra,
                   CAST(len(regexp_replace(extra, '[^c]', '', 'g')) AS INTEGER)
                     AS c_counts, {_PLACE}
            FROM (SELECT *, date_time // {HOUR} % 24 AS hour FROM bid)
            WHERE 0.908::DOUBLE * price > 1000000
              AND 0.908::DOUBLE * price < 50000000 AND {_LAST_MINUTE}""",
    ),
    ViewCase(
        name="q17",
        key=("auction", "day"),
        timestamps=("day",),
        expected=f"""
            SELECT auction, date_time - date_time % {DAY} AS day,
                   count(*) AS total_bids,
                   count(*) FILTER (price < 10000) AS rank1_bids,
                   count(*) FILTER (price >= 10000 AND price < 1000000)
                     AS rank2_bids,
                   count(*) FILTER (price >= 1000000) AS rank3_bids,
                   min(price) AS min_price, max(price) AS max_price,
                   avg(price) AS avg_price,
                   CAST(sum(price) AS BIGINT) AS sum_price
            FROM bid GROUP BY 1, 2""",
    ),
    ViewCase(
        name="q18",
        key=("bidder", "auction"),
        timestamps=("date_time",),
        expected="""
            SELECT bidder, auction, price, channel, url, date_time, extra
            FROM bid QUALIFY row_number() OVER (
              PARTITION BY bidder, auction
              ORDER BY date_time DESC, part DESC, off DESC) = 1""",
    ),
)


@pytest.fixture(scope="module")
def generated(binary: Path, work: Path, broker: Broker) -> Path:
    """A directory with the bids and the views; the topics are full."""
    directory = work / "nexmark"
    directory.mkdir()
    done = tidegate.run(
        "bench", "nexmark", "--generate-only",
        "--bootstrap-servers", broker.bootstrap, "--topic", _PREFIX,
        "--events", str(_EVENTS), "--event-rate", str(_EVENT_RATE),
        "--seed", str(_SEED), "--csv", str(directory / "bid.csv"),
        "--views-dir", str(directory),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def database(generated: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE bid AS SELECT * FROM read_csv("
            f" '{generated / 'bid.csv'}', header = false, columns = {_COLUMNS})"
        )
        connection.execute(
            "CREATE MACRO w() AS (SELECT min(latest) FROM ("
            "  SELECT max(date_time) AS latest FROM bid GROUP BY part))"
            f" - {_BOUND_US}"
        )
        yield connection


@pytest.fixture(scope="module")
def server(
    generated: Path, broker: Broker, database: duckdb.DuckDBPyConnection
) -> Iterator[Server]:
    """All bids are folded, and the watermark stands where they end."""
    server = Server(
        generated / "server",
        (generated / "views.sql").read_text(),
        broker.bootstrap,
    )
    shutil.copy(generated / "nexmark.proto", server.directory)
    try:
        server.start()
        row = database.execute("SELECT w()").fetchone()
        assert row is not None
        (watermark,) = row
        wait_for("the bids", lambda: _watermarks(server) == {watermark}, 60)
        yield server
    finally:
        server.kill()


def _watermarks(server: Server) -> set[int]:
    with Client(server.address) as client:
        answer = client.stub.ListViews(PB.ListViewsRequest(), timeout=30)
    return {view.watermark.ToMicroseconds() for view in answer.views}


def test_the_generator_writes_what_it_sends(
    server: Server, database: duckdb.DuckDBPyConnection
) -> None:
    row = database.execute(
        "SELECT count(*), count(DISTINCT (part, off)), max(part) FROM bid"
    ).fetchone()
    assert row == (_BIDS, _BIDS, 3)
    totals = server.json_lines("scan", "q17")
    assert sum(line["row"]["total_bids"] for line in totals) == _BIDS


def test_events_are_out_of_order_and_none_is_late(
    server: Server, database: duckdb.DuckDBPyConnection
) -> None:
    row = database.execute(
        "SELECT count(*) FROM (SELECT date_time, max(date_time) OVER ("
        " PARTITION BY part ORDER BY off) AS latest FROM bid)"
        " WHERE date_time < latest"
    ).fetchone()
    assert row is not None and row[0] > _BIDS // 2
    assert server.metrics()["tidegate_diverted_records_total"] == 0


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_query_equals_duckdb(
    case: ViewCase, server: Server, database: duckdb.DuckDBPyConnection
) -> None:
    wanted = case.expected_rows(database)
    actual = case.from_json(scan_rows(server, case.name))
    assert differences(wanted, actual) == []


def _benchmark(broker: Broker, work: Path, *arguments: str) -> dict[str, float]:
    """Runs a benchmark; what it measured, by name."""
    file = work / f"{arguments[0]}.json"
    done = tidegate.run(
        "bench", *arguments, "--bootstrap-servers", broker.bootstrap,
        "--rounds", "1", "--json", str(file), timeout_s=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    return {entry["name"]: entry["ours"] for entry in entries}


def test_bench_nexmark(broker: Broker, work: Path) -> None:
    figures = _benchmark(
        broker, work, "nexmark", "--events", "20000", "--query", "q7",
        "--query", "q13",
    )  # fmt: skip
    assert list(figures) == [
        "nexmark.q7.rate", "nexmark.q7.cpu", "nexmark.q13.rate",
        "nexmark.q13.cpu",
    ]  # fmt: skip
    assert all(value > 0 for value in figures.values())


def test_bench_window_close(broker: Broker, work: Path) -> None:
    figures = _benchmark(
        broker, work, "window-close", "--rate", "1000", "--seconds", "3"
    )
    assert list(figures) == ["window-close.p50", "window-close.p99"]
    assert all(value > 0 for value in figures.values())
