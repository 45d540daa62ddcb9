"""The Go client: its own tests, and what it sees of a server that is killed."""

import filecmp
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from system import gotools
from system.conftest import ServerFactory
from system.counters import BY_SIZE, Counters
from system.kafka import Broker
from system.processes import DIE_WITH_PARENT, ROOT, wait_for
from system.publish import ExactProducer
from system.tidegate import Server, checker, ended, scan_rows

_MODULE = ROOT / "clients" / "go"
_WAIT_S = 30
_STOP_S = 30
_KILLS = 4
_KILLS_FULL = 20
_VIEWS = ("hit_counts", "by_size")
_ORDERS = """
CREATE SOURCE orders (driver_id BIGINT, region VARCHAR,
                      amount DOUBLE PRECISION, ts TIMESTAMPTZ)
  WITH (topic = 'go_orders') FORMAT PLAIN ENCODE JSON;

CREATE MATERIALIZED VIEW driver_totals AS
  SELECT driver_id, count(*) AS orders, sum(amount) AS total,
         last_value(region ORDER BY ts) AS region
  FROM orders GROUP BY driver_id;
"""

Line = dict[str, Any]


def test_its_own_tests_pass() -> None:
    for words in (("vet", "./..."), ("test", "-race", "./...")):
        done = gotools.run(_MODULE, *words)
        assert done.returncode == 0, done.stdout[-8000:]


def test_it_is_formatted() -> None:
    assert gotools.gofmt(_MODULE) == ""


