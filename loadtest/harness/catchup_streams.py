"""Reading a topic from its start, and going on after a stop, beside Kafka
Streams with exactly_once_v2."""

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import Server

from harness import totals
from harness.report import Entry, Goal, at_least, at_most
from harness.streams import Report, Streams
from harness.swarm import Swarm

_AGAINST = "Kafka Streams"
_FOLD_TIMEOUT_S = 900
_TIMEOUT_S = 60
# A subscriber is live when it has been sent what there is.
_ONE_IS_LIVE = r"""tidegate_subscribers\{.*state="live".*\} 1\n"""


@dataclass(frozen=True)
class Load:
    """What is read; `resume_events` more come while both are stopped."""

    name: str
    events: int
    keys: int
    resume_events: int = 0


@dataclass
class Measures:
    """Entries of one load, filled round by round."""

    load: Load
    rate: Entry
    cpu: Entry
    resume: Entry | None = None
    entries: list[Entry] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = [self.rate, self.cpu]
        if self.resume is not None:
            self.entries.append(self.resume)


def measures(load: Load, rate: Goal, cpu: Goal) -> Measures:
    """A load's entries; .streams.rate and .cpu, and resume.streams.rate."""
    return Measures(
        load,
        _entry(f"{load.name}.streams.rate", "events/s", rate),
        _entry(f"{load.name}.streams.cpu", "us/event", cpu),
        _entry("resume.streams.rate", "events/s", at_least(5))
        if load.resume_events
        else None,
    )


def catchup(events: int, keys: int, resume_events: int) -> Measures:
    load = Load("catchup", events, keys, resume_events)
    return measures(load, at_least(8), at_most(1 / 10))


def catchup5m(events: int, keys: int) -> Measures:
    load = Load("catchup5m", events, keys)
    return measures(load, at_least(5), at_most(1 / 6))


def _entry(name: str, unit: str, goal: Goal) -> Entry:
    more: dict[str, Any] = {"against_is": "warm half", "whole_run": []}
    return Entry(name, unit, _AGAINST, goal, more=more)


