"""The bare gRPC servers of loadtest/bare."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

from system.processes import DIE_WITH_PARENT

from harness.swarm import RELEASE, Swarm, Window

_END_TIMEOUT_S = 60


@contextlib.contextmanager
def serving(program: str, *flags: str) -> Iterator[tuple[str, Any]]:
    """Its address and its process."""
    process = subprocess.Popen(
        [*DIE_WITH_PARENT, str(RELEASE / program), *flags],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        if len(line) != 2:
            raise RuntimeError(f"{program} does not listen: {line}")
        yield f"127.0.0.1:{line[1]}", process
    finally:
        process.kill()
        process.communicate()


def push(pattern: str, streams: int, rate: int, window: Window) -> Any:
    """The push server's own report, with the swarm's as "client"."""
    with serving(
        "tidegate_push_bare", "--api=queue", f"--pattern={pattern}",
        f"--streams={streams}", f"--rate={rate}",
        f"--warm_up={window.warm_up_s}s", f"--duration={window.seconds}s",
    ) as (address, process):  # fmt: skip
        swarm = Swarm(
            address, streams, "--raw", f"--warm_up={window.warm_up_s}s",
            "--duration=0", *(["--bursts"] if pattern == "burst" else []),
        )  # fmt: skip
        client = swarm.report(window.total_s + _END_TIMEOUT_S)
        output, _ = process.communicate(timeout=_END_TIMEOUT_S)
        if process.returncode != 0:
            raise RuntimeError(f"the bare server failed: {output}")
    report = json.loads(output)
    report["client"] = client
    return report
