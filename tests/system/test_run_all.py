"""The table of benchmarks: what run-all makes of its drivers' answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import rows
from harness.report import Entry, at_least, at_most
from harness.rows import DRIVERS, Driver, Outcome, chosen
from system.processes import ROOT

# The rows that the project owes, by name.
_ROWS = {
    "catchup.rate", "catchup.cpu", "catchup.streams.rate",
    "catchup.streams.cpu", "catchup5m.streams.rate", "catchup5m.streams.cpu",
    "resume.streams.rate", "live.p50", "live.p99", "live.streams.default",
    "live.streams.tuned", "push.flat", "push.one.bare", "push.one.nats",
    "push.one.etcd", "push.all.cpu", "push.all.last", "session.cpu",
    "memory.stream", "memory.key", "get.cpu", "snapshot.cpu",
    "snapshot.shared", "restart",
}  # fmt: skip

# A driver for tests: appends the entries in its first argument.
_FAKE = """\
import json, sys
entries = json.loads(sys.argv[1])
assert sys.argv[2:5:2] == ["--rounds", "--json"], sys.argv
with open(sys.argv[5], "a") as file:
    for entry in entries:
        file.write(json.dumps(entry) + "\\n")
sys.exit(len(entries) == 1)
"""


def _entry(name: str) -> dict[str, Any]:
    entry = Entry(name, "us", "the limit", at_most(2))
    entry.add(3, 2)
    return entry.to_json()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A loadtest/ with one driver, `fake`."""
    (tmp_path / "fake").write_text(_FAKE)
    monkeypatch.setattr(rows, "_LOADTEST", tmp_path)
    monkeypatch.setattr(rows, "BUILD", tmp_path)
    return tmp_path


def _run(
    entries: list[dict[str, Any]], only: str | None = None
) -> list[Outcome]:
    return rows.run(
        Driver(("fake", json.dumps(entries)), ("a.x", "a.y")), 3, only
    )


def test_no_row_is_left_out_and_none_is_measured_twice() -> None:
    named = [row for driver in DRIVERS for row in driver.rows]
    assert sorted(named) == sorted(_ROWS)


def test_a_pattern_chooses_drivers_by_their_rows() -> None:
    names = [driver.name for driver in chosen(DRIVERS, "snapshot.*")]
    assert names == ["bench-serve snapshot", "bench-serve snapshot-shared"]
    assert chosen(DRIVERS, "nothing") == []
    assert chosen(DRIVERS, None) == list(DRIVERS)


def test_rounds_and_file_reach_a_benchmark_of_the_binary() -> None:
    driver = Driver(("bench-kafka", "live", "--"), ("live.p50",))
    command = driver.command(5, Path("/f"))
    assert command[2:] == ["live", "--", "--rounds", "5", "--json", "/f"]


def test_each_row_gets_its_entry(fake: Path) -> None:
    outcomes = _run([_entry("a.x"), _entry("a.y"), _entry("a.z")])
    assert [o.entry and o.entry["name"] for o in outcomes] == ["a.x", "a.y"]
    assert "1.5" in outcomes[0].to_text()
    assert "<= 2" in outcomes[0].to_text()
    assert "NOT MET" not in outcomes[0].to_text()
    # The file of an earlier run does not count.
    assert [o.entry for o in _run([])] == [None, None]


def test_a_row_without_an_entry_says_so(fake: Path) -> None:
    x, y = _run([_entry("a.x"), _entry("a.z")])
    assert x.is_result
    assert y.entry is None
    assert "no result" in y.to_text()
    assert [o.row for o in _run([], only="*.y")] == ["a.y"]


def test_what_a_driver_that_fails_leaves_is_void(fake: Path) -> None:
    x, _ = _run([_entry("a.x")])
    assert x.entry is not None
    assert not x.is_result
    assert x.to_text().endswith("ended with 1")


def test_an_entry_without_samples_is_no_result(fake: Path) -> None:
    entry = _entry("a.x") | {"samples": {"ours": [], "against": [1]}}
    x, _ = _run([entry, _entry("a.y")])
    assert x.entry is None
    assert "left something out" in x.to_text()


def test_a_missing_driver_is_named(fake: Path) -> None:
    (outcome,) = rows.run(Driver(("gone",), ("b",)), 1, None)
    assert outcome.to_text().endswith("no result: loadtest/gone is missing")


def test_entries_say_whether_the_goal_is_met() -> None:
    entry = Entry("n", "us", "bare", at_least(0.5))
    entry.add(1, 4)
    entry.add(2, 4)
    entry.add(3, 4)
    assert entry.to_json() == {
        "name": "n", "ours": 2, "unit": "us", "against": "bare",
        "value_against": 4, "kind": "ratio", "result": 0.5, "goal": ">= 0.5",
        "met": True, "samples": {"ours": [1, 2, 3], "against": [4, 4, 4]},
    }  # fmt: skip


def _loadtest(*words: str) -> subprocess.CompletedProcess[str]:
    program, *flags = words
    return subprocess.run(
        [sys.executable, str(ROOT / "loadtest" / program), *flags],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.kafka
@pytest.mark.server
def test_run_all_measures_a_row(full: bool, tmp_path: Path) -> None:
    if not full:
        pytest.skip("a benchmark; --full")
    file = tmp_path / "all.json"
    done = _loadtest(
        "run-all", "--only", "live.p50", "--rounds", "1", "--json", str(file)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = file.read_text().splitlines()
    entry = json.loads(line)
    assert entry["name"] == "live.p50"
    assert len(entry["samples"]["ours"]) == 1


@pytest.mark.kafka
@pytest.mark.server
def test_a_small_run_of_bench_serve(full: bool, tmp_path: Path) -> None:
    if not full:
        pytest.skip("a benchmark; --full")
    file = tmp_path / "serve.json"
    done = _loadtest(
        "bench-serve", "--rounds", "1", "--json", str(file),
        "--rows", "20000", "--subscribers", "5", "--session-keys", "1000",
        "--rate", "2000", "--seconds", "2", "--restart-rows", "20000",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert {entry["name"] for entry in entries} == {
        "snapshot.cpu", "snapshot.shared", "session.cpu", "memory.key",
        "restart",
    }  # fmt: skip
    for entry in entries:
        assert rows.is_result(entry)
