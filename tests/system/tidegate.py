"""The built server and its command line, driven from outside."""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from system.processes import BUILD, DIE_WITH_PARENT, tail, wait_for

BINARY = Path(os.environ.get("TIDEGATE_BINARY", BUILD / "release/tidegate"))

KILLED_AT_FAILPOINT = 137
_START_TIMEOUT_S = 60
_READY_TIMEOUT_S = 120  # a rebuild reads its topics anew
_DRAIN_TIMEOUT_S = 30
_LISTENING = re.compile(r"^listening grpc=(\S+) http=(\S+)$", re.MULTILINE)
_METRIC = re.compile(r"^(\w+)(?:\{.*\})? ([^ ]+)$", re.MULTILINE)


def run(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Runs `tidegate ARGUMENTS` to its end."""
    return subprocess.run(
        [str(BINARY), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=os.environ | dict(env or {}),
    )


class Server:
    """`tidegate serve` on a data directory and ports that outlive it."""

    def __init__(
        self, directory: Path, views: str, bootstrap: str, *flags: str
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.views_file = directory / "views.sql"
        self.views_file.write_text(views)
        self.log = directory / "server.log"
        self.address = "127.0.0.1:0"
        self.http = "127.0.0.1:0"
        self._bootstrap = bootstrap
        self._flags = flags
        self._stdout = directory / "server.out"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(
        self, *flags: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts the process without waiting for it."""
        assert self.process is None
        with self._stdout.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *DIE_WITH_PARENT, str(BINARY), "serve",
                    "--views", str(self.views_file),
                    "--bootstrap-servers", self._bootstrap,
                    "--data-dir", str(self.directory / "data"),
                    "--listen", self.address, "--http", self.http,
                    *self._flags, *flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=os.environ | dict(env or {}),
            )  # fmt: skip
        return self.process

    def start(
        self,
        *flags: str,
        env: Mapping[str, str] | None = None,
        until_ready: bool = True,
    ) -> "Server":
        """Starts the process; returns when it listens, or serves its views."""
        self.launch(*flags, env=env)
        try:
            match = wait_for("serve to listen", self._listens, _START_TIMEOUT_S)
        except Exception as error:
            self.kill()
            raise RuntimeError(f"{error}\n{tail(self.log)}") from error
        self.address, self.http = match.groups()
        if until_ready:
            wait_for("serve to be ready", self._ready, _READY_TIMEOUT_S)
        return self

    def _ready(self) -> bool:
        assert self.running(), tail(self.log)
        return self.fetch("/readyz")[0] == 200

    def _listens(self) -> re.Match[str] | None:
        assert self.process is not None
        match = _LISTENING.search(self._stdout.read_text())
        if match is None and self.process.poll() is not None:
            raise RuntimeError(f"serve ended with {self.process.returncode}")
        return match

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, at whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self) -> int:
        """SIGTERM: drains. Returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(_DRAIN_TIMEOUT_S)

    def wait(self, timeout_s: float) -> int:
        """Waits for the process to end by itself."""
        assert self.process is not None
        status = self.process.wait(timeout=timeout_s)
        self.process = None
        return status

    def cli(
        self, *arguments: str, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """A client command against this server."""
        return run(
            *arguments,
            env={"TIDEGATE_SERVER": self.address},
            timeout_s=timeout_s,
        )

    def json_lines(self, *arguments: str) -> list[dict[str, Any]]:
        """A client command's lines of JSON; it must succeed."""
        done = self.cli(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def watch(self, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """`tidegate watch … --format json` in the background."""
        log_file = self.directory / "watch.log"
        with output.open("ab") as out, log_file.open("ab") as log:
            return subprocess.Popen(
                [
                    *DIE_WITH_PARENT, str(BINARY), "watch", *arguments,
                    "--format", "json", "--server", self.address,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )  # fmt: skip

    def fetch(self, path: str) -> tuple[int, str]:
        """(status, body) of a page on the HTTP port."""
        try:
            with urllib.request.urlopen(
                f"http://{self.http}{path}", timeout=10
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Each metric's sum over its labels."""
        status, text = self.fetch("/metrics")
        assert status == 200, text
        sums: dict[str, float] = {}
        for name, value in _METRIC.findall(text):
            sums[name] = sums.get(name, 0) + float(value)
        return sums


def scan_rows(
    server: Server, view: str
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(key, row) of every row, as `tidegate scan` prints them."""
    return [
        (line["key"], line["row"]) for line in server.json_lines("scan", view)
    ]


def ended(process: subprocess.Popen[bytes], sig: int = signal.SIGINT) -> int:
    """Sends `sig` and waits; the exit status."""
    process.send_signal(sig)
    return process.wait(timeout=_DRAIN_TIMEOUT_S)


def checker(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Runs the checker of the protocol's invariants over recorded histories."""
    return subprocess.run(
        [str(BINARY.parent / "history_checker"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
