"""Sessions: CPU of an update, and memory of a key."""

import json
import re
import time
from pathlib import Path

from harness.bare import serving
from harness.orders import VIEW, Orders, finished
from harness.processes import cpu_seconds
from harness.report import Entry, at_most, median
from harness.swarm import Swarm

SESSIONS = 100
BURST_MS = 100
_TIMEOUT_S = 300
# What is still to be sent when the last order is folded takes no longer.
_SETTLE_S = 1.0
_APIS = ("queue", "callback")
# From a key to the one that is updated next, as streams are opened: to another
# connection, and no common factor with the number of keys.
_STRIDE = SESSIONS + 1


def session_swarm(
    orders: Orders, sessions: int, keys_per_session: int, directory: Path
) -> Swarm:
    """Sessions on connections of their own, until stopped. Neighbouring keys go
    to different sessions, so that a burst concerns all of them alike."""
    keys = directory / "session-keys"
    keys.write_text(
        "".join(
            f"{session + number * sessions}\n"
            for session in range(sessions)
            for number in range(keys_per_session)
        )
    )
    return Swarm(
        orders.server.address, sessions, f"--sessions={sessions}",
        f"--keys_per_session={keys_per_session}", f"--view={VIEW}",
        f"--keys={keys}", "--warm_up=0", "--duration=0",
    )  # fmt: skip


class SessionCpu:
    """CPU of an update in a session, beside a bare stream for each key."""

    def __init__(self, rate: int, seconds: int) -> None:
        self._rate = rate
        self._seconds = seconds
        self._ours: list[float] = []
        self._bare: dict[str, list[float]] = {api: [] for api in _APIS}
        self._per_message: list[float] = []

    def round(self, orders: Orders) -> None:
        alone = self._loaded_cpu_s(orders)
        swarm = session_swarm(
            orders, SESSIONS, orders.keys // SESSIONS, orders.directory
        )
        used = self._loaded_cpu_s(orders) - alone
        report = swarm.interrupt()
        if report["updates"] == 0:
            raise RuntimeError("no session had an update")
        self._ours.append(used * 1e6 / report["updates"])
        self._per_message.append(report["updates"] / report["messages"])
        for api in _APIS:
            self._bare[api].append(self._bare_us(api, orders.keys))
        print(
            f"  {report['updates']} updates,"
            f" {self._per_message[-1]:.1f} to a message:"
            f" {self._ours[-1]:.2f} us each; load alone {alone:.2f} s;"
            f" bare {', '.join(f'{a} {s[-1]:.1f}' for a, s in self._bare.items())}",
            flush=True,
        )

    def entry(self) -> Entry:
        api = min(_APIS, key=lambda api: median(self._bare[api]))
        return Entry(
            "session.cpu", "us/update", f"bare gRPC, a stream a key ({api})",
            at_most(0.125), ours=self._ours, theirs=self._bare[api],
            more={"updates_per_message": self._per_message},
        )  # fmt: skip

    def _loaded_cpu_s(self, orders: Orders) -> float:
        """Of the server, from the load's start until all of it has been sent."""
        used = cpu_seconds(orders.pid)
        finished(orders.load(self._rate, self._seconds, BURST_MS))
        orders.wait_folded()
        time.sleep(_SETTLE_S)
        return cpu_seconds(orders.pid) - used

    def _bare_us(self, api: str, streams: int) -> float:
        connections = min(SESSIONS, streams)
        with serving(
            "tidegate_push_bare", f"--api={api}", "--pattern=spread",
            f"--streams={streams}", f"--rate={self._rate}",
            f"--tick={BURST_MS}ms", f"--stride={_STRIDE}", "--warm_up=1s",
            f"--duration={self._seconds}s",
        ) as (address, process):  # fmt: skip
            swarm = Swarm(
                address, connections, "--raw",
                f"--streams={streams // connections}", "--duration=0",
            )  # fmt: skip
            swarm.report(_TIMEOUT_S)
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        report = json.loads(output)
        used: float = report["cpu_us_per_message"]
        return used


class MemoryKey:
    """Bytes of the server for each key more in sessions."""

    def __init__(self, few: int, many: int) -> None:
        self._few = few
        self._many = many
        self._entry = Entry(
            "memory.key", "bytes", "nothing", at_most(1024), "difference"
        )

    def round(self, orders: Orders) -> None:
        few, many = (self._rss(orders, n) for n in (self._few, self._many))
        slope = (many - few) / (self._many - self._few)
        print(
            f"  RSS {few / 1e6:.1f} MB with {self._few} keys,"
            f" {many / 1e6:.1f} MB with {self._many}: {slope:.0f} bytes a key",
            flush=True,
        )
        self._entry.add(slope, 0)

    def entry(self) -> Entry:
        return self._entry

    def _rss(self, orders: Orders, keys: int) -> float:
        """Of a process that was started for it, and has read every row once."""
        orders.start()
        try:
            Swarm(
                orders.server.address, 1, f"--view={VIEW}", "--warm_up=0",
                "--duration=1ms",
            ).report(_TIMEOUT_S)  # fmt: skip
            swarm = session_swarm(
                orders, SESSIONS, keys // SESSIONS, orders.directory
            )
            time.sleep(_SETTLE_S)
            resident = rss_bytes(orders.pid)
            swarm.stop()
        finally:
            orders.stop()
        return resident


def rss_bytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return float(found[1]) * 1024
