"""The proof of continuity, without a network."""

from collections.abc import Iterator
from typing import Any

import pytest
import tally
from tally import chunk, delta, drain, end, fragment, reset, upsert

import tidegate
from tidegate import ChangeKind, Finality
from tidegate._cursor import StreamCursor
from tidegate.v1 import view_service_pb2 as pb

_LIMIT = 10_000


class Stream:
    """A cursor and the events that it has handed over."""

    def __init__(self, token: bytes = b"") -> None:
        self.cursor = StreamCursor(tally.TALLY, token, _LIMIT)
        self.cursor.begin_stream()
        self.events: list[Any] = []

    def take(self, *responses: pb.SubscribeResponse) -> list[Any]:
        """The events of these responses."""
        before = len(self.events)
        for response in responses:
            self.cursor.take(response, self.events)
        return self.events[before:]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@pytest.fixture
def live() -> Stream:
    """At position 5, with the rows a and b."""
    stream = Stream()
    stream.take(
        chunk(upsert("a"), token=b"s1", at=5), chunk(upsert("b")), end(5)
    )
    return stream


def test_a_snapshot_then_changes(live: Stream) -> None:
    live.take(delta(5, 7, upsert("c", 3), tally.deleted("a"), tally.left("b")))
    assert live.kinds() == [
        "Connected", "Snapshot", "Snapshot", "SnapshotEnd", "Changes",
    ]  # fmt: skip
    connected, first, second, ended, changes = live.events
    assert connected.resumed_from == b""
    assert connected.position == tidegate.Position(b"i", {0: 5})
    assert (first.token, second.token) == (b"s1", b"")
    assert (ended.token, ended.position.seqs) == (b"t5", {0: 5})
    assert changes.position == tidegate.Position(b"i", {0: 7})
    assert changes.ranges == (tidegate.Range(0, 5, 7),)
    assert [(each.kind, each.key) for each in changes.changes] == [
        (ChangeKind.UPSERT, "c"),
        (ChangeKind.DELETED, "a"),
        (ChangeKind.LEFT, "b"),
    ]
    assert changes.changes[0].row.n == 3
    assert live.cursor.token == b"t7"


def test_progress_moves_the_token(live: Stream) -> None:
    (progress,) = live.take(delta(5, 9))
    assert progress.changes == ()
    assert live.cursor.token == b"t9"


def test_an_empty_snapshot_has_one_end() -> None:
    stream = Stream()
    stream.take(end(0))
    assert stream.kinds() == ["Connected", "SnapshotEnd"]


def test_a_sign_of_life_is_no_event(live: Stream) -> None:
    assert live.take(pb.SubscribeResponse()) == []


def test_finality_and_event_time_belong_to_an_upsert(live: Stream) -> None:
    change = upsert("a", finality=pb.FINALITY_CORRECTED)
    change.event_time.FromSeconds(1)
    unknown = upsert("b", finality=99)
    (changes,) = live.take(delta(5, 6, change, unknown))
    assert changes.changes[0].finality is Finality.CORRECTED
    assert changes.changes[0].event_time.timestamp() == 1
    assert changes.changes[1].finality is Finality.NONE


def test_fragments_are_held_until_the_range_is_whole(live: Stream) -> None:
    assert live.take(fragment(upsert("a")), fragment(upsert("b"))) == []
    assert live.cursor.token == b"t5"
    (changes,) = live.take(delta(5, 6, upsert("c")))
    assert tally.keys_of(changes.changes) == ["a", "b", "c"]


def test_fragments_of_a_cut_stream_are_forgotten(live: Stream) -> None:
    live.take(fragment(upsert("a")))
    live.cursor.begin_stream()
    connected, changes = live.take(delta(5, 8, upsert("c")))
    assert connected.resumed_from == b"t5"
    assert tally.keys_of(changes.changes) == ["c"]


