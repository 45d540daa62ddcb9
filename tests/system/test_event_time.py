"""Event time on a real Kafka equals DuckDB's batch answers.

With disorder within the bound, where nothing may be late, and with flights that
come hours late, where what is late is checked too; through kills of the server.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from system import event_cases, event_flights, late_model, window_cases
from system.client import PB, Client, Key, Row, ViewTypes
from system.event_case import EventCase
from system.event_flights import (
    EARLY,
    FLIGHTS,
    LATE_BOUND_US,
    LIVE,
    EventTopics,
    desk_rows,
    placed,
    publish_departures,
    publish_desks,
    publish_schedules,
    scalar,
)
from system.flight_views import differences
from system.flights import Flight
from system.kafka import Broker
from system.late_cases import LATE_CASES, LateCase
from system.letters import Letter, read_letters
from system.processes import wait_for, wait_for_none
from system.publish import ExactProducer, flight_json
from system.subscriber import Subscriber
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_CASES = (*window_cases.CASES, *event_cases.CASES)
_LATE = tuple(case.view for case in LATE_CASES)
_EVERY = (*_CASES, *_LATE)
_CATCH_UP_S = 120
_LIVE_DESKS = 0.2  # of the versions come while the server runs
# Flights by schedule come in small batches, each once the last one was folded,
# so that the watermark is never far behind: a thousand are more than a day.
_CHUNK = 50
_KILL_EVERY = 130  # chunks; the server dies somewhere in the next one
_KILLS = 3


def _name(case: EventCase | LateCase) -> str:
    return case.name


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with event_flights.load() as connection:
        yield connection


@dataclass
class Running:
    """A server at the end of its topics, and a subscriber of each view."""

    server: Server
    subscribers: dict[str, Subscriber]
    letters: list[Letter]


@pytest.fixture(scope="module")
def running(
    binary: Path,
    work: Path,
    broker: Broker,
    database: duckdb.DuckDBPyConnection,
) -> Iterator[Running]:
    """The server is killed now and then; at last subscribers are there."""
    topics = EventTopics.create(broker, "event_time")
    departures = list(placed(database, "departures"))
    schedules = list(placed(database, "schedules"))
    desks = desk_rows(database)
    live_desks = int(len(desks) * (1 - _LIVE_DESKS))
    producer = ExactProducer(broker.bootstrap)
    publish_desks(producer, topics.desks, desks[:live_desks])
    publish_departures(producer, topics.departures, departures[:-LIVE])
    publish_schedules(producer, topics.schedules, schedules[:EARLY])
    producer.flush()
    views = topics.sources() + "".join(case.create() for case in _EVERY)
    server = Server(work / "event_time", views, broker.bootstrap)
    subscribers: dict[str, Subscriber] = {}
    try:
        server.start()
        _publish_and_kill(server, producer, topics.schedules, schedules)
        for case in _EVERY:
            subscribers[case.name] = Subscriber(server.address, case.name)
        publish_departures(producer, topics.departures, departures[-LIVE:])
        publish_schedules(producer, topics.schedules, schedules[-LIVE:])
        publish_desks(producer, topics.desks, desks[live_desks:])
        producer.flush()
        _wait_for_watermarks(server, database)
        letters = list(read_letters(broker.bootstrap, topics.dead))
        yield Running(server, subscribers, letters)
    finally:
        for subscriber in subscribers.values():
            subscriber.close()
        server.kill()


def _publish_and_kill(
    server: Server,
    producer: ExactProducer,
    topic: str,
    schedules: list[Flight],
) -> None:
    """All but the live flights, in chunks; the server is killed meanwhile."""
    newest = max(row.sched for row in schedules[:EARLY])
    kills = 0
    for nth, start in enumerate(range(EARLY, len(schedules) - LIVE, _CHUNK)):
        chunk = schedules[start : min(start + _CHUNK, len(schedules) - LIVE)]
        publish_schedules(producer, topic, chunk)
        producer.flush()
        if nth % _KILL_EVERY == _KILL_EVERY - 1 and kills < _KILLS:
            server.kill()
            server.start()
            kills += 1
        newest = max(newest, *(row.sched for row in chunk))
        _wait_for_watermark(server, newest - LATE_BOUND_US)
    assert kills == _KILLS


def _wait_for_watermark(server: Server, watermark: int) -> None:
    """Of the late flights, which is where all that was sent has been folded."""

    def reached() -> bool:
        return _watermarks(server)["late_hour"] >= watermark

    wait_for(f"the watermark {watermark}", reached, 60, 0.002)


def _watermarks(server: Server) -> dict[str, int]:
    with Client(server.address) as client:
        answer = client.stub.ListViews(
            PB.ListViewsRequest(), timeout=30, wait_for_ready=True
        )
    return {view.name: view.watermark.ToMicroseconds() for view in answer.views}


def _wait_for_watermarks(
    server: Server, database: duckdb.DuckDBPyConnection
) -> None:
    """Each pipeline's comes to where its topics end, and no further."""
    wanted = {case.name: scalar(database, "w()") for case in _CASES}
    late_w = scalar(database, "late_w()")
    wanted |= {case.name: late_w for case in _LATE}

    def behind() -> list[str]:
        reached = _watermarks(server)
        return [
            f"{name}: {reached[name]}, not {watermark}"
            for name, watermark in wanted.items()
            if reached[name] != watermark
        ]

    wait_for_none("the watermarks", behind, _CATCH_UP_S)


