"""Throughput and CPU against the number of subscribers, and of keys."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from system.kafka import Broker
from system.tidegate import BINARY

from harness.orders import VIEW, Orders, finished
from harness.processes import cpu_seconds
from harness.swarm import Swarm

_SETTLE_S = 1.0
_TIMEOUT_S = 600

Point = dict[str, Any]


def subscribers(
    broker: Broker,
    work: Path,
    counts: Sequence[int],
    rate: int,
    seconds: int,
) -> Iterator[Point]:
    """Each on a connection of its own, with a key of its own; the same events a
    second over all keys."""
    for count in counts:
        topic = f"sweep-{count}"
        orders = Orders(broker, work / topic, topic).fill(count).start()
        try:
            yield _subscribers_point(orders, rate, seconds)
        finally:
            orders.close()


def _subscribers_point(orders: Orders, rate: int, seconds: int) -> Point:
    alone = _loaded_cpu_s(orders, rate, seconds)
    swarm = Swarm(
        orders.server.address, orders.keys, f"--view={VIEW}",
        f"--keys=0..{orders.keys - 1}", "--warm_up=0", "--duration=0",
    )  # fmt: skip
    used = _loaded_cpu_s(orders, rate, seconds)
    report = swarm.interrupt()
    updates = max(1, report["updates"])
    return {
        "sweep": "subscribers",
        "subscribers": orders.keys,
        "events_per_s": rate,
        "updates_per_s": updates / seconds,
        "cpu_us_per_update": (used - alone) * 1e6 / updates,
        "cores": used / seconds,
        "cores_alone": alone / seconds,
        "p50_ms": report["latency"]["all"]["p50_ms"],
        "p99_ms": report["latency"]["all"]["p99_ms"],
    }


def _loaded_cpu_s(orders: Orders, rate: int, seconds: int) -> float:
    used = cpu_seconds(orders.pid)
    finished(orders.load(rate, seconds))
    orders.wait_folded()
    time.sleep(_SETTLE_S)
    return cpu_seconds(orders.pid) - used


def keys(
    broker: Broker, work: Path, counts: Sequence[int], events: int
) -> Iterator[Point]:
    """Catching up on as many events over more and more keys, beside librdkafka."""
    file = work / "catchup.json"
    for count in counts:
        file.unlink(missing_ok=True)
        subprocess.run(
            [
                str(BINARY), "bench", "catchup", "--bootstrap-servers",
                broker.bootstrap, "--events", str(events), "--keys", str(count),
                "--rounds", "1", "--json", str(file),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )  # fmt: skip
        found = map(json.loads, file.read_text().splitlines())
        by_name = {entry["name"]: entry for entry in found}
        yield {
            "sweep": "keys",
            "keys": count,
            "events": events,
            "events_per_s": by_name["catchup.rate"]["ours"],
            "events_per_s_bare": by_name["catchup.rate"]["value_against"],
            "cpu_us_per_event": by_name["catchup.cpu"]["ours"],
            "cpu_us_per_event_bare": by_name["catchup.cpu"]["value_against"],
        }
