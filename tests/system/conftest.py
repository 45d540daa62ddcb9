"""Fixtures: a broker, the flights, servers whose logs a failure shows."""

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import duckdb
import pytest

from system import flights, kafka, tidegate
from system.processes import BUILD, tail
from system.tidegate import Server

ServerFactory = Callable[..., Server]

_WORK = BUILD / "system"


@pytest.fixture(scope="session")
def work() -> Path:
    """A directory of this run in build/, left for a look until the next run.

    Runs may overlap: each has its own, and removes only those of dead ones.
    """
    _WORK.mkdir(parents=True, exist_ok=True)
    for old in _WORK.iterdir():
        if not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    directory = _WORK / str(os.getpid())
    directory.mkdir()
    return directory


@pytest.fixture(scope="session")
def broker(work: Path) -> Iterator[kafka.Broker]:
    kafka.install()
    node = kafka.Broker(work / "kafka")
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def flight_database() -> Iterator[duckdb.DuckDBPyConnection]:
    with flights.load() as database:
        yield database


@pytest.fixture(scope="session")
def binary() -> Path:
    assert tidegate.BINARY.exists(), f"{tidegate.BINARY} is not built"
    return tidegate.BINARY


@pytest.fixture
def scratch(work: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of this test's own."""
    name = re.sub(r"\W+", "_", request.node.nodeid.partition("/")[2])
    directory = work / name
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def make_server(binary: Path, scratch: Path) -> Iterator[ServerFactory]:
    """Makes servers, each with its name; all are killed at the end."""
    servers: dict[str, Server] = {}

    def make(
        views: str, bootstrap: str, *flags: str, name: str = "server"
    ) -> Server:
        assert name not in servers
        servers[name] = Server(scratch / name, views, bootstrap, *flags)
        return servers[name]

    yield make
    for server in servers.values():
        server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the servers' logs with a failure."""
    report = yield
    if call.when == "call" and report.failed and hasattr(item, "funcargs"):
        scratch_directory = item.funcargs.get("scratch")
        if scratch_directory is not None:
            for log in sorted(scratch_directory.glob("*/server.log")):
                report.sections.append((str(log), tail(log, 60)))
    return report
