"""The Python client, sync and asyncio, through SIGKILLs and drains of the real
server: the history checker finds no broken promise, and in the end each local
copy is what `tidegate scan` shows."""

import importlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

import tidegate
from system.conftest import ServerFactory
from system.counters import BY_SIZE, Counters
from system.kafka import Broker
from system.processes import DIE_WITH_PARENT, ROOT, wait_for
from system.publish import compile_proto
from system.tidegate import Server, checker, ended, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_WAIT_S = 60
_DRIVER = ROOT / "clients" / "python" / "driver"
BY_SIZE = """
CREATE MATERIALIZED VIEW by_size AS
  SELECT k, n, count(*) AS hits, avg(n) AS mean FROM hits GROUP BY k, n;
"""
_VIEWS = ("hit_counts", "by_size")
_KILLS = 4
_KILLS_FULL = 15
_HITS_BEFORE_A_KILL = 150
_HITS_PER_SECOND = 400
_COUNTS = re.compile(r"deltas=(\d+) resumes=(\d+) resets=(\d+)")


class Driver:
    """One driver, its lines in a file."""

    def __init__(
        self, server: Server, directory: Path, name: str, *arguments: str
    ) -> None:
        self.name = name
        self.path = directory / f"{name}.jsonl"
        self.views = [each for each in arguments if each in _VIEWS]
        with (
            self.path.open("wb") as out,
            (directory / f"{name}.log").open("wb") as log,
        ):
            self._process = subprocess.Popen(
                [
                    *DIE_WITH_PARENT, sys.executable, str(_DRIVER), *arguments,
                    "--server", server.address, "--mirror",
                ],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=log,
            )  # fmt: skip

        self._read = 0  # bytes of the whole lines that have been looked at
        self._streams = 0
        self._waiting: set[str] = set()  # views whose stream has not moved

    def running(self) -> bool:
        return self._process.poll() is None

    def streams_with_progress(self) -> int:
        """How many have begun and moved on, of all views together."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole + newline)
        for text in whole.splitlines():
            if b'"marker"' not in text:
                continue
            line = json.loads(text)
            view = line.get("view", self.views[0])
            if line["marker"] == "connect":
                self._waiting.add(view)
            elif line["marker"] == "progress" and view in self._waiting:
                self._waiting.remove(view)
                self._streams += 1
        return self._streams

    def lines(self, view: str) -> list[dict[str, Any]]:
        """Those of a view that are whole."""
        text = self.path.read_text()
        lines = [json.loads(line) for line in text.splitlines()[:-1]]
        if text.endswith("\n"):
            lines.append(json.loads(text.splitlines()[-1]))
        return [line for line in lines if line.get("view", view) == view]

    def history(self, view: str) -> Path:
        """The view's lines but for the mirror's, as a file of their own."""
        path = self.path.with_name(f"{self.name}-{view}.history")
        path.write_text(
            "".join(
                json.dumps(line) + "\n"
                for line in self.lines(view)
                if line["marker" if "marker" in line else "op"] != "mirror"
            )
        )
        return path

    def end(self) -> int:
        return ended(self._process, 15)

    def mirror(self, view: str) -> list[tuple[Any, Any]]:
        last = self.lines(view)[-1]
        assert last["marker"] == "mirror"
        return [(each["key"], each["row"]) for each in last["rows"]]


class Hitting(threading.Thread):
    """Hits keys that come and go in the views' ranges, steadily."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(daemon=True)
        self._counters = counters
        self._stopping = threading.Event()
        self.count = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        started = time.monotonic()
        try:
            while not self._stopping.is_set():
                due = started + self.count / _HITS_PER_SECOND
                self._stopping.wait(due - time.monotonic())
                for _ in range(20):
                    key = f"k{self.count % 37}"
                    self._counters.hit(key, self.count % 5)
                    self.count += 1
                self._counters.flush()
        except BaseException as error:
            self.failure = error

    def more(self, hits: int) -> None:
        wanted = self.count + hits
        wait_for("hits", lambda: self.count >= wanted or self.failure, _WAIT_S)
        assert self.failure is None, self.failure

    def stop(self) -> None:
        self._stopping.set()
        self.join(_WAIT_S)
        assert self.failure is None, self.failure


