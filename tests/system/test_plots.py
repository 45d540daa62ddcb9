"""The plots of the benchmarks: what is drawn, and where."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness import plots
from harness.svg import Axis, Chart, Line, draw, number
from system.processes import ROOT

_SVG = "{http://www.w3.org/2000/svg}"
_WIDTH, _HEIGHT = 420, 300


def _draw(*lines: Line, logarithmic: bool = False) -> ElementTree.Element:
    axis = Axis("x", logarithmic)
    chart = Chart("title", axis, Axis("y", logarithmic), lines)
    return ElementTree.fromstring(draw([chart], _WIDTH, _HEIGHT))


def _places(svg: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """Of each line's points."""
    return [
        [
            (float(x), float(y))
            for x, y in (p.split(",") for p in line.attrib["points"].split())
        ]
        for line in svg.iter(f"{_SVG}polyline")
    ]


def _texts(svg: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{_SVG}text")]


def test_equal_steps_are_drawn_equally_far_apart() -> None:
    ((a, b, c),) = _places(_draw(Line("", [(0, 0), (5, 50), (10, 100)])))
    assert b[0] - a[0] == c[0] - b[0] > 0
    assert a[1] - b[1] == b[1] - c[1] > 0  # upwards
    ((a, b, c),) = _places(
        _draw(Line("", [(1, 10), (10, 100), (100, 1000)]), logarithmic=True)
    )
    assert b[0] - a[0] == c[0] - b[0] > 0
    assert a[1] - b[1] == b[1] - c[1] > 0


def test_everything_lies_within_the_picture() -> None:
    svg = _draw(
        Line("one", [(3, 0.2), (700, 41)]), Line("two", [(90, 1234), (5, 7)])
    )
    for place in (place for line in _places(svg) for place in line):
        assert 0 < place[0] < _WIDTH
        assert 0 < place[1] < _HEIGHT
    assert {"one", "two", "title", "x", "y", "0"} <= set(_texts(svg))


def test_one_line_needs_no_legend_and_text_is_escaped() -> None:
    svg = _draw(Line("a < b & c", [(0, 1), (1, 1)]))
    assert "a < b & c" not in _texts(svg)
    svg = _draw(Line("a < b & c", [(0, 1), (1, 1)]), Line("d", [(0, 0)]))
    assert "a < b & c" in _texts(svg)


def test_ticks_are_round_and_reach_beyond_the_highest() -> None:
    texts = _texts(_draw(Line("", [(0, 0), (1, 46_000)])))
    assert {"10k", "20k", "30k", "40k", "50k"} <= set(texts)
    assert [number(v) for v in (0.5, 20, 1500, 5e6)] == [
        "0.5", "20", "1.5k", "5M",
    ]  # fmt: skip


def _point(**values: Any) -> dict[str, Any]:
    return values


def test_plot_writes_what_it_has_points_for(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.json"
    points = [
        _point(
            sweep="keys", keys=keys, events=9, events_per_s=1e6 / keys,
            events_per_s_bare=2e6, cpu_us_per_event=0.5 * keys,
            cpu_us_per_event_bare=0.2,
        )
        for keys in (100, 1000, 10_000)
    ]  # fmt: skip
    sweep.write_text("".join(json.dumps(point) + "\n" for point in points))
    latency = tmp_path / "latency.json"
    latency.write_text(
        json.dumps(
            {
                "percents": [50, 99, 100],
                "ours_ms": [2.0, 20.0, 90.0],
                "bare_ms": [1.5, 19.0, 88.0],
            }
        )
    )
    out = tmp_path / "plots"
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "loadtest" / "plot"), "--sweep",
            str(sweep), "--latency", str(latency), "--out", str(out),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"latency.svg", "keys.svg"}
    svg = ElementTree.fromstring((out / "keys.svg").read_text())
    assert [len(line) for line in _places(svg)] == [3, 3, 3, 3]
    # The maximum, which no percentage of events comes after, is left out.
    svg = ElementTree.fromstring((out / "latency.svg").read_text())
    assert [len(line) for line in _places(svg)] == [2, 2]


def test_the_subscribers_of_a_sweep_are_drawn_in_three_charts() -> None:
    points = [
        _point(
            sweep="subscribers", subscribers=count, updates_per_s=20_000.0,
            cpu_us_per_update=12.0, cores=0.4, cores_alone=0.1,
        )
        for count in (10, 100, 1_000)
    ]  # fmt: skip
    svg = ElementTree.fromstring(plots.subscribers(points))
    assert len(_places(svg)) == 4
    assert {"10", "100", "1k", "20k"} <= set(_texts(svg))
