"""What a dead-letter topic holds."""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from system.processes import wait_for
from system.rfc3339 import parse_micros

# Of a view's letters: the starts of the windows that they are for, or none.
Targets = dict[str, list[int]]


@dataclass(frozen=True)
class Letter:
    """A record that was diverted, with what its headers say."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    reason: str
    detail: str
    pipeline: str
    views: list[str]
    targets: Targets
    watermark: int | None
    key: bytes | None
    value: bytes | None


def _targets(text: str) -> Targets:
    targets: Targets = {}
    for part in filter(None, text.split(",")):
        view, _, starts = part.partition("@")
        assert view not in targets, text
        targets[view] = [int(start) for start in starts.split("/") if start]
    return targets


def _letter(message: object) -> Letter:
    headers = {
        name.removeprefix("tidegate."): value.decode()
        for name, value in message.headers()  # type: ignore[attr-defined]
    }
    watermark = headers["watermark"]
    return Letter(
        topic=headers["topic"],
        partition=int(headers["partition"]),
        offset=int(headers["offset"]),
        timestamp_ms=int(headers["timestamp"]),
        reason=headers["reason"],
        detail=headers["detail"],
        pipeline=headers["pipeline"],
        views=[view for view in headers["views"].split(",") if view],
        targets=_targets(headers["replay.views"]),
        watermark=parse_micros(watermark) if watermark else None,
        key=message.key(),  # type: ignore[attr-defined]
        value=message.value(),  # type: ignore[attr-defined]
    )


def read_letters(bootstrap: str, topic: str) -> Iterator[Letter]:
    """All that partition 0 holds now, in order."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"reader of {topic}"}
    )
    place = TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(place, timeout=30)
    consumer.assign([place])
    at = 0
    while at < end:
        message = wait_for("a letter", lambda: consumer.poll(1), 30, 0)
        assert message.error() is None, message.error()
        offset = message.offset()
        assert offset is not None
        at = offset + 1
        yield _letter(message)
    consumer.close()
