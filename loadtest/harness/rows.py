"""The table of benchmarks: its rows, who measures them, and what came of it."""

import fnmatch
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from system.processes import BUILD, ROOT

_LOADTEST = ROOT / "loadtest"


@dataclass(frozen=True)
class Driver:
    """A program that measures some rows: it appends an entry for each to
    `--json FILE`, after `--rounds N` rounds in which the sides take turns. If it
    does not end with 0, its entries are void: say, a peer took too much."""

    words: tuple[str, ...]  # its name in loadtest/, and what it is to measure
    rows: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join(word for word in self.words if word != "--")

    def command(self, rounds: int, file: Path) -> list[str]:
        program, *words = self.words
        return [
            sys.executable, str(_LOADTEST / program), *words,
            "--rounds", str(rounds), "--json", str(file),
        ]  # fmt: skip


# Every row of the table. Each driver runs limit or peer and ours in one run.
DRIVERS = (
    Driver(("bench-kafka", "catchup", "--"), ("catchup.rate", "catchup.cpu")),
    Driver(
        ("bench-streams", "catchup"),
        ("catchup.streams.rate", "catchup.streams.cpu"),
    ),
    Driver(
        ("bench-streams", "catchup5m"),
        ("catchup5m.streams.rate", "catchup5m.streams.cpu"),
    ),
    Driver(("bench-streams", "resume"), ("resume.streams.rate",)),
    Driver(("bench-kafka", "live", "--"), ("live.p50", "live.p99")),
    Driver(
        ("bench-streams", "live"),
        ("live.streams.default", "live.streams.tuned"),
    ),
    Driver(("bench-fanout", "flat"), ("push.flat",)),
    Driver(
        ("bench-fanout", "one"),
        ("push.one.bare", "push.one.nats", "push.one.etcd"),
    ),
    Driver(("bench-fanout", "all"), ("push.all.cpu", "push.all.last")),
    Driver(("bench-fanout", "memory"), ("memory.stream",)),
    Driver(("bench-fanout", "get"), ("get.cpu",)),
    Driver(("bench-serve", "session"), ("session.cpu",)),
    Driver(("bench-serve", "memory-key"), ("memory.key",)),
    Driver(("bench-serve", "snapshot"), ("snapshot.cpu",)),
    Driver(("bench-serve", "snapshot-shared"), ("snapshot.shared",)),
    Driver(("bench-serve", "restart"), ("restart",)),
)  # fmt: skip


@dataclass
class Outcome:
    """What came of one row."""

    row: str
    entry: dict[str, Any] | None
    why: str = ""  # there is none, or it is void

    @property
    def is_result(self) -> bool:
        return self.entry is not None and not self.why

    def to_text(self) -> str:
        entry = self.entry
        if entry is None:
            return f"{self.row:24} no result: {self.why}"
        met = {True: "met", False: "NOT MET", None: "no goal"}[entry["met"]]
        if self.why:
            met = f"void: {self.why}"
        return (
            f"{self.row:24} {entry['ours']:14.6g} {entry['unit']:10}"
            f" {entry['value_against']:14.6g} {entry['against']:38}"
            f" {entry['kind']:10} {entry['result']:10.4g}"
            f"  {entry['goal'] or '':9} {met}"
        )


def chosen(drivers: Sequence[Driver], only: str | None) -> list[Driver]:
    """Those that measure a row which matches the pattern."""
    if only is None:
        return list(drivers)
    return [d for d in drivers if fnmatch.filter(d.rows, only)]


def is_result(entry: dict[str, Any]) -> bool:
    """Whether it says what the table wants of an entry, with its samples."""
    samples = entry.get("samples", {})
    return (
        {
            "ours", "unit", "against", "value_against", "kind", "result",
            "goal", "met",
        }
        <= entry.keys()
        and len(samples.get("ours", [])) > 0
        and len(samples.get("against", [])) > 0
    )  # fmt: skip


def run(driver: Driver, rounds: int, only: str | None) -> list[Outcome]:
    """Runs it to its end; the outcome of each of its rows that is wanted."""
    file = BUILD / "bench" / "run-all" / f"{driver.rows[0]}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    wanted = fnmatch.filter(driver.rows, only or "*")
    if not (_LOADTEST / driver.words[0]).exists():
        why = f"loadtest/{driver.words[0]} is missing"
        return [Outcome(row, None, why) for row in wanted]
    print(f"== {driver.name}", flush=True)
    began = time.monotonic()
    code = subprocess.run(
        driver.command(rounds, file), stdin=subprocess.DEVNULL, check=False
    ).returncode
    print(f"== {driver.name}: {time.monotonic() - began:.0f} s", flush=True)
    lines = file.read_text().splitlines() if file.exists() else []
    found = {entry["name"]: entry for entry in map(json.loads, lines)}
    return [_outcome(driver, row, found.get(row), code) for row in wanted]


def _outcome(
    driver: Driver, row: str, entry: dict[str, Any] | None, code: int
) -> Outcome:
    ended = f"{driver.name} ended with {code}"
    if entry is None:
        return Outcome(row, None, ended)
    if not is_result(entry):
        return Outcome(row, None, f"{driver.name} left something out")
    return Outcome(row, entry, ended if code != 0 else "")
