"""Formats and metadata: what a view has of a record, however it is written and
wherever it stands."""

import io
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pytest
from confluent_kafka import Producer

from system import tidegate
from system.conftest import ServerFactory
from system.kafka import Broker
from system.processes import wait_for
from system.publish import compile_proto
from system.tidegate import Server

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OTHER_DATA = 78
_T0_MS = 1_700_000_040_000  # on a minute
_PARTITIONS = 3

_PROTO = """syntax = "proto3";
package formats;
message Order { int64 id = 1; string region = 2; double amount = 3; }
"""

_AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "id", "type": "long"},
        {
            "name": "region",
            "type": [
                "null",
                {"type": "enum", "name": "Region", "symbols": ["N", "S", "E"]},
            ],
        },
        {"name": "lines", "type": {"type": "array", "items": "bytes"}},
        {"name": "amount", "type": ["double", "null"]},
        {"name": "at", "type": {"type": "long", "logicalType":
                                "timestamp-micros"}},
    ],
}  # fmt: skip

_ORDERS = """
CREATE SOURCE orders (id BIGINT, region VARCHAR, amount DOUBLE PRECISION)
  WITH (topic = '@TOPIC@') FORMAT PLAIN ENCODE @ENCODE@;
CREATE MATERIALIZED VIEW by_region AS
  SELECT region, count(*) AS n, sum(amount) AS total, max(id) AS newest
  FROM orders GROUP BY region;
"""

_SQL = "SELECT region, count(*), sum(amount), max(id) FROM orders GROUP BY 1"

Order = tuple[int, str | None, float | None]


def _orders(count: int, first: int) -> list[Order]:
    rng = random.Random(first)
    return [
        (i, rng.choice("NSE"), rng.randrange(4000) / 4)
        for i in range(first, first + count)
    ]


def _produce(
    broker: Broker, topic: str, values: list[bytes], **more: Any
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for i, value in enumerate(values):
        producer.produce(topic, value, partition=i % _PARTITIONS, **more)
        producer.poll(0)
    assert producer.flush(60) == 0


def _as_json(order: Order) -> bytes:
    fields = zip(("id", "region", "amount"), order, strict=True)
    return json.dumps(dict(fields)).encode()


def _settles(server: Server, orders: list[Order]) -> None:
    """by_region has what DuckDB makes of the orders."""
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE orders (id BIGINT, region VARCHAR, amount DOUBLE)"
        )
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
        wanted = {row[0]: row[1:] for row in database.sql(_SQL).fetchall()}

    def rows() -> dict[str, tuple[Any, ...]]:
        lines = server.json_lines("scan", "by_region")
        return {
            row["region"]: (row["n"], row["total"], row["newest"])
            for row in (line["row"] for line in lines)
        }

    wait_for(f"{wanted}", lambda: rows() == wanted, 60, 0.2)


@pytest.fixture
def topic(broker: Broker, scratch: Path) -> str:
    name = f"formats_{scratch.name}"
    broker.create_topic(name, _PARTITIONS, {"retention.ms": "-1"})
    return name


def _views(topic: str, encode: str) -> str:
    return _ORDERS.replace("@TOPIC@", topic).replace("@ENCODE@", encode)


def test_a_topic_moves_from_json_to_protobuf(
    make_server: ServerFactory, broker: Broker, topic: str, scratch: Path
) -> None:
    """JSON alone, then both, one record after the other; nothing is rebuilt."""
    (scratch / "formats.proto").write_text(_PROTO)
    message = compile_proto(scratch, "formats.proto").Order
    both = "JSON OR PROTOBUF (message = 'formats.Order', file = 'o.proto')"

    orders = _orders(300, 0)
    _produce(broker, topic, [_as_json(order) for order in orders])
    server = make_server(_views(topic, "JSON"), broker.bootstrap).start()
    _settles(server, orders)
    version = server.json_lines("views")[0]["version"]
    server.terminate()

    (server.directory / "o.proto").write_text(_PROTO)
    server.views_file.write_text(_views(topic, both))
    server.start()
    _settles(server, orders)
    assert server.json_lines("views")[0]["version"] == version

    more = _orders(3000, 1000)
    rng = random.Random(1)
    _produce(
        broker,
        topic,
        [
            _as_json(order)
            if rng.random() < 0.5
            else message(
                id=order[0], region=order[1], amount=order[2]
            ).SerializeToString()
            for order in more
        ],
    )
    _settles(server, orders + more)
    assert "bad record" not in server.log.read_text()
    server.terminate()

    # What was folded as JSON could not be read again.
    only = both.removeprefix("JSON OR ")
    server.views_file.write_text(_views(topic, only))
    server.launch()
    assert server.wait(60) == _OTHER_DATA
    assert "results of other definitions" in server.log.read_text()


