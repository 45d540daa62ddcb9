"""`tidegate demo`, without a terminal and with one."""

import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest

from system.tidegate import BINARY, run

pytestmark = pytest.mark.server

_LAST_LINE = re.compile(
    r"events=(\d+) updates=(\d+) p50=(\d+(?:\.\d+)?) ms"
    r" p99=(\d+(?:\.\d+)?) ms, 0 violations"
)


def test_without_a_terminal(binary: Path) -> None:
    done = run("demo", "--seconds", "6", timeout_s=60)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    match = _LAST_LINE.fullmatch(lines[-1])
    assert match is not None, lines[-1]
    events, updates = int(match[1]), int(match[2])
    assert events > 0 and updates > 0
    assert float(match[3]) <= float(match[4])
    assert len(lines) >= 6, "a line a second"
    assert any("grpcurl" in line for line in lines)


def test_the_lines_it_prints_work(binary: Path) -> None:
    process = subprocess.Popen(
        [str(BINARY), "demo", "--seconds", "12"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        match = re.search(r"tidegate watch (\S+) .*--server (\S+)", line)
        if match is None:
            match = re.search(r"tidegate watch .*--server (\S+) (\S+)", line)
            if match is not None:
                server, view = match.groups()
                break
            continue
        view, server = match.groups()
        break
    else:
        pytest.fail("no line says how to watch")
    scanned = ""
    deadline = time.monotonic() + 10
    while not scanned and time.monotonic() < deadline:
        done = run("scan", view, "--server", server, "--format", "json")
        assert done.returncode == 0, done.stderr
        scanned = done.stdout
    assert scanned
    process.stdout.read()
    assert process.wait(30) == 0


def test_on_a_terminal(binary: Path) -> None:
    """The picture is drawn in place, and the last line is the same."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [str(BINARY), "demo", "--seconds", "5"],
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    os.close(child)
    output = b""
    try:
        while chunk := os.read(parent, 65536):
            output += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(parent)
    assert process.wait(30) == 0
    assert b"\x1b[" in output
    last = output.decode().rstrip().splitlines()[-1]
    assert _LAST_LINE.search(last), last
