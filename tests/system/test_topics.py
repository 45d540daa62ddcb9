"""What happens to topics, records and definitions under a running view: each
time an explicit outcome, never a wrong row."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import tail, wait_for
from system.tidegate import Server

pytestmark = [pytest.mark.kafka, pytest.mark.server]


_OTHER_DATA = 78
_ALL_STOPPED = 75


@pytest.fixture
def counters(broker: Broker, scratch: Any) -> Counters:
    return Counters(broker, scratch.name)


def _counts(server: Server) -> dict[str, int]:
    lines = server.json_lines("scan", "hit_counts")
    return {line["row"]["k"]: line["row"]["hits"] for line in lines}


def _settled(server: Server, counters: Counters) -> None:
    wait_for(
        f"{dict(counters.hits)}",
        lambda: _counts(server) == dict(counters.hits),
        60,
        0.2,
    )


def _refuses_to_start(server: Server, *words: str) -> None:
    """The only pipeline stops at its start, and the log says why."""
    server.launch()
    assert server.wait(60) == _ALL_STOPPED
    said = tail(server.log, 60)
    assert [word for word in words if word not in said] == [], said


def _consume(
    bootstrap: str, topic: str, enough: Callable[[list[Message]], bool]
) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages: list[Message] = []

    def poll() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            messages.append(message)
        return enough(messages)

    wait_for(f"records in {topic}", poll, 30, 0)
    consumer.close()
    return messages


def test_a_topic_deleted_and_re_created(
    make_server: ServerFactory, broker: Broker, counters: Counters
) -> None:
    for key in "abc":
        counters.hit(key)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    _settled(server, counters)
    server.terminate()
    broker.delete_topic(counters.hits_topic)
    broker.create_topic(counters.hits_topic, counters.partitions)
    counters.hits.clear()
    for key in "xyzxyzxyz":
        counters.hit(key)
    counters.flush()
    _refuses_to_start(server, counters.hits_topic, "re-created", "--rebuild")
    server.start("--rebuild", "hit_counts")
    _settled(server, counters)


def test_offsets_that_retention_has_removed(
    make_server: ServerFactory, broker: Broker, counters: Counters
) -> None:
    for _ in range(10):
        counters.hit("a", partition=0)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    _settled(server, counters)
    server.terminate()
    for _ in range(10):
        counters.hit("a", partition=0)
    counters.flush()
    broker.delete_records(counters.hits_topic, 0, 15)
    _refuses_to_start(
        server, counters.hits_topic, "retention", "--accept-truncated-history"
    )
    server.start("--rebuild", "hit_counts", "--accept-truncated-history")
    counters.hits["a"] = 20 - 15
    _settled(server, counters)


def test_partitions_added(
    full: bool, make_server: ServerFactory, broker: Broker, counters: Counters
) -> None:
    """Found at a start, and (--full, it takes half a minute) while running."""
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    _settled(server, counters)
    if not full:
        server.kill()
    broker.add_partitions(counters.hits_topic, 5)
    for partition in range(5):
        counters.hit(f"in {partition}", partition=partition)
    counters.flush()
    if not full:
        server.start()
    _settled(server, counters)
    server.kill()
    counters.hit("in 4", partition=4)
    counters.flush()
    server.start()
    _settled(server, counters)


def test_bad_records_go_whole_to_the_dead_letter_topic(
    make_server: ServerFactory, broker: Broker, counters: Counters
) -> None:
    dead = f"dead_{counters.hits_topic}"
    broker.create_topic(dead, 1)
    views = counters.views().replace(
        "key = 'k'", f"key = 'k', dead.letter.topic = '{dead}'"
    )
    bad = [
        b"not json",
        b'{"k": "a", "n": "many"}',
        b'{"k": "a", "n": 1e40}',
        b'{"k": "a", "n": 1, "ts": "yesterday"}',
        b"\xff\xfe",
    ]
    counters.hit("a", partition=0)
    for number, value in enumerate(bad):
        counters.raw(value, f"key {number}".encode())
    counters.hit("a", partition=0)
    counters.flush()
    # The last but one is good for every view: none of them reads `ts`.
    unread = bad.index(b'{"k": "a", "n": 1, "ts": "yesterday"}')
    counters.hits["a"] += 1
    wrong = [
        (f"key {number}".encode(), value)
        for number, value in enumerate(bad)
        if number != unread
    ]
    server = make_server(views, counters.bootstrap).start()
    _settled(server, counters)
    letters = _consume(
        counters.bootstrap, dead, lambda found: len(found) >= len(wrong)
    )
    assert [(letter.key(), letter.value()) for letter in letters] == wrong
    for letter in letters:
        headers = dict(letter.headers() or [])
        assert counters.hits_topic.encode() in b" ".join(
            value for value in headers.values() if isinstance(value, bytes)
        ), headers
    assert server.metrics()["tidegate_bad_records_total"] == len(wrong)
    assert counters.hits_topic in tail(server.log, 200)


def test_a_changed_definition_is_refused_and_rebuilt(
    make_server: ServerFactory, counters: Counters
) -> None:
    for key in "aab":
        counters.hit(key, 5)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    _settled(server, counters)
    server.terminate()

    changed = counters.views().replace("sum(n) AS total", "sum(n + 1) AS total")
    server.views_file.write_text(changed)
    server.launch()
    assert server.wait(60) == _OTHER_DATA
    said = tail(server.log, 60)
    assert "hit_counts" in said and "--rebuild hit_counts" in said
    difference = said.replace("( ", "(").replace(" )", ")").replace(" (", "(")
    assert "- sum(n) as total" in difference, said
    assert "+ sum(n + 1) as total" in difference, said

    server.start("--rebuild", "hit_counts")
    wait_for(
        "the new sums",
        lambda: (
            {
                line["row"]["k"]: line["row"]["total"]
                for line in server.json_lines("scan", "hit_counts")
            }
            == {"a": 12, "b": 6}
        ),
        60,
    )
    # Comments and spacing are no change; the rebuilt one needs no flag again.
    server.terminate()
    server.views_file.write_text(
        "-- the same\n" + changed.replace("FROM hits", "\n  FROM hits")
    )
    server.start()
    assert (
        json.loads(
            server.cli("get", "hit_counts", "a", "--format", "json").stdout
        )["row"]["total"]
        == 12
    )


def test_a_table_follows_its_upserts_and_deletes(
    make_server: ServerFactory, counters: Counters
) -> None:
    counters.name(1, "one")
    counters.name(2, "two")
    counters.name(1, "uno")
    counters.name(2, None)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()

    def names() -> dict[int, str]:
        lines = server.json_lines("scan", "names")
        return {line["row"]["id"]: line["row"]["name"] for line in lines}

    wait_for("uno alone", lambda: names() == {1: "uno"}, 30)
    counters.name(2, "dos")
    counters.name(1, None)
    counters.flush()
    wait_for("dos alone", lambda: names() == {2: "dos"}, 30)
