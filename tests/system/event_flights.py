"""Flights with disorder, for event time: their tables in DuckDB, their topics.

`departures` has actual departure as event time and comes out of order within a
bound, so nothing is late. `schedules` comes in order of actual departure with
the schedule as event time, so a delayed flight is as late as its delay.
`desks` is a table with versions, whose rows come out of order within a bound.
Each partition ends with a flight of carrier ZZ well after all others, which
brings the watermark to a place known beforehand: w() and late_w() in DuckDB.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from system import flights
from system.flights import PARTITIONS, Flight
from system.kafka import Broker
from system.publish import DATA, ExactProducer, flight_json, flight_proto
from system.rfc3339 import format_micros

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FLIGHTS = 30_000
EARLY = 5_000  # of the schedules published before the server runs
LIVE = 2_500  # of both topics published once clients listen

BOUND_US = 15 * MINUTE  # of departures
LATE_BOUND_US = 30 * MINUTE  # of schedules
DESK_BOUND_US = 2 * DAY
_LAST_EVENT_US = 3 * HOUR  # from the last flight to the ones that end it

_KEEP = {"retention.ms": "-1"}

_TABLES = f"""
CREATE TABLE extra AS
  SELECT {FLIGHTS} + n AS id, 'ZZ' AS carrier, CAST(n AS INTEGER) AS flight,
         NULL AS tailnum, 'ZZZ' AS origin, 'ZZZ' AS dest,
         NULL::INTEGER AS dep_delay, NULL::INTEGER AS arr_delay,
         NULL::DOUBLE AS air_hours, 0::INTEGER AS distance, false AS cancelled,
         CAST(n AS INTEGER) AS jpart,
         (SELECT max(greatest(ts, sched)) FROM flights) + {_LAST_EVENT_US}
           AS ending
  FROM range({PARTITIONS}) t(n);

CREATE TABLE departures AS
WITH every AS (
  SELECT id, carrier, flight, tailnum, origin, dest, sched, ts, dep_delay,
         arr_delay, air_hours, distance, cancelled,
         CAST(hash(coalesce(tailnum, ''), 'place') % {PARTITIONS} AS INTEGER)
           AS part,
         ts + CAST(hash(id, 'disorder') % {BOUND_US} AS BIGINT) AS turn
  FROM flights
  UNION ALL
  SELECT id, carrier, flight, tailnum, origin, dest, ending, ending, dep_delay,
         arr_delay, air_hours, distance, cancelled, jpart, ending + {DAY}
  FROM extra
)
SELECT *, row_number() OVER (PARTITION BY part ORDER BY turn, id) - 1 AS off
FROM every ORDER BY turn, id;

CREATE TABLE schedules AS
WITH every AS (
  SELECT id, carrier, flight, tailnum, origin, dest, sched, ts, dep_delay,
         arr_delay, air_hours, distance, cancelled, 0 AS part, ts AS turn
  FROM flights
  UNION ALL
  SELECT id, carrier, flight, tailnum, origin, dest, ending, ending, dep_delay,
         arr_delay, air_hours, distance, cancelled, 0, ending + {DAY}
  FROM extra WHERE jpart = 0
)
SELECT *, row_number() OVER (ORDER BY turn, id) - 1 AS off
FROM every ORDER BY turn, id;

CREATE MACRO w() AS (SELECT max(ending) FROM extra) - {BOUND_US};
CREATE MACRO late_w() AS (SELECT max(ending) FROM extra) - {LATE_BOUND_US};

