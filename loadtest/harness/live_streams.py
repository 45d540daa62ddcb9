"""From produce() to a subscriber, beside Kafka Streams' output topic."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from system.kafka import Broker
from system.tidegate import BINARY

from harness import totals
from harness.report import Entry, Goal, at_most
from harness.streams import Streams

_ADMIN_TIMEOUT_S = 60
# Both JVMs compile while they run: what comes first is not what they can do.
_BROKER_WARM_UP_EVENTS = 1_000_000
_WARM_UP_S = 10


@dataclass(frozen=True)
class LiveLoad:
    rate: int  # events a second
    keys: int
    seconds: int  # measured, after a warm-up


@dataclass
class LiveMeasure:
    """Kafka Streams by one set of options."""

    name: str
    options: Mapping[str, str | int]
    goal: Goal
    entry: Entry = field(init=False)

    def __post_init__(self) -> None:
        self.entry = Entry(
            f"live.streams.{self.name}", "ms", "Kafka Streams", self.goal,
            paired=True,
            more={"percentile": 50, "p99": {"ours": [], "against": []}},
        )  # fmt: skip


def live_measures() -> list[LiveMeasure]:
    tuned = {"cache-bytes": 0, "linger-ms": 1}
    return [
        LiveMeasure("default", {}, at_most(1 / 15)),
        LiveMeasure("tuned", tuned, at_most(1 / 2)),
    ]


def warm_up(broker: Broker) -> None:
    """Lets a fresh broker compile what it does for a producer."""
    topic = f"bench-warm-up-{os.getpid()}"
    totals.produce(broker.bootstrap, topic, _BROKER_WARM_UP_EVENTS, 1_000)
    broker.delete_topic(topic)


def run_live(
    directory: Path,
    broker: Broker,
    load: LiveLoad,
    measure: LiveMeasure,
    number: int,
) -> str:
    """One round, both at the same time; what came of it, for people."""
    topic = f"bench-live-{measure.name}-{os.getpid()}-{number}"
    rows = f"{topic}-rows"
    for each in (topic, rows):
        broker.create_topic(each, totals.PARTITIONS)
    streams = Streams(
        directory / topic, broker.bootstrap, topic, "at_least_once",
        {"output-topic": rows, **measure.options},
    )  # fmt: skip
    report = streams.directory / "live.json"
    try:
        streams.start(1)
        streams.report("running")
        subprocess.run(
            [
                str(BINARY), "bench", "live-streams",
                "--bootstrap-servers", broker.bootstrap,
                "--topic", topic, "--rows-topic", rows,
                "--partitions", str(totals.PARTITIONS),
                "--rate", str(load.rate), "--live-keys", str(load.keys),
                "--seconds", str(load.seconds), "--warm-up", str(_WARM_UP_S),
                "--json", str(report),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=load.seconds + 240,
        )  # fmt: skip
        streams.stop()
        lines = report.read_text().splitlines()
        p50, p99 = (json.loads(line) for line in lines)
    finally:
        streams.kill()
        shutil.rmtree(streams.directory)
        made = broker.admin().list_topics(timeout=_ADMIN_TIMEOUT_S).topics
        for each in (topic, rows, streams.changelog):
            if each in made:
                broker.delete_topic(each)
    measure.entry.add(p50["ours"], p50["value_against"])
    measure.entry.more["p99"]["ours"].append(p99["ours"])
    measure.entry.more["p99"]["against"].append(p99["value_against"])
    return (
        f"live.streams.{measure.name}: ours p50 {p50['ours']:.2f} ms"
        f" p99 {p99['ours']:.2f} ms, Kafka Streams"
        f" p50 {p50['value_against']:.2f} ms p99 {p99['value_against']:.2f} ms"
    )
