"""Records framed for a schema registry, written by Confluent's serializers.

The writers' schemas change while the server runs, the registry goes away and
comes back, and the views equal DuckDB's answers over what was written.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from system.conftest import ServerFactory
from system.kafka import Broker
from system.letters import read_letters
from system.processes import wait_for, wait_for_none
from system.publish import ExactProducer
from system.registry import (
    Order,
    Registry,
    Writer,
    Writers,
    avro_writers,
    bare_json,
    json_and_protobuf_writers,
    json_writers,
    nested_writers,
    protobuf_writers,
)
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_SEED = 20_261_124
_PARTITIONS = 3
_WAIT_S = 60
_KEEP_FOREVER = {"retention.ms": "-1"}
_REGIONS = ("EU", "US", "ASIA", None)

_VIEWS = """
CREATE SOURCE orders (order_id VARCHAR, driver_id BIGINT, amount BIGINT,
                      region VARCHAR)
  WITH (topic = '@TOPIC@', dead.letter.topic = '@DEAD@')
  FORMAT PLAIN ENCODE @ENCODE@;

CREATE MATERIALIZED VIEW totals AS
  SELECT driver_id, count(*) AS n, sum(amount) AS total,
         count(region) AS regions, max(region) AS top
  FROM orders GROUP BY driver_id;

CREATE MATERIALIZED VIEW latest (PRIMARY KEY (order_id)) AS
  SELECT order_id, driver_id, amount, region FROM orders WHERE amount > 50;
"""
_QUERIES = {
    "totals": "SELECT driver_id, count(*) AS n, sum(amount)::BIGINT AS total,"
    " count(region) AS regions, max(region) AS top"
    " FROM orders GROUP BY driver_id",
    "latest": "SELECT order_id, driver_id, amount, region FROM orders"
    " WHERE amount > 50",
}


@dataclass(frozen=True)
class Case:
    name: str
    encode: str
    writers: Callable[[Registry, str, Path], Writers]
    asks: bool = True  # the registry is asked for schemas
    reason: str = "incompatible_schema"


_CASES = (
    Case(
        "protobuf",
        "PROTOBUF (message = 'shop.Order', schema.registry = '@URL@')",
        protobuf_writers,
    ),
    Case("nested", "PROTOBUF (schema.registry = '@URL@')", nested_writers),
    Case("avro", "AVRO (schema.registry = '@URL@')", avro_writers),
    # By its text alone a record of JSON is seen not to fit.
    Case(
        "json",
        "JSON (schema.registry = '@URL@')",
        json_writers,
        asks=False,
        reason="undecodable",
    ),
)
# A topic of bare JSON takes up another encoding.
_MIGRATIONS = (
    Case(
        "to_avro", "JSON OR AVRO (schema.registry = '@URL@')", avro_writers
    ),
    Case(
        "to_protobuf",
        "JSON OR PROTOBUF (message = 'shop.Order', schema.registry = '@URL@')",
        protobuf_writers,
    ),
    # There, framed JSON waits for its schema too: the id alone does not say
    # that it is JSON.
    Case(
        "to_framed_json_and_protobuf",
        "JSON (schema.registry = '@URL@')"
        " OR PROTOBUF (schema.registry = '@URL@')",
        json_and_protobuf_writers,
    ),
)


class Stream:
    """A topic, what was written to it, and what its views should be."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.topic = f"registry_{name}"
        self.dead = f"registry_{name}_dead"
        self.bootstrap = broker.bootstrap
        broker.create_topic(self.topic, _PARTITIONS, _KEEP_FOREVER)
        broker.create_topic(self.dead, 1, _KEEP_FOREVER)
        self._producer = ExactProducer(broker.bootstrap)
        self._random = random.Random(_SEED)
        self._written: list[Order] = []
        self._count = 0

    def views(self, encode: str, url: str) -> str:
        return (
            _VIEWS.replace("@ENCODE@", encode)
            .replace("@TOPIC@", self.topic)
            .replace("@DEAD@", self.dead)
            .replace("@URL@", url)
        )

    def order(self, region: bool = True) -> Order:
        self._count += 1
        return Order(
            order_id=f"o{self._count}",
            driver_id=self._random.randrange(20),
            amount=self._random.randrange(-100, 1000),
            region=self._random.choice(_REGIONS) if region else None,
        )

    def write(
        self, writers: tuple[Writer, ...], count: int, partition: int | None
    ) -> None:
        """Orders by any of the writers, to one partition or to any."""
        for _ in range(count):
            order = self.order()
            self.send(self._random.choice(writers)(order), order, partition)
        self._producer.flush()

    def send(
        self, value: bytes, order: Order | None, partition: int | None
    ) -> None:
        """None: no view will have it."""
        if partition is None:
            partition = self._random.randrange(_PARTITIONS)
        self._producer.send(self.topic, partition, value, None, 1)
        if order is not None:
            self.note(order)

    def note(self, order: Order) -> None:
        """The views are to have it."""
        self._written.append(order)

    def flush(self) -> None:
        self._producer.flush()

    def expected(self) -> dict[str, list[tuple[Any, ...]]]:
        with duckdb.connect() as database:
            database.execute(
                "CREATE TABLE orders (order_id VARCHAR, driver_id BIGINT,"
                " amount BIGINT, region VARCHAR)"
            )
            database.executemany(
                "INSERT INTO orders VALUES (?, ?, ?, ?)",
                [
                    (o.order_id, o.driver_id, o.amount, o.region)
                    for o in self._written
                ],
            )
            return {
                view: sorted(database.execute(query).fetchall(), key=repr)
                for view, query in _QUERIES.items()
            }

    def await_equal(self, server: Server) -> None:
        expected = self.expected()
        wait_for_none(
            "the views to equal DuckDB's",
            lambda: _differences(server, expected),
            _WAIT_S,
        )