class Round:
    """One topic, read by both in turn, then removed with all they made."""

    def __init__(
        self, directory: Path, broker: Broker, load: Load, number: int
    ) -> None:
        self._load = load
        self._broker = broker
        self._topic = f"bench-{load.name}-{os.getpid()}-{number}"
        self._directory = directory / self._topic
        self._views = self._directory / "views"
        self._views.mkdir(parents=True)
        self._produce(load.events, first=0)
        self._server = totals.make_server(
            self._directory / "tidegate", self._views, broker.bootstrap
        )
        self._streams = Streams(
            self._directory / "streams", broker.bootstrap, self._topic,
            "exactly_once_v2",
        )  # fmt: skip

    def __enter__(self) -> "Round":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._streams.kill()
        shutil.rmtree(self._directory)
        made = self._broker.admin().list_topics(timeout=_TIMEOUT_S).topics
        for topic in (self._topic, self._streams.changelog):
            if topic in made:
                self._broker.delete_topic(topic)

    def _produce(self, events: int, first: int) -> None:
        totals.produce(
            self._broker.bootstrap, self._topic, events, self._load.keys,
            first, self._views,
        )  # fmt: skip

    def run(self, into: Measures) -> str:
        """Both sides, once; what came of it, for people."""
        load = self._load
        seconds = totals.fold(self._server, load.events)
        ours_rate = load.events / seconds
        ours_cpu = totals.stop(self._server) * 1e6 / load.events
        theirs = self._run_streams(load.events)
        into.rate.add(ours_rate, theirs.warm_rate)
        into.rate.more["whole_run"].append(round(theirs.rate))
        into.cpu.add(ours_cpu, theirs.warm_cpu_us)
        into.cpu.more["whole_run"].append(round(theirs.cpu_us, 4))
        text = (
            f"{load.name}: ours {ours_rate:,.0f} events/s {ours_cpu:.3f} us,"
            f" Kafka Streams {theirs}"
        )
        if into.resume is not None:
            ours_rate, received = self._resume()
            theirs = self._run_streams(load.resume_events)
            into.resume.add(ours_rate, theirs.warm_rate)
            into.resume.more["whole_run"].append(round(theirs.rate))
            text += (
                f"; resumed: ours {ours_rate:,.0f} events/s, {received} changes"
                f" to the subscriber, Kafka Streams {theirs}"
            )
        return text

    def _run_streams(self, events: int) -> "Figures":
        started = time.monotonic()
        before = self._committed()
        self._streams.start(events)
        last = self._streams.report("all", _FOLD_TIMEOUT_S)
        half = self._streams.report("half")
        end = self._streams.stop()
        committed = self._committed() - before
        if end.folded != events or committed != events:
            raise RuntimeError(
                f"Kafka Streams folded {end.folded} and committed {committed}"
                f" of {events}: it has read some twice"
            )
        return Figures(events, started, half, last)

    def _committed(self) -> int:
        """Orders that Kafka Streams has committed to have read."""
        group = Consumer(
            {
                "bootstrap.servers": self._broker.bootstrap,
                "group.id": self._streams.application_id,
            }
        )
        try:
            places = group.committed(
                [
                    TopicPartition(self._topic, partition)
                    for partition in range(totals.PARTITIONS)
                ],
                timeout=_TIMEOUT_S,
            )
        finally:
            group.close()
        return sum(max(place.offset, 0) for place in places)

    def _resume(self) -> tuple[float, int]:
        """Ours: events/s over what came during the stop, and how many changes
        a subscriber got that was there before."""
        load = self._load
        self._server.start()
        subscriber = Subscriber(self._server)
        totals.stop(self._server)
        self._produce(load.resume_events, first=load.events)
        seconds = totals.fold(self._server, load.resume_events)
        received = subscriber.finish(load.keys)
        if (again := totals.folded(self._server)) != load.resume_events:
            raise RuntimeError(f"folded {again} of {load.resume_events} orders")
        totals.stop(self._server)
        return load.resume_events / seconds, received


@dataclass(frozen=True)
class Figures:
    """A run of Kafka Streams that has folded `events`."""

    events: int
    started: float
    half: Report
    last: Report

    @property
    def rate(self) -> float:
        """From the process's start."""
        return self.events / (self.last.seconds - self.started)

    @property
    def cpu_us(self) -> float:
        return self.last.cpu_s * 1e6 / self.events

    @property
    def warm_rate(self) -> float:
        return self._warm_events / (self.last.seconds - self.half.seconds)

    @property
    def warm_cpu_us(self) -> float:
        return (self.last.cpu_s - self.half.cpu_s) * 1e6 / self._warm_events

    @property
    def _warm_events(self) -> int:
        return self.events - self.events // 2

    def __str__(self) -> str:
        return (
            f"{self.warm_rate:,.0f} events/s {self.warm_cpu_us:.3f} us (whole"
            f" run {self.rate:,.0f} events/s {self.cpu_us:.3f} us)"
        )


class Subscriber:
    """One stream of the whole view, which must resume."""

    def __init__(self, server: Server) -> None:
        """Returns when it is live."""
        self._server = server
        self._swarm = Swarm(
            server.address, 1, f"--view={totals.VIEW}", "--warm_up=0",
            "--duration=0", "--window_updates=lazy",
        )  # fmt: skip

    def finish(self, keys: int) -> int:
        """Waits until it has all; how many changes it got since it was live.

        It must have resumed without a reset. Each of `keys` keys has changed.
        """
        wait_for("the subscriber to catch up", self._has_all, _TIMEOUT_S)
        report = self._swarm.interrupt()
        updates: int = report["updates"]
        if report["resets"] or report["resumes"] < 1 or updates < keys:
            raise RuntimeError(f"the subscriber did not resume: {report}")
        return updates

    def _has_all(self) -> bool:
        status, metrics = self._server.fetch("/metrics")
        return status == 200 and re.search(_ONE_IS_LIVE, metrics) is not None
