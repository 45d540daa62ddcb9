"""Streams that end, and are taken up again."""

import base64

from conformance.messages import batch, chunk, end, fragment, resumed, token
from conformance.play import Play
from conformance.scenario import scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.views import TALLY


@scenario("cuts")
def cut_before_the_first_response(play: Play) -> None:
    play.accept().cut()
    live_with_two_rows(play)
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))


@scenario("cuts")
def cut_in_the_snapshot(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), name="s1", at=5),
        chunk(TALLY.put("b", 2), name="s2"),
    )
    stage.cut()
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("c", 3), name="s3", at=5), end(5),
        batch(5, 6, TALLY.gone("b")),
    )  # fmt: skip
    play.holds(TALLY.row("a", 1), TALLY.row("c", 3))


@scenario("cuts")
def cut_before_the_snapshots_token(play: Play) -> None:
    stage = play.accept()
    stage.send(chunk(TALLY.put("a", 1), TALLY.put("gone", 2), at=5))
    stage.cut()
    # From a snapshot again, which is of a later position.
    play.accept().send(chunk(TALLY.put("a", 9), name="s1", at=8), end(8))
    play.holds(TALLY.row("a", 9))


@scenario("cuts")
def cut_in_a_fragment(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(
        batch(5, 6, TALLY.put("c", 3)),
        fragment(TALLY.put("a", 10)),
        fragment(TALLY.gone("b"), TALLY.put("d", 4)),
    )
    stage.cut()
    # Meanwhile another commit has come: the same range is another one now.
    stage = play.accept()
    stage.send(
        resumed(6, "again"),
        fragment(TALLY.put("a", 11)),
        batch(6, 8, TALLY.put("e", 5)),
    )
    play.holds(
        TALLY.row("a", 11), TALLY.row("b", 2), TALLY.row("c", 3),
        TALLY.row("e", 5),
    )  # fmt: skip


@scenario("cuts")
def cut_after_a_token(play: Play) -> None:
    stage = live_with_two_rows(play)
    for seq in range(5, 9):
        stage.send(batch(seq, seq + 1, TALLY.put("a", seq)))
        stage.cut()
        stage = play.accept()
        stage.send(resumed(seq + 1, f"again{seq}"))
    stage.send(batch(9, 10, TALLY.put("b", 0)))
    play.holds(TALLY.row("a", 8), TALLY.row("b", 0))


@scenario("cuts")
def cut_the_connection(play: Play) -> None:
    stage = live_with_two_rows(play)
    play.shown(token(5))
    play.cut_the_connection()
    stage = play.accept()
    stage.send(resumed(5, "again"), batch(5, 6, TALLY.gone("a")))
    play.shown(token(6))
    stage.send(fragment(TALLY.gone("b")))
    play.cut_the_connection()
    play.accept().send(resumed(6, "more"), batch(6, 7, TALLY.put("c", 3)))
    play.holds(TALLY.row("b", 2), TALLY.row("c", 3))


@scenario("cuts")
def end_with_ok(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.end_with_ok()
    play.accept().send(resumed(5, "again"), batch(5, 6, TALLY.gone("a")))
    play.holds(TALLY.row("b", 2))


@scenario("cuts")
def other_incarnation(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.cut()
    # The server has been started again, and has what it had.
    play.accept().send(
        batch(5, 5, name="again", at=5, incarnation=b"\x02"),
        batch(5, 6, TALLY.gone("a")),
    )
    play.holds(TALLY.row("b", 2))


@scenario("cuts")
def snapshot_moves_on(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), TALLY.put("b", 2), name="s1", at=5),
        chunk(TALLY.put("c", 3), name="s2"),
    )
    stage.cut()
    # Position 5 is gone: the rest is as of 9, then what changed of the rest.
    play.accept().send(
        chunk(TALLY.put("d", 4), name="s3", at=9),
        chunk(
            TALLY.put("a", 10), TALLY.gone("b"), TALLY.gone("never"), name="s4"
        ),
        end(9),
        batch(9, 10, TALLY.put("b", 20)),
    )
    play.holds(
        TALLY.row("a", 10), TALLY.row("c", 3), TALLY.row("d", 4),
        TALLY.row("b", 20),
    )  # fmt: skip


@scenario("cuts")
def cut_after_the_snapshots_token(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), TALLY.put("b", 2), name="s1", at=5),
        chunk(TALLY.put("a", 7), TALLY.gone("b"), TALLY.put("c", 3)),
    )
    play.line_shown(op="upsert", key=TALLY.key("c"))
    stage.cut()
    # Meanwhile c has gone. At the token the client had not heard of it, nor of
    # the others' changes: it is not told.
    play.accept().send(
        chunk(TALLY.put("d", 4), name="s2", at=9), end(9),
        batch(9, 10, TALLY.put("e", 5)),
    )  # fmt: skip
    play.holds(
        TALLY.row("a", 1), TALLY.row("b", 2), TALLY.row("d", 4),
        TALLY.row("e", 5),
    )  # fmt: skip


_FOREIGN = token("of another process")


@scenario("cuts", flags=("--resume", base64.b64encode(_FOREIGN).decode()))
def resume_flag(play: Play) -> None:
    play.ledgers[1].know(_FOREIGN)
    stage = play.accept()
    stage.send(
        resumed(40, "again"),
        batch(40, 41, TALLY.put("a", 1), TALLY.gone("of the other's")),
    )
    stage.cut()
    play.accept().send(resumed(41, "more"), batch(41, 42, TALLY.put("b", 2)))
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))
