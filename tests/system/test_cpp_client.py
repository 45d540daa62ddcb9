"""The C++ client against the real server: what its mirrors hold after kills and
a drain; and a program of its own that is built with it."""

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import BUILD, DIE_WITH_PARENT, ROOT, wait_for
from system.tidegate import BINARY, checker, scan_rows

_OK = 0
_NEGATIVE = 1
_WAIT_S = 30
_VIEW = "hit_counts"
_STANDALONE = "clients/cpp/examples/standalone"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]


def _has_hits(path: Path, key: str, hits: int) -> bool:
    return any(
        line["row"]["k"] == key and line["row"]["hits"] == hits
        for line in _lines(path)
        if line.get("op") == "upsert"
    )


@pytest.mark.kafka
@pytest.mark.server
@pytest.mark.parametrize("way", ["subscription", "session"])
def test_its_mirror_is_right_after_kills_and_a_drain(
    way: str, broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    counters = Counters(broker, f"cpp_{way}")
    server = make_server(counters.views(), counters.bootstrap).start()

    def hits(prefix: str) -> None:
        for number in range(50):
            counters.hit(f"{prefix}{number % 5}", number % 3)
        counters.flush()

    output = scratch / "driver.jsonl"
    with output.open("wb") as out:
        driver = subprocess.Popen(
            [
                *DIE_WITH_PARENT, str(BINARY.parent / "conformance_driver"),
                _VIEW, "--server", server.address, "--mirror",
                *(["--session"] if way == "session" else []),
            ],
            stdin=subprocess.PIPE,
            stdout=out,
        )  # fmt: skip
    for prefix in ("before", "killed", "killed again", "drained"):
        hits(prefix)
        wait_for(prefix, partial(_has_hits, output, f"{prefix}0", 10), _WAIT_S)
        if prefix == "killed again":
            assert server.terminate() == _OK
        elif prefix != "drained":
            server.kill()
        hits(f"{prefix} and away")
        if prefix != "drained":
            server.start()
    for key, count in counters.hits.items():
        wait_for(key, partial(_has_hits, output, key, count), _WAIT_S)
    assert driver.stdin is not None
    driver.stdin.close()
    assert driver.wait(_WAIT_S) == _OK

    *history, mirror = output.read_text().splitlines(keepends=True)
    held = [(row["key"], row["row"]) for row in json.loads(mirror)["rows"]]
    assert held == scan_rows(server, _VIEW)  # the order is the same too
    assert {row["k"]: row["hits"] for _, row in held} == counters.hits
    resumed = [
        line
        for line in _lines(output)
        if line.get("marker") == "connect" and line["resume"] is not None
    ]
    assert len(resumed) >= 3, "after each kill and after the drain"
    recorded = scratch / "history.jsonl"
    recorded.write_text("".join(history))
    done = checker(recorded)
    assert done.returncode == _OK, done.stdout


def test_a_program_of_its_own_is_built_with_it() -> None:
    build = BUILD / "client-standalone"
    for command in (
        ["cmake", "-S", str(ROOT / _STANDALONE), "-B", str(build),
         "-G", "Ninja", f"-DTIDEGATE={ROOT}"],
        ["cmake", "--build", str(build)],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == _OK, done.stdout + done.stderr
    # Nobody listens there.
    done = subprocess.run(
        [str(build / "driver_totals"), "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
    )
    assert done.returncode == _NEGATIVE
    assert done.stderr.startswith("UNAVAILABLE")