def test_its_generated_code_is_that_of_the_proto(tmp_path: Path) -> None:
    done = subprocess.run(
        [_MODULE / "generate", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 3, made
    for path in made:
        kept = _MODULE / path.relative_to(tmp_path)
        assert filecmp.cmp(path, kept, shallow=False), (
            f"{kept} is not what clients/go/generate writes"
        )


@pytest.fixture(scope="module")
def driver() -> Path:
    """The client as `tidegate watch --format json` is."""
    return gotools.build(_MODULE, "internal/conformance")


class Watch:
    """The driver in the background; its lines go to a file."""

    def __init__(
        self, driver: Path, server: Server, output: Path, *arguments: str
    ) -> None:
        self.output = output
        log = server.directory / "watch.log"
        with output.open("wb") as out, log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*DIE_WITH_PARENT, driver, *arguments, "--server",
                 server.address, "--format", "json", "--mirror"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=errors,
                text=True,
            )  # fmt: skip

    def tell(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def lines(self) -> list[Line]:
        texts = self.output.read_text().splitlines(keepends=True)
        return [json.loads(text) for text in texts if text.endswith("\n")]

    def histories(self, *views: str) -> dict[str, Path]:
        """The lines of each view, as a file of their own, without mirrors."""
        several = len(views) > 1
        files = {}
        for view in views:
            own = [
                line
                for line in self.lines()
                if line.get("marker") != "mirror"
                and (not several or line["view"] == view)
            ]
            path = self.output.with_name(f"{self.output.stem}-{view}.history")
            path.write_text("".join(json.dumps(line) + "\n" for line in own))
            files[view] = path
        return files

    def stop(self) -> list[Line]:
        """Ends it as a user does; returns its mirrors."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(_STOP_S) == 0
        lines = self.lines()
        assert not any(line.get("marker") == "error" for line in lines)
        return [line for line in lines if line.get("marker") == "mirror"]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Hits(threading.Thread):
    """Hits of all sizes for a few keys, until it is stopped."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(daemon=True)
        self._counters = counters
        self._stopped = threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self._stopped.wait(0.002):
            for _ in range(5):
                number = self.sent
                self._counters.hit(f"k{number % 7}", number % 11)
                self.sent = number + 1
            self._counters.flush()

    def stop(self) -> None:
        self._stopped.set()
        self.join(_WAIT_S)
        assert not self.is_alive()


def _is_right(server: Server, history: Path, view: str) -> bool:
    """It keeps every promise, and ends in what `scan` shows."""
    done = server.cli("scan", view, "--format", "json")
    assert done.returncode == 0, done.stderr
    scan = history.with_suffix(".scan")
    scan.write_text(done.stdout)
    return checker(history, "--final", scan).returncode == 0


def _all_right(server: Server, watch: Watch, *views: str) -> bool:
    return all(
        _is_right(server, history, view)
        for view, history in watch.histories(*views).items()
    )


def _mirrored(line: Line) -> list[tuple[Line, Line]]:
    return [(entry["key"], entry["row"]) for entry in line["rows"]]


def _has_moved_on(watch: Watch, before: int) -> bool:
    lines = watch.lines()[before:]
    return any(line.get("marker") == "progress" for line in lines)


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    """They are killed at the end, if they are still there."""
    made: list[Watch] = []
    yield made
    for watch in made:
        watch.kill()


@pytest.mark.kafka
@pytest.mark.server
def test_killed_servers_leave_right_histories(
    full: bool,
    driver: Path,
    broker: Broker,
    make_server: ServerFactory,
    scratch: Path,
    watches: list[Watch],
) -> None:
    counters = Counters(broker, "go_kills")
    counters.hit("k0")
    counters.flush()
    server = make_server(
        counters.views() + BY_SIZE, counters.bootstrap,
        "--checkpoint-age", "1s",
    ).start()  # fmt: skip
    wait_for("the hit", partial(counters.agree_with, server), _WAIT_S)
    plain = server.watch(scratch / "plain.jsonl", "hit_counts")
    wait_for(  # until then it gives up if the server is away
        "its snapshot",
        lambda: "snapshot_end" in (scratch / "plain.jsonl").read_text(),
        _WAIT_S,
    )
    one = Watch(driver, server, scratch / "one.jsonl", "hit_counts")
    two = Watch(driver, server, scratch / "two.jsonl", *_VIEWS, "--session")
    keyed = Watch(
        driver, server, scratch / "keyed.jsonl", "hit_counts", "--session",
        "--commands", "--key", "k0", "--key", "k1",
    )  # fmt: skip
    watches += [one, two, keyed]
    hits = Hits(counters)
    hits.start()
    kills = _KILLS_FULL if full else _KILLS
    for number in range(kills):
        before = [len(watch.lines()) for watch in watches]
        for watch, lines in zip(watches, before, strict=True):
            wait_for(
                "changes", partial(_has_moved_on, watch, lines), _WAIT_S
            )
        # The last request is under way when the server dies.
        keyed.tell(watch=1, add=[{"k": f"k{number % 5 + 2}"}])
        keyed.tell(watch=1, remove=[{"k": f"k{number % 5}"}])
        if number == kills // 2:
            assert server.terminate() == 0
        else:
            server.kill()
        server.start()
    hits.stop()
    wait_for("the hits", partial(counters.agree_with, server), _WAIT_S)
    wait_for("one", partial(_all_right, server, one, "hit_counts"), _WAIT_S)
    wait_for("two", partial(_all_right, server, two, *_VIEWS), _WAIT_S)
    wait_for("the keys", partial(_applied, keyed, 2 * kills), _WAIT_S)
    assert ended(plain) == 0
    # Against each other too: at one position all saw the same rows.
    done = checker(
        scratch / "plain.jsonl",
        one.histories("hit_counts")["hit_counts"],
        *two.histories(*_VIEWS).values(),
    )
    print(f"{hits.sent} hits, {kills} ends; {done.stdout}")
    assert done.returncode == 0, done.stdout
    for watch in (one, two):
        resumed = [line for line in watch.lines() if line.get("resume")]
        assert len(resumed) >= kills
    scans = {view: scan_rows(server, view) for view in _VIEWS}
    (mirror,) = one.stop()
    assert _mirrored(mirror) == scans["hit_counts"]
    for mirror in two.stop():
        assert _mirrored(mirror) == scans[mirror["view"]]
    keys = {"k0", "k1"}
    for number in range(kills):
        keys |= {f"k{number % 5 + 2}"}
        keys -= {f"k{number % 5}"}
    wanted = [
        (key, row) for key, row in scans["hit_counts"] if key["k"] in keys
    ]
    wait_for("its rows", partial(_shows, keyed, wanted), _WAIT_S)
    (mirror,) = keyed.stop()
    assert _mirrored(mirror) == wanted


def _shows(watch: Watch, wanted: list[tuple[Line, Line]]) -> bool:
    last = {
        line["key"]["k"]: line.get("row")
        for line in watch.lines()
        if "op" in line
    }
    return all(last.get(key["k"]) == row for key, row in wanted)


def _applied(watch: Watch, requests: int) -> bool:
    """Each request is answered once, in order; then nothing is owed."""
    told = [
        line["request"]
        for line in watch.lines()
        if line.get("marker") == "keys_applied"
    ]
    assert told == list(range(1, len(told) + 1))
    return len(told) == requests


@pytest.mark.kafka
@pytest.mark.server
def test_the_example_follows_driver_totals(
    broker: Broker, make_server: ServerFactory
) -> None:
    broker.create_topic("go_orders", 1)
    producer = ExactProducer(broker.bootstrap)
    for driver_id, amount in ((7, 1.25), (8, 10.0), (7, 2.25)):
        value = json.dumps({
            "driver_id": driver_id, "region": "EU", "amount": amount,
            "ts": "2026-01-01T00:00:00Z",
        })  # fmt: skip
        now_ms = int(time.time() * 1000)
        producer.send("go_orders", 0, value.encode(), None, now_ms)
    producer.flush()
    server = make_server(_ORDERS, broker.bootstrap).start()
    wait_for(
        "the orders",
        lambda: sum(
            row["orders"] for _, row in scan_rows(server, "driver_totals")
        ) == 3,
        _WAIT_S,
    )  # fmt: skip
    assert _messages(_MODULE / "examples/viewspb/driver_totals.proto") == {
        name: fields
        for name, fields in _messages(_save_proto(server)).items()
        if name in ("DriverTotalsRow", "DriverTotalsKey")
    }
    example = gotools.build(_MODULE, "examples/driver_totals")

    def told(*arguments: str) -> list[str]:
        done = subprocess.run(
            [example, "-server", server.address, "-once", *arguments],
            capture_output=True, text=True, timeout=_WAIT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return sorted(done.stdout.splitlines())

    assert told() == [
        "driver 7: 2 orders, 3.50", "driver 8: 1 orders, 10.00",
    ]  # fmt: skip
    assert told("-where", "total > 5") == ["driver 8: 1 orders, 10.00"]


def _save_proto(server: Server) -> Path:
    """What the README has a user do."""
    done = server.cli("proto", "driver_totals")
    assert done.returncode == 0, done.stderr
    path = server.directory / "driver_totals.proto"
    path.write_text(done.stdout)
    return path


def _messages(proto: Path) -> dict[str, list[bytes]]:
    """The fields of each message of a .proto file, by the message's name."""
    done = subprocess.run(
        ["protoc", f"-I{proto.parent}", "--descriptor_set_out=/dev/stdout",
         proto.name],
        check=True, capture_output=True,
    )  # fmt: skip
    (file,) = FileDescriptorSet.FromString(done.stdout).file
    return {
        message.name: [field.SerializeToString() for field in message.field]
        for message in file.message_type
    }
