"""Windows over departures, and DuckDB's own words for the same.

Nothing is late here. What a view must hold is the batch result over all events
as of the watermark w(), at which every topic ends.
"""

from system.event_case import make
from system.event_oracle import (
    DAY,
    HOUR,
    MINUTE,
    greatest_by,
    hop,
    least_by,
    session,
    tumble,
)

D = "departures"

_TUMBLES = (
    make(
        "tumble_hour",
        "window_start origin",
        """SELECT window_start, origin, count(*) AS flights,
                  sum(distance) AS miles, avg(dep_delay) AS delay,
                  min(dep_delay) AS least, max(dep_delay) AS most
           FROM TUMBLE(departures, ts, INTERVAL '1' HOUR)
           GROUP BY window_start, origin""",
        f"""SELECT window_start, origin, count(*) AS flights,
                   CAST(sum(distance) AS BIGINT) AS miles,
                   avg(dep_delay) AS delay, min(dep_delay) AS least,
                   max(dep_delay) AS most
            FROM {tumble(D, "ts", HOUR)} GROUP BY ALL""",
        timestamps="window_start",
        window_us=HOUR,
    ),
    make(
        "tumble_closed",
        "window_start window_end origin",
        """SELECT window_start, window_end, origin, count(*) AS flights,
                  count(tailnum) AS known, sum(air_hours) AS hours
           FROM TUMBLE(departures, ts, INTERVAL '1' HOUR)
           GROUP BY window_start, window_end, origin EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, window_end, origin, count(*) AS flights,
                   count(tailnum) AS known, sum(air_hours) AS hours
            FROM {tumble(D, "ts", HOUR)}
            WHERE window_end <= w() GROUP BY ALL""",
        timestamps="window_start window_end",
        window_us=HOUR,
    ),
    make(
        "tumble_shifted",
        "carrier window_start",
        """SELECT carrier, window_start, count(*) AS flights,
                  first_value(dest ORDER BY ts) AS first_dest,
                  last_value(flight ORDER BY ts) AS last_flight,
                  last_value(arr_delay ORDER BY ts) AS last_delay
           FROM TUMBLE(departures, ts, INTERVAL '1' DAY, INTERVAL '5' HOUR)
           GROUP BY carrier, window_start""",
        f"""SELECT carrier, window_start, count(*) AS flights,
                   first(dest ORDER BY ts, part, off) AS first_dest,
                   last(flight ORDER BY ts, part, off) AS last_flight,
                   last(arr_delay ORDER BY ts, part, off) AS last_delay
            FROM {tumble(D, "ts", DAY, 5 * HOUR)} GROUP BY carrier, window_start
        """,
        timestamps="window_start",
        window_us=DAY,
    ),
    make(
        "tumble_three_keys",
        "origin dest window_start",
        """SELECT origin, dest, window_start, count(*) AS flights,
                  count(arr_delay) AS arrived, min(ts) AS first_ts,
                  max(ts) AS last_ts
           FROM TUMBLE(departures, ts, INTERVAL '2' DAY)
           WHERE carrier IN ('UA', 'DL', 'ZZ')
           GROUP BY origin, dest, window_start EMIT ON WINDOW CLOSE""",
        f"""SELECT origin, dest, window_start, count(*) AS flights,
                   count(arr_delay) AS arrived, min(ts) AS first_ts,
                   max(ts) AS last_ts
            FROM {tumble(D, "ts", 2 * DAY)}
            WHERE carrier IN ('UA', 'DL', 'ZZ') AND window_end <= w()
            GROUP BY origin, dest, window_start""",
        timestamps="window_start first_ts last_ts",
        window_us=2 * DAY,
    ),
    make(
        "tumble_null_key",
        "tailnum window_start",
        """SELECT tailnum, window_start, count(*) AS flights,
                  sum(distance) AS miles
           FROM TUMBLE(departures, ts, INTERVAL '7' DAY, INTERVAL '3' DAY)
           WHERE tailnum IS NULL OR tailnum LIKE 'N3%'
           GROUP BY tailnum, window_start""",
        f"""SELECT tailnum, window_start, count(*) AS flights,
                   CAST(sum(distance) AS BIGINT) AS miles
            FROM {tumble(D, "ts", 7 * DAY, 3 * DAY)}
            WHERE tailnum IS NULL OR tailnum LIKE 'N3%'
            GROUP BY tailnum, window_start""",
        timestamps="window_start",
        window_us=7 * DAY,
    ),
    make(
        "tumble_by_end",
        "window_end",
        """SELECT window_end, count(*) AS flights,
                  sum(CASE WHEN cancelled THEN 1 ELSE 0 END) AS cancelled
           FROM TUMBLE(departures, ts, INTERVAL '10' MINUTE)
           GROUP BY window_end EMIT ON WINDOW CLOSE""",
        f"""SELECT window_end, count(*) AS flights,
                   CAST(sum(cancelled::INT) AS BIGINT) AS cancelled
            FROM {tumble(D, "ts", 10 * MINUTE)}
            WHERE window_end <= w() GROUP BY window_end""",
        timestamps="window_end",
        window_us=10 * MINUTE,
    ),
    make(
        "tumble_case",
        "window_start outcome",
        """SELECT window_start,
                  CASE WHEN cancelled THEN 'cancelled'
                       WHEN dep_delay > 30 THEN 'late'
                       WHEN dep_delay > 0 THEN 'nearly'
                       ELSE 'on time' END AS outcome,
                  count(*) AS flights, avg(coalesce(arr_delay, 0)) AS arrival,
                  sum(CASE WHEN origin = 'JFK' THEN distance ELSE 0 END) AS jfk
           FROM TUMBLE(departures, ts, INTERVAL '6' HOUR)
           WHERE distance BETWEEN 200 AND 2500 OR carrier = 'ZZ'
           GROUP BY 1, 2 EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start,
                   CASE WHEN cancelled THEN 'cancelled'
                        WHEN dep_delay > 30 THEN 'late'
                        WHEN dep_delay > 0 THEN 'nearly'
                        ELSE 'on time' END AS outcome,
                   count(*) AS flights, avg(coalesce(arr_delay, 0)) AS arrival,
                   CAST(sum(CASE WHEN origin = 'JFK' THEN distance ELSE 0 END)
                        AS BIGINT) AS jfk
            FROM {tumble(D, "ts", 6 * HOUR)}
            WHERE (distance BETWEEN 200 AND 2500 OR carrier = 'ZZ')
              AND window_end <= w() GROUP BY 1, 2""",
        timestamps="window_start",
        window_us=6 * HOUR,
    ),
    make(
        "tumble_spread",
        "carrier window_start",
        """SELECT carrier, window_start, stddev(arr_delay) AS deviation,
                  variance(air_hours) AS hours_variance,
                  stddev_pop(distance) AS spread, var_pop(dep_delay) AS delays,
                  stddev_samp(dep_delay) AS samp, var_samp(distance) AS var
           FROM TUMBLE(departures, ts, INTERVAL '12' HOUR)
           GROUP BY carrier, window_start""",
        f"""SELECT carrier, window_start, stddev_samp(arr_delay) AS deviation,
                   var_samp(air_hours) AS hours_variance,
                   stddev_pop(distance) AS spread, var_pop(dep_delay) AS delays,
                   stddev_samp(dep_delay) AS samp, var_samp(distance) AS var
            FROM {tumble(D, "ts", 12 * HOUR)} GROUP BY carrier, window_start""",
        timestamps="window_start",
        window_us=12 * HOUR,
    ),
    make(
        "tumble_best",
        "window_start origin",
        """SELECT window_start, origin, max_by(flight, dep_delay) AS latest,
                  min_by(dest, air_hours) AS nearest,
                  max_by(arr_delay, distance) AS farthest_delay,
                  min_by(carrier, ts) AS first_carrier
           FROM TUMBLE(departures, ts, INTERVAL '3' HOUR)
           GROUP BY window_start, origin EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, origin,
                   {greatest_by("flight", "dep_delay")} AS latest,
                   {least_by("dest", "air_hours")} AS nearest,
                   {greatest_by("arr_delay", "distance")} AS farthest_delay,
                   first(carrier ORDER BY ts, part, off) AS first_carrier
            FROM {tumble(D, "ts", 3 * HOUR)}
            WHERE window_end <= w() GROUP BY window_start, origin""",
        timestamps="window_start",
        window_us=3 * HOUR,
    ),
    make(
        "tumble_retained",
        "window_start carrier",
        """SELECT window_start, carrier, count(*) AS flights
           FROM TUMBLE(departures, ts, INTERVAL '1' HOUR)
           GROUP BY window_start, carrier""",
        f"""SELECT window_start, carrier, count(*) AS flights
            FROM {tumble(D, "ts", HOUR)} WHERE window_end + {2 * DAY} > w()
            GROUP BY window_start, carrier""",
        timestamps="window_start",
        options="retention = '2d'",
        window_us=HOUR,
    ),
    make(
        "tumble_closed_retained",
        "window_start dest",
        """SELECT window_start, dest, count(*) AS flights,
                  max(dep_delay) AS most
           FROM TUMBLE(departures, ts, INTERVAL '30' MINUTE)
           GROUP BY window_start, dest EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, dest, count(*) AS flights,
                   max(dep_delay) AS most
            FROM {tumble(D, "ts", 30 * MINUTE)}
            WHERE window_end <= w() AND window_end + {36 * HOUR} > w()
            GROUP BY window_start, dest""",
        timestamps="window_start",
        options="retention = '36h', allowed.lateness = '1h'",
        window_us=30 * MINUTE,
    ),
    make(
        "tumble_of_expressions",
        "bucket route window_start",
        """SELECT distance / 500 AS bucket, origin || '-' || dest AS route,
                  window_start, count(*) AS flights,
                  sum(distance * 2 - 1) AS double_miles
           FROM TUMBLE(departures, ts, INTERVAL '1' DAY)
           WHERE dest LIKE 'S__' AND NOT cancelled
           GROUP BY distance / 500, origin || '-' || dest, window_start""",
        f"""SELECT distance // 500 AS bucket, origin || '-' || dest AS route,
                   window_start, count(*) AS flights,
                   CAST(sum(distance * 2 - 1) AS BIGINT) AS double_miles
            FROM {tumble(D, "ts", DAY)}
            WHERE dest LIKE 'S__' AND NOT cancelled GROUP BY 1, 2, 3""",
        timestamps="window_start",
        window_us=DAY,
    ),
)

