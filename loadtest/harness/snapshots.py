"""What a snapshot costs, and how many rows are read for many at once."""

import json
import time
from typing import Any

from harness.bare import serving
from harness.orders import VIEW, Orders
from harness.report import Entry, at_most, median
from harness.swarm import Swarm

ROWS_READ = "tidegate_snapshot_rows_read_total"

_TIMEOUT_S = 300
# So much may be under way on a stream: the client does not hold it back.
_WINDOW = f"--window={4 << 20}"
_APIS = ("queue", "callback")
# Who comes sooner may share the rows of the snapshot before.
_APART_S = 1.0
_CPUCLOCK_SCHED = 2


def process_cpu_s(pid: int) -> float:
    """User + system so far, in nanoseconds' resolution (/proc has 10 ms)."""
    # MAKE_PROCESS_CPUCLOCK of the kernel's include/linux/posix-timers.h.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def take_snapshots(orders: Orders, subscribers: int) -> Any:
    """The swarm's report of as many who arrive together."""
    swarm = Swarm(
        orders.server.address, subscribers, f"--view={VIEW}", _WINDOW,
        "--warm_up=0", "--duration=1ms",
    )  # fmt: skip
    report = swarm.report(_TIMEOUT_S)
    wanted = subscribers * orders.keys
    if report["snapshot_rows"] != wanted:
        raise RuntimeError(f"{report['snapshot_rows']} rows of {wanted} came")
    return report


def bare_cpu_s(api: str, messages: int, message_bytes: int) -> float:
    """The same bytes in as many messages from a bare stream, in all."""
    with serving(
        "tidegate_push_bare", f"--api={api}", "--pattern=flat", "--streams=1",
        f"--messages_each={messages}", f"--message_bytes={message_bytes}",
    ) as (address, process):  # fmt: skip
        swarm = Swarm(address, 1, "--raw", _WINDOW, "--warm_up=0", "--duration=0")
        swarm.report(_TIMEOUT_S)
        output, _ = process.communicate(timeout=_TIMEOUT_S)
    report = json.loads(output)
    if report["messages"] != messages:
        raise RuntimeError(f"the bare server sent {report['messages']}")
    used: float = report["cpu_s"]
    return used


class SnapshotCpu:
    """CPU for each MB of one subscriber's snapshot, less that of an idle server."""

    def __init__(self) -> None:
        self._ours: list[float] = []
        self._bare: dict[str, list[float]] = {api: [] for api in _APIS}
        self._chunk = 0.0

    def round(self, orders: Orders) -> None:
        idle = self._idle_cpu_per_s(orders)
        used, began = process_cpu_s(orders.pid), time.monotonic()
        report = take_snapshots(orders, 1)
        used = process_cpu_s(orders.pid) - used
        used -= idle * (time.monotonic() - began)
        messages = report["snapshot_messages"]
        self._chunk = report["snapshot_bytes"] / messages
        megabytes = report["snapshot_bytes"] / 1e6
        self._ours.append(used * 1e6 / megabytes)
        for api in _APIS:
            bare = bare_cpu_s(api, messages, max(128, round(self._chunk)))
            self._bare[api].append(bare * 1e6 / megabytes)
        print(
            f"  snapshot of {megabytes:.1f} MB in {messages} messages:"
            f" {self._ours[-1]:.0f} us/MB,"
            f" bare {', '.join(f'{a} {s[-1]:.0f}' for a, s in self._bare.items())}",
            flush=True,
        )

    def entry(self) -> Entry:
        api = min(_APIS, key=lambda api: median(self._bare[api]))
        return Entry(
            "snapshot.cpu", "us/MB", f"bare gRPC stream ({api})", at_most(1.4),
            ours=self._ours, theirs=self._bare[api],
            more={"message_bytes": round(self._chunk)},
        )  # fmt: skip

    @staticmethod
    def _idle_cpu_per_s(orders: Orders) -> float:
        used, began = process_cpu_s(orders.pid), time.monotonic()
        time.sleep(1)
        return (process_cpu_s(orders.pid) - used) / (time.monotonic() - began)


class SnapshotShared:
    """Rows that the server reads for many subscribers, beside those for one."""

    def __init__(self, subscribers: int) -> None:
        self._subscribers = subscribers
        self._entry = Entry(
            "snapshot.shared", "rows", "rows read for one", at_most(1.3),
            more={"subscribers": subscribers},
        )  # fmt: skip

    def round(self, orders: Orders) -> None:
        one = self._rows_read(orders, 1)
        many = self._rows_read(orders, self._subscribers)
        print(f"  rows read for 1: {one:.0f}, for all: {many:.0f}", flush=True)
        self._entry.add(many, one)

    def entry(self) -> Entry:
        return self._entry

    @staticmethod
    def _rows_read(orders: Orders, subscribers: int) -> float:
        time.sleep(_APART_S)
        before = orders.metric(ROWS_READ)
        take_snapshots(orders, subscribers)
        read = orders.metric(ROWS_READ) - before
        if read <= 0:
            raise RuntimeError(f"{ROWS_READ} counts nothing")
        return read
