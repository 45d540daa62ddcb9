"""Views over departures other than windows by the clock or in sessions: moving
aggregates, newest rows, lag, joins as of event time. As in window_cases.
"""

from system.event_case import make
from system.event_oracle import (
    DAY,
    HOUR,
    MINUTE,
    as_of_desks,
    greatest_by,
    least_by,
    sliding,
    tumble,
)

D = "departures"

_SLIDING = (
    make(
        "sliding_hours",
        "origin",
        """SELECT origin, count(*) AS flights, sum(distance) AS miles,
                  avg(dep_delay) AS delay
           FROM SLIDING(departures, ts, INTERVAL '6' HOUR) GROUP BY origin""",
        f"""SELECT origin, count(*) AS flights,
                   CAST(sum(distance) AS BIGINT) AS miles,
                   avg(dep_delay) AS delay
            FROM {sliding(D, "ts", 6 * HOUR, 6 * MINUTE)} GROUP BY origin""",
    ),
    make(
        "sliding_days",
        "carrier",
        """SELECT carrier, count(*) AS flights, min(dep_delay) AS least,
                  max(dep_delay) AS most, stddev(dep_delay) AS deviation,
                  variance(air_hours) AS hours_variance
           FROM SLIDING(departures, ts, INTERVAL '3' DAY, INTERVAL '1' HOUR)
           GROUP BY carrier""",
        f"""SELECT carrier, count(*) AS flights, min(dep_delay) AS least,
                   max(dep_delay) AS most, stddev_samp(dep_delay) AS deviation,
                   var_samp(air_hours) AS hours_variance
            FROM {sliding(D, "ts", 3 * DAY, HOUR)} GROUP BY carrier""",
    ),
    make(
        "sliding_values",
        "origin dest",
        """SELECT origin, dest, count(*) AS flights,
                  first_value(flight ORDER BY ts) AS first_flight,
                  last_value(tailnum ORDER BY ts) AS last_plane,
                  max_by(carrier, distance) AS by_distance,
                  min_by(flight, dep_delay) AS soonest
           FROM SLIDING(departures, ts, INTERVAL '1' DAY, INTERVAL '30' MINUTE)
           WHERE NOT cancelled GROUP BY origin, dest""",
        f"""SELECT origin, dest, count(*) AS flights,
                   first(flight ORDER BY ts, part, off) AS first_flight,
                   last(tailnum ORDER BY ts, part, off) AS last_plane,
                   {greatest_by("carrier", "distance")} AS by_distance,
                   {least_by("flight", "dep_delay")} AS soonest
            FROM {sliding(D, "ts", DAY, 30 * MINUTE)}
            WHERE NOT cancelled GROUP BY origin, dest""",
    ),
)