def _drivers(server: Server, directory: Path) -> list[Driver]:
    few = ("--key", "hit_counts:k1", "--key", "hit_counts:k2")
    drivers = []
    for kind in ("sync", "aio"):
        make = partial(Driver, server, directory)
        flag = ["--aio"] if kind == "aio" else []
        drivers += [
            make(f"{kind}-all", "by_size", *flag),
            make(f"{kind}-where", "hit_counts", "--where",
                 "hits BETWEEN 10 AND 60", *flag),
            make(f"{kind}-session", *_VIEWS, "--session", *few, *flag),
        ]  # fmt: skip
    return drivers


def _is_back(driver: Driver, streams: int) -> bool:
    """For each view that many streams have begun, and progress followed."""
    assert driver.running(), f"{driver.name} has ended"
    return driver.streams_with_progress() >= streams * len(driver.views)


def _scan(server: Server, directory: Path, view: str) -> Path:
    done = server.cli("scan", view, "--format", "json")
    assert done.returncode == _OK, done.stderr
    path = directory / f"scan-{view}.jsonl"
    path.write_text(done.stdout)
    return path


def _settled(driver: Driver, view: str, rows: list[Any]) -> bool:
    """Its changes come to these rows."""
    held: dict[str, Any] = {}
    for line in driver.lines(view):
        if line.get("marker") in ("connect", "reset"):
            if line.get("resume") is None:
                held.clear()
        elif line.get("op") == "upsert":
            held[json.dumps(line["key"])] = line["row"]
        elif "op" in line:
            held.pop(json.dumps(line["key"]), None)
    return held == {json.dumps(key): row for key, row in rows}


def _wanted(driver: Driver, view: str, scanned: list[Any]) -> list[Any]:
    """The rows of the scan that the driver is to hold."""
    if driver.name.endswith("-where"):
        return [each for each in scanned if 10 <= each[1]["hits"] <= 60]
    if view == "hit_counts":
        return [each for each in scanned if each[0]["k"] in ("k1", "k2")]
    return scanned


