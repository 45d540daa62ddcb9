"""The flights at 3,000 rows/s, the server killed again and again, the broker
restarted: every view still equals DuckDB's answer, and no subscriber saw a
promise broken."""

import contextlib
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import grpc
import pytest

from system import flights
from system.client import Client, Key, Row
from system.conftest import ServerFactory
from system.flight_views import CASES, ViewCase, differences, sql
from system.kafka import Broker
from system.processes import wait_for, wait_for_none
from system.publish import FlightTopics
from system.subscriber import Subscriber
from system.tidegate import (
    KILLED_AT_FAILPOINT,
    Server,
    checker,
    ended,
    scan_rows,
)

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_ROWS_PER_SECOND = 3000
_KILLS = 3
_KILLS_FULL = 20
_FAILPOINTS = (
    "commit.before_append",
    "checkpoint.before_ingest",
    "commit.after_append",
    "checkpoint.after_sync",
    "checkpoint.after_ingest",
)
_COMMITS_BEFORE_A_KILL = 200
# The first one after a start may write what was recovered, and nothing new.
_SECOND_CHECKPOINT = 2
# Checkpoints come often, so that kills meet them.
_FLAGS = ("--checkpoint-age", "1s")
_SETTLE_S = 90
_WATCHED = ("carrier_totals", "plane_history", "latest_departure")
_COUNTS = re.compile(
    r"deltas=(\d+) resumes=(\d+) resets=(\d+) snapshots=(\d+) violations=(\d+)"
)


@dataclass(frozen=True)
class Kill:
    """How one run of the server ends; no failpoint: SIGKILL from outside."""

    failpoint: str | None

    @property
    def env(self) -> dict[str, str]:
        if self.failpoint is None:
            return {}
        during_commit = self.failpoint.startswith("commit.")
        count = _COMMITS_BEFORE_A_KILL if during_commit else _SECOND_CHECKPOINT
        return {"TIDEGATE_FAILPOINT": f"{self.failpoint}:{count}"}


def _plan(kills: int) -> list[Kill]:
    """Every second kill is at a failpoint, the first one included."""
    plan = []
    for number in range(kills):
        point, is_outside = divmod(number, 2)
        name = _FAILPOINTS[point % len(_FAILPOINTS)]
        plan.append(Kill(None if is_outside else name))
    return plan


class Publishing(threading.Thread):
    """Publishes all rows at the named rate; `sent` grows."""

    def __init__(
        self, topics: FlightTopics, database: duckdb.DuckDBPyConnection
    ) -> None:
        super().__init__(daemon=True)
        self._topics = topics
        self._rows = flights.flights(database)
        self.sent = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._topics.publish(self._rows, _ROWS_PER_SECOND, self._count)
        except BaseException as error:
            self.failure = error

    def _count(self, sent: int) -> None:
        self.sent = sent

    def wait_for(self, rows: int) -> None:
        wait_for(
            f"{rows} rows to be sent",
            lambda: self.sent >= rows or not self.is_alive(),
            rows / _ROWS_PER_SECOND + 60,
        )
        assert self.failure is None, self.failure


def _sequence(server: Server) -> int | None:
    """How far the pipeline has committed; None if nobody answers."""
    try:
        with Client(server.address) as client:
            return min(client.positions(timeout_s=2).values())
    except grpc.RpcError:
        return None


def _die(server: Server, kill: Kill) -> None:
    """Ends this run of the server, after it has committed something."""
    first = _sequence(server)
    if kill.failpoint is None:
        assert first is not None
        wait_for("a commit", lambda: (_sequence(server) or 0) > first, 30)
        server.kill()
        return
    newest = first
    while server.running():
        newest = _sequence(server) or newest
        time.sleep(0.02)
    assert server.wait(60) == KILLED_AT_FAILPOINT, kill
    # Within a commit the failpoint itself has counted the commits; it may come
    # before the first answer.
    if not kill.failpoint.startswith("commit."):
        assert first is not None and newest is not None
        assert newest > first, f"no commit before {kill.failpoint}"


