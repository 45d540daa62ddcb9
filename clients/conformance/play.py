"""What a scenario's script plays with: a client, and a server that obeys."""

import base64
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from conformance.contract import PB
from conformance.driver import DriverProcess, DriverSpec
from conformance.failed import Failed, Outcome
from conformance.front import Front
from conformance.ledger import Ledger
from conformance.messages import milliseconds
from conformance.server import Server, Stream
from conformance.stage import SessionStage, Stage
from conformance.views import Row, View

# Half of the least backoff.
_MIN_WAIT_MS = 25
# For clocks that are read at different moments.
_TOLERANCE_MS = 1

T = TypeVar("T")


class Play:
    """One scenario, played to one driver. Of the script's thread."""

    def __init__(
        self,
        spec: DriverSpec,
        in_session: bool,
        patience_s: float,
        patience_when_up_s: float | None = None,
    ) -> None:
        """`patience_when_up_s`: once the client's first call has come."""
        self.spec = spec
        self.in_session = in_session
        self._patience_s = patience_s
        self._patience_when_up_s = patience_when_up_s or patience_s
        self.ledgers: dict[int, Ledger] = {}
        # By the request's number: what it adds, what it removes.
        self.key_requests: dict[int, tuple[list[bytes], list[bytes]]] = {}
        # Before the next stream; a drain's own time counts, be it ever so short.
        self.min_wait_ms = _MIN_WAIT_MS
        self.outcome = Outcome()
        self.expected: dict[int, list[Row]] = {}  # rows in the end, by watch
        self._arrivals: list[Stream] = []
        self._streams: list[Stream] = []
        self._in_session: dict[int, list[Ledger]] = {}
        self._ended: Stream | None = None
        self._changed = threading.Condition()
        self.front = Front()
        self.servers: list[Server] = []
        self.new_server()
        self.driver: DriverProcess | None = None

    # Before the driver starts.

    def new_server(self) -> Server:
        """The front leads to it from now on."""
        server = Server(self._arrived, self.wake)
        self.servers.append(server)
        self.front.forward_to(server.port)
        return server

    def watch_of(
        self,
        view: View,
        keys: list[Row] | None = None,
        prefix: Row | None = None,
        where: str = "",
    ) -> Ledger:
        """One more watch that the client is expected to have."""
        ledger = Ledger(view, keys, prefix, where)
        self.ledgers[len(self.ledgers) + 1] = ledger
        return ledger

    def start(
        self,
        *views: str,
        flags: list[str],
        mirror: bool,
        commands: bool,
        reads: bool = False,
    ) -> None:
        command = [
            *self.spec.command, *views, "--server", self.front.address,
            "--format", "json", *flags,
        ]  # fmt: skip
        command += ["--session"] * (self.in_session and self.spec.session)
        command += ["--mirror"] * mirror + ["--commands"] * commands
        command += ["--reads"] * reads
        self.driver = DriverProcess(
            command,
            os.environ | self.spec.environment,
            mirror or commands or reads,
            self.wake,
        )

    def close(self) -> None:
        if self.driver is not None:
            self.driver.kill()
        for stream in self._streams + self._arrivals:
            stream.finish(None)
        self.front.close()
        for server in self.servers:
            server.stop()

    # Waiting.

    @property
    def patience_s(self) -> float:
        return self._patience_when_up_s if self._streams else self._patience_s

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _arrived(self, stream: Stream) -> None:
        with self._changed:
            self._arrivals.append(stream)
            self._changed.notify_all()

    def wait(
        self,
        what: str,
        probe: Callable[[], T | None],
        streams: bool = False,
        at_most: float | None = None,
    ) -> T:
        """The first truthy answer; another stream is a fault meanwhile.

        Asked whenever something has happened, and every `at_most` seconds.
        """
        assert self.driver is not None
        patience_s = self.patience_s
        deadline = time.monotonic() + patience_s
        with self._changed:
            while True:
                done = self.driver.done  # before the probe: it sees it all
                if answer := probe():
                    return answer
                if self._arrivals and not streams:
                    raise Failed(f"came back instead of {what}")
                if done:
                    last = self.driver.last_words
                    raise Failed(f"{what}: the driver has ended: {last}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failed(f"waited {patience_s} s for {what}")
                self._changed.wait(min(left, at_most or left))

    def shown(self, token: bytes) -> None:
        """Waits for the driver's line with that token."""
        text = base64.b64encode(token).decode()
        assert self.driver is not None
        lines = self.driver.lines

        def probe() -> bool:
            return any(
                line.get("token") == text and "marker" in line
                for line in lines
            )

        self.wait(f"a line with token {token!r}", probe)

    def drain_shown(self) -> None:
        """Waits for the driver's line of a drain."""
        self.line_shown(marker="drain")

    def line_shown(self, **members: Any) -> None:
        """Waits for a line with these."""
        assert self.driver is not None
        lines = self.driver.lines
        self.wait(
            f"a line with {members}",
            lambda: any(members.items() <= line.items() for line in lines),
        )

    def idle(self, seconds: float) -> None:
        """Nothing is said for so long; another stream is a fault meanwhile."""
        until = time.monotonic() + seconds
        self.wait("silence", lambda: time.monotonic() >= until, at_most=seconds)

    def settled(self) -> None:
        """Waits until all that was sent is shown."""
        for ledger in self.ledgers.values():
            if ledger.told and not ledger.ended:
                self.shown(ledger.told[-1])

    # Streams.

    def has_arrived(self) -> bool:
        """A stream that the script has not taken yet is there."""
        return bool(self._arrivals)

    def next_stream(self) -> Stream:
        self.wait("a stream", lambda: self._arrivals, streams=True)
        stream = self._arrivals.pop(0)
        self._streams.append(stream)
        if self._ended is not None:
            self._check_wait(stream, self._ended)
        self._ended = None
        self.min_wait_ms = _MIN_WAIT_MS
        return stream

    def _check_wait(self, stream: Stream, before: Stream) -> None:
        self.wait("the end before", lambda: before.ended_s, streams=True)
        assert before.ended_s is not None
        waited_ms = (stream.started_s - before.ended_s) * 1000
        least_ms = self.min_wait_ms - _TOLERANCE_MS
        if waited_ms < least_ms:
            raise Failed(
                f"came back after {waited_ms:.1f} ms, not before {least_ms} ms"
            )

    def accept(self) -> Stage:
        """The client's next stream, which is a right one."""
        if self.in_session:
            return self.accept_session().watch(1)
        stream = self.next_stream()
        ledger = self.ledgers[1]
        self.check_request(stream.request, ledger)
        ledger.begin(stream.request.resume_token)
        return Stage(self, stream, ledger, None)

    def accept_session(self) -> SessionStage:
        return SessionStage(self, self.next_stream())

    def open_in_session(self, stream: Stream, ledger: Ledger) -> None:
        self._in_session.setdefault(id(stream), []).append(ledger)

    def session_drain(self, stream: Stream, retry_after_ms: int) -> None:
        after = PB.Drain(retry_after=milliseconds(retry_after_ms))
        stream.send(PB.SessionResponse(drain=after))
        self.min_wait_ms = retry_after_ms
        for ledger in self._in_session.get(id(stream), []):
            ledger.drained(ledger.last_token)

    def ends(self, stream: Stream, retry_ms: int | None) -> None:
        """The script ends it; another one is to come."""
        self._ended = stream
        self.min_wait_ms = max(self.min_wait_ms, retry_ms or 0)

    def begins_anew(self) -> None:
        """What comes next does not follow what has ended."""
        self._ended = None

    def cut_the_connection(self) -> None:
        self._ended = None  # when the client notices is not known
        self.front.cut()

    def server_goes_away(self) -> None:
        """With its port, until the client has found out."""
        assert self.driver is not None
        self.front.refuse()
        self.front.cut()
        if not self.front.wait_for_a_refused_one(self.patience_s):
            raise Failed("did not try again")

    @staticmethod
    def wait_ms(before: Stream, after: Stream) -> float:
        """Between the end of one and the start of the next one."""
        assert before.ended_s is not None
        return (after.started_s - before.ended_s) * 1000

    def check_request(self, asked: Any, ledger: Ledger) -> None:
        """View, filter and token are the ones that they must be."""
        if asked.view != ledger.view.name:
            raise Failed(f"asked for view {asked.view!r}")
        if asked.resume_token != ledger.last_token:
            raise Failed(
                f"came with token {asked.resume_token!r}, the last one is"
                f" {ledger.last_token!r}"
            )
        if set(asked.keys) != (ledger.keys or set()):
            raise Failed(f"came with keys {sorted(asked.keys)}")
        if len(set(asked.keys)) != len(asked.keys):
            raise Failed("came with a key twice")
        if asked.key_prefix != ledger.prefix:
            raise Failed(f"came with prefix {asked.key_prefix!r}")
        if asked.where != ledger.where:
            raise Failed(f"came with condition {asked.where!r}")
        if asked.skip_snapshot:
            raise Failed("asked to skip the snapshot")

    # The end.

    def command(self, **command: Any) -> None:
        assert self.driver is not None
        try:
            self.driver.tell(command)
        except OSError as gone:
            raise Failed(f"does not read commands: {gone}") from None

    def ends_itself(self) -> None:
        """Waits for the driver's end; another stream is a fault."""
        assert self.driver is not None
        driver = self.driver
        self.wait("the driver's end", lambda: driver.done)

    def stopped(self, by_signal: bool) -> None:
        """Ends the driver as a user does."""
        assert self.driver is not None
        driver = self.driver
        if by_signal:
            driver.terminate()
        else:
            driver.close_stdin()
        self.wait("the driver's end", lambda: driver.done)

    def holds(self, *rows: Row, watch: int = 1) -> None:
        """What the client must hold in the end."""
        self.expected[watch] = list(rows)

    def reports(self, may_show: bool = False) -> None:
        """The server has broken a promise: the client says so, and ends.

        A client that shows the broken part too is not waited for any longer,
        unless the part with the last token may be shown.
        """
        assert self.driver is not None
        driver = self.driver
        self.outcome = Outcome("reported")
        sent = sum(len(ledger.told) for ledger in self.ledgers.values())

        def shows_all() -> bool:
            shown = ["marker" in x and bool(x.get("token")) for x in lines]
            return not may_show and 0 < sent <= sum(shown)

        lines = driver.lines
        self.wait("the driver's end", lambda: driver.done or shows_all())
        if shows_all():
            raise Failed("showed what breaks a promise")

    def reports_or_shows(self, invariant: str, token: bytes) -> None:
        """Or it goes on, and the history checker finds it in the lines."""
        assert self.driver is not None
        driver = self.driver
        text = base64.b64encode(token).decode()

        def probe() -> bool:
            return driver.done or any(
                line.get("token") == text for line in driver.lines
            )

        self.wait("a report, or the batch", probe)
        if driver.lines and driver.lines[-1].get("marker") == "error":
            self.reports()
        else:
            self.outcome = Outcome("shown", invariant)

    def is_refused(self, code: str, message: str) -> None:
        """The server has refused for good: the client ends."""
        self.outcome = Outcome("refused", code=code, message=message)
        self.ends_itself()

    def check_nothing_is_left(self) -> None:
        """No stream and no request that the script has not seen."""
        if self._arrivals:
            raise Failed(f"{len(self._arrivals)} streams too many")
        for stream in self._streams:
            if stream.requests:
                raise Failed(f"requests too many: {stream.requests}")

