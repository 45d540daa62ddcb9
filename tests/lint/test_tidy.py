"""clang-tidy, remembered by content.

A file found clean is not checked again until it, a header of ours that it
includes, its compile command or .clang-tidy changes. `--full` checks the whole
tree; otherwise what changed since the branch left origin/main (or, there, in
the last commit) is checked, for a bounded time.
"""

import hashlib
import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from lint.tree import ROOT, cpp_files, relative

_BUILD = ROOT / "build" / "release"
_CACHE = ROOT / "build" / "tidy-cache"
_JOBS = 2
_QUICK_BUDGET_S = 150
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


@cache
def _headers(path: Path) -> frozenset[Path]:
    """The headers of ours that `path` includes directly."""
    found = (ROOT / name for name in _INCLUDE.findall(path.read_text()))
    return frozenset(header for header in found if header.exists())


def _closure(path: Path) -> list[Path]:
    """`path` and every header of ours below it."""
    seen = {path}
    todo = [path]
    while todo:
        new = _headers(todo.pop()) - seen
        seen |= new
        todo += new
    return sorted(seen)


def _key(path: Path, command: str) -> str:
    digest = hashlib.sha256(_version().encode())
    digest.update((ROOT / ".clang-tidy").read_bytes())
    digest.update(command.encode())
    for file in _closure(path):
        digest.update(f"\0{relative(file)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@cache
def _version() -> str:
    return subprocess.run(
        ["clang-tidy", "--version"], check=True, capture_output=True, text=True
    ).stdout


def _changed() -> set[str]:
    """Names of files changed since origin/main, or in the last commit there."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout if done.returncode == 0 else ""

    base = git("merge-base", "HEAD", "origin/main").strip()
    if not base or base == git("rev-parse", "HEAD").strip():
        base = git("rev-parse", "--verify", "--quiet", "HEAD~1").strip()
    names = git("diff", "--name-only", base) if base else ""
    return set((names + git("ls-files", "-o", "--exclude-standard")).split())


def _commands() -> dict[Path, str]:
    """Each source file's compile command."""
    database = json.loads((_BUILD / "compile_commands.json").read_text())
    return {Path(entry["file"]): entry["command"] for entry in database}


def _check(path: Path) -> str:
    """What clang-tidy has to say; empty if the file is clean."""
    done = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(_BUILD), str(path)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr[-2000:]


_COUNTER = """
#include "base/mutex.h"

namespace tidegate {

class Counter {
 public:
  void Add() {
    LOCK
    ++count_;
  }

 private:
  Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tidegate
"""


@pytest.mark.parametrize("locked", [True, False])
def test_a_write_without_the_lock_is_found(
    tmp_path: Path, locked: bool
) -> None:
    source = tmp_path / "counter.cc"
    lock = "MutexLock lock(&mutex_);" if locked else ""
    source.write_text(_COUNTER.replace("LOCK", lock))
    done = subprocess.run(
        [
            "clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}",
            str(source), "--", "-std=c++20", f"-I{ROOT}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert (done.returncode == 0) == locked, done.stdout + done.stderr
    found = "requires holding mutex 'mutex_' exclusively" in done.stdout
    assert found != locked


@pytest.mark.timeout(3600)
def test_clang_tidy(full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    commands = _commands()
    sources = [p for p in cpp_files() if p.suffix == ".cc" and p in commands]
    assert sources
    if not full:
        changed = _changed()
        sources = [
            source
            for source in sources
            if any(relative(file) in changed for file in _closure(source))
        ]
    _CACHE.mkdir(parents=True, exist_ok=True)
    stamps = {s: _CACHE / _key(s, commands[s]) for s in sources}
    due = [source for source in sources if not stamps[source].exists()]
    deadline = time.monotonic() + (float("inf") if full else _QUICK_BUDGET_S)

    def check(source: Path) -> str | None:
        if time.monotonic() > deadline:
            return None
        findings = _check(source)
        if not findings:
            stamps[source].touch()
        return findings

    with ThreadPoolExecutor(_JOBS) as pool:
        results = list(pool.map(check, due))
    left = results.count(None)
    with capsys.disabled():
        print(
            f" clang-tidy: {len(due) - left} checked,"
            f" {len(sources) - len(due)} known clean, {left} left to --full"
        )
    findings = [text for text in results if text]
    assert findings == [], "\n".join(findings)[:20000]
