"""Views over flights that come hours late, and which events they may divert.

Each has `candidates`: every event that its WHERE lets through, once per window,
with the deadline: it is late, there, if deadline <= the watermark at which it
was read. What the view must hold is said over `fed_NAME`: the candidates less
those diverted.
"""

from dataclasses import dataclass

from system.event_case import EventCase, make
from system.event_oracle import (
    DAY,
    HOUR,
    MINUTE,
    greatest_by,
    hop,
    session,
    sliding,
    tumble,
)

S = "schedules"
_W = "late_w()"


@dataclass(frozen=True)
class LateCase:
    view: EventCase
    candidates: str
    never_late: bool = False

    @property
    def name(self) -> str:
        return self.view.name


def _late(
    name: str,
    key: str,
    select: str,
    expected: str,
    candidates: str,
    *,
    timestamps: str = "window_start",
    options: str = "",
    primary_key: str = "",
    window_us: int | None = None,
    never_late: bool = False,
) -> LateCase:
    options = ", ".join(filter(None, ("pipeline = 'late'", options)))
    view = make(
        name, key, select, expected.replace("@FED@", f"fed_{name}"),
        timestamps=timestamps, options=options, primary_key=primary_key,
        window_us=window_us,
    )  # fmt: skip
    return LateCase(view, candidates, never_late)


def _windows(relation: str, lateness: int = 0, where: str = "true") -> str:
    return f"""SELECT *, window_start AS late_start,
                      window_end + {lateness} AS deadline
               FROM {relation} WHERE {where}"""


def _events(deadline: str, where: str = "true") -> str:
    return f"""SELECT *, NULL::BIGINT AS late_start, {deadline} AS deadline
               FROM schedules WHERE {where}"""


# Ordered folds: late is what the watermark has passed.
_PASSED = "sched + 1"

_BY_CARRIER = "OVER (PARTITION BY carrier ORDER BY sched, part, off)"

