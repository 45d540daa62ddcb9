"""Which events are late, worked out apart from the product.

`schedules` has one partition, so the order of reading is the offsets. What
follows from it, but for where a batch ends: the watermark at which a record is
read is the greatest event time of all records before its batch, less the
bound. A batch is at most MAX_BATCH records long, and each letter says at which
watermark its record was read. So for each offset DuckDB's table `reading` has
the least and the greatest watermark that it can have been read at.
"""

from pathlib import Path

import duckdb

from system.event_flights import LATE_BOUND_US
from system.late_cases import LATE_CASES
from system.letters import Letter

MAX_BATCH = 1000  # FoldLoopOptions::max_poll_records

# Before the first watermark; all times here are after 1970.
_NONE = -1

_READING = f"""
CREATE TABLE own AS
SELECT off,
       coalesce(max(sched) OVER (ORDER BY off ROWS BETWEEN UNBOUNDED PRECEDING
                AND {MAX_BATCH} PRECEDING) - {LATE_BOUND_US}, {_NONE}) AS lower,
       coalesce(max(sched) OVER (ORDER BY off ROWS BETWEEN UNBOUNDED PRECEDING
                AND 1 PRECEDING) - {LATE_BOUND_US}, {_NONE}) AS upper
FROM schedules;

CREATE TABLE reading AS
SELECT off,
       greatest(lower, max(watermark) OVER (ORDER BY off
                ROWS UNBOUNDED PRECEDING)) AS lower,
       least(upper, min(watermark) OVER (ORDER BY off
             ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) AS upper
FROM own LEFT JOIN letters USING (off);
"""


def _write_csv(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


Places = set[tuple[str, int | None]]  # views, with windows or without


def _verdicts(letters: list[Letter]) -> dict[int, tuple[int, Places]]:
    """Of each record that was diverted: the watermark then, and for what.

    A record whose batch a kill left uncommitted is judged again, at the same
    watermark or a later one: what was late still is. The last verdict counts.
    """
    verdicts: dict[int, tuple[int, Places]] = {}
    for letter in letters:
        watermark = _NONE if letter.watermark is None else letter.watermark
        places: Places = set()
        for view, starts in letter.targets.items():
            windows: list[int | None] = [*starts] if starts else [None]
            places |= {(view, start) for start in windows}
        before = verdicts.get(letter.offset)
        assert before is None or (
            before[0] <= watermark and before[1] <= places
        )
        verdicts[letter.offset] = (watermark, places)
    return verdicts


def add_letters(
    database: duckdb.DuckDBPyConnection, letters: list[Letter], work: Path
) -> None:
    """Tables letters, diverted and reading, and fed_NAME of each late case."""
    verdicts = _verdicts(letters)
    diverted = [
        f"{view},{offset},{'' if start is None else start}"
        for offset, (_, places) in verdicts.items()
        for view, start in places
    ]
    work.mkdir(parents=True, exist_ok=True)
    watermark_file = _write_csv(
        work / "letters.csv",
        [
            f"{offset},{watermark}"
            for offset, (watermark, _) in verdicts.items()
        ],
    )
    diverted_file = _write_csv(work / "diverted.csv", diverted)
    columns = "{'off': 'BIGINT', 'watermark': 'BIGINT'}"
    database.execute(
        f"CREATE TABLE letters AS SELECT * FROM read_csv('{watermark_file}',"
        f" header = false, columns = {columns})"
    )
    columns = "{'view': 'VARCHAR', 'off': 'BIGINT', 'late_start': 'BIGINT'}"
    database.execute(
        f"CREATE TABLE diverted AS SELECT * FROM read_csv('{diverted_file}',"
        f" header = false, columns = {columns})"
    )
    database.execute(_READING)
    for case in LATE_CASES:
        database.execute(
            f"CREATE TABLE candidates_{case.name} AS {case.candidates};"
            f"CREATE TABLE fed_{case.name} AS"
            f" SELECT * FROM candidates_{case.name} c WHERE NOT EXISTS ("
            f"   SELECT 1 FROM diverted d WHERE d.view = '{case.name}'"
            "    AND d.off = c.off"
            "    AND d.late_start IS NOT DISTINCT FROM c.late_start)"
        )


# Each is a query for what must not be; @VIEW@ is a late case's name. `places`
# has every (event, window) of the view with its verdict.
_PLACES = """
WITH places AS (
  SELECT c.off, c.late_start, c.deadline, r.lower, r.upper,
         d.off IS NOT NULL AS is_diverted
  FROM candidates_@VIEW@ c JOIN reading r USING (off)
  LEFT JOIN diverted d ON d.view = '@VIEW@' AND d.off = c.off
    AND d.late_start IS NOT DISTINCT FROM c.late_start
)
"""
WRONG_VERDICTS = {
    "folded although late": _PLACES
    + "SELECT * FROM places WHERE deadline <= lower AND NOT is_diverted",
    "diverted although in time": _PLACES
    + "SELECT * FROM places WHERE is_diverted"
    " AND (deadline IS NULL OR deadline > upper)",
    # Where a record was diverted for any view, its watermark is known exactly.
    "not as the letter's watermark has it": _PLACES
    + "SELECT places.*, watermark FROM places JOIN letters USING (off)"
    " WHERE is_diverted <> coalesce(deadline <= watermark, false)",
    "diverted, but not the view's to fold": """
      SELECT * FROM diverted d WHERE view = '@VIEW@' AND NOT EXISTS (
        SELECT 1 FROM candidates_@VIEW@ c WHERE c.off = d.off
        AND c.late_start IS NOT DISTINCT FROM d.late_start)""",
}

WRONG_WATERMARKS = {
    "moved back": """
      FROM (SELECT off, watermark, lag(watermark) OVER (ORDER BY off) AS before
            FROM letters) WHERE watermark < before""",
    "not between what the order of reading allows": """
      FROM letters JOIN own USING (off)
      WHERE watermark < lower OR watermark > upper""",
    "not a greatest event time less the bound": f"""
      FROM letters WHERE watermark + {LATE_BOUND_US} NOT IN (
        SELECT max(sched) OVER (ORDER BY off ROWS UNBOUNDED PRECEDING)
        FROM schedules)""",
    "no watermark is possible": "FROM reading WHERE lower > upper",
}


def wrong(
    database: duckdb.DuckDBPyConnection, queries: dict[str, str], view: str = ""
) -> list[str]:
    """What the queries find, some of each."""
    found = []
    for what, query in queries.items():
        rows = database.execute(query.replace("@VIEW@", view)).fetchall()
        if rows:
            found.append(f"{what}: {len(rows)}, such as {sorted(rows)[:3]}")
    return found


def corrected(
    database: duckdb.DuckDBPyConnection, view: str, keys: tuple[str, ...]
) -> tuple[set[tuple[object, ...]], set[tuple[object, ...]]]:
    """Keys of the rows that must, and those that may be marked corrected."""
    key = ", ".join(keys)
    rows = database.execute(
        f"SELECT {key}, bool_or(window_end <= lower),"
        " bool_or(window_end <= upper)"
        f" FROM fed_{view} JOIN reading USING (off) GROUP BY {key}"
    ).fetchall()
    return (
        {row[:-2] for row in rows if row[-2]},
        {row[:-2] for row in rows if row[-1]},
    )