def test_a_batch_has_a_limit(live: Stream) -> None:
    note = "x" * 1000
    big = pb.Change(
        upsert=tally.TALLY.row_class(k="a", note=note).SerializeToString()
    )
    with pytest.raises(tidegate.LimitExceeded, match="max_pending_bytes"):
        for _ in range(_LIMIT // len(note) + 1):
            live.take(fragment(big))


def test_several_partitions(live: Stream) -> None:
    both = pb.SubscribeResponse(
        ranges=[tally.range_(5, 6), tally.range_(0, 3, partition=1)],
        resume_token=b"t",
    )
    (changes,) = live.take(both)
    assert changes.position.seqs == {0: 6, 1: 3}


def test_a_reset_starts_over(live: Stream) -> None:
    live.take(fragment(upsert("lost")), reset())
    assert live.events[-1].cause == "HISTORY_TRIMMED"
    assert live.cursor.token == b""
    live.take(end(90), delta(90, 91))
    assert live.kinds()[-3:] == ["Reset", "SnapshotEnd", "Changes"]


def test_a_drain_carries_token_and_delay(live: Stream) -> None:
    (event,) = live.take(drain(b"d", 250))
    assert (event.token, event.retry_after_s) == (b"d", 0.25)
    assert event.position == tidegate.Position(b"i", {0: 5})
    assert live.cursor.token == b"d"


def test_a_drain_within_fragments_drops_them(live: Stream) -> None:
    (event,) = live.take(fragment(upsert("a")), drain(b"t5"))
    assert event.token == b"t5"


def test_anothers_token_takes_the_position_it_finds() -> None:
    stream = Stream(b"from elsewhere")
    stream.take(delta(41, 42))
    assert stream.events[-1].position.seqs == {0: 42}
    with pytest.raises(tidegate.BrokenPromise):
        stream.take(delta(43, 44))


def test_a_snapshot_may_be_resumed_in_the_middle() -> None:
    stream = Stream()
    stream.take(chunk(upsert("a"), token=b"s1"))
    stream.cursor.begin_stream()
    stream.take(chunk(upsert("b")), end(7, tally.deleted("a")))
    assert stream.events[2].resumed_from == b"s1"
    assert stream.kinds()[-2:] == ["Snapshot", "SnapshotEnd"]


def _broken() -> Iterator[Any]:
    """What breaks a promise at position 5, and what is said of it."""
    no_kind = delta(5, 6, pb.Change())
    no_position = pb.SubscribeResponse(snapshot_end=True)
    no_range = pb.SubscribeResponse(changes=[upsert("a")])
    malformed = delta(5, 6, pb.Change(upsert=b"\xff"))
    bad_key = delta(5, 6, pb.Change(deleted=b"\xff"))
    other = pb.SubscribeResponse(ranges=[tally.range_(1, 2, partition=1)])
    far = delta(5, 6)
    far.watermark.seconds = 1 << 60
    for name, said, responses in (
        ("gap", r"range \(6, 8\] .* position 5", [delta(6, 8)]),
        ("again", "does not continue", [delta(5, 6), delta(5, 6)]),
        ("overlap", "does not continue", [delta(4, 8)]),
        ("backward", "does not continue", [delta(5, 4)]),
        ("late_partition", "partition 1", [other]),
        ("silent_snapshot", "without a reset", [chunk(upsert("a"))]),
        ("second_end", "second end", [end(5)]),
        ("no_kind", "without a kind", [no_kind]),
        ("no_position", "without a position", [reset(), no_position]),
        ("no_range", "without a range", [no_range]),
        ("no_end", "snapshot's end", [reset(), delta(5, 6)]),
        ("rest", "unfinished", [fragment(upsert("a")), no_range]),
        ("sign", "unfinished", [fragment(upsert("a")),
                                pb.SubscribeResponse()]),
        ("watermark", "watermark moved back",
         [tally.at_watermark(delta(5, 6), 9),
          tally.at_watermark(delta(6, 7), 8)]),
        ("row", "malformed TallyRow of 1 bytes", [malformed]),
        ("key", "malformed TallyKey", [bad_key]),
        ("time", "out of range", [far]),
    ):  # fmt: skip
        yield pytest.param(responses, said, id=name)


@pytest.mark.parametrize(("responses", "said"), list(_broken()))
def test_a_broken_promise_is_named(
    live: Stream, responses: list[pb.SubscribeResponse], said: str
) -> None:
    *before, last = responses
    live.take(*before)
    events = len(live.events)
    token = live.cursor.token
    with pytest.raises(tidegate.BrokenPromise, match=said):
        live.take(last)
    assert len(live.events) == events
    assert live.cursor.token == token


def test_changes_before_any_snapshot() -> None:
    with pytest.raises(tidegate.BrokenPromise, match="snapshot's end"):
        Stream().take(delta(5, 6))


def test_the_watermark_is_kept_over_a_trimmed_history_only() -> None:
    stream = Stream()
    stream.take(tally.at_watermark(end(5), 9), reset(pb.Reset.VIEW_REBUILT))
    stream.take(tally.at_watermark(end(1), 3), reset())
    with pytest.raises(tidegate.BrokenPromise, match="watermark"):
        stream.take(tally.at_watermark(end(1), 2))


def test_the_watermark_is_kept_over_a_resume() -> None:
    stream = Stream()
    stream.take(tally.at_watermark(end(5), 9))
    stream.cursor.begin_stream()
    with pytest.raises(tidegate.BrokenPromise, match="watermark"):
        stream.take(tally.at_watermark(delta(5, 6), 8))


def test_who_starts_again_without_a_token_starts_anew() -> None:
    stream = Stream()
    stream.take(tally.at_watermark(chunk(upsert("a")), 9))
    stream.cursor.begin_stream()
    stream.take(tally.at_watermark(end(5), 8))
    stream.take(tally.at_watermark(delta(5, 6), 8))
