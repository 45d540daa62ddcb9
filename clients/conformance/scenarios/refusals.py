"""Attempts that fail: when to come back, and when not to."""

from conformance.failed import Failed
from conformance.messages import batch, resumed
from conformance.play import Play
from conformance.scenario import scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.stage import Stage
from conformance.views import TALLY

_DELAY_MS = 300
_SHORT_MS = 1
_LEAST_MS = 50
_SERIES = 3
_ATTEMPTS = 4
# Less than a series that does not begin again would show.
_SLACK_MS = 250
# From this attempt on the jitter is judged: it is more than the noise.
_FIRST_JUDGED = 2
_LEAST_SPREAD = 0.04
_SHORTER = 0.96

FOR_GOOD = (
    "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "UNAUTHENTICATED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
)  # fmt: skip
_TO_BE_RETRIED = (
    "CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL",
    "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED",
)  # fmt: skip


@scenario("refusals")
def retry_delay(play: Play) -> None:
    play.accept().cut("RESOURCE_EXHAUSTED", retry_ms=_DELAY_MS)
    stage = live_with_two_rows(play)
    stage.cut("UNAVAILABLE", retry_ms=_DELAY_MS)
    play.accept().send(resumed(5, "again"), batch(5, 6, TALLY.gone("a")))
    play.holds(TALLY.row("b", 2))


def _refused_series(
    play: Play, before: Stage, retry_ms: int | None = None
) -> tuple[list[float], Stage]:
    """How long the client waited each time; its next stream."""
    waits_ms = []
    for number in range(_ATTEMPTS):
        stage = play.accept()
        waited_ms = play.wait_ms(before.stream, stage.stream)
        if waited_ms < (_LEAST_MS << number) / 2 - 1:
            raise Failed(
                f"waited {waited_ms:.0f} ms before attempt {number + 1},"
                f" not more than half of {_LEAST_MS << number}"
            )
        waits_ms.append(waited_ms)
        if number + 1 < _ATTEMPTS:
            stage.cut(retry_ms=retry_ms)
            before = stage
    return waits_ms, stage


def _check_waits(series: list[list[float]]) -> None:
    """A busy machine makes waits longer, and not shorter: from above the
    shorter ones count. The first series is no test of beginning again."""
    for number in range(_ATTEMPTS):
        waited_ms = min(waits[number] for waits in series[1:])
        if waited_ms > (_LEAST_MS << number) + _SLACK_MS:
            raise Failed(
                f"waited {waited_ms:.0f} ms before attempt {number + 1},"
                f" not at most {_LEAST_MS << number}"
            )
    parts = [
        waits[number] / (_LEAST_MS << number)
        for waits in series
        for number in range(_FIRST_JUDGED, _ATTEMPTS)
    ]
    if min(parts) > _SHORTER or max(parts) - min(parts) < _LEAST_SPREAD:
        raise Failed(f"waits without jitter: parts {parts} of the whole ones")


@scenario("refusals", timed=True)
def backoff(play: Play) -> None:
    stage = live_with_two_rows(play)
    series = []
    for number in range(_SERIES):
        stage.cut()
        waits_ms, stage = _refused_series(play, stage)
        series.append(waits_ms)
        # A response: the next series begins at the least wait again.
        stage.send(resumed(5, f"series {number}"))
        play.settled()
    _check_waits(series)
    stage.send(batch(5, 6, TALLY.gone("a")))
    play.holds(TALLY.row("b", 2))


@scenario("refusals")
def short_retry_delay(play: Play) -> None:
    """Not before it, and not before the backoff."""
    stage = live_with_two_rows(play)
    stage.cut(retry_ms=_SHORT_MS)
    _, stage = _refused_series(play, stage, _SHORT_MS)
    stage.send(resumed(5, "again"), batch(5, 6, TALLY.gone("a")))
    play.holds(TALLY.row("b", 2))


@scenario("refusals")
def retried_codes(play: Play) -> None:
    stage = live_with_two_rows(play)
    for code in _TO_BE_RETRIED:
        stage.cut(code)
        stage = play.accept()
        stage.send(resumed(5, f"after {code}"))
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))


def _make(code: str) -> None:
    @scenario("refusals", name=f"refused_{code.lower()}")
    def refused(play: Play) -> None:
        message = f"no, because of {code.lower()}"
        play.accept().refuse(code, message)
        play.is_refused(code, message)


for each in FOR_GOOD:
    _make(each)


@scenario("refusals")
def refused_in_mid_stream(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.refuse("FAILED_PRECONDITION", "the pipeline has stopped")
    play.is_refused("FAILED_PRECONDITION", "the pipeline has stopped")


@scenario("refusals", view_name="nope")
def no_such_view(play: Play) -> None:
    play.is_refused("NOT_FOUND", 'no view "nope"')
