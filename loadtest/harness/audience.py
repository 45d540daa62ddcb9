"""Thousands of subscribers on one server, some of them bad."""

import dataclasses
import json
import shutil
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from system.client import Client
from system.kafka import Broker
from system.processes import BUILD, DIE_WITH_PARENT, wait_for
from system.tidegate import BINARY, Server, checker, ended

from harness.audience_states import wrong_states
from harness.audience_truth import BOARD, KEYED, expected_rows, views_of

RELEASE = BUILD / "release"
# What each crowd subscribes to.
VIEW_OF = {"streams": KEYED, "sessions": KEYED, "board": BOARD}
_TIMEOUT_S = 600
_SAMPLE_S = 0.25


@dataclass(frozen=True)
class Config:
    """loadtest/audience.toml, or a smaller form of it."""

    rate: int
    keys: int
    board_rate: int
    board_rows: int
    streams: int
    sessions: int
    session_keys: int
    board: int
    warm_up_s: int
    seconds: int
    recorders: int
    stalled_percent: int
    stall_s: int
    disconnecting_percent: int
    disconnect_every_s: int
    base_mb: int
    kb_per_connection: int
    storm_seconds: int
    drain_time_s: int
    drain_seconds: int
    reset_seconds: int
    reset_stall_s: int
    reset_window: int
    log_retention_s: int
    checkpoint_age_s: int
    serve_flags: tuple[str, ...] = ()
    window: int = 65_535

    @staticmethod
    def load(path: Path) -> "Config":
        sections = tomllib.loads(path.read_text()).values()
        return Config(**{k: v for part in sections for k, v in part.items()})

    def for_reset(self) -> "Config":
        """Subscribers that stall, and a log that is kept for less long."""
        return dataclasses.replace(
            self,
            window=self.reset_window,
            stall_s=self.reset_stall_s,
            disconnecting_percent=0,
            serve_flags=(
                "--log-retention", f"{self.log_retention_s}s",
                "--checkpoint-age", f"{self.checkpoint_age_s}s",
            ),
        )  # fmt: skip

    @property
    def connections(self) -> int:
        return self.streams + self.sessions + self.board

    @property
    def budget_mb(self) -> float:
        return self.base_mb + self.connections * self.kb_per_connection / 1024

    @property
    def deliveries_per_s(self) -> float:
        listeners = (self.streams + self.sessions * self.session_keys) / self.keys
        return self.rate * listeners + self.board_rate * self.board


