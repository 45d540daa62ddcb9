"""Servers that go away and say so."""

import time

from conformance.failed import Failed
from conformance.messages import batch, chunk, end, resumed
from conformance.play import Play
from conformance.scenario import scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.views import TALLY

_AFTER_MS = 300
_SHORT_MS = 30
_SHORT_DRAINS = 2
# After one attempt or two that failed the backoff is a fraction of a second;
# what gRPC adds must not be more.
_BACK_WITHIN_S = 3


def _expect_drain(play: Play, retry_after_ms: int) -> None:
    assert play.driver is not None
    drains = [x for x in play.driver.lines if x.get("marker") == "drain"]
    if [line["retry_after_ms"] for line in drains] != [retry_after_ms]:
        raise Failed(f"drains {drains}")


@scenario("drains")
def drain(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(batch(5, 6, TALLY.put("a", 10)))
    # A token of its own, of the same position.
    stage.drain(_AFTER_MS, "drained")
    stage.cut()
    # The server has gone. The client comes too early for the next one, and
    # goes on trying.
    play.drain_shown()
    play.server_goes_away()
    play.new_server()
    there_s = time.monotonic()
    stage = play.accept()
    if (away_s := stage.stream.started_s - there_s) > _BACK_WITHIN_S:
        raise Failed(f"was away for {away_s:.1f} s after the server was there")
    stage.send(
        resumed(6, "again"), batch(6, 7, TALLY.gone("b"), TALLY.put("c", 3))
    )
    play.holds(TALLY.row("a", 10), TALLY.row("c", 3))
    play.settled()
    _expect_drain(play, _AFTER_MS)


@scenario("drains")
def drain_for_no_time(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.drain(0, "drained")
    stage.cut()
    play.accept().send(resumed(5, "again"), batch(5, 6, TALLY.gone("b")))
    play.holds(TALLY.row("a", 1))


@scenario("drains")
def drain_in_the_snapshot(play: Play) -> None:
    stage = play.accept()
    stage.send(chunk(TALLY.put("a", 1), name="s1", at=5))
    stage.drain(_AFTER_MS, "s1 of the drain")
    stage.cut()
    stage = play.accept()
    stage.send(chunk(TALLY.put("b", 2), name="s2", at=5), end(5))
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))


@scenario("drains")
def drain_without_a_token(play: Play) -> None:
    stage = play.accept()
    stage.drain(_AFTER_MS)
    stage.cut()
    live_with_two_rows(play)
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))


@scenario("drains", timed=True)
def drain_again(play: Play) -> None:
    """Short ones: their own time counts, not the one before."""
    stage = live_with_two_rows(play)
    stage.drain(_AFTER_MS, "first")
    waits_ms = []
    for number in range(_SHORT_DRAINS):
        stage.cut()
        stage = play.accept()
        stage.send(resumed(5, f"again {number}"))
        stage.drain(_SHORT_MS, f"short {number}")
        stage.cut()
        before, stage = stage, play.accept()
        waits_ms.append(play.wait_ms(before.stream, stage.stream))
        stage.send(resumed(5, f"more {number}"))
    # A busy machine may make one of them longer.
    if min(waits_ms) >= _AFTER_MS:
        raise Failed(f"waited {waits_ms} ms, not {_SHORT_MS} ms")
    stage.send(batch(5, 6, TALLY.gone("a")))
    play.holds(TALLY.row("b", 2))
