"""What a server must not do, and a client must see."""

from typing import Any

from conformance.contract import PB
from conformance.messages import (
    batch,
    chunk,
    delta,
    end,
    fragment,
    resumed,
    token,
)
from conformance.play import Play
from conformance.scenario import Watched, scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.views import TALLY, WINDOWS

_A_CHANGE = TALLY.put("a", 99)


def _live_then(play: Play, *responses: Any) -> None:
    live_with_two_rows(play).send(*responses)
    play.reports()


@scenario("broken_promises")
def gap(play: Play) -> None:
    _live_then(play, batch(5, 6), batch(7, 8, _A_CHANGE))


@scenario("broken_promises")
def duplicate(play: Play) -> None:
    twice = batch(5, 6, _A_CHANGE)
    _live_then(play, twice, twice)


@scenario("broken_promises")
def overlap(play: Play) -> None:
    _live_then(play, batch(5, 8), batch(7, 9, _A_CHANGE))


@scenario("broken_promises")
def backward_range(play: Play) -> None:
    _live_then(play, batch(5, 4, _A_CHANGE))


def _two_partitions(play: Play, bad: Any) -> None:
    play.accept().send(end({0: 5, 1: 9}, "e"), bad)
    play.reports()


@scenario("broken_promises")
def gap_in_a_partition(play: Play) -> None:
    ranges = [(0, 5, 6), (1, 10, 11)]
    _two_partitions(play, delta(_A_CHANGE, ranges=ranges, name="p"))


@scenario("broken_promises")
def late_partition(play: Play) -> None:
    _two_partitions(play, delta(_A_CHANGE, ranges=[(2, 3, 4)], name="p"))


@scenario("broken_promises")
def gap_in_fragments(play: Play) -> None:
    _live_then(play, fragment(_A_CHANGE), batch(6, 7, TALLY.put("b", 3)))


def _resumed_then(play: Play, *responses: Any) -> None:
    live_with_two_rows(play).cut()
    play.accept().send(*responses)
    play.reports()


@scenario("broken_promises")
def resumed_ahead(play: Play) -> None:
    _resumed_then(play, resumed(7, "again"), batch(7, 8, _A_CHANGE))


@scenario("broken_promises")
def resumed_behind(play: Play) -> None:
    _resumed_then(play, resumed(4, "again"), batch(4, 6, _A_CHANGE))


@scenario("broken_promises")
def silent_snapshot(play: Play) -> None:
    _live_then(play, chunk(_A_CHANGE, name="again"))


@scenario("broken_promises")
def silent_snapshot_after_resume(play: Play) -> None:
    _resumed_then(play, chunk(_A_CHANGE, name="again", at=9), end(9))


@scenario("broken_promises")
def second_snapshot_end(play: Play) -> None:
    _live_then(play, end(5, "again"))


@scenario("broken_promises")
def changes_before_the_end(play: Play) -> None:
    play.accept().send(
        chunk(TALLY.put("a", 1), name="s", at=5), batch(5, 6, _A_CHANGE)
    )
    play.reports()


@scenario("broken_promises")
def changes_without_a_range(play: Play) -> None:
    _live_then(
        play, PB.SubscribeResponse(changes=[_A_CHANGE], resume_token=b"no")
    )


@scenario("broken_promises")
def end_without_a_position(play: Play) -> None:
    play.accept().send(
        chunk(TALLY.put("a", 1), name="s", at=5),
        PB.SubscribeResponse(snapshot_end=True, resume_token=token("e")),
    )
    play.reports()


@scenario("broken_promises")
def change_without_a_kind(play: Play) -> None:
    _live_then(play, batch(5, 6, _A_CHANGE, PB.Change()))


@scenario("broken_promises", Watched(WINDOWS))
def watermark_back(play: Play) -> None:
    noon = "2026-01-02T12:00:00Z"
    play.accept().send(
        end(5, watermark=noon), batch(5, 6, watermark="2026-01-02T11:59:59Z")
    )
    play.reports_or_shows("watermark", token(6))


@scenario("broken_promises")
def key_twice_in_a_batch(play: Play) -> None:
    live_with_two_rows(play).send(batch(5, 6, _A_CHANGE, TALLY.put("a", 100)))
    play.reports_or_shows("unique", token(6))


@scenario("broken_promises")
def key_twice_in_a_snapshot(play: Play) -> None:
    # All of it is of one position: nothing can have changed meanwhile.
    play.accept().send(
        chunk(TALLY.put("a", 1), name="s1", at=5),
        chunk(TALLY.put("a", 2), name="s2"),
        end(5),
    )
    play.reports_or_shows("unique", token(5))