_UNGROUPED = (
    make(
        "planes_of_late",
        "tailnum",
        """SELECT tailnum, carrier, flight, ts, distance * 2 AS miles
           FROM departures WHERE tailnum IS NOT NULL""",
        f"""SELECT tailnum, carrier, flight, ts, distance * 2 AS miles
            FROM departures WHERE tailnum IS NOT NULL
            QUALIFY row_number() OVER (
              PARTITION BY tailnum ORDER BY ts DESC, part DESC, off DESC) = 1
              AND ts + {2 * DAY} > w()""",
        timestamps="ts",
        primary_key="tailnum",
        options="retention = '2d'",
    ),
    make(
        "recent_words",
        "kafka_partition kafka_offset",
        """SELECT id, lower(carrier) AS carrier, length(dest) AS letters,
                  replace(dest, 'A', 'aa') AS replaced,
                  substring(origin, 2, 2) AS part_of,
                  extract(hour FROM ts) AS hour,
                  date_trunc('day', ts) AS day,
                  abs(dep_delay) AS delay, greatest(dep_delay, 5) AS at_least
           FROM departures""",
        f"""SELECT id, lower(carrier) AS carrier, length(dest) AS letters,
                   replace(dest, 'A', 'aa') AS replaced,
                   substring(origin, 2, 2) AS part_of,
                   ts // {HOUR} % 24 AS hour, ts - ts % {DAY} AS day,
                   abs(dep_delay) AS delay, greatest(dep_delay, 5) AS at_least,
                   part AS kafka_partition, off AS kafka_offset
            FROM departures WHERE ts + {DAY} > w()""",
        timestamps="day",
        options="retention = '1d'",
    ),
    make(
        "recent_delays",
        "kafka_partition kafka_offset",
        """SELECT tailnum, ts, CASE WHEN dep_delay > 180 THEN 'very late'
                                    ELSE 'late' END AS how
           FROM departures WHERE dep_delay > 60""",
        f"""SELECT tailnum, ts, CASE WHEN dep_delay > 180 THEN 'very late'
                                     ELSE 'late' END AS how,
                   part AS kafka_partition, off AS kafka_offset
            FROM departures WHERE dep_delay > 60 AND ts + {7 * DAY} > w()""",
        timestamps="ts",
        options="retention = '7d'",
    ),
    make(
        "carriers_in_all",
        "carrier",
        """SELECT carrier, count(*) AS flights, min_by(dest, ts) AS first_dest,
                  max_by(dest, ts) AS last_dest, stddev(arr_delay) AS deviation,
                  var_pop(air_hours) AS hours_variance
           FROM departures GROUP BY carrier""",
        f"""SELECT carrier, count(*) AS flights,
                   {least_by("dest", "ts")} AS first_dest,
                   {greatest_by("dest", "ts")} AS last_dest,
                   stddev_samp(arr_delay) AS deviation,
                   var_pop(air_hours) AS hours_variance
            FROM departures GROUP BY carrier""",
    ),
)

_BY_PLANE = "OVER (PARTITION BY tailnum ORDER BY ts, part, off)"

_LAGS = (
    make(
        "lag_every",
        "id",
        """SELECT id, tailnum, ts,
                  lag(dest) OVER (PARTITION BY tailnum ORDER BY ts) AS before,
                  lag(arr_delay, 2, 0) OVER (PARTITION BY tailnum ORDER BY ts)
                    AS delay_before_that,
                  lag(ts, 3) OVER (PARTITION BY tailnum ORDER BY ts) AS third
           FROM departures WHERE tailnum LIKE 'N5%'""",
        f"""SELECT id, tailnum, ts, lag(dest) {_BY_PLANE} AS before,
                   lag(arr_delay, 2, 0) {_BY_PLANE} AS delay_before_that,
                   lag(ts, 3) {_BY_PLANE} AS third
            FROM departures WHERE tailnum LIKE 'N5%' AND ts < w()""",
        timestamps="ts third",
        primary_key="id",
    ),
    make(
        "lag_newest",
        "tailnum",
        """SELECT tailnum, ts, origin,
                  CASE WHEN lag(dest, 1, 'none') OVER (
                              PARTITION BY tailnum ORDER BY ts) = origin
                       THEN 'returned' ELSE 'moved' END AS how
           FROM departures WHERE tailnum IS NOT NULL AND NOT cancelled""",
        f"""SELECT tailnum, ts, origin,
                   CASE WHEN lag(dest, 1, 'none') {_BY_PLANE} = origin
                        THEN 'returned' ELSE 'moved' END AS how
            FROM departures
            WHERE tailnum IS NOT NULL AND NOT cancelled AND ts < w()
            QUALIFY row_number() OVER (
              PARTITION BY tailnum ORDER BY ts DESC, part DESC, off DESC) = 1
        """,
        timestamps="ts",
        primary_key="tailnum",
    ),
    make(
        "lag_recent",
        "kafka_partition kafka_offset",
        """SELECT carrier, ts,
                  lag(flight) OVER (PARTITION BY carrier, origin ORDER BY ts)
                    AS before,
                  lag(flight, 10, -1) OVER (
                    PARTITION BY carrier, origin ORDER BY ts) AS tenth
           FROM departures""",
        f"""FROM (
              SELECT carrier, ts, lag(flight) OVER place AS before,
                     lag(flight, 10, -1) OVER place AS tenth,
                     part AS kafka_partition, off AS kafka_offset
              FROM departures WHERE ts < w()
              WINDOW place AS (PARTITION BY carrier, origin
                               ORDER BY ts, part, off))
            WHERE ts + {2 * DAY} > w()""",
        timestamps="ts",
        options="retention = '2d'",
    ),
)

