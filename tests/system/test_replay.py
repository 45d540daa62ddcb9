"""`tidegate replay`: what was diverted goes back, to whom it was for."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from system import tidegate
from system.conftest import ServerFactory
from system.kafka import Broker
from system.processes import wait_for
from system.publish import ExactProducer
from system.rfc3339 import format_micros
from system.tidegate import Server

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_NO = 1
_USAGE = 2
_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
# Long past, and nothing moves the watermark but the events.
_T0 = 1_700_000_040 * _SECOND_US  # on a minute

VIEWS = """
CREATE SOURCE hits (k VARCHAR, n BIGINT, ts TIMESTAMPTZ,
    WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (topic = '@HITS@', idle.advance = 'off', max.future.skew = '3s',
        dead.letter.topic = '@DEAD@')
  FORMAT PLAIN ENCODE JSON;

CREATE MATERIALIZED VIEW totals AS
  SELECT k, sum(n) AS total FROM hits GROUP BY k;

CREATE MATERIALIZED VIEW minutes AS
  SELECT window_start, k, sum(n) AS total
  FROM TUMBLE(hits, ts, INTERVAL '1' MINUTE) GROUP BY window_start, k;

CREATE MATERIALIZED VIEW halves AS
  SELECT window_start, k, sum(n) AS total
  FROM TUMBLE(hits, ts, INTERVAL '30' SECOND) GROUP BY window_start, k;
"""


class Hits:
    """A topic of one partition, its dead letters, and its server."""

    def __init__(
        self, make_server: ServerFactory, broker: Broker, tag: str
    ) -> None:
        self.topic = f"hits_{tag}"
        self.dead = f"dead_{tag}"
        self.bootstrap = broker.bootstrap
        broker.create_topic(self.topic, 1, {"retention.ms": "-1"})
        # Letters are young, however old their records are.
        broker.create_topic(self.dead, 1, {"retention.ms": "3600000"})
        self._producer = ExactProducer(broker.bootstrap)
        views = VIEWS.replace("@HITS@", self.topic).replace("@DEAD@", self.dead)
        self.server: Server = make_server(views, broker.bootstrap).start()

    def hit(self, key: str, n: int, ts_us: int) -> None:
        value = json.dumps({"k": key, "n": n, "ts": format_micros(ts_us)})
        self._producer.send(
            self.topic, 0, value.encode(), key.encode(), ts_us // 1000
        )
        self._producer.flush()

    def raw(self, value: bytes) -> None:
        self._producer.send(self.dead, 0, value, None, 1)
        self._producer.flush()

    def rows(self, view: str) -> dict[tuple[Any, ...], int]:
        lines = self.server.json_lines("scan", view)
        return {
            tuple(line["key"].values()): line["row"]["total"] for line in lines
        }

    def settles(self, view: str, wanted: dict[tuple[Any, ...], int]) -> None:
        wait_for(
            f"{wanted} in {view}", lambda: self.rows(view) == wanted, 60, 0.2
        )

    def read(self, topic: str, count: int) -> list[Message]:
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "reader"}
        )
        consumer.assign([TopicPartition(topic, 0, 0)])
        messages: list[Message] = []

        def poll() -> bool:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                messages.append(message)
            return len(messages) >= count

        wait_for(f"{count} records in {topic}", poll, 30, 0)
        consumer.close()
        return messages

    def replay(
        self, *flags: str, status: int = _OK
    ) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
        """(a line a letter, the totals, standard error)."""
        done = tidegate.run(
            "replay", "--bootstrap-servers", self.bootstrap,
            "--dead-letter-topic", self.dead, "--format", "json", *flags,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        *letters, totals = (json.loads(x) for x in done.stdout.splitlines())
        return letters, totals, done.stderr


@pytest.fixture
def hits(make_server: ServerFactory, broker: Broker, scratch: Path) -> Hits:
    return Hits(make_server, broker, scratch.name)


def _window(at_us: int, key: str) -> tuple[str, str]:
    return format_micros(at_us), key


def _late_hit(hits: Hits) -> None:
    """One hit for each of two minutes, then one that is late for the first."""
    hits.hit("a", 1, _T0 + 5 * _SECOND_US)
    hits.hit("a", 2, _T0 + 2 * _MINUTE_US)
    # A commit in between: what is late is judged by the one before.
    hits.settles("totals", {("a",): 3})
    hits.hit("a", 10, _T0 + 6 * _SECOND_US)
    hits.settles("totals", {("a",): 13})


def test_a_late_event_is_folded_into_the_window_it_missed(hits: Hits) -> None:
    _late_hit(hits)
    first, later = _T0, _T0 + 2 * _MINUTE_US
    as_read = {_window(first, "a"): 1, _window(later, "a"): 2}
    hits.settles("minutes", as_read)
    hits.settles("halves", as_read)
    (letter,) = hits.read(hits.dead, 1)
    said = dict(letter.headers() or [])
    assert said["tidegate.reason"] == b"late"
    assert said["tidegate.views"] == b"minutes,halves"
    assert said["tidegate.replay.views"] == (
        f"minutes@{_T0},halves@{_T0}".encode()
    )
    assert said["tidegate.watermark"] == (
        format_micros(later - _SECOND_US).encode()
    )
    assert said["tidegate.pipeline"] == b"default"

    letters, totals, _ = hits.replay("--dry-run")
    assert [one["outcome"] for one in letters] == ["would be sent"]
    assert letters[0]["origin"] == f"{hits.topic}/0/2"
    assert letters[0]["bytes"] == len(letter.value() or b"") + 1
    assert (totals["selected"], totals["sent"]) == (1, 0)

    # For one of the two views it was late for; `totals` has it already.
    letters, totals, _ = hits.replay("--view", "minutes", "--reason", "late")
    assert letters[0]["views"] == f"minutes@{_T0}"
    assert totals["sent"] == 1
    hits.settles("minutes", as_read | {_window(first, "a"): 11})
    assert hits.rows("halves") == as_read
    assert hits.rows("totals") == {("a",): 13}
    back = hits.read(hits.topic, 4)[3]
    assert (back.key(), back.value()) == (letter.key(), letter.value())
    assert back.timestamp()[1] == int(said["tidegate.timestamp"])
    assert dict(back.headers() or []) == {
        "tidegate.replay.views": f"minutes@{_T0}".encode(),
        "tidegate.replay.origin": f"{hits.topic}/0/2".encode(),
    }

    # The other one, after a crash that reads the first replay again.
    hits.server.kill()
    hits.server.start()
    _, totals, _ = hits.replay("--view", "halves")
    assert totals["sent"] == 1
    hits.settles("halves", as_read | {_window(first, "a"): 11})
    assert hits.rows("minutes") == as_read | {_window(first, "a"): 11}
    assert hits.rows("totals") == {("a",): 13}


def test_an_event_from_the_future_is_taken_when_its_time_has_come(
    hits: Hits,
) -> None:
    hits.hit("a", 1, int(time.time() * _SECOND_US))
    hits.settles("totals", {("a",): 1})
    soon = int(time.time() * _SECOND_US) + 6 * _SECOND_US
    hits.hit("a", 10, soon)
    (letter,) = hits.read(hits.dead, 1)
    said = dict(letter.headers() or [])
    assert said["tidegate.reason"] == b"future"
    assert said["tidegate.replay.views"] == b"totals,minutes,halves"
    assert hits.rows("totals") == {("a",): 1}

    # Too soon: it is diverted again, and known by its first place.
    _, totals, _ = hits.replay()
    assert totals["sent"] == 1
    again = dict(hits.read(hits.dead, 2)[1].headers() or [])
    assert again["tidegate.offset"] == b"2"
    assert again["tidegate.first.origin"] == f"{hits.topic}/0/1".encode()
    assert hits.rows("totals") == {("a",): 1}

    wait_for("its time", lambda: time.time() * _SECOND_US > soon, 30)
    letters, totals, _ = hits.replay()
    assert [one["origin"] for one in letters] == [f"{hits.topic}/0/1"]
    assert totals["there_twice"] == 1
    hits.settles("totals", {("a",): 11})


def test_what_cannot_be_sent_back_is_named(hits: Hits, broker: Broker) -> None:
    _late_hit(hits)
    hits.read(hits.dead, 1)
    hits.raw(b"of somebody else's")
    _, totals, errors = hits.replay("--dry-run")
    assert totals["not_dead_letters"] == 1
    assert "partition=0 offset=1: skipped, not a dead letter" in errors
    letters, _, errors = hits.replay("--dry-run", "--view", "minute")
    assert letters == []
    assert '"minute", did you mean "minutes"?' in errors

    broker.alter_topic(hits.topic, {"cleanup.policy": "compact"})
    done = tidegate.run(
        "replay", "--bootstrap-servers", hits.bootstrap,
        "--dead-letter-topic", hits.dead,
    )  # fmt: skip
    assert done.returncode == _NO
    assert hits.topic in done.stderr and "--allow-compacted" in done.stderr
    broker.alter_topic(hits.topic, {"cleanup.policy": "delete"})

    # Larger than the topic takes by now: not acknowledged, and it says so.
    broker.alter_topic(hits.topic, {"max.message.bytes": "20"})
    letters, totals, errors = hits.replay(status=_NO)
    assert [one["outcome"] for one in letters] == ["not acknowledged"]
    assert totals["sent"] == 0
    assert "--partition 0 --from-offset 0" in errors


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--reason", "lat"), 'did you mean "late"?'),
        (("--since", "yesterday"), "--since"),
        (("--veiw", "v"), 'did you mean "view"?'),
    ],
)
def test_a_typing_error_gets_a_suggestion(
    binary: Path, flags: tuple[str, ...], named: str
) -> None:
    done = tidegate.run(
        "replay", "--bootstrap-servers", "127.0.0.1:1",
        "--dead-letter-topic", "t", *flags,
    )  # fmt: skip
    assert done.returncode == _USAGE
    assert named in done.stderr
