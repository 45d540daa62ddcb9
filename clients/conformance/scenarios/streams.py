"""Streams that nothing happens to."""

from conformance.contract import PB
from conformance.failed import Failed
from conformance.messages import (
    batch,
    chunk,
    delta,
    end,
    fragment,
    resumed,
    token,
    with_unknown_fields,
)
from conformance.play import Play
from conformance.scenario import Watched, scenario
from conformance.scenarios.start import live_with_two_rows
from conformance.views import TALLY, WINDOWS

_SILENCE_S = 1.0
_LARGE_BYTES = 5 << 20
# A text in field 31, which the descriptors do not have.
_UNKNOWN_COLUMN = b"\xfa\x01\x03new"


@scenario("streams", by_signal=True)
def snapshot_then_changes(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), TALLY.put("b", 2), name="s1", at=5),
        chunk(TALLY.put("c", 3, "a note"), name="s2"),
        end(5),
        batch(5, 6, TALLY.put("b", 20), TALLY.put("d", 1 << 62)),
        batch(6, 7, TALLY.gone("a")),
        batch(7, 9),
        batch(9, 10, TALLY.put("ü\n\"", -1, "")),
    )
    play.holds(
        TALLY.row("b", 20),
        TALLY.row("c", 3, "a note"),
        TALLY.row("d", 1 << 62),
        TALLY.row("ü\n\"", -1, ""),
    )


@scenario("streams")
def empty_snapshot(play: Play) -> None:
    play.accept().send(end(0), batch(0, 1, TALLY.put("a", 1)))
    play.holds(TALLY.row("a", 1))


@scenario("streams")
def rows_with_the_end(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), name="s", at=5),
        end(5, None, TALLY.put("b", 2)),
        batch(5, 6, TALLY.gone("a")),
    )
    play.holds(TALLY.row("b", 2))


@scenario("streams")
def large_row(play: Play) -> None:
    """More than gRPC takes in a message if nothing is said."""
    note = "x" * _LARGE_BYTES
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1, note), name="s", at=5),
        end(5),
        batch(5, 6, TALLY.put("b", 2)),
    )
    play.holds(TALLY.row("a", 1, note), TALLY.row("b", 2))


@scenario("streams")
def progress_only(play: Play) -> None:
    stage = play.accept()
    stage.send(end(5), *(batch(seq, seq + 1) for seq in range(5, 12)))
    play.shown(token(12))
    stage.cut()
    play.accept().send(resumed(12, "again"), batch(12, 13, name="13"))
    play.holds()


@scenario("streams")
def conflated(play: Play) -> None:
    live_with_two_rows(play).send(
        batch(5, 1005, TALLY.put("a", 7), TALLY.gone("b"), TALLY.put("c", 1)),
        batch(1005, 1 << 40, TALLY.put("b", 3)),
    )
    play.holds(TALLY.row("a", 7), TALLY.row("c", 1), TALLY.row("b", 3))


@scenario("streams", Watched(where="n > 1 AND note IS NULL"),
          flags=("--where", "n > 1 AND note IS NULL"))  # fmt: skip
def filtered(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("b", 2), TALLY.put("c", 3), name="s", at=5), end(5)
    )
    stage.send(batch(5, 6, TALLY.left("b"), TALLY.put("d", 4)))
    stage.cut()
    stage = play.accept()
    stage.send(
        resumed(6, "again"), batch(6, 7, TALLY.put("b", 5), TALLY.left("c"))
    )
    play.holds(TALLY.row("d", 4), TALLY.row("b", 5))


@scenario("streams", Watched(WINDOWS, prefix={"region": "eu"}),
          flags=("--key-prefix", "region=eu"))  # fmt: skip
def prefixed(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(WINDOWS.put("eu", 1, 0.5), WINDOWS.put("eu", 2), name="s", at=5),
        end(5),
    )
    stage.cut()
    play.accept().send(resumed(5, "again"), batch(5, 6, WINDOWS.gone("eu", 1)))
    play.holds(WINDOWS.row("eu", 2))


@scenario("streams", Watched(keys=(TALLY.key("a"), TALLY.key("none"))),
          flags=("--key", "a", "--key", "none"))  # fmt: skip
def keyed(play: Play) -> None:
    stage = play.accept()
    stage.send(chunk(TALLY.put("a", 1), name="s", at=5), end(5))
    stage.cut()
    play.accept().send(
        resumed(5, "again"),
        batch(5, 6, TALLY.put("none", 1)),
        batch(6, 9, TALLY.gone("a")),
    )
    play.holds(TALLY.row("none", 1))