def test_bare_avro_with_its_schema_in_a_file(
    make_server: ServerFactory, broker: Broker, topic: str
) -> None:
    schema = fastavro.parse_schema(dict(_AVRO))

    def encode(order: Order) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(
            out,
            schema,
            {
                "id": order[0],
                "region": order[1],
                "amount": order[2],
                "tags": {"k" * (order[0] % 3): "v", "x": ""},
                "lines": [b"\0" * n for n in range(order[0] % 4)],
                "at": 1,
            },
        )
        return out.getvalue()

    orders = _orders(2000, 0)
    orders[7] = (orders[7][0], orders[7][1], None)
    values = [encode(order) for order in orders]
    _produce(broker, topic, [*values, values[0][:-1], values[0] + b"x", b""])
    server = make_server(
        _views(topic, "AVRO (file = 'order.avsc')"), broker.bootstrap
    )
    (server.directory / "order.avsc").write_text(json.dumps(_AVRO))
    server.start()
    _settles(server, orders)
    wait_for(
        "three bad records",
        lambda: server.metrics()["tidegate_bad_records_total"] == 3,
        30,
        0.2,
    )
    assert "malformed Avro" in server.log.read_text()


_METADATA = """
CREATE SOURCE hits (n BIGINT, WATERMARK FOR at AS at - INTERVAL '1' SECOND)
  INCLUDE KEY AS k INCLUDE TIMESTAMP AS at INCLUDE PARTITION AS p
  INCLUDE OFFSET AS o INCLUDE HEADER 'trace' AS trace
  WITH (topic = '@TOPIC@', idle.advance = 'off', dead.letter.topic = '@DEAD@')
  FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW records (PRIMARY KEY (p, o)) AS
  SELECT p, o, n, k, at, trace FROM hits;
CREATE MATERIALIZED VIEW minutes AS
  SELECT window_start, trace, count(*) AS hits, max(o) AS newest, max(k) AS k
  FROM TUMBLE(hits, at, INTERVAL '1' MINUTE) GROUP BY window_start, trace;
"""


def test_metadata_are_columns_and_survive_a_replay(
    make_server: ServerFactory, broker: Broker, scratch: Path
) -> None:
    topic, dead = f"hits_{scratch.name}", f"dead_{scratch.name}"
    broker.create_topic(topic, 1, {"retention.ms": "-1"})
    broker.create_topic(dead, 1, {"retention.ms": "3600000"})
    views = _METADATA.replace("@TOPIC@", topic).replace("@DEAD@", dead)
    server = make_server(views, broker.bootstrap).start()
    producer = Producer({"bootstrap.servers": broker.bootstrap})

    def hit(
        n: int,
        second: int,
        key: str | None,
        headers: list[tuple[str, bytes | None]],
    ) -> None:
        producer.produce(
            topic,
            json.dumps({"n": n}),
            key=key,
            partition=0,
            timestamp=_T0_MS + second * 1000,
            headers=headers,
        )
        assert producer.flush(30) == 0

    def rows(view: str, *columns: str) -> list[tuple[Any, ...]]:
        lines = server.json_lines("scan", view)
        return [
            tuple(line["row"].get(column) for column in columns)
            for line in lines
        ]

    def records() -> list[tuple[Any, ...]]:
        return rows("records", "p", "o", "n", "k", "trace")

    hit(1, 5, "ann", [("trace", b"a"), ("x", b"\xff"), ("trace", b"b")])
    hit(2, 300, None, [("trace", None)])
    first = [(0, 0, 1, "ann", "b"), (0, 1, 2, None, None)]
    wait_for("the first two", lambda: records() == first, 60, 0.2)
    # Late for its minute: the watermark has passed it.
    hit(3, 6, "bea", [("trace", b"b"), ("none", None)])
    late = [*first, (0, 2, 3, "bea", "b")]
    wait_for("the late one", lambda: records() == late, 60, 0.2)
    minutes = ("trace", "hits", "newest", "k")
    assert rows("minutes", *minutes) == [
        ("b", 1, 0, "ann"),
        (None, 1, 1, None),
    ]
    done = tidegate.run(
        "replay", "--bootstrap-servers", broker.bootstrap,
        "--dead-letter-topic", dead, "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # It stands at offset 3 now, and counts as what it was.
    wait_for(
        "the minute amended",
        lambda: rows("minutes", *minutes)
        == [("b", 2, 2, "bea"), (None, 1, 1, None)],
        60,
        0.2,
    )
    assert records() == late


def test_bench_formats_with_a_broker(
    binary: Path, broker: Broker, scratch: Path
) -> None:
    file = scratch / "formats.json"
    done = tidegate.run(
        "bench", "formats", "--bootstrap-servers", broker.bootstrap,
        "--events", "20000", "--keys", "1000", "--rounds", "2",
        "--json", str(file), timeout_s=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    entries = {entry["name"]: entry for entry in lines}
    assert list(entries) == [
        f"formats.{name}.{measure}"
        for name in ("avro", "protobuf")
        for measure in (
            "broker.bytes", "produce.cpu", "produce.rate", "consume.cpu",
            "consume.rate",
        )
    ]  # fmt: skip
    for entry in lines:
        assert entry["against"] == "JSON"
        assert entry["kind"] == "ratio"
        assert entry["ours"] > 0
        for samples in entry["samples"].values():
            assert len(samples) == 2
            assert all(sample > 0 for sample in samples)
    avro, protobuf = (
        entries[f"formats.{name}.broker.bytes"] for name in ("avro", "protobuf")
    )
    # A record of 44 bytes in Avro, 50 in Protobuf and 116 in JSON, with a key.
    assert 10 < avro["ours"] < protobuf["ours"] < protobuf["value_against"]
    assert protobuf["value_against"] < 116
    assert avro["value_against"] == protobuf["value_against"]
