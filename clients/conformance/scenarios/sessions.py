"""Sessions: keys that come and go, and several watches on one stream."""

import time
from typing import Any

from conformance.contract import PB
from conformance.failed import Failed
from conformance.messages import (
    batch,
    chunk,
    end,
    fragment,
    reset,
    resumed,
    token,
)
from conformance.play import Play
from conformance.scenario import Watched, scenario
from conformance.server import Refusal
from conformance.stage import SessionStage, Stage
from conformance.views import TALLY, WINDOWS, Row

_AFTER_MS = 300
_LEAST_WAIT_MS = 24
_AWAY_MS = 1000


def _key(name: str) -> Row:
    return TALLY.key(name)


_A, _B, _C, _D = (_key(name) for name in "abcd")
_KEYED = Watched(keys=(_A, _B))
_KEY_FLAGS = ("--key", "a", "--key", "b")
_BOTH = (Watched(TALLY), Watched(WINDOWS))
_KEYED_AND_WINDOWS = (_KEYED, Watched(WINDOWS))
_BOTH_KEY_FLAGS = ("--key", "tally:a", "--key", "tally:b")


def _live(play: Play) -> tuple[SessionStage, Stage]:
    """At position 5, with a=1 and b=2."""
    session = play.accept_session()
    watch = session.watch()
    watch.send(
        chunk(TALLY.put("a", 1), TALLY.put("b", 2), name="s1", at=5), end(5)
    )
    play.shown(token(5))
    return session, watch


