"""The fuzz targets: each has a corpus, and in `--full` each finds nothing.

A finding is an input, which stays below build/fuzz/findings: run the target on
it (`build/fuzz/NAME_fuzz FILE`), mend what it shows, and add the input to
tests/fuzz/corpus/NAME, which every `./test` runs.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lint.tree import ROOT

_HERE = Path(__file__).parent
_BUILD = ROOT / "build" / "fuzz"
_AT_A_TIME = 2
_SECONDS = 60
_EXECUTIONS = 10_000
_MAX_INPUT_BYTES = 4096
_MAX_INPUT_S = 20
_BUILD_TIMEOUT_S = 1800
_EXECUTED = re.compile(
    r"^stat::number_of_executed_units:\s+(\d+)$", re.MULTILINE
)
_TARGETS = sorted(
    path.name.removesuffix("_fuzz.cc") for path in _HERE.glob("*_fuzz.cc")
)
_DICTIONARIES = {"row_filter": "sql.dict", "sql": "sql.dict"}


def test_every_target_has_a_corpus() -> None:
    folders = sorted(path.name for path in (_HERE / "corpus").iterdir())
    assert folders == _TARGETS
    for name in folders:
        assert len(list((_HERE / "corpus" / name).iterdir())) >= 5, name


@pytest.fixture(scope="module")
def fuzzers(full: bool) -> Path:
    """Where the targets are built."""
    if not full:
        pytest.skip("takes minutes; --full does it")
    _BUILD.mkdir(parents=True, exist_ok=True)
    for command in (
        ["cmake", "--preset", "fuzz", "-DTIDEGATE_BUILD_TESTS=ON"],
        ["cmake", "--build", str(_BUILD), "--target", "fuzzers"],
    ):
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return _BUILD


def _run(fuzzers: Path, target: str, *limits: str) -> tuple[int, str]:
    """Runs a target once: how many inputs it tried, and what it found."""
    grown = fuzzers / "corpus" / target
    findings = fuzzers / "findings" / target
    log = fuzzers / f"{target}.log"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        "-print_final_stats=1", f"-max_len={_MAX_INPUT_BYTES}",
        f"-timeout={_MAX_INPUT_S}", f"-artifact_prefix={findings}/",
        *limits,
    ]  # fmt: skip
    if target in _DICTIONARIES:
        options.append(f"-dict={_HERE / _DICTIONARIES[target]}")
    with log.open("wb") as out:
        status = subprocess.run(
            [
                str(fuzzers / f"{target}_fuzz"), *options,
                str(grown), str(_HERE / "corpus" / target),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"UBSAN_OPTIONS": "print_stacktrace=1"},
        ).returncode  # fmt: skip
    text = log.read_text(errors="replace")
    executed = _EXECUTED.search(text)
    if status == 0 and executed is not None:
        return int(executed[1]), ""
    inputs = sorted(map(str, findings.iterdir()))
    return 0, f"{target}: status {status}, inputs {inputs}\n{text[-4000:]}"


def _fuzz(fuzzers: Path, target: str) -> str:
    """Both the time and the executions; what was found, if anything."""
    for folder in ("corpus", "findings"):
        shutil.rmtree(fuzzers / folder / target, ignore_errors=True)
    total, found = _run(fuzzers, target, f"-max_total_time={_SECONDS}")
    while not found and total < _EXECUTIONS:
        more, found = _run(fuzzers, target, f"-runs={_EXECUTIONS - total}")
        total += more
    print(f"{target}: {total} executions")
    return found


@pytest.mark.timeout(3600)
def test_nothing_is_found(fuzzers: Path) -> None:
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(lambda name: _fuzz(fuzzers, name), _TARGETS))
    assert [text for text in found if text] == []
