"""Pushing beside bare gRPC, NATS KV and etcd; a round of each measure."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from system.kafka import Broker

from harness import bare, peers
from harness.fanout_ours import VIEW, Ours, work_directory
from harness.report import Entry, at_least, at_most
from harness.swarm import Swarm, Window, window_flags

# What a delivery costs the peers when each update goes to 1,000 watchers, us of
# CPU, as measured before on this kind of machine. One that costs over a quarter
# more voids the run.
KNOWN_US = {"nats": 24.0, "etcd": 46.0}
MAX_PEER_COST = 1.25
# A run that was crowded out by others says nothing about this load.
LEAST_DELIVERED = 0.95
# Updates for `flat`: to all subscribers, and many times what can be pushed.
_FLAT_EVENTS_PER_S = 1_000
_PEER_VALUE_BYTES = 128
# Memory that has grown by less in a second has settled.
_SETTLED_KB = 64
_SETTLE_TIMEOUT_S = 20


@dataclass(frozen=True)
class Load:
    subscribers: int
    rate: int  # deliveries a second, all together
    window: Window


@dataclass
class Push:
    """What one server did in one round."""

    us: float  # CPU of a delivery
    per_s: float  # deliveries
    report: Any
    last_ms: float = 0


@dataclass
class Measures:
    """The entries that a round adds to, and what went wrong."""

    entries: dict[str, Entry]
    # Medians of the peers in `all`, to be held against KNOWN_US.
    burst_us: dict[str, list[float]] = field(default_factory=dict)
    crowded: list[str] = field(default_factory=list)

    def note(self, what: str, push: Push, wanted: float) -> Push:
        print(
            f"  {what:16} {push.us:7.2f} us a delivery, {push.per_s:8.0f}/s"
            + (f", last {push.last_ms:.1f} ms" if push.last_ms else ""),
            flush=True,
        )
        if push.per_s < LEAST_DELIVERED * wanted:
            self.crowded.append(f"{what}: {push.per_s:.0f}/s of {wanted:.0f}/s")
        return push

    def void(self) -> list[str]:
        """Peers that cost more than they should."""
        return [
            f"{name}: {statistics.median(us):.1f} us, known {KNOWN_US[name]}"
            for name, us in self.burst_us.items()
            if statistics.median(us) > MAX_PEER_COST * KNOWN_US[name]
        ]


def measure_one(broker: Broker, load: Load, measures: Measures) -> None:
    """Each update to one subscriber."""
    ours = _ours(
        broker, load, events=load.rate, keys=load.subscribers,
        flags=(f"--keys=0..{load.subscribers - 1}",),
    )  # fmt: skip
    measures.note("one ours", ours, load.rate)
    theirs = measures.note("one bare", _bare("spread", load), load.rate)
    measures.entries["push.one.bare"].add(ours.us, theirs.us)
    for name in peers.SERVERS:
        theirs = measures.note(
            f"one {name}", _peer(name, "one", load), load.rate
        )
        measures.entries[f"push.one.{name}"].add(ours.us, theirs.us)


def measure_all(broker: Broker, load: Load, measures: Measures) -> None:
    """Each update to all."""
    ours = _ours(
        broker, load, events=load.rate // load.subscribers, keys=1,
        flags=("--bursts",),
    )  # fmt: skip
    measures.note("all ours", ours, load.rate)
    limit = measures.note("all bare", _bare("burst", load), load.rate)
    pushes = {
        name: measures.note(f"all {name}", _peer(name, "all", load), load.rate)
        for name in peers.SERVERS
    }
    for name, push in pushes.items():
        measures.burst_us.setdefault(name, []).append(push.us)
    cpu, last = (measures.entries[f"push.all.{it}"] for it in ("cpu", "last"))
    cpu.add(ours.us, pushes["nats"].us)
    last.add(ours.last_ms, pushes["nats"].last_ms)
    for name, push in {"bare": limit, "etcd": pushes["etcd"]}.items():
        cpu.more.setdefault(name, []).append(round(push.us, 3))
        last.more.setdefault(name, []).append(round(push.last_ms, 3))


def measure_flat(broker: Broker, load: Load, measures: Measures) -> None:
    """As many messages as each server can push."""
    ours = _ours(broker, load, events=_FLAT_EVENTS_PER_S, keys=1)
    measures.note("flat ours", ours, 0)
    theirs = measures.note("flat bare", _bare("flat", load), 0)
    entry = measures.entries["push.flat"]
    entry.add(ours.per_s, theirs.per_s)
    entry.more.setdefault("ours_us", []).append(round(ours.us, 3))
    entry.more.setdefault("against_us", []).append(round(theirs.us, 3))


def measure_memory(broker: Broker, load: Load, measures: Measures) -> None:
    """Of an idle subscriber on its own connection: the slope from N to 2 N."""
    flags = (f"--view={VIEW}", f"--keys=0..{load.subscribers - 1}")
    with Ours(broker, work_directory("ours")) as ours:
        ours.fill(load.subscribers)
        our_kb = _kb_per_subscriber(
            ours.server.address, ours.pid, load.subscribers, *flags
        )
    with bare.serving(
        "tidegate_push_bare", "--api=queue", "--rate=1",
        f"--streams={2 * load.subscribers}", "--warm_up=600s",
    ) as (address, process):  # fmt: skip
        bare_kb = _kb_per_subscriber(
            address, process.pid, load.subscribers, "--raw"
        )
    print(f"  memory {our_kb:.2f} KB, bare {bare_kb:.2f} KB", flush=True)
    measures.entries["memory.stream"].add(our_kb, bare_kb)


MEASURES: dict[str, Callable[[Broker, Load, Measures], None]] = {
    "one": measure_one,
    "all": measure_all,
    "flat": measure_flat,
    "memory": measure_memory,
}

_ENTRIES = {
    "one": [
        ("push.one.bare", "us", "a bare gRPC server", at_most(1.25)),
        ("push.one.nats", "us", "NATS KV watch", at_most(1)),
        ("push.one.etcd", "us", "etcd watch", at_most(0.5)),
    ],
    "all": [
        ("push.all.cpu", "us", "NATS KV watch", at_most(1)),
        ("push.all.last", "ms", "NATS KV watch", at_most(1)),
    ],
    "flat": [("push.flat", "messages/s", "a bare gRPC server", at_least(0.9))],
    "memory": [("memory.stream", "KB", "a bare gRPC stream", at_most(2))],
}


def new_measures(what: list[str]) -> Measures:
    entries = [
        Entry(*it, kind="difference" if name == "memory" else "ratio")
        for name in what
        for it in _ENTRIES.get(name, [])
    ]
    return Measures({entry.name: entry for entry in entries})


def _ours(
    broker: Broker, load: Load, events: int, keys: int,
    flags: tuple[str, ...] = (),
) -> Push:  # fmt: skip
    window = load.window
    with Ours(broker, work_directory("ours")) as ours:
        ours.fill(keys)
        with ours.orders(keys, events):
            base = window.cpu_per_s(ours.pid)
            swarm = Swarm(
                ours.server.address, load.subscribers, f"--view={VIEW}",
                "--latency=sent", *window_flags(window), *flags,
            )  # fmt: skip
            used = window.cpu_per_s(ours.pid)
            report = swarm.report()
    per_s = report["messages"] / report["measured_s"]
    return Push(
        us=(used - base) / per_s * 1e6,
        per_s=per_s,
        report=report,
        last_ms=report["latency"]["last_of_burst"]["p50_ms"],
    )


def _bare(pattern: str, load: Load) -> Push:
    report = bare.push(pattern, load.subscribers, load.rate, load.window)
    return Push(
        us=report["cpu_us_per_message"],
        per_s=report["messages_per_s"],
        report=report,
        last_ms=report["client"]["latency"]["last_of_burst"]["p50_ms"],
    )


def _peer(name: str, pattern: str, load: Load) -> Push:
    report = peers.run(
        name, pattern, load.subscribers, load.rate, _PEER_VALUE_BYTES,
        load.window,
    )  # fmt: skip
    return Push(
        us=report["cpu_us_per_delivery"],
        per_s=report["deliveries_per_s"],
        report=report,
        last_ms=report["last_ms"],
    )


def _kb_per_subscriber(
    address: str, pid: int, subscribers: int, *flags: str
) -> float:
    rss_kb = []
    swarms = []
    for _ in range(2):
        swarms.append(Swarm(address, subscribers, "--duration=0", *flags))
        rss_kb.append(_settled_rss_kb(pid))
    for swarm in swarms:
        swarm.stop()
    return (rss_kb[1] - rss_kb[0]) / subscribers


def _settled_rss_kb(pid: int) -> float:
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    last = 0.0
    while time.monotonic() < deadline:
        now = _rss_kb(pid)
        if abs(now - last) < _SETTLED_KB:
            return now
        last = now
        time.sleep(1)
    return last


def _rss_kb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError(f"process {pid} has no memory")