def _applied(play: Play, *requests: int, watch: int = 1) -> None:
    """Waits until these are told, and no others, in this order."""
    assert play.driver is not None
    lines = play.driver.lines

    def told() -> list[int]:
        return [
            line["request"]
            for line in lines
            if line.get("marker") == "keys_applied"
            and line.get("watch") == watch
        ]

    play.wait(
        f"keys_applied {requests}", lambda: len(told()) >= len(requests)
    )
    if told() != list(requests):
        raise Failed(f"told of requests {told()}, not {list(requests)}")


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_come_and_go(play: Play) -> None:
    session, watch = _live(play)
    play.command(watch=1, add=[_C, _D])
    session.keys(watch, 1, add=[_C, _D])
    # Answered where the watch stands: c has a row, d has none.
    watch.update(
        batch(5, 5, TALLY.put("c", 3), TALLY.gone("d"), name="k1"), applied=1
    )
    _applied(play, 1)
    play.command(watch=1, remove=[_A, _C])
    session.keys(watch, 2, remove=[_A, _C])
    # Until it is applied, the old keys' changes come.
    watch.send(batch(5, 6, TALLY.put("a", 10), TALLY.put("d", 4), name="6"))
    watch.update(batch(6, 6, name="k2"), applied=2)
    _applied(play, 1, 2)
    watch.send(batch(6, 7, TALLY.put("b", 20)))
    play.command(watch=1, add=[_A], remove=[_B])
    session.keys(watch, 3, add=[_A], remove=[_B])
    watch.update(batch(7, 9, TALLY.put("a", 11)), applied=3)
    _applied(play, 1, 2, 3)
    play.holds(TALLY.row("a", 11), TALLY.row("d", 4))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_in_order(play: Play) -> None:
    session, watch = _live(play)
    for number, key in enumerate((_C, _D, _key("e"), _key("f")), 1):
        play.command(watch=1, add=[key])
        session.keys(watch, number, add=[key])
    # Two in one message, the second without a response of its own.
    answer = watch.make_update(
        batch(5, 6, TALLY.put("c", 3), TALLY.put("d", 4)), applied=1
    )
    session.send(answer, watch.make_update(applied=2))
    _applied(play, 1, 2)
    # One in fragments.
    watch.update(fragment(TALLY.put("e", 5)))
    watch.update(batch(6, 7, TALLY.put("a", 10)), applied=3)
    watch.update(batch(7, 7, TALLY.gone("f"), name="k4"), applied=4)
    _applied(play, 1, 2, 3, 4)
    play.holds(
        TALLY.row("a", 10), TALLY.row("b", 2), TALLY.row("c", 3),
        TALLY.row("d", 4), TALLY.row("e", 5),
    )  # fmt: skip


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_out_of_order(play: Play) -> None:
    session, watch = _live(play)
    for number, key in enumerate((_C, _D), 1):
        play.command(watch=1, add=[key])
        session.keys(watch, number, add=[key])
    watch.update(batch(5, 5, TALLY.put("d", 4), name="k2"), applied=2)
    play.reports(may_show=True)


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_nobody_asked_for(play: Play) -> None:
    _, watch = _live(play)
    play.key_requests[7] = ([], [])
    watch.update(batch(5, 5, name="k7"), applied=7)
    play.reports(may_show=True)


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_before_the_end(play: Play) -> None:
    session = play.accept_session()
    watch = session.watch()
    watch.send(chunk(TALLY.put("a", 1), name="s1", at=5))
    play.shown(token("s1"))
    play.command(watch=1, add=[_C], remove=[_A])
    session.keys(watch, 1, add=[_C], remove=[_A])
    watch.send(chunk(TALLY.put("b", 2), name="s2"), end(5))
    watch.update(batch(5, 5, TALLY.put("c", 3), name="k1"), applied=1)
    _applied(play, 1)
    play.holds(TALLY.row("b", 2), TALLY.row("c", 3))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def cut_with_requests(play: Play) -> None:
    session, watch = _live(play)
    play.command(watch=1, add=[_C])
    session.keys(watch, 1, add=[_C])
    play.command(watch=1, add=[_D], remove=[_A])
    session.keys(watch, 2, add=[_D], remove=[_A])
    watch.update(batch(5, 6, TALLY.put("c", 3)), applied=1)
    # The second one's answer does not get through.
    watch.update(fragment(TALLY.put("d", 4)))
    watch.cut()
    session = play.accept_session()
    watch = session.watch()
    session.keys(watch, 2, add=[_D], remove=[_A])
    watch.send(resumed(6, "again"), batch(6, 7, TALLY.put("a", 10)))
    watch.update(batch(7, 8, TALLY.put("d", 40)), applied=2)
    _applied(play, 1, 2)
    play.holds(TALLY.row("b", 2), TALLY.row("c", 3), TALLY.row("d", 40))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def asked_while_away(play: Play) -> None:
    session, watch = _live(play)
    # It is still away when it has read the commands.
    watch.cut(retry_ms=_AWAY_MS)
    play.command(watch=1, add=[_C])
    play.command(watch=1, remove=[_B])
    session = play.accept_session()
    watch = session.watch()
    session.keys(watch, 1, add=[_C])
    session.keys(watch, 2, remove=[_B])
    watch.send(resumed(5, "again"))
    watch.update(batch(5, 6, TALLY.put("c", 3)), applied=1)
    watch.update(batch(6, 6, name="k2"), applied=2)
    _applied(play, 1, 2)
    play.holds(TALLY.row("a", 1), TALLY.row("c", 3))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def removed_and_added_again(play: Play) -> None:
    session, watch = _live(play)
    play.command(watch=1, remove=[_A])
    play.command(watch=1, add=[_A])
    session.keys(watch, 1, remove=[_A])
    session.keys(watch, 2, add=[_A])
    watch.update(batch(5, 5, name="k1"), applied=1)
    watch.update(batch(5, 5, TALLY.put("a", 1), name="k2"), applied=2)
    _applied(play, 1, 2)
    watch.cut()
    watch = play.accept_session().watch()
    watch.send(resumed(5, "again"), batch(5, 6, TALLY.put("a", 2)))
    play.holds(TALLY.row("a", 2), TALLY.row("b", 2))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_at_the_token(play: Play) -> None:
    session, watch = _live(play)
    play.command(watch=1, add=[_C], remove=[_A])
    session.keys(watch, 1, add=[_C], remove=[_A])
    watch.update(batch(5, 6, TALLY.put("c", 3)), applied=1)
    _applied(play, 1)
    watch.cut()
    # With the keys b and c.
    watch = play.accept_session().watch()
    watch.send(resumed(6, "again"), batch(6, 7, TALLY.gone("b")))
    play.holds(TALLY.row("c", 3))


@scenario("sessions", _KEYED, flags=_KEY_FLAGS, commands=True)
def keys_and_a_reset(play: Play) -> None:
    session, watch = _live(play)
    play.command(watch=1, add=[_C])
    session.keys(watch, 1, add=[_C])
    watch.update(batch(5, 6, TALLY.put("c", 3)), applied=1)
    _applied(play, 1)
    play.command(watch=1, add=[_D], remove=[_C])
    session.keys(watch, 2, add=[_D], remove=[_C])
    watch.send(
        reset("HISTORY_TRIMMED", 50),
        chunk(TALLY.put("b", 20), TALLY.put("c", 30), name="r1"),
        end(50),
    )
    watch.update(batch(50, 51, TALLY.put("d", 4)), applied=2)
    _applied(play, 1, 2)
    play.holds(TALLY.row("b", 20), TALLY.row("d", 4))


@scenario("sessions", *_KEYED_AND_WINDOWS, flags=_BOTH_KEY_FLAGS,
          commands=True)  # fmt: skip
