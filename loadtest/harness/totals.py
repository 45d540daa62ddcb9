"""Tidegate's side of the benchmarks over orders: the view driver_totals."""

import shutil
import subprocess
import time
from pathlib import Path

from system.processes import wait_for
from system.tidegate import BINARY, Server

from harness.processes import end_with_cpu

VIEW = "driver_totals"
PARTITIONS = 4

_PRODUCE_TIMEOUT_S = 600
_FOLD_TIMEOUT_S = 600
_POLL_S = 0.02


def produce(
    bootstrap: str,
    topic: str,
    events: int,
    keys: int,
    first: int = 0,
    views_dir: Path | None = None,
) -> None:
    """Fills a topic, made if it is not there; writes the views over it."""
    views = ["--views-dir", str(views_dir)] if views_dir is not None else []
    subprocess.run(
        [
            str(BINARY), "bench", "produce", "--bootstrap-servers", bootstrap,
            "--topic", topic, "--events", str(events), "--keys", str(keys),
            "--first-order", str(first), "--partitions", str(PARTITIONS),
            *views,
        ],
        check=True,
        timeout=_PRODUCE_TIMEOUT_S,
    )  # fmt: skip


def make_server(directory: Path, views_dir: Path, bootstrap: str) -> Server:
    """`serve` with its defaults over what `produce` wrote."""
    views = (views_dir / "views.sql").read_text()
    server = Server(directory, views, bootstrap)
    shutil.copy(views_dir / "order.proto", directory)
    return server


def fold(server: Server, events: int) -> float:
    """Starts it; seconds until `events` are folded, and so can be read."""
    started = time.monotonic()
    server.start(until_ready=False)
    wait_for(
        f"{events} orders to be folded",
        lambda: folded(server) >= events,
        _FOLD_TIMEOUT_S,
        _POLL_S,
    )
    return time.monotonic() - started


def folded(server: Server) -> int:
    """Orders since the process began."""
    assert server.running(), server.log
    return int(server.metrics()["tidegate_records_total"])


def stop(server: Server) -> float:
    """Drain and final checkpoint; the CPU that the process used in all."""
    assert server.process is not None
    used = end_with_cpu(server.process)
    server.process = None
    return used
