"""tidegate_swarm beside a server whose CPU is measured meanwhile."""

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from system.processes import BUILD, DIE_WITH_PARENT

from harness.processes import cpu_seconds

RELEASE = BUILD / "release"

_LIVE_TIMEOUT_S = 120


@dataclass(frozen=True)
class Window:
    """A stretch of load: what comes before it is not measured."""

    warm_up_s: float
    seconds: float

    @property
    def total_s(self) -> float:
        return self.warm_up_s + self.seconds

    def cpu_per_s(self, pid: int) -> float:
        """Waits it through; the CPU that the process took in each second."""
        time.sleep(self.warm_up_s)
        started, used = time.monotonic(), cpu_seconds(pid)
        time.sleep(self.seconds)
        return (cpu_seconds(pid) - used) / (time.monotonic() - started)


class Swarm:
    """One subscriber to each connection; running until it has ended."""

    def __init__(self, address: str, connections: int, *flags: str) -> None:
        """Returns once every stream is live."""
        self._process = subprocess.Popen(
            [
                *DIE_WITH_PARENT, str(RELEASE / "tidegate_swarm"),
                f"--server={address}", f"--connections={connections}",
                "--streams=1", f"--live_timeout={_LIVE_TIMEOUT_S}s", *flags,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("live "):
            self._process.wait()
            raise RuntimeError(f"the swarm is not live: {line!r}")

    def report(self, timeout_s: float = 60) -> Any:
        """Waits for its end."""
        output, _ = self._process.communicate(timeout=timeout_s)
        if self._process.returncode != 0:
            raise RuntimeError(f"the swarm failed: {output}")
        return json.loads(output.splitlines()[-1])

    def interrupt(self) -> Any:
        """Ends it; its report."""
        self._process.terminate()
        return self.report()

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def window_flags(window: Window) -> tuple[str, str]:
    return (
        f"--warm_up={window.warm_up_s}s",
        f"--duration={window.total_s}s",
    )
