"""The Kafka Streams program in loadtest/peers/streams."""

import json
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from system.kafka import install_jars
from system.processes import BUILD, DIE_WITH_PARENT, ROOT, tail, wait_for

from harness.processes import end_with_cpu

SOURCES = ROOT / "loadtest" / "peers" / "streams"
_LIBS = BUILD / "peers" / "streams" / "libs"
_CLASSES = BUILD / "peers" / "streams" / "classes"
_START_TIMEOUT_S = 120


class Report(NamedTuple):
    """A line of the program's output."""

    at: str  # running, half, all, end
    folded: int
    seconds: float  # of the monotonic clock, which is also time.monotonic()'s
    cpu_s: float  # of the whole process so far


def install() -> None:
    """Jars and classes, in build/."""
    install_jars(SOURCES / "pom.xml", _LIBS)
    shutil.rmtree(_CLASSES, ignore_errors=True)
    subprocess.run(
        [
            "javac", "-Xlint:all", "-Werror", "--release", "17",
            "-cp", f"{_LIBS}/*", "-d", str(_CLASSES),
            *map(str, sorted(SOURCES.rglob("*.java"))),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )  # fmt: skip


class Streams:
    """One application id with its state, which outlives its process."""

    def __init__(
        self,
        directory: Path,
        bootstrap: str,
        topic: str,
        guarantee: str,
        options: Mapping[str, str | int] | None = None,
    ) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.application_id = f"{topic}-streams"
        self.changelog = f"{self.application_id}-driver-totals-changelog"
        self.log = directory / "streams.log"
        self._output = directory / "streams.out"
        self._words = [
            "--bootstrap-servers", bootstrap, "--topic", topic,
            "--application-id", self.application_id,
            "--state-dir", str(directory / "state"),
            "--guarantee", guarantee,
        ]  # fmt: skip
        for name, value in (options or {}).items():
            self._words += [f"--{name}", str(value)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, events: int) -> None:
        """Starts it; `events` more orders are all that it is to report."""
        assert self.process is None
        with self._output.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *DIE_WITH_PARENT, "java",
                    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                    "-Dorg.slf4j.simpleLogger.showDateTime=true",
                    "-cp", f"{_LIBS}/*:{_CLASSES}",
                    "tidegate.streams.DriverTotals",
                    *self._words, "--events", str(events),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )  # fmt: skip

    def report(self, at: str, timeout_s: float = _START_TIMEOUT_S) -> Report:
        """Waits until it says so."""
        return wait_for(
            f"Kafka Streams to report {at}", lambda: self._find(at), timeout_s
        )

    def _find(self, at: str) -> Report | None:
        complete = self._output.read_text().rpartition("\n")[0]
        for line in complete.splitlines():
            found = Report(**json.loads(line))
            if found.at == at:
                return found
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"Kafka Streams ended\n{tail(self.log)}")
        return None

    def stop(self) -> Report:
        """SIGTERM: commits and closes its store. Its last word."""
        assert self.process is not None
        end_with_cpu(self.process)
        report = self._find("end")
        assert report is not None
        self.process = None
        return report

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
