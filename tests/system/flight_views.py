"""The views over the flights, and DuckDB's own words for the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from system.publish import DATA, FlightTopics
from system.rfc3339 import parse_micros

Key = tuple[Any, ...]
Row = dict[str, Any]

RELATIVE_ERROR = 1e-9


@dataclass(frozen=True)
class ViewCase:
    """A view, its key columns, and the query that DuckDB must agree with."""

    name: str
    key: tuple[str, ...]
    expected: str
    timestamps: tuple[str, ...] = ()

    def expected_rows(
        self, database: duckdb.DuckDBPyConnection
    ) -> dict[Key, Row]:
        cursor = database.execute(self.expected)
        assert cursor.description is not None
        columns = [column[0] for column in cursor.description]
        rows = [
            dict(zip(columns, values, strict=True))
            for values in cursor.fetchall()
        ]
        keyed = {self.key_of(row): row for row in rows}
        assert len(keyed) == len(rows) > 0, self.name
        return keyed

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.key)

    def from_json(self, lines: Iterable[tuple[Row, Row]]) -> dict[Key, Row]:
        """What `scan` printed; each key must agree with its row."""
        rows: dict[Key, Row] = {}
        for printed_key, printed in lines:
            row = dict(printed)
            for column in self.timestamps:
                if row[column] is not None:
                    row[column] = parse_micros(row[column])
            key = self.key_of(row)
            assert {c: printed[c] for c in self.key} == printed_key
            assert key not in rows, f"{self.name}: {key} twice"
            rows[key] = row
        return rows


def differences(
    expected: dict[Key, Row], actual: dict[Key, Row], limit: int = 5
) -> list[str]:
    """What is missing, extra or unequal; empty if the views agree."""
    found = [f"missing {expected[key]}" for key in expected.keys() - actual]
    found += [f"not expected {actual[key]}" for key in actual.keys() - expected]
    for key in expected.keys() & actual.keys():
        if expected[key].keys() != actual[key].keys():
            found.append(f"columns {list(actual[key])} of {expected[key]}")
            continue
        found += [
            f"{key} {column}: expected {value!r}, got {actual[key][column]!r}"
            for column, value in expected[key].items()
            if not _equal(value, actual[key][column])
        ]
    return found[:limit] + ([f"… {len(found)} in all"] if found else [])


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, float):
        if not isinstance(actual, (int, float)) or isinstance(actual, bool):
            return False
        scale = max(abs(expected), abs(actual))
        return abs(expected - actual) <= RELATIVE_ERROR * scale
    return type(expected) is type(actual) and expected == actual


def sql(topics: FlightTopics) -> str:
    """The views file; the .proto is named by its absolute path."""
    text = (DATA / "flights.sql").read_text()
    for name, value in {
        "@JSON_TOPIC@": topics.json,
        "@PROTO_TOPIC@": topics.proto,
        "@AIRLINES_TOPIC@": topics.airlines,
        "@PROTO_FILE@": str(DATA / "flight.proto"),
    }.items():
        text = text.replace(name, value)
    return text


CASES = (
    ViewCase(
        name="latest_departure",
        key=("tailnum",),
        timestamps=("ts",),
        expected="""
            SELECT tailnum, carrier || '/' || CAST(flight AS VARCHAR) AS number,
                   origin, dest, ts,
                   dep_delay + coalesce(arr_delay, 0) AS delays,
                   CAST(air_hours * 60 AS DOUBLE) AS minutes,
                   distance // 100 AS hundreds
            FROM flights WHERE NOT cancelled AND tailnum IS NOT NULL
            QUALIFY row_number() OVER (
              PARTITION BY tailnum ORDER BY ts DESC, jpart DESC, joff DESC) = 1
        """,
    ),
    ViewCase(
        name="carrier_totals",
        key=("carrier",),
        timestamps=("first_ts", "last_ts"),
        expected="""
            SELECT carrier, count(*) AS flights, count(arr_delay) AS arrived,
                   CAST(sum(arr_delay) AS BIGINT) AS delay_sum,
                   min(arr_delay) AS delay_min, max(arr_delay) AS delay_max,
                   avg(arr_delay) AS delay_avg, sum(air_hours) AS hours,
                   avg(air_hours) AS hours_avg, min(ts) AS first_ts,
                   max(ts) AS last_ts
            FROM flights GROUP BY carrier
        """,
    ),
    ViewCase(
        name="plane_history",
        key=("tailnum",),
        timestamps=("last_ts",),
        expected="""
            SELECT tailnum, count(*) AS flights,
                   first(origin ORDER BY ts, ppart, poff) AS first_origin,
                   last(dest ORDER BY ts, ppart, poff) AS last_dest,
                   last(flight ORDER BY ts, ppart, poff) AS last_flight,
                   last(arr_delay ORDER BY ts, ppart, poff) AS last_delay,
                   max(ts) AS last_ts
            FROM flights GROUP BY tailnum
        """,
    ),
    ViewCase(
        name="route_delays",
        key=("origin", "dest"),
        expected="""
            SELECT origin, dest, count(*) AS flights,
                   CAST(sum(CASE WHEN dep_delay > 60 THEN 2
                                 WHEN dep_delay > 15 THEN 1
                                 ELSE 0 END) AS BIGINT) AS points,
                   max(coalesce(arr_delay, -1)) AS worst,
                   avg(CASE WHEN cancelled THEN 1.0::DOUBLE
                            ELSE 0.0::DOUBLE END) AS cancelled_share
            FROM flights
            WHERE (carrier IN ('UA', 'DL', 'AA', 'B6', 'US') OR dest LIKE 'S_%')
              AND coalesce(dep_delay, 0) BETWEEN -10 AND 240
              AND dest NOT IN ('ANC', 'LEX') AND tailnum NOT LIKE 'N1%'
            GROUP BY origin, dest
        """,
    ),
    ViewCase(
        name="airline_traffic",
        key=("name",),
        expected="""
            SELECT a.name AS name, count(*) AS flights,
                   CAST(sum(f.distance) AS BIGINT) AS miles,
                   last(f.dest ORDER BY f.ts, f.ppart, f.poff) AS last_dest
            FROM flights f JOIN airlines a ON f.carrier = a.carrier
            GROUP BY a.name
        """,
    ),
    ViewCase(
        name="long_flights",
        key=("id",),
        timestamps=("sched",),
        expected="""
            SELECT f.id, f.carrier, a.name AS airline,
                   coalesce(a.name, 'unknown') AS label,
                   CASE WHEN f.cancelled THEN 'cancelled'
                        WHEN f.arr_delay IS NULL THEN 'diverted'
                        WHEN f.arr_delay <= 0 THEN 'on time'
                        ELSE 'late' END AS outcome,
                   f.sched, f.air_hours
            FROM flights f LEFT JOIN airlines a ON f.carrier = a.carrier
            WHERE f.distance >= 1000 AND f.distance % 4 = 1
        """,
    ),
    ViewCase(
        name="airlines",
        key=("carrier",),
        expected="SELECT carrier, name FROM airlines",
    ),
)