def emptied(play: Play) -> None:
    session = play.accept_session()
    watch, other = session.watch(1), session.watch(2)
    watch.send(chunk(TALLY.put("a", 1), name="s1", at=5), end(5))
    other.send(end(5, "w5"))
    play.settled()
    play.command(watch=1, remove=[_A, _B])
    session.keys(watch, 1, remove=[_A, _B])
    watch.update(batch(5, 6), applied=1)
    _applied(play, 1)
    watch.cut()
    # Without keys it would be a watch of all rows.
    session = play.accept_session()
    other = session.watch(2)
    other.send(
        resumed(5, "w again"), batch(5, 6, WINDOWS.put("eu", 1), name="w6")
    )
    play.shown(token("w6"))
    watch.ledger.starts_over([_C])
    play.command(watch=1, add=[_C])
    play.key_requests[2] = ([TALLY.encode_key(_C)], [])
    watch = session.watch(1)
    watch.send(chunk(TALLY.put("c", 3), name="s2", at=6), end(6, "e2"))
    _applied(play, 1, 2)
    watch.send(batch(6, 7, TALLY.put("c", 4), name="7"))
    play.holds(TALLY.row("c", 4))
    play.holds(WINDOWS.row("eu", 1), watch=2)


def _two_live(play: Play) -> tuple[SessionStage, Stage, Stage]:
    session = play.accept_session()
    tally, windows = session.watch(1), session.watch(2)
    tally.send(chunk(TALLY.put("a", 1), name="t", at=5), end(5, "t5"))
    windows.send(chunk(WINDOWS.put("eu", 1), name="w", at=5), end(5, "w5"))
    play.settled()
    return session, tally, windows


@scenario("sessions", *_BOTH, commands=True)
def one_watch_fails(play: Play) -> None:
    _, tally, windows = _two_live(play)
    tally.fail("FAILED_PRECONDITION", "the pipeline has stopped")
    tally.ledger.ended = True
    windows.send(batch(5, 6, WINDOWS.put("eu", 2), name="w6"))
    play.shown(token("w6"))
    assert play.driver is not None
    failed = [x for x in play.driver.lines if x.get("marker") == "failed"]
    if [(x.get("watch"), x.get("code")) for x in failed] != [
        (1, "FAILED_PRECONDITION")
    ]:
        raise Failed(f"failures told: {failed}")
    windows.cut()
    # It is not asked for again.
    windows = play.accept_session().watch(2)
    windows.send(resumed(6, "w again"), batch(6, 7, name="w7"))
    play.holds(WINDOWS.row("eu", 1), WINDOWS.row("eu", 2), watch=2)


@scenario("sessions", *_BOTH, several_views=True)
def one_watch_is_refused(play: Play) -> None:
    session, tally, windows = _two_live(play)
    tally.send(batch(5, 6, TALLY.put("a", 2), name="t6"), fragment())
    windows.send(batch(5, 6, WINDOWS.put("eu", 2), name="w6"))
    failed_s = time.monotonic()
    tally.fail("UNAVAILABLE", "not now")
    # On the same stream, and only this one.
    tally = session.watch(1)
    waited_ms = (time.monotonic() - failed_s) * 1000
    if waited_ms < _LEAST_WAIT_MS:
        raise Failed(f"asked again after {waited_ms:.1f} ms")
    tally.send(resumed(6, "t again"), batch(6, 7, TALLY.gone("a"), name="t7"))
    windows.send(batch(6, 7, WINDOWS.gone("eu", 1), name="w7"))
    play.holds()
    play.holds(WINDOWS.row("eu", 2), watch=2)


@scenario("sessions", *_BOTH, several_views=True)
def several_in_a_message(play: Play) -> None:
    session, tally, windows = _two_live(play)

    def both(seq: int, left: Any, right: Any) -> None:
        session.send(
            tally.make_update(batch(seq, seq + 1, *left, name=f"t{seq + 1}")),
            windows.make_update(
                batch(seq, seq + 1, *right, name=f"w{seq + 1}")
            ),
        )

    both(5, [TALLY.put("b", 2)], [WINDOWS.gone("eu", 1)])
    both(6, [TALLY.gone("a")], [WINDOWS.put("us", 1)])
    # One watch twice in a message.
    session.send(
        windows.make_update(batch(7, 8, WINDOWS.put("us", 2), name="w8")),
        tally.make_update(batch(7, 8, name="t8")),
        windows.make_update(batch(8, 9, WINDOWS.gone("us", 1), name="w9")),
    )
    play.holds(TALLY.row("b", 2))
    play.holds(WINDOWS.row("us", 2), watch=2)


@scenario("sessions", *_BOTH, several_views=True)
def update_of_nobodys_watch(play: Play) -> None:
    session, tally, windows = _two_live(play)
    nobodys = PB.SessionResponse.Update(id=4_000_000_000)
    nobodys.response.CopyFrom(batch(70, 80, TALLY.put("a", 9), name="no"))
    session.send(
        nobodys,
        tally.make_update(batch(5, 6, TALLY.put("b", 2), name="t6")),
    )
    windows.send(batch(5, 6, name="w6"))
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))
    play.holds(WINDOWS.row("eu", 1), watch=2)


