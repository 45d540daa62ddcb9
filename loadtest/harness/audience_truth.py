"""What the audience's views must hold, computed by DuckDB from the topics."""

import csv
import time
from pathlib import Path
from typing import Any

import duckdb
from confluent_kafka import Consumer, TopicPartition
from system.kafka import Broker
from system.publish import compile_proto

KEYED = "driver_totals"
BOARD = "board"

_TIMEOUT_S = 60.0
_POLL_S = 0.1
_BATCH = 10_000

_SOURCE = """
CREATE SOURCE {source} (
  order_id BIGINT, driver_id BIGINT, region VARCHAR,
  amount DOUBLE PRECISION, ts TIMESTAMPTZ
) WITH (topic = '{topic}', key = 'driver_id')
  FORMAT PLAIN ENCODE PROTOBUF (message = 'bench.Order', file = '{proto}');
CREATE MATERIALIZED VIEW {view} WITH (pipeline = '{view}') AS
  SELECT driver_id, count(*) AS orders, sum(amount) AS total,
         last_value(region ORDER BY ts) AS region, max(ts) AS newest
  FROM {source} GROUP BY driver_id;
"""


def views_of(directory: Path, topics: dict[str, str]) -> str:
    """The views file; `bench orders` has left each topic's .proto there."""
    return "".join(
        _SOURCE.format(
            source=f"{view}_orders", topic=topic, view=view,
            proto=directory / view / "order.proto",
        )
        for view, topic in topics.items()
    )  # fmt: skip


def expected_rows(
    broker: Broker, topics: dict[str, str], directory: Path
) -> dict[str, dict[int, dict[str, Any]]]:
    """By view, then driver_id: the row as a client decodes it."""
    found = {}
    for view, topic in topics.items():
        file = directory / f"{view}.csv"
        _write_events(broker, topic, directory / view, file)
        found[view] = _aggregate(file)
    return found


def _aggregate(file: Path) -> dict[int, dict[str, Any]]:
    with duckdb.connect() as database:
        rows = database.execute(
            """
            SELECT driver_id, count(*), sum(amount),
                   last(region ORDER BY ts, part, off), max(ts)
            FROM read_csv(?, header = false, columns = {
              'part': 'INTEGER', 'off': 'BIGINT', 'driver_id': 'BIGINT',
              'region': 'VARCHAR', 'amount': 'DOUBLE', 'ts': 'BIGINT'})
            GROUP BY driver_id""",
            [str(file)],
        ).fetchall()
    columns = ("driver_id", "orders", "total", "region", "newest")
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


def _write_events(
    broker: Broker, topic: str, proto_dir: Path, file: Path
) -> None:
    """Every record of the topic, decoded by Protobuf's own library."""
    order_class = compile_proto(proto_dir, "order.proto").Order
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "audience-truth",
            "enable.auto.commit": False,
        }
    )
    metadata = consumer.list_topics(topic, timeout=_TIMEOUT_S)
    partitions = list(metadata.topics[topic].partitions)
    left = {}
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=_TIMEOUT_S
        )
        if high > low:
            left[partition] = high
    consumer.assign([TopicPartition(topic, p, 0) for p in left])
    last_s = time.monotonic()
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        while left:
            # consume() waits for the whole batch, so not for long.
            messages = consumer.consume(_BATCH, timeout=_POLL_S)
            if messages:
                last_s = time.monotonic()
            elif time.monotonic() - last_s > _TIMEOUT_S:
                raise RuntimeError(f"{topic}: nothing more came, wanted {left}")
            for message in messages:
                if message.error() is not None:
                    raise RuntimeError(str(message.error()))
                order = order_class.FromString(message.value())
                writer.writerow(
                    (
                        message.partition(), message.offset(), order.driver_id,
                        order.region, order.amount, order.ts.ToMicroseconds(),
                    )
                )  # fmt: skip
                if message.offset() + 1 >= left.get(message.partition(), 0):
                    left.pop(message.partition(), None)
    consumer.close()