class Watches:
    """Subscribers of both kinds, each recording what it sees."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.files = {
            view: directory / f"watch-{view}.jsonl" for view in _WATCHED
        }
        self.own_files = [
            directory / f"python-{case.name}.jsonl" for case in CASES
        ]
        self._processes: dict[str, subprocess.Popen[bytes]] = {
            view: server.watch(path, view) for view, path in self.files.items()
        }
        self.subscribers = {
            case.name: Subscriber(server.address, case.name, history=path)
            for case, path in zip(CASES, self.own_files, strict=True)
        }

    def close(self) -> None:
        for view, process in self._processes.items():
            assert process.poll() is None, f"watch {view} ended by itself"
            ended(process)
        for subscriber in self.subscribers.values():
            subscriber.close()


def test_kills(
    full: bool,
    make_server: ServerFactory,
    broker: Broker,
    flight_database: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> None:
    topics = FlightTopics(broker, "kills")
    topics.publish_airlines(flights.airlines(flight_database))
    plan = _plan(_KILLS_FULL if full else _KILLS)
    server = make_server(sql(topics), broker.bootstrap, *_FLAGS)
    server.start(env=plan[0].env, until_ready=False)
    watches = Watches(server, scratch)
    publishing = Publishing(topics, flight_database)
    publishing.start()

    every = flights.ROWS // (len(plan) + 2)
    broker_restarts = 0
    for number, kill in enumerate(plan):
        if kill.failpoint is None:
            publishing.wait_for(every * (number + 1))
        if number == len(plan) // 2 | 1:
            # In order: a crash may make the producer send a batch twice, and
            # then DuckDB would not know what is in the topic.
            broker.restart()
            broker_restarts += 1
        _die(server, kill)
        following = plan[number + 1].env if number + 1 < len(plan) else {}
        server.start(env=following, until_ready=not following)
    assert publishing.is_alive(), "all rows were sent before the last kill"
    publishing.wait_for(flights.ROWS)
    publishing.join(60)
    at_failpoints = sum(kill.failpoint is not None for kill in plan)
    print(
        f"{len(plan)} kills, {at_failpoints} at failpoints,"
        f" {broker_restarts} broker restarts"
    )
    assert at_failpoints * 4 >= len(plan) and broker_restarts == 1

    _compare(server, watches, flight_database)
    _rebuild(server)
    _compare(server, watches, flight_database)
    scans = _save_scans(server, scratch)
    _settle(watches, scans)
    watches.close()
    _check(watches, scans)


def _compare(
    server: Server, watches: Watches, database: duckdb.DuckDBPyConnection
) -> None:
    """Scans and subscribers come to DuckDB's answer."""
    for case in CASES:
        wanted = case.expected_rows(database)
        subscriber = watches.subscribers[case.name]
        wait_for_none(
            f"scan of {case.name}",
            partial(_scan_problems, server, case, wanted),
            _SETTLE_S,
        )
        wait_for_none(
            f"subscriber of {case.name}",
            partial(_subscriber_problems, subscriber, wanted),
            _SETTLE_S,
        )


def _scan_problems(
    server: Server, case: ViewCase, wanted: dict[Key, Row]
) -> list[str]:
    return differences(wanted, case.from_json(scan_rows(server, case.name)))


def _subscriber_problems(
    subscriber: Subscriber, wanted: dict[Key, Row]
) -> list[str]:
    return differences(wanted, subscriber.rows())


def _rebuild(server: Server) -> None:
    """The one thing here that must reset: the view is built anew."""
    server.terminate()
    server.start("--rebuild", _WATCHED[0])


def _save_scans(server: Server, directory: Path) -> dict[str, Path]:
    scans = {}
    for view in _WATCHED:
        done = server.cli("scan", view, "--format", "json")
        assert done.returncode == 0, done.stderr
        scans[view] = directory / f"scan-{view}.jsonl"
        scans[view].write_text(done.stdout)
    return scans


def _settle(watches: Watches, scans: dict[str, Path]) -> None:
    """The watches catch up: their histories end in what `scan` shows."""
    for view, path in watches.files.items():
        with contextlib.suppress(TimeoutError):  # _check will say what is wrong
            wait_for(view, partial(_agrees, path, scans[view]), 60, 1)


def _agrees(history: Path, scan: Path) -> bool:
    return checker(history, "--final", scan).returncode == 0


def _check(watches: Watches, scans: dict[str, Path]) -> None:
    results = [
        checker(path, "--final", scans[view])
        for view, path in watches.files.items()
    ]
    results.append(checker(*watches.own_files))
    sums = [0, 0, 0]
    for done in results:
        print(done.stdout[-4000:])
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        found = _COUNTS.search(done.stdout)
        assert found is not None and int(found[5]) == 0
        for index in range(3):
            sums[index] += int(found[index + 1])
    deltas, resumes, resets = sums
    print(f"deltas={deltas} resumes={resumes} resets={resets}")
    assert deltas > 0 and resumes > 0 and resets > 0