_COLUMNS = {
    "totals": ("driver_id", "n", "total", "regions", "top"),
    "latest": ("order_id", "driver_id", "amount", "region"),
}


def _differences(
    server: Server, expected: dict[str, list[tuple[Any, ...]]]
) -> list[str]:
    found = []
    for view, rows in expected.items():
        actual = sorted(
            (
                tuple((key | row).get(name) for name in _COLUMNS[view])
                for key, row in scan_rows(server, view)
            ),
            key=repr,
        )
        if actual != rows:
            missing = [row for row in rows if row not in actual][:3]
            extra = [row for row in actual if row not in rows][:3]
            found.append(f"{view}: missing {missing} extra {extra}")
    return found


def _outcomes(server: Server) -> dict[str, float]:
    """Requests to the registry, by how they ended."""
    _, text = server.fetch("/metrics")
    return {
        outcome: float(count)
        for outcome, count in re.findall(
            r"tidegate_schema_registry_requests_total\{[^}]*"
            r'outcome="(\w+)"[^}]*\} (\S+)',
            text,
        )
    }


def _name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", _CASES, ids=_name)
def test_writers_change_and_the_registry_goes_away(
    case: Case, broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    stream = Stream(broker, case.name)
    with Registry(scratch / "registry") as registry:
        writers = case.writers(registry, stream.topic, scratch)
        views = stream.views(case.encode, registry.url)
        server = make_server(views, broker.bootstrap).start()
        known = (writers.first, writers.second)
        stream.write(known[:1], 500, None)
        stream.write(known, 2000, None)
        stream.await_equal(server)

        # What is serialized now is known to the registry, and to no reader.
        held = [(writers.third(o), o) for o in _without_region(stream, 200)]
        registry.kill()
        stream.write(known, 500, None)
        stream.await_equal(server)
        _write_behind_an_unknown_schema(case, stream, server, held, known)
        server.kill()
        server.start()
        if case.asks:
            _assert_it_waits(server)
        registry.start()
        stream.await_equal(server)
        assert server.metrics()["tidegate_awaiting_schema_partitions"] == 0

        _write_what_does_not_fit(case, stream, server, writers)
        stream.await_equal(server)


@pytest.mark.parametrize("case", _MIGRATIONS, ids=_name)
def test_a_topic_moves_from_bare_json_to_a_registry(
    case: Case, broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    stream = Stream(broker, case.name)
    with Registry(scratch / "registry") as registry:
        writers = case.writers(registry, stream.topic, scratch)
        views = stream.views("JSON", registry.url)
        server = make_server(views, broker.bootstrap).start()
        stream.write((bare_json,), 500, None)
        stream.await_equal(server)
        version = server.json_lines("views")[0]["version"]
        server.terminate()

        # What is bare asks for no schema.
        registry.kill()
        server.views_file.write_text(stream.views(case.encode, registry.url))
        server.start()
        assert server.json_lines("views")[0]["version"] == version
        stream.write((bare_json,), 500, None)
        stream.await_equal(server)
        assert _outcomes(server).get("unreachable", 0) == 0
        registry.start()
        known = (bare_json, writers.first, writers.second)
        stream.write(known, 2000, None)
        stream.await_equal(server)

        held = [(writers.third(o), o) for o in _without_region(stream, 200)]
        registry.kill()
        _write_behind_an_unknown_schema(case, stream, server, held, known)
        server.kill()
        server.start()
        _assert_it_waits(server)
        registry.start()
        stream.await_equal(server)

        _write_what_does_not_fit(case, stream, server, writers)
        stream.await_equal(server)


def _without_region(stream: Stream, count: int) -> list[Order]:
    return [stream.order(region=False) for _ in range(count)]


def _write_behind_an_unknown_schema(
    case: Case,
    stream: Stream,
    server: Server,
    held: list[tuple[bytes, Order]],
    known: tuple[Writer, ...],
) -> None:
    """In partition 0; the others go on and are looked at meanwhile."""
    before = stream.expected()
    if not case.asks:
        for value, order in held:
            stream.send(value, order, 0)
        stream.flush()
        stream.await_equal(server)
        return
    for value, _ in held:
        stream.send(value, None, 0)
    stream.flush()
    wait_for(
        "partition 0 to wait",
        lambda: server.metrics()["tidegate_awaiting_schema_partitions"] == 1,
        _WAIT_S,
    )
    assert _differences(server, before) == []
    assert server.metrics()["tidegate_schema_registry_up"] == 0
    assert _outcomes(server)["unreachable"] > 0
    for partition in (1, 2):
        stream.write(known, 200, partition)
    stream.await_equal(server)
    # And behind what waits, what could be read by itself.
    stream.write(known, 100, 0)
    for _, order in held:
        stream.note(order)


def _assert_it_waits(server: Server) -> None:
    """After a restart no schema is known: nothing moves, nothing is lost."""
    wait_for(
        "partition 0 to wait again",
        lambda: server.metrics()["tidegate_awaiting_schema_partitions"] == 1,
        _WAIT_S,
    )
    assert server.metrics()["tidegate_bad_records_total"] == 0
    assert server.fetch("/readyz")[0] == 200


def _write_what_does_not_fit(
    case: Case, stream: Stream, server: Server, writers: Writers
) -> None:
    """Goes to the dead letters, and what follows goes on."""
    for order in _without_region(stream, 3):
        stream.send(writers.incompatible(order), None, 1)
    if case.asks:
        stream.send(b"\0\0\1\0\0\0what is this", None, 1)
    stream.flush()
    stream.write((writers.first,), 10, 1)
    count = 4 if case.asks else 3
    wait_for(
        "the dead letters",
        lambda: server.metrics()["tidegate_bad_records_total"] == count,
        _WAIT_S,
    )
    stream.await_equal(server)
    letters = list(read_letters(stream.bootstrap, stream.dead))
    reasons = [letter.reason for letter in letters]
    assert reasons == [case.reason] * 3 + ["undecodable"] * (count - 3)
    assert 'column "amount"' in letters[0].detail
    if case.asks:
        assert letters[0].detail.startswith("schema ")
        assert "schema 65536 is not in the registry" in letters[3].detail


def test_credentials_and_tls(
    broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    stream = Stream(broker, "secure")
    with Registry(scratch, user="reader:hunter2", tls=True) as registry:
        writers = avro_writers(registry, stream.topic, scratch)
        stream.write((writers.first, writers.second), 100, None)
        views = stream.views("AVRO (schema.registry = '@URL@')", registry.url)
        config = scratch / "registry.properties"

        def serve(user: str, trust: Path | None) -> Server:
            lines = [f"basic.auth.user.info = {user}"]
            if trust is not None:
                lines.append(f"ssl.ca.location = {trust}")
            config.write_text("\n".join(lines))
            server.start("--schema-registry-config", str(config))
            return server

        server = make_server(views, broker.bootstrap)
        for user, trust, outcome in (
            ("reader:hunter2", None, "unreachable"),
            ("reader:hunter3", registry.certificate, "denied"),
        ):
            serve(user, trust)
            wait_for(
                outcome, lambda o=outcome: _outcomes(server)[o] > 1, _WAIT_S
            )
            assert _outcomes(server)["ok"] == 0
            assert server.metrics()["tidegate_bad_records_total"] == 0
            server.kill()
        serve("reader:hunter2", registry.certificate)
        stream.await_equal(server)
        assert "hunter" not in server.log.read_text()
