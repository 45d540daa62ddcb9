"""Scenarios: what they are, and how one is played to a driver."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.driver import DriverSpec
from conformance.failed import Failed
from conformance.play import Play
from conformance.verdict import judge
from conformance.views import TALLY, Row, View

Script = Callable[[Play], None]


@dataclass(frozen=True)
class Watched:
    """A view that the driver is to watch, and of it what."""

    view: View = TALLY
    keys: tuple[Row, ...] = ()
    prefix: Row | None = None
    where: str = ""


@dataclass(frozen=True)
class Scenario:
    name: str
    script: Script
    watched: tuple[Watched, ...]
    flags: tuple[str, ...]
    group: str
    commands: bool = False
    # For a driver that can do no session: by `tidegate watch A B`.
    several_views: bool = False
    view_name: str = ""  # another name than the view's
    by_signal: bool = False  # the driver is ended by SIGTERM
    timed: bool = False  # how long the client waits is judged from above too

    @property
    def only_sessions(self) -> bool:
        return self.group == "sessions"

    @property
    def only_reads(self) -> bool:
        return self.group == "reads"

    def is_for(self, spec: DriverSpec, in_session: bool) -> bool:
        if self.only_reads:
            return spec.reads and not in_session
        if self.several_views and in_session:
            return True
        if in_session and not spec.session:
            return False
        if self.only_sessions:
            return in_session and (spec.commands or not self.commands)
        return True


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    group: str,
    *watched: Watched,
    flags: tuple[str, ...] = (),
    name: str = "",
    **members: Any,
) -> Callable[[Script], Script]:
    """Registers a script under its own name, or `name`."""

    def register(script: Script) -> Script:
        known = name or script.__name__
        assert known not in SCENARIOS, known
        SCENARIOS[known] = Scenario(
            known, script, watched or (Watched(),), flags, group, **members
        )
        return script

    return register


def play_to(
    spec: DriverSpec,
    chosen: Scenario,
    in_session: bool,
    checker: Path,
    directory: Path,
    patience_s: float,
    patience_when_up_s: float | None = None,
) -> None:
    """Raises Failed, with what the driver said, if it does not pass."""
    play = Play(spec, in_session, patience_s, patience_when_up_s)
    try:
        _run(play, chosen, checker, directory)
    except Failed as failed:
        driver = play.driver
        said = "" if driver is None else "".join(driver.texts[-20:])
        errors = "" if driver is None else driver.stderr[-2000:]
        told = Failed(f"{failed}\nlines:\n{said}stderr:\n{errors}")
        told.reason = str(failed)
        told.exit_status = None if driver is None else driver.exit_status
        raise told from None
    finally:
        play.close()


def _run(
    play: Play, chosen: Scenario, checker: Path, directory: Path
) -> None:
    views = [chosen.view_name or each.view.name for each in chosen.watched]
    reads = chosen.only_reads
    for each in chosen.watched if not reads else ():
        play.watch_of(
            each.view, list(each.keys) or None, each.prefix, each.where
        )
    mirror = play.spec.mirror and not reads
    steered = chosen.commands and play.spec.commands
    play.start(
        *views,
        flags=list(chosen.flags),
        mirror=mirror,
        commands=steered,
        reads=reads,
    )
    chosen.script(play)
    if play.outcome.kind in ("kept", "shown"):
        play.settled()
        has_stdin = mirror or steered or reads
        play.stopped(by_signal=chosen.by_signal or not has_stdin)
    judge(play, checker, directory)