@pytest.fixture(scope="module")
def letters(
    running: Running, database: duckdb.DuckDBPyConnection, work: Path
) -> list[Letter]:
    """All that were diverted; DuckDB knows them too."""
    late_model.add_letters(database, running.letters, work / "event_letters")
    return running.letters


def test_there_are_forty_queries() -> None:
    assert len(_EVERY) >= 40
    assert len({case.name for case in _EVERY}) == len(_EVERY)


def _check_scan(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    wanted = case.case.expected_rows(database)
    actual = case.case.from_json(scan_rows(running.server, case.name))
    assert differences(wanted, actual) == []


def _check_subscriber(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    """A snapshot and all deltas after it come to the same."""
    wanted = case.case.expected_rows(database)
    subscriber = running.subscribers[case.name]
    wait_for_none(
        f"{case.name} at its subscriber",
        lambda: differences(wanted, subscriber.rows()),
        30,
    )
    replica = subscriber.replica
    assert replica.snapshots == 1 and replica.resets == 0
    assert replica.deltas > 0


@pytest.mark.parametrize("case", _CASES, ids=_name)
def test_scan_equals_duckdb(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    _check_scan(case, running, database)


@pytest.mark.parametrize("case", _CASES, ids=_name)
def test_snapshot_and_deltas_equal_duckdb(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    _check_subscriber(case, running, database)


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("case", _LATE, ids=_name)
def test_scan_of_what_was_not_late_equals_duckdb(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    _check_scan(case, running, database)


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("case", _LATE, ids=_name)
def test_deltas_of_what_was_not_late_equal_duckdb(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    _check_subscriber(case, running, database)


def test_nothing_within_the_bound_is_late(
    running: Running, letters: list[Letter]
) -> None:
    """Not one of the departures, and of the schedules for lateness alone."""
    topics = {letter.topic for letter in letters}
    assert len(topics) == 1 and topics.pop().startswith("schedules"), topics
    assert {letter.reason for letter in letters} == {"late"}
    assert {letter.pipeline for letter in letters} == {"late"}
    assert running.server.metrics()["tidegate_bad_records_total"] == 0


def test_letters_are_whole_and_say_for_whom(
    database: duckdb.DuckDBPyConnection, letters: list[Letter]
) -> None:
    flights = {row.joff: row for row in placed(database, "schedules")}
    assert FLIGHTS // 20 < len(letters) < FLIGHTS // 5
    offsets = [letter.offset for letter in letters]
    # What was diverted in a batch that a kill left uncommitted is so again.
    assert len(offsets) - len(set(offsets)) <= _KILLS * _CHUNK
    for letter in letters:
        flight = flights[letter.offset]
        assert letter.partition == 0
        assert letter.value == flight_json(flight)
        assert letter.key == flight.carrier.encode()
        assert letter.timestamp_ms == flight.ts // 1000
        assert letter.views and sorted(letter.views) == sorted(letter.targets)


@pytest.mark.usefixtures("letters")
def test_watermarks_of_letters_follow_the_order_of_reading(
    database: duckdb.DuckDBPyConnection,
) -> None:
    assert late_model.wrong(database, late_model.WRONG_WATERMARKS) == []


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("case", LATE_CASES, ids=_name)
def test_late_events_are_diverted_and_no_others(
    case: LateCase, database: duckdb.DuckDBPyConnection
) -> None:
    found = late_model.wrong(database, late_model.WRONG_VERDICTS, case.name)
    assert found == []
    count = scalar(
        database, f"count(*) FROM diverted WHERE view = '{case.name}'"
    )
    assert (count == 0) == case.never_late


def _finalities(
    server: Server, case: EventCase
) -> tuple[dict[Key, tuple[Row, str]], int]:
    """Each row with its finality, from Scan; and Scan's watermark."""
    rows: dict[Key, tuple[Row, str]] = {}
    token = ""
    with Client(server.address) as client:
        types = client.types(case.name)
        while True:
            page = client.stub.Scan(
                PB.ScanRequest(view=case.name, page_token=token), timeout=30
            )
            for data, finality in zip(page.rows, page.finality, strict=True):
                row = types.row(data)
                name = PB.Finality.Name(finality)
                rows[types.key_of(row)] = (row, name)
            token = page.next_page_token
            if not token:
                break
        watermark = page.watermark.ToMicroseconds()
        streamed = _streamed(client, types, watermark)
    for key, (row, finality) in streamed.items():
        if case.window_end(row) <= watermark:
            # That the watermark has passed a row's end is no change of the row.
            final = finality.replace("PROVISIONAL", "FINAL")
            streamed[key] = (row, final)
    assert streamed == rows
    return rows, watermark


def _streamed(
    client: Client, types: ViewTypes, watermark: int
) -> dict[Key, tuple[Row, str]]:
    """What a new subscriber has at the watermark, as each row last came."""
    rows: dict[Key, tuple[Row, str]] = {}
    call = client.stub.Subscribe(
        PB.SubscribeRequest(view=types.info.name), timeout=30
    )
    live = False
    for response in call:
        for change in response.changes:
            if change.HasField("upsert"):
                row = types.row(change.upsert)
                name = PB.Finality.Name(change.finality)
                rows[types.key_of(row)] = (row, name)
            else:
                del rows[types.key(change.deleted)]
        live = live or response.snapshot_end
        reached = response.watermark.ToMicroseconds() == watermark
        if live and reached and not response.fragment:
            break
    call.cancel()
    return rows


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(
    "case", [case for case in _EVERY if case.windowed], ids=_name
)
def test_finality_follows_from_the_watermark(
    case: EventCase, running: Running, database: duckdb.DuckDBPyConnection
) -> None:
    rows, watermark = _finalities(running.server, case)
    assert rows
    must: set[Key] = set()
    may: set[Key] = set()
    if case in _LATE and not case.name.startswith("late_session"):
        must, may = late_model.corrected(database, case.name, case.case.key)
    if "allowed.lateness" in case.options and case in _LATE:
        assert must
    for key, (row, finality) in rows.items():
        if case.window_end(row) > watermark:
            assert finality == "FINALITY_PROVISIONAL", row
        elif key in must:
            assert finality == "FINALITY_CORRECTED", row
        elif key not in may:
            assert finality == "FINALITY_FINAL", row
        else:
            assert finality != "FINALITY_PROVISIONAL", row


def test_views_without_windows_have_no_finality(running: Running) -> None:
    case = next(case for case in _CASES if case.name == "sliding_days")
    with Client(running.server.address) as client:
        page = client.stub.Scan(
            PB.ScanRequest(view=case.name, page_size=10), timeout=30
        )
    assert page.rows
    assert set(page.finality) <= {PB.FINALITY_UNSPECIFIED}
