"""Windows, sessions and versions in plain SQL, for DuckDB.

Each function is a relation, to stand in a FROM; times are microseconds. None
of it is taken from the product: it is what its views are held against.
"""

from system.event_flights import DAY, HOUR, MINUTE, SECOND

__all__ = [
    "DAY", "HOUR", "MINUTE", "SECOND", "as_of_desks", "greatest_by", "hop",
    "least_by", "session", "sliding", "tumble",
]  # fmt: skip


def tumble(source: str, column: str, size: int, shift: int = 0) -> str:
    """Every row with the window it falls in."""
    return f"""(
      SELECT *, window_start + {size} AS window_end FROM (
        SELECT *, {column} - ({column} - {shift}) % {size} AS window_start
        FROM {source}))"""


def hop(source: str, column: str, slide: int, size: int, shift: int = 0) -> str:
    """Every row once for each window it falls in."""
    return f"""(
      SELECT *, window_start + {size} AS window_end FROM (
        SELECT *, unnest(range(latest - {size - slide}, latest + 1, {slide}))
                    AS window_start
        FROM (SELECT *, {column} - ({column} - {shift}) % {slide} AS latest
              FROM {source})))"""


def session(
    source: str, column: str, gap: int, keys: str, watermark: str = "w()"
) -> str:
    """Every row that has been released, with the session it belongs to."""
    order = f"PARTITION BY {keys} ORDER BY {column}, part, off"
    return f"""(
      SELECT *, min({column}) OVER whole AS window_start,
             max({column}) OVER whole + {gap} AS window_end
      FROM (
        SELECT *, sum(opens) OVER ({order}) AS nth FROM (
          SELECT *, CASE WHEN {column} - lag({column}) OVER ({order}) < {gap}
                         THEN 0 ELSE 1 END AS opens
          FROM {source} WHERE {column} < {watermark}))
      WINDOW whole AS (PARTITION BY {keys}, nth))"""


def sliding(
    source: str, column: str, size: int, step: int, watermark: str = "w()"
) -> str:
    """The rows of the last `size` as of the watermark, in steps."""
    return f"""(
      SELECT * FROM {source}
      WHERE {column} >= {watermark} - {watermark} % {step} + {step} - {size})"""


def as_of_desks(alias: str) -> str:
    """The condition that finds the version of desks `k` valid at alias.ts."""
    return (
        f"k.carrier = {alias}.carrier AND k.since <= {alias}.ts"
        f" AND {alias}.ts < coalesce(k.until, {alias}.ts + 1)"
    )


def greatest_by(value: str, by: str, time: str = "ts") -> str:
    """max_by: of equals the first counts."""
    return (
        f"first({value} ORDER BY {by} DESC, {time}, part, off)"
        f" FILTER (WHERE {by} IS NOT NULL)"
    )


def least_by(value: str, by: str, time: str = "ts") -> str:
    return (
        f"first({value} ORDER BY {by}, {time}, part, off)"
        f" FILTER (WHERE {by} IS NOT NULL)"
    )