_HOPS = (
    make(
        "hop_hour",
        "window_start origin",
        """SELECT window_start, origin, count(*) AS flights,
                  avg(distance) AS miles
           FROM HOP(departures, ts, INTERVAL '15' MINUTE, INTERVAL '1' HOUR)
           GROUP BY window_start, origin""",
        f"""SELECT window_start, origin, count(*) AS flights,
                   avg(distance) AS miles
            FROM {hop(D, "ts", 15 * MINUTE, HOUR)} GROUP BY window_start, origin
        """,
        timestamps="window_start",
        window_us=HOUR,
    ),
    make(
        "hop_closed",
        "carrier window_start window_end",
        """SELECT carrier, window_start, window_end, count(*) AS flights,
                  min(air_hours) AS shortest, max(air_hours) AS longest
           FROM HOP(departures, ts, INTERVAL '6' HOUR, INTERVAL '1' DAY)
           GROUP BY carrier, window_start, window_end EMIT ON WINDOW CLOSE""",
        f"""SELECT carrier, window_start, window_end, count(*) AS flights,
                   min(air_hours) AS shortest, max(air_hours) AS longest
            FROM {hop(D, "ts", 6 * HOUR, DAY)} WHERE window_end <= w()
            GROUP BY carrier, window_start, window_end""",
        timestamps="window_start window_end",
        window_us=DAY,
    ),
    make(
        "hop_shifted",
        "window_start",
        """SELECT window_start, count(*) AS flights,
                  first_value(carrier ORDER BY ts) AS first_carrier,
                  last_value(carrier ORDER BY ts) AS last_carrier
           FROM HOP(departures, ts, INTERVAL '20' MINUTE, INTERVAL '1' HOUR,
                    INTERVAL '7' MINUTE)
           GROUP BY window_start EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, count(*) AS flights,
                   first(carrier ORDER BY ts, part, off) AS first_carrier,
                   last(carrier ORDER BY ts, part, off) AS last_carrier
            FROM {hop(D, "ts", 20 * MINUTE, HOUR, 7 * MINUTE)}
            WHERE window_end <= w() GROUP BY window_start""",
        timestamps="window_start",
        window_us=HOUR,
    ),
    make(
        "hop_retained",
        "window_start dest",
        """SELECT window_start, dest, count(*) AS flights,
                  stddev_pop(dep_delay) AS deviation
           FROM HOP(departures, ts, INTERVAL '1' HOUR, INTERVAL '3' HOUR)
           WHERE origin <> 'LGA'
           GROUP BY window_start, dest""",
        f"""SELECT window_start, dest, count(*) AS flights,
                   stddev_pop(dep_delay) AS deviation
            FROM {hop(D, "ts", HOUR, 3 * HOUR)}
            WHERE origin <> 'LGA' AND window_end + {5 * DAY} > w()
            GROUP BY window_start, dest""",
        timestamps="window_start",
        options="retention = '5d'",
        window_us=3 * HOUR,
    ),
    make(
        "hop_best",
        "window_start",
        """SELECT window_start, max_by(tailnum, arr_delay) AS worst,
                  min_by(flight, arr_delay) AS best, max(arr_delay) AS most
           FROM HOP(departures, ts, INTERVAL '30' MINUTE, INTERVAL '2' HOUR)
           WHERE arr_delay IS NOT NULL
           GROUP BY window_start""",
        f"""SELECT window_start, {greatest_by("tailnum", "arr_delay")} AS worst,
                   {least_by("flight", "arr_delay")} AS best,
                   max(arr_delay) AS most
            FROM {hop(D, "ts", 30 * MINUTE, 2 * HOUR)}
            WHERE arr_delay IS NOT NULL GROUP BY window_start""",
        timestamps="window_start",
        window_us=2 * HOUR,
    ),
)