class Crowd:
    """One swarm: subscribers of a kind."""

    def __init__(
        self, name: str, count: int, server: Server, directory: Path,
        *flags: str,
    ) -> None:  # fmt: skip
        self.name = name
        state = directory / f"{name}.state"
        state.unlink(missing_ok=True)
        self._log = directory / f"{name}.log"
        self._process = subprocess.Popen(
            [
                *DIE_WITH_PARENT, str(RELEASE / "tidegate_swarm"),
                f"--server={server.address}", f"--connections={count}",
                f"--view={VIEW_OF[name]}", "--latency=newest", "--duration=0",
                f"--dump_state={state}", *flags,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )  # fmt: skip

    def wait_live(self) -> float:
        """How long it took until all were."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("live "):
            raise RuntimeError(f"{self.name}: {line!r} {self._log.read_text()}")
        return float(line.split()[1])

    def finish(self) -> Any:
        """Ends it once all have settled; its report."""
        self._process.terminate()
        output, _ = self._process.communicate(timeout=_TIMEOUT_S)
        lines = output.splitlines()
        if not lines:
            raise RuntimeError(f"{self.name}: {self._log.read_text()}")
        return json.loads(lines[-1])

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass
class Outcome:
    """What a run has shown; `problems` is empty if all is right."""

    reports: dict[str, Any] = field(default_factory=dict)
    live_s: dict[str, float] = field(default_factory=dict)
    max_rss_mb: float = 0
    exit_s: float = -1
    histories: int = 0
    problems: list[str] = field(default_factory=list)

    def total(self, *path: str) -> float:
        """A count of the reports, all crowds together."""
        found = 0.0
        for report in self.reports.values():
            value: Any = report
            for name in path:
                value = value.get(name, 0)
            found += value
        return found

    def resets(self) -> dict[str, int]:
        """Of all crowds together, by cause."""
        found: dict[str, int] = {}
        for report in self.reports.values():
            for cause, count in report["resets"].items():
                found[cause] = found.get(cause, 0) + count
        return found

    def healthy_ms(self, crowd: str, percentile: str) -> float:
        value: float = self.reports[crowd]["latency"]["healthy"][percentile]
        return value


class Memory:
    """The greatest resident memory of a process while it is watched."""

    def __init__(self, server: Server) -> None:
        self.max_mb = 0.0
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            process = self._server.process
            if process is None:
                continue
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                continue
            for line in status.splitlines():
                if line.startswith("VmRSS:"):
                    self.max_mb = max(self.max_mb, int(line.split()[1]) / 1024)

    def stop(self) -> float:
        self._stop.set()
        self._thread.join()
        return self.max_mb


class Audience:
    """A server over two topics of its own, and who listens to it."""

    def __init__(self, broker: Broker, directory: Path, config: Config) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.config = config
        self.directory = directory
        self._broker = broker
        tag = directory.name
        self._topics = {KEYED: f"audience-{tag}", BOARD: f"board-{tag}"}
        self._produced = 0
        for view, keys in ((KEYED, config.keys), (BOARD, config.board_rows)):
            self._produce(view, keys)
        self.server = Server(
            directory, views_of(directory, self._topics), broker.bootstrap,
            "--drain-time", f"{config.drain_time_s}s", *config.serve_flags,
        )  # fmt: skip
        self.server.start()
        self.wait_folded()

    def _bench(self, view: str, events: int, *pace: str) -> list[str]:
        keys = self.config.keys if view == KEYED else self.config.board_rows
        self._produced += events
        return [
            *DIE_WITH_PARENT, str(BINARY), "bench", "produce",
            "--bootstrap-servers", self._broker.bootstrap,
            "--topic", self._topics[view], "--events", str(events),
            "--keys", str(keys), *pace,
        ]  # fmt: skip

    def _produce(self, view: str, events: int) -> None:
        command = self._bench(
            view, events, "--views-dir", str(self.directory / view)
        )
        (self.directory / view).mkdir(exist_ok=True)
        subprocess.run(command, check=True, timeout=_TIMEOUT_S)

    def start_load(self, seconds: int) -> list[subprocess.Popen[bytes]]:
        rates = {KEYED: self.config.rate, BOARD: self.config.board_rate}
        return [
            subprocess.Popen(
                self._bench(
                    view, rate * seconds,
                    "--rate", str(rate), "--burst-ms", "1",
                ),
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            for view, rate in rates.items()
        ]

    def _folded(self) -> int:
        """Events, by what the views say of themselves: across restarts too."""
        with Client(self.server.address) as client:
            return sum(
                row["orders"]
                for view in (KEYED, BOARD)
                for row in client.scan(client.types(view))
            )

    def wait_folded(self) -> None:
        wait_for(
            "every event to be folded",
            lambda: self._folded() >= self._produced,
            _TIMEOUT_S,
            _SAMPLE_S,
        )

    def _crowds(self, faults: bool, *flags: str) -> list[Crowd]:
        config = self.config
        keys = f"--keys=0..{config.keys - 1}"
        kinds = [
            ("streams", config.streams, [keys, "--streams=1"]),
            ("sessions", config.sessions,
             [keys, f"--sessions={config.sessions}",
              f"--keys_per_session={config.session_keys}"]),
            ("board", config.board, ["--streams=1"]),
        ]  # fmt: skip
        return [
            Crowd(
                name, count, self.server, self.directory, *own,
                f"--warm_up={config.warm_up_s}s", f"--window={config.window}",
                *(self._faults(count) if faults else []), *flags,
            )
            for name, count, own in kinds
            if count > 0
        ]  # fmt: skip

    def _faults(self, count: int) -> list[str]:
        config = self.config
        after = f"{config.warm_up_s}s"
        stalled = count * config.stalled_percent // 100
        leaving = count * config.disconnecting_percent // 100
        return [
            f"--stall={stalled}:{after}:{config.stall_s}s",
            f"--disconnect={leaving}:{after}:{config.stall_s}s",
            f"--disconnect_every={config.disconnect_every_s}s",
        ]

    @contextmanager
    def recorders(self, outcome: Outcome) -> Iterator[None]:
        """`tidegate watch` beside the crowds; their histories are checked."""
        running = []
        for view in (KEYED, BOARD):
            for i in range(self.config.recorders):
                file = self.directory / f"{view}-{i}.jsonl"
                file.unlink(missing_ok=True)
                keys = ["--key", str(i)] if view == KEYED else []
                running.append((file, self.server.watch(file, view, *keys)))
        try:
            yield
        finally:
            for _, process in running:
                ended(process)
        for file, _ in running:
            done = checker(file)
            outcome.histories += 1
            if done.returncode != 0:
                outcome.problems.append(f"{file.name}: {done.stdout[-500:]}")
            if '"snapshot_end"' not in file.read_text():
                outcome.problems.append(f"{file.name} has no snapshot")

    def run(
        self, *flags: str, faults: bool = False, seconds: int | None = None,
        restart: bool = False,
    ) -> Outcome:  # fmt: skip
        """Load for that long, everybody listening; then compares all states.
        `restart`: SIGTERM in the middle, and a successor at the same address."""
        outcome = Outcome()
        seconds = seconds or self.config.seconds
        memory = Memory(self.server)
        crowds = self._crowds(faults, *flags)
        try:
            for crowd in crowds:
                outcome.live_s[crowd.name] = crowd.wait_live()
            with self.recorders(outcome):
                load = self.start_load(seconds)
                if restart:
                    outcome.exit_s = self._replace_server(seconds / 2)
                for producer in load:
                    if producer.wait(timeout=_TIMEOUT_S) != 0:
                        raise RuntimeError("a producer failed")
                self.wait_folded()
                for crowd in crowds:
                    outcome.reports[crowd.name] = crowd.finish()
        finally:
            outcome.max_rss_mb = memory.stop()
            for crowd in crowds:
                crowd.kill()
        self._judge(outcome)
        return outcome

    def _replace_server(self, after_s: float) -> float:
        """How long the first one took to hand everyone on and end."""
        middle = self._folded() + after_s * self.config.rate
        wait_for(
            "the middle of the load", lambda: self._folded() >= middle,
            _TIMEOUT_S, _SAMPLE_S,
        )  # fmt: skip
        started = time.monotonic()
        status = self.server.terminate()
        took = time.monotonic() - started
        if status != 0:
            raise RuntimeError(f"serve ended with {status}")
        self.server.start()
        return took

    def close(self) -> None:
        """Leaves the files for a look, but neither server nor topics."""
        self.server.kill()
        for topic in self._topics.values():
            self._broker.delete_topic(topic)

    def truth(self) -> dict[str, dict[int, dict[str, Any]]]:
        """By view, then key: the rows that the topics come to."""
        return expected_rows(self._broker, self._topics, self.directory)

    def wrong_states(
        self, outcome: Outcome, truth: dict[str, dict[int, dict[str, Any]]]
    ) -> list[str]:
        """Who held other rows at the end of the last run."""
        wrong = []
        with Client(self.server.address) as client:
            for crowd, report in outcome.reports.items():
                view = VIEW_OF[crowd]
                state = self.directory / f"{crowd}.state"
                wrong += wrong_states(
                    crowd, state.read_text().splitlines(), report["streams"],
                    client.types(view), truth[view],
                )  # fmt: skip
        return wrong

    def _judge(self, outcome: Outcome) -> None:
        for crowd, report in outcome.reports.items():
            if report["violations"]:
                outcome.problems.append(
                    f"{crowd}: {report['violation_examples']}"
                )
            if report["live_at_end"] != report["streams"]:
                outcome.problems.append(
                    f"{crowd}: {report['live_at_end']} of"
                    f" {report['streams']} live at the end"
                )
        outcome.problems += self.wrong_states(outcome, self.truth())
        budget = self.config.budget_mb
        if outcome.max_rss_mb > budget:
            outcome.problems.append(
                f"memory: {outcome.max_rss_mb:.0f} MB of {budget:.0f} MB"
            )


def not_resumed(run: str, outcome: Outcome) -> list[str]:
    """After a storm, or a drain: who did not go on from where it was. That
    nothing was lost or repeated on the way the continuity says."""
    problems = []
    for crowd, report in outcome.reports.items():
        streams = report["streams"]
        if report["resumes"] < streams:
            problems.append(f"{crowd}: {report['resumes']} of {streams} resumed")
        if report["resets"]:
            problems.append(f"{crowd}: resets, {report['resets']}")
        if run == "drain" and report["drains"] != streams:
            problems.append(
                f"{crowd}: {report['drains']} farewells for {streams} streams"
            )
        if run == "storm" and report["faults"]["storm_live_s"] is None:
            problems.append(f"{crowd}: not all came back")
    return problems


def not_reset(outcome: Outcome) -> list[str]:
    """After stalls that outlast the log: who was not told so."""
    problems = []
    for crowd, report in outcome.reports.items():
        stalls = report["faults"]["stalls"]
        resets = report["resets"]
        if stalls == 0 or resets.get("HISTORY_TRIMMED", 0) < stalls:
            problems.append(f"{crowd}: {stalls} stalled, resets {resets}")
        if set(resets) - {"HISTORY_TRIMMED"}:
            problems.append(f"{crowd}: resets of another cause, {resets}")
    return problems