-- At whole minutes, as flights are: some change with a departure.
CREATE TABLE desk_versions AS
WITH every AS (
  SELECT carrier, n,
         first + n * 2 * {DAY}
           + CAST(hash(carrier, n, 'since') % {2 * DAY // MINUTE} AS BIGINT)
             * {MINUTE} AS since,
         CASE WHEN hash(carrier, n, 'desk') % 5 <> 0
              THEN 'desk ' || chr(CAST(65 + hash(carrier, n) % 9 AS INTEGER))
         END AS desk
  FROM (SELECT DISTINCT carrier FROM flights),
       (SELECT min(ts) AS first, max(ts) - min(ts) AS span FROM flights),
       range(400) t(n)
  WHERE n * 2 * {DAY} < span
)
SELECT carrier, desk, since,
       lead(since) OVER (PARTITION BY carrier ORDER BY since) AS until,
       since + CAST(hash(carrier, n, 'turn') % {DESK_BOUND_US} AS BIGINT)
         AS turn
FROM every ORDER BY turn, carrier;

-- What a join as of event time sees: a version without a desk is a tombstone.
CREATE VIEW desks AS SELECT * FROM desk_versions WHERE desk IS NOT NULL;
"""


def load() -> duckdb.DuckDBPyConnection:
    database = flights.load(FLIGHTS)
    database.execute(_TABLES)
    return database


def scalar(database: duckdb.DuckDBPyConnection, query: str) -> int:
    row = database.execute(f"SELECT {query}").fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True)
class EventTopics:
    """Four topics, made by `create`."""

    departures: str
    schedules: str
    desks: str
    dead: str

    @staticmethod
    def create(broker: Broker, tag: str) -> "EventTopics":
        topics = EventTopics(
            f"departures_{tag}", f"schedules_{tag}", f"desks_{tag}",
            f"dead_{tag}",
        )  # fmt: skip
        broker.create_topic(topics.departures, PARTITIONS, _KEEP)
        for topic in (topics.schedules, topics.desks, topics.dead):
            broker.create_topic(topic, 1, _KEEP)
        return topics

    def sources(self) -> str:
        """Partitions are never idle: what ends them moves the watermark."""
        columns = """
          id BIGINT, carrier VARCHAR, flight INT, tailnum VARCHAR,
          origin VARCHAR, dest VARCHAR, sched TIMESTAMPTZ, ts TIMESTAMPTZ,
          dep_delay INT, arr_delay INT, air_hours DOUBLE PRECISION,
          distance INT, cancelled BOOLEAN,"""
        return f"""
        CREATE SOURCE departures ({columns}
          WATERMARK FOR ts AS ts - INTERVAL '15' MINUTE
        ) WITH (topic = '{self.departures}', key = 'tailnum',
                idle.timeout = '1h', dead.letter.topic = '{self.dead}')
          FORMAT PLAIN ENCODE PROTOBUF (
            message = 'flights.Flight', file = '{DATA / "flight.proto"}');

        CREATE SOURCE schedules ({columns}
          WATERMARK FOR sched AS sched - INTERVAL '30' MINUTE
        ) WITH (topic = '{self.schedules}', key = 'carrier',
                idle.timeout = '1h', dead.letter.topic = '{self.dead}')
          FORMAT PLAIN ENCODE JSON;

        CREATE TABLE desks (
          carrier VARCHAR PRIMARY KEY, desk VARCHAR, since TIMESTAMPTZ,
          WATERMARK FOR since AS since - INTERVAL '2' DAY
        ) WITH (topic = '{self.desks}', idle.timeout = '1h')
          FORMAT UPSERT ENCODE JSON;
        """


def placed(database: duckdb.DuckDBPyConnection, table: str) -> Iterator[Flight]:
    """In the order of publishing; jpart and joff are the place."""
    cursor = database.cursor()
    cursor.execute(
        "SELECT id, carrier, flight, tailnum, origin, dest, sched, ts,"
        " dep_delay, arr_delay, air_hours, distance, cancelled,"
        f" part, off, part, off FROM {table} ORDER BY turn, id"
    )
    while batch := cursor.fetchmany(10_000):
        for row in batch:
            yield Flight(*row)


def publish_departures(
    producer: ExactProducer, topic: str, rows: list[Flight]
) -> None:
    for row in rows:
        producer.send(
            topic, row.jpart, flight_proto(row),
            None if row.tailnum is None else row.tailnum.encode(),
            row.ts // 1000, row.joff,
        )  # fmt: skip


def publish_schedules(
    producer: ExactProducer, topic: str, rows: list[Flight]
) -> None:
    for row in rows:
        producer.send(
            topic, row.jpart, flight_json(row), row.carrier.encode(),
            row.ts // 1000, row.joff,
        )  # fmt: skip


Desk = tuple[str, str | None, int]  # carrier, desk or a delete, since


def desk_rows(database: duckdb.DuckDBPyConnection) -> list[Desk]:
    """In the order in which they are published; the last one ends the topic."""
    rows = database.execute(
        "SELECT carrier, desk, since FROM desk_versions ORDER BY turn, carrier"
    ).fetchall()
    end = scalar(database, "max(ending) FROM extra") + DESK_BOUND_US
    return [*rows, ("ZZ", "the last", end)]


def publish_desks(
    producer: ExactProducer, topic: str, rows: list[Desk]
) -> None:
    """A delete's event time is its Kafka timestamp."""
    for carrier, desk, since in rows:
        value = None
        if desk is not None:
            value = json.dumps(
                {"carrier": carrier, "desk": desk,
                 "since": format_micros(since)}
            ).encode()  # fmt: skip
        producer.send(topic, 0, value, carrier.encode(), since // 1000)
