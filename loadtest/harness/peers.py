"""NATS KV and etcd, each as a process of its own for each run."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from system import gotools
from system.processes import (
    BUILD,
    DIE_WITH_PARENT,
    ROOT,
    free_ports,
    tail,
    wait_for,
)

from harness.swarm import Window

MODULE = ROOT / "loadtest" / "peers"
_START_TIMEOUT_S = 30
# Both phases, the opening of the watches, and what is waited for at the end.
_EXTRA_S = 120


@contextlib.contextmanager
def _running(
    command: list[str], log: Path, answers: Callable[[], bool]
) -> Iterator[int]:
    """The process's id, once it answers."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*DIE_WITH_PARENT, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        wait_for(
            f"{command[0]} to answer",
            lambda: process.poll() is not None or answers(),
            _START_TIMEOUT_S,
        )
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended:\n{tail(log)}")
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def nats() -> Iterator[tuple[str, int]]:
    """A NATS server with JetStream: its address and process."""
    program = str(gotools.install("nats-server"))
    directory = BUILD / "system" / "nats"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (port,) = free_ports(1)
    log = directory / "server.log"
    command = [
        program, "--addr=127.0.0.1", f"--port={port}", "--jetstream",
        f"--store_dir={directory}",
    ]  # fmt: skip
    with _running(
        command, log, lambda: "Server is ready" in log.read_text()
    ) as pid:
        yield f"nats://127.0.0.1:{port}", pid


@contextlib.contextmanager
def etcd() -> Iterator[tuple[str, int]]:
    """An etcd of one node: its address and process.

    Its data is in memory: it is not to be measured by what this disk's fsync
    takes, and Debian's etcd has no --unsafe-no-fsync.
    """
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    with tempfile.TemporaryDirectory(prefix="etcd-", dir="/dev/shm") as data:
        log = Path(data, "server.log")
        command = [
            "etcd", f"--data-dir={data}/data",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]  # fmt: skip
        with _running(
            command, log, lambda: "ready to serve client" in log.read_text()
        ) as pid:
            yield client.removeprefix("http://"), pid


SERVERS = {"nats": nats, "etcd": etcd}


def run(
    name: str, pattern: str, watchers: int, rate: int, size: int, window: Window
) -> Any:
    """The report of the peer's program (loadtest/peers/load)."""
    program = gotools.build(MODULE, name)
    with SERVERS[name]() as (address, pid):
        done = subprocess.run(
            [
                *DIE_WITH_PARENT, str(program), f"-server={address}",
                f"-pid={pid}", f"-pattern={pattern}", f"-watchers={watchers}",
                f"-rate={rate}", f"-bytes={size}",
                f"-warm-up={window.warm_up_s}s",
                f"-duration={window.seconds}s",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * window.total_s + _EXTRA_S,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the load on {name} failed: {done.stderr}")
    return json.loads(done.stdout)
