"""Child processes and waiting, shared by the harness classes."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"

# Before a command: it is killed when the test runner ends. (Not a preexec_fn:
# that makes Python fork, and gRPC's threads do not survive a fork.)
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")

T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    """Distinct ports that nothing listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for(
    what: str,
    probe: Callable[[], T | None],
    timeout_s: float,
    interval_s: float = 0.05,
) -> T:
    """The first truthy answer of `probe`, within the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(interval_s)


def wait_for_none(
    what: str, problems: Callable[[], list[str]], timeout_s: float
) -> None:
    """Waits until there are none; the last ones are the failure's message."""
    deadline = time.monotonic() + timeout_s
    while found := problems():
        assert time.monotonic() < deadline, f"{what}: {found}"
        time.sleep(0.5)


def tail(path: Path, lines: int = 40) -> str:
    """The last lines of a file, for a failure's message."""
    if not path.exists():
        return ""
    text = path.read_text(errors="replace").splitlines()
    return "\n".join(text[-lines:])
