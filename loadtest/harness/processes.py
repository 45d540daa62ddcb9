"""Processes whose CPU is measured, and a machine that is shared."""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from system.processes import wait_for

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_END_TIMEOUT_S = 120


def cpu_seconds(pid: int) -> float:
    """User + system of the whole process so far; also of one not yet reaped."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    # The fields after the name, which may hold blanks, in parentheses.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def end_with_cpu(
    process: subprocess.Popen[bytes], sig: int = signal.SIGTERM
) -> float:
    """Ends it in order; what it used in all. It must exit with 0."""
    process.send_signal(sig)
    flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
    wait_for(
        f"process {process.pid} to end",
        lambda: os.waitid(os.P_PID, process.pid, flags),
        _END_TIMEOUT_S,
    )
    used = cpu_seconds(process.pid)
    if process.wait() != 0:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return used


@contextlib.contextmanager
def holding(lock: Path | None) -> Iterator[None]:
    """Nothing that takes the same lock runs meanwhile."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
