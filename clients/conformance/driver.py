"""A client's driver, running."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before a command: it is killed when the test runner ends.
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
_MAX_STDERR_CHARS = 1 << 16
_MAKE_TIMEOUT_S = 600


@dataclass(frozen=True)
class DriverSpec:
    """What a driver is called, and what it can do."""

    name: str
    command: tuple[str, ...]
    session: bool = True
    mirror: bool = True
    commands: bool = True
    reads: bool = True
    # Exit status of a refusal, and whether stderr has its code's name.
    names_codes: bool = True
    usage_exit: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    # What builds it, if CMake does not, and the directory to run that in.
    make: tuple[str, ...] = ()
    make_in: Path = Path()
    # Scenarios that it is known to fail: it must until it is taken out here.
    fails: tuple[str, ...] = ()


def make(spec: DriverSpec) -> None:
    """Builds it if that is not CMake's, and looks whether it is there."""
    if spec.make:
        subprocess.run(
            spec.make,
            cwd=spec.make_in,
            env=os.environ | spec.environment,
            check=True,
            timeout=_MAKE_TIMEOUT_S,
        )
    program = Path(spec.command[0])
    assert program.exists(), f"{program} is not built"


class DriverProcess:
    """Its lines, as they come. `wake` is called whenever something changes."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        has_stdin: bool,
        wake: Callable[[], None],
    ) -> None:
        self._wake = wake
        self.lines: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.unreadable: list[str] = []
        self.stderr = ""
        self.done = False  # it has ended, and all its output is here
        self._process = subprocess.Popen(
            [*_DIE_WITH_PARENT, *command],
            stdin=subprocess.PIPE if has_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        errors = threading.Thread(target=self._read_errors, daemon=True)
        errors.start()
        threading.Thread(
            target=self._read_lines, args=(errors,), daemon=True
        ).start()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr = (self.stderr + line)[-_MAX_STDERR_CHARS:]

    def _read_lines(self, errors: threading.Thread) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            try:
                line = json.loads(text)
                assert isinstance(line, dict)
            except (ValueError, AssertionError):
                self.unreadable.append(text)
            else:
                self.lines.append(line)
                self.texts.append(text)
            self._wake()
        self._process.wait()
        errors.join()
        self.done = True
        self._wake()

    @property
    def exit_status(self) -> int | None:
        return self._process.returncode

    @property
    def last_words(self) -> str:
        """Of a driver that is done: its last line, or what stderr has."""
        if self.texts and not self.stderr:
            return self.texts[-1].rstrip()
        return self.stderr.rstrip()

    def tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