_AS_OF = (
    make(
        "desk_of_each",
        "id",
        """SELECT d.id, d.carrier, d.ts, k.desk,
                  coalesce(k.desk, 'nobody') AS label
           FROM departures AS d
           LEFT JOIN desks FOR SYSTEM_TIME AS OF d.ts AS k
             ON d.carrier = k.carrier
           WHERE d.distance % 3 = 0""",
        f"""SELECT d.id, d.carrier, d.ts, k.desk,
                   coalesce(k.desk, 'nobody') AS label
            FROM departures d LEFT JOIN desks k ON {as_of_desks("d")}
            WHERE d.distance % 3 = 0 AND d.ts < w()""",
        timestamps="ts",
        primary_key="id",
        options="pipeline = 'asof'",
    ),
    make(
        "desk_totals",
        "desk",
        """SELECT k.desk, count(*) AS flights, sum(d.distance) AS miles,
                  last_value(d.carrier ORDER BY d.ts) AS last_carrier,
                  max(k.since) AS newest
           FROM departures AS d
           JOIN desks FOR SYSTEM_TIME AS OF d.ts AS k ON d.carrier = k.carrier
           GROUP BY k.desk""",
        f"""SELECT k.desk, count(*) AS flights,
                   CAST(sum(d.distance) AS BIGINT) AS miles,
                   last(d.carrier ORDER BY d.ts, d.part, d.off) AS last_carrier,
                   max(k.since) AS newest
            FROM departures d JOIN desks k ON {as_of_desks("d")}
            WHERE d.ts < w() GROUP BY k.desk""",
        timestamps="newest",
        options="pipeline = 'asof'",
    ),
    make(
        "desk_recent",
        "kafka_partition kafka_offset",
        """SELECT d.flight, k.desk
           FROM departures AS d
           JOIN desks FOR SYSTEM_TIME AS OF d.ts AS k ON d.carrier = k.carrier
           WHERE d.origin = 'EWR'""",
        f"""SELECT d.flight, k.desk, d.part AS kafka_partition,
                   d.off AS kafka_offset
            FROM departures d JOIN desks k ON {as_of_desks("d")}
            WHERE d.origin = 'EWR' AND d.ts < w() AND d.ts + {4 * DAY} > w()""",
        options="pipeline = 'asof', retention = '4d'",
    ),
    make(
        "desk_days",
        "window_start desk",
        """SELECT window_start, k.desk, count(*) AS flights,
                  avg(d.dep_delay) AS delay
           FROM TUMBLE(departures, ts, INTERVAL '1' DAY) AS d
           JOIN desks FOR SYSTEM_TIME AS OF d.ts AS k ON d.carrier = k.carrier
           GROUP BY window_start, k.desk EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, k.desk, count(*) AS flights,
                   avg(d.dep_delay) AS delay
            FROM {tumble(D, "ts", DAY)} d JOIN desks k ON {as_of_desks("d")}
            WHERE window_end <= w() GROUP BY window_start, k.desk""",
        timestamps="window_start",
        options="pipeline = 'asof'",
        window_us=DAY,
    ),
)

CASES = (*_SLIDING, *_UNGROUPED, *_LAGS, *_AS_OF)
