"""The plots of docs/BENCHMARKS.md, from what the benchmarks wrote."""

from collections.abc import Sequence
from typing import Any

from harness.svg import Axis, Chart, Line, draw

Point = dict[str, Any]

_PERCENTS = (50.0, 90.0, 99.0, 99.9, 99.99)


def latency(distribution: dict[str, Any]) -> str:
    """Percentiles of `bench live --distribution`, ours and bare."""
    percents = [p for p in distribution["percents"] if p < 100]
    # The rarer, the further to the right: so the maximum has no place.
    places = [_rarity(percent) for percent in percents]

    def line(label: str, name: str, dashed: bool) -> Line:
        times = distribution[name][: len(places)]
        return Line(
            label, list(zip(places, times, strict=True)), dashed, marks=False
        )

    ticks = [(_rarity(percent), f"{percent:g} %") for percent in _PERCENTS]
    return draw(
        [
            Chart(
                "From produce() to the subscriber",
                Axis("of the events came sooner", True, ticks),
                Axis("milliseconds", True),
                [
                    line("tidegate", "ours_ms", False),
                    line("bare produce-consume", "bare_ms", True),
                ],
            )
        ],
        width=640,
        height=360,
    )


def _rarity(percent: float) -> float:
    return 100 / (100 - percent)


def subscribers(points: Sequence[Point]) -> str:
    """Updates a second and CPU, against the number of subscribers."""
    found = [p for p in points if p["sweep"] == "subscribers"]
    x = Axis("subscribers", True)

    def line(label: str, name: str, dashed: bool = False) -> Line:
        return Line(label, [(p["subscribers"], p[name]) for p in found], dashed)

    return draw(
        [
            Chart(
                "Updates delivered a second", x, Axis("updates/s"),
                [line("", "updates_per_s")],
            ),
            Chart(
                "CPU of an update", x, Axis("us"),
                [line("", "cpu_us_per_update")],
            ),
            Chart(
                "Cores in use", x, Axis("cores"),
                [
                    line("with subscribers", "cores"),
                    line("the same events without", "cores_alone", True),
                ],
            ),
        ]
    )  # fmt: skip


def keys(points: Sequence[Point]) -> str:
    """Catching up: events a second and CPU, against the number of keys."""
    found = [p for p in points if p["sweep"] == "keys"]
    x = Axis("keys", True)

    def lines(name: str) -> list[Line]:
        return [
            Line("tidegate", [(p["keys"], p[name]) for p in found]),
            Line(
                "bare librdkafka",
                [(p["keys"], p[f"{name}_bare"]) for p in found],
                dashed=True,
            ),
        ]

    return draw(
        [
            Chart("Events a second", x, Axis("events/s"), lines("events_per_s")),
            Chart("CPU of an event", x, Axis("us"), lines("cpu_us_per_event")),
        ]
    )
