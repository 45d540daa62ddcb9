"""Histories that are gone: forget everything, a snapshot follows."""

from conformance.failed import Failed
from conformance.messages import batch, chunk, end, fragment, reset, resumed
from conformance.play import Play
from conformance.scenario import scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.stage import Stage
from conformance.views import TALLY

_CAUSES = ("HISTORY_TRIMMED", "UNKNOWN_INCARNATION", "VIEW_REBUILT")


def _reset_to_b(stage: Stage, cause: str) -> None:
    """The row a has gone meanwhile."""
    stage.send(
        reset(cause, 50),
        chunk(TALLY.put("b", 7), name="r1"),
        end(50),
        batch(50, 51, TALLY.put("c", 3)),
    )


def _expect_reset(play: Play, cause: str) -> None:
    play.holds(TALLY.row("b", 7), TALLY.row("c", 3))
    play.settled()
    assert play.driver is not None
    resets = [x for x in play.driver.lines if x.get("marker") == "reset"]
    if [line["cause"] for line in resets] != [cause]:
        raise Failed(f"resets {resets}")
    if resets[0].get("detail") != "as scripted":
        raise Failed(f"a reset without its detail: {resets}")


def _make(cause: str) -> None:
    @scenario("resets", name=f"reset_in_mid_stream_{cause.lower()}")
    def in_mid_stream(play: Play) -> None:
        _reset_to_b(live_with_two_rows(play), cause)
        _expect_reset(play, cause)

    @scenario("resets", name=f"reset_as_first_response_{cause.lower()}")
    def as_first_response(play: Play) -> None:
        stage = live_with_two_rows(play)
        stage.send(batch(5, 6, TALLY.put("a", 3)))
        stage.cut()
        _reset_to_b(play.accept(), cause)
        _expect_reset(play, cause)


for each in _CAUSES:
    _make(each)


@scenario("resets")
def reset_in_a_snapshot(play: Play) -> None:
    stage = play.accept()
    stage.send(chunk(TALLY.put("a", 1), TALLY.put("x", 1), name="s1", at=5))
    _reset_to_b(stage, "HISTORY_TRIMMED")
    _expect_reset(play, "HISTORY_TRIMMED")


@scenario("resets")
def reset_in_a_fragment(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(fragment(TALLY.put("x", 1), TALLY.put("b", 99)))
    _reset_to_b(stage, "HISTORY_TRIMMED")
    _expect_reset(play, "HISTORY_TRIMMED")


@scenario("resets")
def reset_to_nothing(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(reset("VIEW_REBUILT", 0), end(0), batch(0, 1))
    play.holds()


@scenario("resets")
def reset_with_its_rows(play: Play) -> None:
    """All in one response."""
    stage = live_with_two_rows(play)
    response = end(50, None, TALLY.put("c", 3))
    response.reset.CopyFrom(reset("HISTORY_TRIMMED", 50).reset)
    stage.send(response, batch(50, 51, TALLY.put("d", 4)))
    play.holds(TALLY.row("c", 3), TALLY.row("d", 4))


@scenario("resets")
def cut_after_a_reset(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(reset("VIEW_REBUILT", 50))
    stage.cut()
    # The token from before the reset is of a history that is gone.
    stage = play.accept()
    stage.send(chunk(TALLY.put("c", 3), name="r1", at=52), end(52))
    stage.cut()
    play.accept().send(resumed(52, "again"), batch(52, 53, TALLY.put("d", 4)))
    play.holds(TALLY.row("c", 3), TALLY.row("d", 4))
