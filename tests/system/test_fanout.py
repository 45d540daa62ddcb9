"""The instruments of loadtest/bench-fanout, each on a load of a second."""

from pathlib import Path

import grpc
import pytest
from harness import bare, fanout, peers, unary
from harness.fanout import Load, Push, new_measures
from harness.fanout_ours import VIEW, Ours
from harness.swarm import Swarm, Window, window_flags

from system.kafka import Broker
from system.publish import view_service_modules

_WINDOW = Window(warm_up_s=0.3, seconds=1)
_SUBSCRIBERS = 5
_RATE = 500  # deliveries a second
_EACH = 0.2  # of the load at least; a machine may be busy


def test_a_run_behind_its_load_is_noted() -> None:
    measures = new_measures(["one"])
    for per_s in (20_000, 19_001, 18_999):
        measures.note("one ours", Push(10, per_s, {}), 20_000)
    assert measures.crowded == ["one ours: 18999/s of 20000/s"]


def test_a_peer_that_costs_too_much_voids_the_run() -> None:
    measures = new_measures(["all"])
    measures.burst_us = {"nats": [29, 31, 29], "etcd": [46, 58, 58]}
    assert [it.partition(":")[0] for it in measures.void()] == ["etcd"]


@pytest.mark.parametrize("pattern", ["spread", "burst", "flat"])
def test_the_bare_server_pushes(pattern: str) -> None:
    report = bare.push(pattern, _SUBSCRIBERS, _RATE, _WINDOW)
    assert report["messages"] >= _EACH * _RATE * _WINDOW.seconds
    assert report["client"]["ended"] == {"OK": _SUBSCRIBERS}
    last = report["client"]["latency"]["last_of_burst"]
    assert (last["updates"] > 0) == (pattern == "burst")


@pytest.mark.parametrize("api", ["queue", "callback"])
def test_the_bare_unary_server_answers(api: str) -> None:
    messages, stubs = view_service_modules()
    for size in (4, 76, 131, 5_000):
        with (
            bare.serving(
                "tidegate_unary_bare", f"--api={api}", f"--reply_bytes={size}"
            ) as (address, _),
            grpc.insecure_channel(address) as channel,
        ):
            stub = stubs.ViewServiceStub(channel)
            for _ in range(3):
                reply = stub.Get(
                    messages.GetRequest(view="any", keys=[b"key"]), timeout=10
                )
                # No length of its own makes the one in between.
                assert size - 1 <= reply.ByteSize() <= size
                assert len(reply.entries) == 1


@pytest.mark.kafka
@pytest.mark.server
def test_each_order_reaches_its_subscriber(
    broker: Broker, scratch: Path
) -> None:
    with Ours(broker, scratch / "ours") as ours:
        ours.fill(_SUBSCRIBERS)
        with ours.orders(_SUBSCRIBERS, _RATE):
            swarm = Swarm(
                ours.server.address, _SUBSCRIBERS, f"--view={VIEW}",
                f"--keys=0..{_SUBSCRIBERS - 1}", "--latency=sent",
                *window_flags(_WINDOW),
            )  # fmt: skip
            assert _WINDOW.cpu_per_s(ours.pid) > 0
            report = swarm.report()
    assert report["violations"] == 0
    assert report["snapshot_rows"] == _SUBSCRIBERS
    assert report["messages"] >= _EACH * _RATE * _WINDOW.seconds
    assert report["latency"]["all"]["updates"] == report["updates"]


@pytest.mark.kafka
@pytest.mark.server
@pytest.mark.parametrize("name", ["flat", "memory"])
def test_a_round_gives_a_sample_of_each_side(broker: Broker, name: str) -> None:
    measures = new_measures([name])
    fanout.MEASURES[name](
        broker, Load(_SUBSCRIBERS, _RATE, _WINDOW), measures
    )
    for entry in measures.entries.values():
        assert len(entry.ours) == len(entry.theirs) == 1
        assert name == "memory" or min(entry.ours + entry.theirs) > 0


@pytest.mark.parametrize("pattern", ["one", "all"])
@pytest.mark.parametrize("name", ["nats", "etcd"])
def test_a_peer_delivers_every_update(
    full: bool, name: str, pattern: str
) -> None:
    """--full, since the peers are built or installed for it."""
    if not full:
        pytest.skip("--full builds the peers")
    report = peers.run(name, pattern, _SUBSCRIBERS, _RATE, 128, _WINDOW)
    updates = _RATE if pattern == "one" else _RATE // _SUBSCRIBERS
    assert report["base_puts"] == updates * _WINDOW.seconds
    assert report["puts"] == updates * _WINDOW.seconds
    # Every one of the warm-up's and the measured ones, too; but a bucket of NATS
    # keeps the newest value of a key only, so who is late by a put misses one.
    assert report["stale"] == 0
    assert report["missing"] == 0 or name == "nats"
    assert report["deliveries"] >= _EACH * _RATE * _WINDOW.seconds
    assert report["p50_ms"] > 0
    assert (report["bursts"] > 0) == (pattern == "all")
    assert (report["last_ms"] > 0) == (pattern == "all")


@pytest.mark.kafka
@pytest.mark.server
def test_get_is_measured(full: bool, broker: Broker) -> None:
    """--full, since ghz is built for it."""
    if not full:
        pytest.skip("--full builds ghz")
    measures = new_measures([])
    measures.entries["get.cpu"] = unary.entry()
    unary.measure_get(broker, Load(_SUBSCRIBERS, _RATE, _WINDOW), measures)
    assert min(measures.entries["get.cpu"].ours) > 0
    assert min(measures.entries["get.cpu"].theirs) > 0
