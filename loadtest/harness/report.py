"""One entry a goal, as the benchmarks' JSON has them."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Goal(NamedTuple):
    """What a result is to be: at most, or at least, a bound."""

    relation: Literal["<=", ">="]
    bound: float

    def is_met(self, result: float) -> bool:
        if self.relation == "<=":
            return result <= self.bound
        return result >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:.4g}"


def at_most(bound: float) -> Goal:
    return Goal("<=", bound)


def at_least(bound: float) -> Goal:
    return Goal(">=", bound)


def median(samples: Sequence[float]) -> float:
    """By nearest rank, as in loadtest/bench/report.cc."""
    return statistics.median_low(samples)


@dataclass
class Entry:
    """A measure of ours beside the limit or peer taken in the same run."""

    name: str
    unit: str
    against: str
    goal: Goal
    kind: Literal["ratio", "difference"] = "ratio"
    # The result is the median of each round's own, not that of the medians: for
    # sides that ran at the same time.
    paired: bool = False
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    # Written beside the rest, for whoever wants to know more.
    more: dict[str, Any] = field(default_factory=dict)

    def add(self, ours: float, theirs: float) -> None:
        """One round's samples."""
        self.ours.append(ours)
        self.theirs.append(theirs)

    @property
    def result(self) -> float:
        if not self.paired:
            return self._compared(median(self.ours), median(self.theirs))
        rounds = zip(self.ours, self.theirs, strict=True)
        return median([self._compared(*samples) for samples in rounds])

    def _compared(self, ours: float, theirs: float) -> float:
        return ours - theirs if self.kind == "difference" else ours / theirs

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ours": _rounded(median(self.ours)),
            "unit": self.unit,
            "against": self.against,
            "value_against": _rounded(median(self.theirs)),
            "kind": self.kind,
            "result": _rounded(self.result),
            "goal": str(self.goal),
            "met": self.goal.is_met(self.result),
            "samples": {
                "ours": [_rounded(sample) for sample in self.ours],
                "against": [_rounded(sample) for sample in self.theirs],
            },
            **self.more,
        }

    def to_text(self) -> str:
        """For people: one line."""
        return (
            f"{self.name:22} {median(self.ours):14.3f} {self.unit:9}"
            f" {self.against} {median(self.theirs):14.3f}"
            f"  {self.kind} {self.result:8.3f}  goal {self.goal}"
            f"  {'met' if self.goal.is_met(self.result) else 'missed'}"
        )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def publish(entries: Iterable[Entry], file: Path | None) -> None:
    """Prints each; appends each to `file` as a line of JSON."""
    lines = []
    for entry in entries:
        print(entry.to_text(), flush=True)
        lines.append(json.dumps(entry.to_json()) + "\n")
    if file is not None:
        with file.open("a") as out:
            out.writelines(lines)
