"""Line charts as SVG: axes that may be logarithmic, lines, and a legend."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

COLOURS = ("#0b6e99", "#c26a1b", "#5b8c3a", "#8a4f9e")

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 30, 44
_TICKS = 5


@dataclass(frozen=True)
class Line:
    label: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    marks: bool = True


@dataclass(frozen=True)
class Axis:
    """One that is not logarithmic begins at 0."""

    label: str
    logarithmic: bool = False
    # Where to have ticks, and what to call them; none: where it suits.
    ticks: Sequence[tuple[float, str]] = field(default=())


@dataclass(frozen=True)
class Chart:
    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]


def draw(charts: Sequence[Chart], width: int = 420, height: int = 300) -> str:
    """The charts side by side."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * len(charts)}"'
        f' height="{height}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, chart in enumerate(charts):
        parts.append(f'<g transform="translate({number * width},0)">')
        parts += _chart(chart, width, height)
        parts.append("</g>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


class _Scale:
    """From values of an axis to places on it."""

    def __init__(
        self, axis: Axis, values: Sequence[float], begin: float, end: float
    ) -> None:
        self._map: Callable[[float], float] = (
            math.log10 if axis.logarithmic else float
        )
        self.ticks = list(axis.ticks) or (
            _decades(values) if axis.logarithmic else _round_ticks(max(values))
        )
        shown = [*values, *(value for value, _ in self.ticks)]
        self._low, self._high = self._map(min(shown)), self._map(max(shown))
        if self._low == self._high:
            self._high += 1
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        part = (self._map(value) - self._low) / (self._high - self._low)
        return round(self._begin + part * (self._end - self._begin), 1)


def _chart(chart: Chart, width: int, height: int) -> Iterable[str]:
    points = [point for line in chart.lines for point in line.points]
    x = _Scale(chart.x, [p[0] for p in points], _LEFT, width - _RIGHT)
    y = _Scale(chart.y, [p[1] for p in points], height - _BOTTOM, _TOP)
    bottom, right = height - _BOTTOM, width - _RIGHT
    yield _text(width / 2, 16, chart.title, 'text-anchor="middle"')
    for value, name in x.ticks:
        yield _rule(x.at(value), bottom, x.at(value), _TOP)
        yield _text(x.at(value), bottom + 15, name, 'text-anchor="middle"')
    for value, name in y.ticks:
        yield _rule(_LEFT, y.at(value), right, y.at(value))
        yield _text(_LEFT - 5, y.at(value) + 4, name, 'text-anchor="end"')
    yield _text(
        (_LEFT + right) / 2, height - 8, chart.x.label, 'text-anchor="middle"'
    )
    yield _text(
        0, 0, chart.y.label,
        'text-anchor="middle"'
        f' transform="translate(12,{(_TOP + bottom) / 2}) rotate(-90)"',
    )  # fmt: skip
    for number, line in enumerate(chart.lines):
        colour = COLOURS[number % len(COLOURS)]
        yield from _line(line, x, y, colour)
        if len(chart.lines) > 1:
            yield from _legend(line, colour, _TOP + 14 + 15 * number)


def _line(line: Line, x: _Scale, y: _Scale, colour: str) -> Iterable[str]:
    places = [(x.at(a), y.at(b)) for a, b in line.points]
    path = " ".join(f"{a},{b}" for a, b in places)
    yield (
        f'<polyline points="{path}" fill="none" stroke="{colour}"'
        f' stroke-width="1.8"{_dashes(line)}/>'
    )
    if line.marks:
        for a, b in places:
            yield f'<circle cx="{a}" cy="{b}" r="2.6" fill="{colour}"/>'


def _legend(line: Line, colour: str, y: float) -> Iterable[str]:
    x = _LEFT + 10
    yield (
        f'<line x1="{x}" y1="{y}" x2="{x + 20}" y2="{y}" stroke="{colour}"'
        f' stroke-width="1.8"{_dashes(line)}/>'
    )
    yield _text(x + 26, y + 4, line.label, "")


def _dashes(line: Line) -> str:
    return ' stroke-dasharray="5 3"' if line.dashed else ""


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x}" y="{y}" {attributes}>{escape(text)}</text>'


def _decades(values: Sequence[float]) -> list[tuple[float, str]]:
    """Powers of ten around all values."""
    first = math.floor(math.log10(min(values)))
    last = math.ceil(math.log10(max(values)))
    return [(10.0**n, number(10.0**n)) for n in range(first, last + 1)]


def _round_ticks(highest: float) -> list[tuple[float, str]]:
    """From 0 beyond the highest, in steps of 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return [(0, "0"), (1, "1")]
    least = highest / _TICKS
    power = 10.0 ** math.floor(math.log10(least))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= least)
    count = math.ceil(highest / step)
    return [(n * step, number(n * step)) for n in range(count + 1)]


def number(value: float) -> str:
    """1,000 as "1k"."""
    for bound, unit in ((1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:.4g}{unit}"
    return f"{value:.4g}"