LATE_CASES = (
    _late(
        "late_hour", "window_start origin",
        """SELECT window_start, origin, count(*) AS flights,
                  sum(distance) AS miles, last_value(id ORDER BY sched) AS last
           FROM TUMBLE(schedules, sched, INTERVAL '1' HOUR)
           GROUP BY window_start, origin""",
        """SELECT window_start, origin, count(*) AS flights,
                  CAST(sum(distance) AS BIGINT) AS miles,
                  last(id ORDER BY sched, part, off) AS last
           FROM @FED@ GROUP BY window_start, origin""",
        _windows(tumble(S, "sched", HOUR)),
        window_us=HOUR,
    ),
    _late(
        "late_closed", "window_start carrier",
        """SELECT window_start, carrier, count(*) AS flights,
                  avg(dep_delay) AS delay
           FROM TUMBLE(schedules, sched, INTERVAL '20' MINUTE,
                       INTERVAL '5' MINUTE)
           GROUP BY window_start, carrier EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, carrier, count(*) AS flights,
                   avg(dep_delay) AS delay
            FROM @FED@ WHERE window_end <= {_W} GROUP BY window_start, carrier
        """,
        _windows(tumble(S, "sched", 20 * MINUTE, 5 * MINUTE)),
        window_us=20 * MINUTE,
    ),
    _late(
        "late_allowed", "window_start origin",
        """SELECT window_start, origin, count(*) AS flights,
                  max_by(flight, dep_delay) AS latest,
                  stddev(dep_delay) AS deviation
           FROM TUMBLE(schedules, sched, INTERVAL '1' HOUR)
           GROUP BY window_start, origin EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, origin, count(*) AS flights,
                   {greatest_by("flight", "dep_delay", "sched")} AS latest,
                   stddev_samp(dep_delay) AS deviation
            FROM @FED@ WHERE window_end <= {_W} GROUP BY window_start, origin
        """,
        _windows(tumble(S, "sched", HOUR), 2 * HOUR),
        options="allowed.lateness = '2h'",
        window_us=HOUR,
    ),
    _late(
        "late_allowed_retained", "dest window_start",
        """SELECT dest, window_start, count(*) AS flights,
                  max(dep_delay) AS most
           FROM TUMBLE(schedules, sched, INTERVAL '30' MINUTE)
           GROUP BY dest, window_start""",
        f"""SELECT dest, window_start, count(*) AS flights,
                   max(dep_delay) AS most
            FROM @FED@ WHERE window_end + {3 * DAY} > {_W}
            GROUP BY dest, window_start""",
        _windows(tumble(S, "sched", 30 * MINUTE), 3 * HOUR),
        options="allowed.lateness = '3h', retention = '3d'",
        window_us=30 * MINUTE,
    ),
    _late(
        "late_filtered", "window_start",
        """SELECT window_start, count(*) AS flights
           FROM TUMBLE(schedules, sched, INTERVAL '6' HOUR, INTERVAL '2' HOUR)
           WHERE dep_delay > 120 GROUP BY window_start""",
        """SELECT window_start, count(*) AS flights FROM @FED@
           GROUP BY window_start""",
        _windows(tumble(S, "sched", 6 * HOUR, 2 * HOUR), 0, "dep_delay > 120"),
        window_us=6 * HOUR,
    ),
    _late(
        "late_hop", "carrier window_start",
        """SELECT carrier, window_start, count(*) AS flights,
                  first_value(dest ORDER BY sched) AS first_dest
           FROM HOP(schedules, sched, INTERVAL '30' MINUTE, INTERVAL '2' HOUR)
           GROUP BY carrier, window_start""",
        """SELECT carrier, window_start, count(*) AS flights,
                  first(dest ORDER BY sched, part, off) AS first_dest
           FROM @FED@ GROUP BY carrier, window_start""",
        _windows(hop(S, "sched", 30 * MINUTE, 2 * HOUR)),
        window_us=2 * HOUR,
    ),
    _late(
        "late_hop_allowed", "window_start window_end",
        """SELECT window_start, window_end, count(*) AS flights,
                  variance(distance) AS spread
           FROM HOP(schedules, sched, INTERVAL '10' MINUTE, INTERVAL '1' HOUR,
                    INTERVAL '3' MINUTE)
           WHERE NOT cancelled OR carrier = 'ZZ'
           GROUP BY window_start, window_end EMIT ON WINDOW CLOSE""",
        f"""SELECT window_start, window_end, count(*) AS flights,
                   var_samp(distance) AS spread
            FROM @FED@ WHERE window_end <= {_W}
            GROUP BY window_start, window_end""",
        _windows(
            hop(S, "sched", 10 * MINUTE, HOUR, 3 * MINUTE), HOUR,
            "NOT cancelled OR carrier = 'ZZ'",
        ),
        options="allowed.lateness = '1h'",
        timestamps="window_start window_end",
    ),
    _late(
        "late_session", "origin carrier window_start",
        """SELECT origin, carrier, window_start, window_end,
                  count(*) AS flights, last_value(dest ORDER BY sched) AS dest
           FROM SESSION(schedules, sched, INTERVAL '1' HOUR)
           GROUP BY origin, carrier, window_start, window_end""",
        f"""SELECT origin, carrier, window_start, window_end,
                   count(*) AS flights,
                   last(dest ORDER BY sched, part, off) AS dest
            FROM {session("@FED@", "sched", HOUR, "origin, carrier", _W)}
            GROUP BY origin, carrier, window_start, window_end""",
        _events(_PASSED),
        timestamps="window_start window_end",
    ),
    _late(
        "late_session_closed", "dest window_start",
        """SELECT dest, window_start, window_end, count(*) AS flights,
                  sum(air_hours) AS hours
           FROM SESSION(schedules, sched, INTERVAL '3' HOUR)
           WHERE carrier IN ('EV', 'B6', 'AA')
           GROUP BY dest, window_start, window_end EMIT ON WINDOW CLOSE""",
        f"""SELECT dest, window_start, window_end, count(*) AS flights,
                   sum(air_hours) AS hours
            FROM {session("@FED@", "sched", 3 * HOUR, "dest", _W)}
            WHERE window_end <= {_W} GROUP BY dest, window_start, window_end""",
        _events(_PASSED, "carrier IN ('EV', 'B6', 'AA')"),
        timestamps="window_start window_end",
    ),
    _late(
        "late_lag", "id",
        """SELECT id, carrier,
                  lag(flight) OVER (PARTITION BY carrier ORDER BY sched)
                    AS before,
                  lag(dep_delay, 5) OVER (PARTITION BY carrier ORDER BY sched)
                    AS fifth
           FROM schedules WHERE origin = 'LGA'""",
        f"""SELECT id, carrier, lag(flight) {_BY_CARRIER} AS before,
                   lag(dep_delay, 5) {_BY_CARRIER} AS fifth
            FROM @FED@ WHERE sched < {_W}""",
        _events(_PASSED, "origin = 'LGA'"),
        primary_key="id",
        timestamps="",
    ),
    _late(
        "late_sliding", "carrier",
        """SELECT carrier, count(*) AS flights, avg(dep_delay) AS delay,
                  max_by(flight, dep_delay) AS latest
           FROM SLIDING(schedules, sched, INTERVAL '6' HOUR,
                        INTERVAL '15' MINUTE)
           GROUP BY carrier""",
        f"""SELECT carrier, count(*) AS flights, avg(dep_delay) AS delay,
                   {greatest_by("flight", "dep_delay", "sched")} AS latest
            FROM {sliding("@FED@", "sched", 6 * HOUR, 15 * MINUTE, _W)}
            GROUP BY carrier""",
        _events(f"sched - sched % {15 * MINUTE} + {6 * HOUR}"),
        timestamps="",
    ),
    _late(
        "late_planes", "tailnum",
        "SELECT tailnum, flight, sched FROM schedules"
        " WHERE tailnum IS NOT NULL",
        f"""SELECT tailnum, flight, sched FROM @FED@
            QUALIFY row_number() OVER (
              PARTITION BY tailnum ORDER BY sched DESC, off DESC) = 1
              AND sched + {4 * HOUR} > {_W}""",
        _events(f"sched + {4 * HOUR}", "tailnum IS NOT NULL"),
        primary_key="tailnum",
        options="retention = '4h'",
        timestamps="sched",
    ),
    _late(
        "late_recent", "kafka_partition kafka_offset",
        "SELECT flight, dest FROM schedules",
        f"""SELECT flight, dest, part AS kafka_partition, off AS kafka_offset
            FROM @FED@ WHERE sched + {5 * HOUR} > {_W}""",
        _events(f"sched + {5 * HOUR}"),
        options="retention = '5h'",
        timestamps="",
    ),
    _late(
        "late_nothing", "origin",
        """SELECT origin, count(*) AS flights, max(sched) AS newest
           FROM schedules GROUP BY origin""",
        """SELECT origin, count(*) AS flights, max(sched) AS newest
           FROM @FED@ GROUP BY origin""",
        _events("NULL::BIGINT"),
        timestamps="newest",
        never_late=True,
    ),
)  # fmt: skip