@scenario("streams", Watched(keys=(TALLY.key("a"), TALLY.key("b"))),
          flags=("--key", "a", "--key", '{"k":"b"}'))  # fmt: skip
def not_held(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), name="s1", at=5),
        # What changed while the rows were read, up to position 7.
        chunk(TALLY.gone("b"), TALLY.left("a"), name="s2"),
        end(7),
    )
    stage.cut()
    # 2,000 commits later it is told of its keys as they are now.
    play.accept().send(
        resumed(7, "again"), batch(7, 2007, TALLY.gone("a"), TALLY.left("b"))
    )
    play.holds()


@scenario("streams")
def unknown_fields(play: Play) -> None:
    stage = play.accept()
    nothing_known = with_unknown_fields(PB.SubscribeResponse())
    change = with_unknown_fields(TALLY.put("a", 1, extra=_UNKNOWN_COLUMN))
    row = chunk(change, name="s", at=5)
    stage.send(with_unknown_fields(row), nothing_known, end(5), nothing_known)
    stage.send(
        with_unknown_fields(
            batch(5, 6, TALLY.put("b", 2, extra=_UNKNOWN_COLUMN))
        )
    )
    play.holds(TALLY.row("a", 1), TALLY.row("b", 2))


@scenario("streams")
def fragments(play: Play) -> None:
    stage = live_with_two_rows(play)
    stage.send(
        fragment(TALLY.put("a", 10)),
        fragment(TALLY.gone("b")),
        batch(5, 6, TALLY.put("c", 3)),
        fragment(TALLY.put("d", 4)),
        # The last one may have no changes of its own.
        batch(6, 60),
    )
    play.holds(TALLY.row("a", 10), TALLY.row("c", 3), TALLY.row("d", 4))


@scenario("streams")
def partitions(play: Play) -> None:
    stage = play.accept()
    stage.send(
        chunk(TALLY.put("a", 1), name="s", at={0: 5, 3: 100}),
        end({0: 5, 3: 100}, "e"),
        delta(TALLY.put("b", 2), ranges=[(3, 100, 102)], name="p1"),
        delta(TALLY.put("a", 3), ranges=[(0, 5, 6), (3, 102, 103)], name="p2"),
        # A partition that is new begins at its log's start.
        delta(TALLY.put("c", 4), ranges=[(7, 0, 2)], name="p3"),
        delta(ranges=[(0, 6, 9)], name="p4"),
    )
    stage.cut()
    play.accept().send(
        delta(
            ranges=[(0, 9, 9), (3, 103, 103), (7, 2, 2)],
            name="again",
            at={0: 9, 3: 103, 7: 2},
        ),
        delta(
            TALLY.gone("b"),
            ranges=[(7, 2, 3), (0, 9, 10), (3, 103, 104)],
            name="p5",
        ),
    )
    play.holds(TALLY.row("a", 3), TALLY.row("c", 4))


@scenario("streams", Watched(WINDOWS))
def finality(play: Play) -> None:
    noon, one = "2026-01-02T12:00:00Z", "2026-01-02T13:00:00Z"
    stage = play.accept()
    stage.send(
        chunk(
            WINDOWS.put("eu", 1, 1.5, True, noon, finality="final"),
            WINDOWS.put("eu", 2, 2.0, False, one, finality="provisional"),
            name="s",
            at=5,
            watermark=noon,
        ),
        end(5, watermark=noon),
        batch(
            5, 6, WINDOWS.put("eu", 2, 3.0, False, one, finality="provisional"),
            watermark="2026-01-02T12:30:00Z",
        ),
        # The window of eu/2 closes without a change.
        batch(6, 7, watermark=one),
        batch(
            7, 8, WINDOWS.put("eu", 1, 1.75, None, noon, finality="corrected"),
            watermark=one,
        ),
    )  # fmt: skip
    play.holds(
        WINDOWS.row("eu", 1, 1.75, None, noon),
        WINDOWS.row("eu", 2, 3.0, False, one),
    )
    play.settled()
    assert play.driver is not None
    lines = [line for line in play.driver.lines if "op" in line]
    shown = [line.get("finality") for line in lines]
    wanted = ["final", "provisional", "provisional", "corrected"]
    if shown != wanted:
        raise Failed(f"finality {shown}, not {wanted}")


@scenario("streams")
def slow_server(play: Play) -> None:
    stage = play.accept()
    # Whoever comes again meanwhile is found out when the snapshot is shown.
    play.idle(_SILENCE_S)
    stage.send(chunk(TALLY.put("a", 1), name="s", at=5), end(5))
    play.holds(TALLY.row("a", 1))