_SESSIONS = (
    make(
        "session_plane",
        "tailnum window_start",
        """SELECT tailnum, window_start, window_end, count(*) AS flights,
                  first_value(origin ORDER BY ts) AS came_from,
                  last_value(dest ORDER BY ts) AS went_to
           FROM SESSION(departures, ts, INTERVAL '8' HOUR)
           WHERE tailnum IS NOT NULL
           GROUP BY tailnum, window_start, window_end""",
        f"""SELECT tailnum, window_start, window_end, count(*) AS flights,
                   first(origin ORDER BY ts, part, off) AS came_from,
                   last(dest ORDER BY ts, part, off) AS went_to
            FROM {
            session(
                "(FROM departures WHERE tailnum IS NOT NULL)",
                "ts",
                8 * HOUR,
                "tailnum",
            )
        }
            GROUP BY tailnum, window_start, window_end""",
        timestamps="window_start window_end",
    ),
    make(
        "session_closed",
        "origin carrier window_start",
        """SELECT origin, carrier, window_start, window_end,
                  count(*) AS flights, sum(distance) AS miles
           FROM SESSION(departures, ts, INTERVAL '90' MINUTE)
           GROUP BY origin, carrier, window_start, window_end
           EMIT ON WINDOW CLOSE""",
        f"""SELECT origin, carrier, window_start, window_end,
                   count(*) AS flights, CAST(sum(distance) AS BIGINT) AS miles
            FROM {session(D, "ts", 90 * MINUTE, "origin, carrier")}
            WHERE window_end <= w()
            GROUP BY origin, carrier, window_start, window_end""",
        timestamps="window_start window_end",
    ),
    make(
        "session_tied",
        "dest window_start",
        """SELECT dest, window_start, window_end, count(*) AS flights,
                  max_by(flight, distance) AS farthest,
                  avg(CASE WHEN cancelled THEN 1.0 ELSE 0.0 END) AS cancelled
           FROM SESSION(departures, ts, INTERVAL '60' MINUTE)
           WHERE carrier <> 'EV' GROUP BY dest, window_start, window_end""",
        f"""SELECT dest, window_start, window_end, count(*) AS flights,
                   {greatest_by("flight", "distance")} AS farthest,
                   avg(CASE WHEN cancelled THEN 1.0::DOUBLE
                            ELSE 0.0::DOUBLE END) AS cancelled
            FROM {
            session(
                "(FROM departures WHERE carrier <> 'EV')", "ts", HOUR, "dest"
            )
        }
            GROUP BY dest, window_start, window_end""",
        timestamps="window_start window_end",
    ),
    make(
        "session_retained",
        "origin window_start",
        """SELECT origin, window_start, window_end, count(*) AS flights,
                  stddev(dep_delay) AS deviation
           FROM SESSION(departures, ts, INTERVAL '15' MINUTE)
           GROUP BY origin, window_start, window_end""",
        f"""SELECT origin, window_start, window_end, count(*) AS flights,
                   stddev_samp(dep_delay) AS deviation
            FROM {session(D, "ts", 15 * MINUTE, "origin")}
            WHERE window_end + {3 * DAY} > w()
            GROUP BY origin, window_start, window_end""",
        timestamps="window_start window_end",
        options="retention = '3d'",
    ),
)

CASES = (*_TUMBLES, *_HOPS, *_SESSIONS)