def test_through_kills(
    full: bool, broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    counters = Counters(broker, "python_client")
    server = make_server(
        counters.views() + BY_SIZE, counters.bootstrap,
        "--checkpoint-age", "1s",
    ).start()  # fmt: skip
    drivers = _drivers(server, scratch)
    hitting = Hitting(counters)
    hitting.start()
    kills = _KILLS_FULL if full else _KILLS
    for number in range(kills):
        for driver in drivers:
            wait_for(
                driver.name, partial(_is_back, driver, number + 1), _WAIT_S
            )
        hitting.more(_HITS_BEFORE_A_KILL)
        if number % 4 == 3:
            assert server.terminate() == _OK  # drains
        else:
            server.kill()
        server.start()
    hitting.more(_HITS_BEFORE_A_KILL)
    hitting.stop()
    wait_for("the hits", partial(counters.agree_with, server), _WAIT_S)
    _check(server, scratch, drivers, kills)


def _check(
    server: Server, directory: Path, drivers: list[Driver], kills: int
) -> None:
    scans = {view: scan_rows(server, view) for view in _VIEWS}
    for driver in drivers:
        for view in driver.views:
            rows = _wanted(driver, view, scans[view])
            wait_for(
                f"{driver.name}: {view}",
                partial(_settled, driver, view, rows),
                _WAIT_S,
                interval_s=1,
            )
    for driver in drivers:
        assert driver.end() == _OK, driver.name
        for view in driver.views:
            rows = _wanted(driver, view, scans[view])
            assert sorted(map(str, driver.mirror(view))) == sorted(
                map(str, rows)
            ), f"{driver.name}: {view}"
    whole = [
        driver.history("by_size")
        for driver in drivers
        if "by_size" in driver.views
    ]
    filtered = [
        driver.history("hit_counts")
        for driver in drivers
        if "hit_counts" in driver.views
    ]
    final = _scan(server, directory, "by_size")
    results = [checker(path, "--final", final) for path in whole]
    # Together: the same rows at the same position, whoever saw them.
    results.append(checker(*whole, *filtered))
    for done in results:
        print(done.stdout[-2000:])
        assert done.returncode == _OK, done.stdout[-4000:] + done.stderr
    counts = _COUNTS.search(results[-1].stdout)
    assert counts is not None
    deltas, resumes, resets = map(int, counts.groups())
    histories = len(whole) + len(filtered)
    assert deltas > 0 and resumes >= kills * histories and resets == 0


@pytest.fixture(scope="module")
def counters(broker: Broker) -> Counters:
    counters = Counters(broker, "python_calls")
    for key in ("a", "b", "b", "c"):
        counters.hit(key, 200)
    counters.flush()
    return counters


@pytest.fixture(scope="module")
def server(binary: Path, work: Path, counters: Counters) -> Iterator[Server]:
    server = Server(
        work / "python_calls", counters.views() + BY_SIZE, counters.bootstrap
    )
    server.start()
    wait_for("the hits", partial(counters.agree_with, server), _WAIT_S)
    yield server
    server.kill()


@pytest.fixture
def client(server: Server) -> Iterator[tidegate.Client]:
    with tidegate.Client(server.address) as client:
        yield client


def test_calls_say_what_the_command_line_says(
    server: Server, client: tidegate.Client
) -> None:
    names = {view.name for view in client.list_views()}
    assert set(_VIEWS) <= names
    for view in _VIEWS:
        scanned = scan_rows(server, view)
        rows = client.scan(view, page_size=2)
        found = [tidegate.to_dict(row, timestamps="rfc3339") for row in rows]
        assert found == [row for _, row in scanned]
        keys = [key for key, _ in scanned]
        answer = client.get_many(view, keys, min_position=rows.position)
        assert [
            None if row is None else tidegate.to_dict(row)
            for row in answer.rows
        ] == found
    assert client.get("hit_counts", "no such key") is None
    assert client.get("by_size", ("b", 200)) is not None


def test_what_is_wrong_is_said(client: tidegate.Client) -> None:
    with pytest.raises(tidegate.NotFound, match="hit_count"):
        client.get("hit_count", "a")
    with pytest.raises(tidegate.InvalidKey, match="k: str, n: int"):
        client.get("by_size", "a")
    with (
        client.subscribe("hit_counts", where="hitz > 1") as subscription,
        pytest.raises(tidegate.InvalidArgument, match='did you mean "hits"'),
    ):
        next(subscription)


def test_generated_types(
    server: Server,
    client: tidegate.Client,
    counters: Counters,
    tmp_path: Path,
) -> None:
    """What `tidegate proto` prints, compiled: by it rows have types, and the
    view is a service of its own."""
    done = server.cli("proto", "hit_counts")
    assert done.returncode == _OK, done.stderr
    (tmp_path / "hit_counts.proto").write_text(done.stdout)
    made: Any = compile_proto(tmp_path, "hit_counts.proto")
    wanted = made.HitCountsRow(
        k="b", hits=counters.hits["b"], total=counters.totals["b"]
    )
    view = tidegate.View("hit_counts", made.HitCountsRow, made.HitCountsKey)
    key = made.HitCountsKey(k="b")
    assert client.get(view, key) == wanted
    with client.subscribe(view, keys=[key]).start() as subscription:
        assert subscription.wait_complete(_WAIT_S)
        assert subscription.rows[key] == wanted
    stubs = importlib.import_module("hit_counts_pb2_grpc")
    with grpc.insecure_channel(server.address) as channel:
        answer = stubs.HitCountsStub(channel).Get(
            made.HitCountsGetRequest(keys=[key]), timeout=_WAIT_S
        )
    assert [entry.row for entry in answer.entries] == [wanted]