@scenario("sessions", *_BOTH, several_views=True)
def session_refused(play: Play) -> None:
    """All of it, not one of its watches."""
    _, tally, _ = _two_live(play)
    tally.stream.finish(Refusal("UNAUTHENTICATED", "the key has expired"))
    play.is_refused("UNAUTHENTICATED", "the key has expired")


@scenario("sessions", *_BOTH, several_views=True)
def fragments_among_others(play: Play) -> None:
    session, tally, windows = _two_live(play)
    tally.send(fragment(TALLY.put("b", 2)))
    windows.send(batch(5, 6, WINDOWS.put("eu", 2), name="w6"))
    session.send(
        tally.make_update(fragment(TALLY.gone("a"))),
        windows.make_update(fragment(WINDOWS.gone("eu", 1))),
    )
    tally.send(batch(5, 9, TALLY.put("c", 3), name="t9"))
    windows.send(batch(6, 7, WINDOWS.put("eu", 3), name="w7"))
    tally.send(fragment(TALLY.gone("b")))
    windows.send(batch(7, 8, WINDOWS.gone("eu", 2), name="w8"))
    play.settled()
    tally.cut()
    session = play.accept_session()
    tally, windows = session.watch(1), session.watch(2)
    tally.send(resumed(9, "t again"))
    windows.send(resumed(8, "w again"))
    tally.send(batch(9, 10, name="t10"))
    play.holds(TALLY.row("b", 2), TALLY.row("c", 3))
    play.holds(WINDOWS.row("eu", 3), watch=2)


@scenario("sessions", *_BOTH, several_views=True)
def session_drain(play: Play) -> None:
    _, tally, windows = _two_live(play)
    tally.send(batch(5, 8, TALLY.put("b", 2), name="t8"))
    tally.drain(_AFTER_MS)
    windows.cut()
    play.settled()
    session = play.accept_session()
    tally, windows = session.watch(1), session.watch(2)
    tally.send(resumed(8, "t again"), batch(8, 9, name="t9"))
    windows.send(resumed(5, "w again"), batch(5, 9, name="w9"))
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))
    play.holds(WINDOWS.row("eu", 1), watch=2)


@scenario("sessions", *_BOTH, commands=True)
def unwatched(play: Play) -> None:
    session, tally, windows = _two_live(play)
    play.command(unwatch=1)
    session.unwatch(tally)
    # What was under way.
    late = batch(5, 6, TALLY.put("late", 1), name="late")
    tally.stream.send(_update_of(tally, late))
    windows.send(batch(5, 6, name="w6"))
    play.shown(token("w6"))
    windows.cut()
    session = play.accept_session()
    windows = session.watch(2)
    windows.send(resumed(6, "w again"), batch(6, 7, name="w7"))
    play.holds(WINDOWS.row("eu", 1), watch=2)


def _update_of(watch: Stage, response: Any) -> Any:
    """Which the ledger does not take."""
    return PB.SessionResponse(
        updates=[
            PB.SessionResponse.Update(id=watch.wire_id, response=response)
        ]
    )


@scenario("sessions", *_BOTH, commands=True)
def opened_later(play: Play) -> None:
    session, tally, windows = _two_live(play)
    third = play.watch_of(TALLY, where="n > 1")
    play.command(open={"view": "tally", "where": "n > 1"})
    later = session.watch(3)
    later.send(chunk(TALLY.put("z", 9), name="z", at=5), end(5, "z5"))
    play.settled()
    later.cut()
    session = play.accept_session()
    tally, windows, later = (session.watch(n) for n in (1, 2, 3))
    tally.send(resumed(5, "t again"))
    windows.send(resumed(5, "w again"))
    later.send(resumed(5, "z again"), batch(5, 6, TALLY.left("z"), name="z6"))
    assert later.ledger is third
    play.holds(watch=3)
    play.holds(TALLY.row("a", 1))


@scenario("sessions", *_BOTH, several_views=True)
def two_views(play: Play) -> None:
    _, tally, windows = _two_live(play)
    for seq in range(5, 9):
        tally.send(batch(seq, seq + 1, TALLY.put("a", seq), name=f"t{seq + 1}"))
    windows.send(batch(5, 9, WINDOWS.put("us", 1), name="w9"))
    play.settled()
    windows.cut()
    session = play.accept_session()
    windows, tally = session.watch(2), session.watch(1)
    windows.send(
        reset("VIEW_REBUILT", 20), chunk(WINDOWS.put("us", 7), name="r"),
        end(20, "w20"),
    )  # fmt: skip
    tally.send(resumed(9, "t again"))
    play.holds(TALLY.row("a", 8))
    play.holds(WINDOWS.row("us", 7), watch=2)
