"""What a reader of the local copy sees, and when."""

import threading
from typing import Any

import pytest
import tally
from tally import chunk, counts, delta, end, reset, upsert

import tidegate
from tidegate import (
    Connected,
    Disconnected,
    Finality,
    KeysApplied,
    MirrorState,
)
from tidegate._cursor import StreamCursor
from tidegate.errors import rpc_error
from tidegate.v1 import view_service_pb2 as pb


class Mirrored:
    """A mirror that is told what a cursor makes of the responses."""

    def __init__(self, token: bytes = b"") -> None:
        self.cursor = StreamCursor(tally.TALLY, token, 1 << 20)
        self.cursor.begin_stream()
        self.mirror = tidegate.Mirror(tally.TALLY, resumed=bool(token))

    def take(self, *responses: pb.SubscribeResponse) -> None:
        for response in responses:
            events: list[Any] = []
            self.cursor.take(response, events)
            for event in events:
                self.mirror.apply(event)

    def state(self) -> MirrorState:
        return self.mirror.state

    def resume(self) -> None:
        error = rpc_error(14, "cut")
        self.mirror.apply(Disconnected(error=error, retry_after_s=0))
        self.cursor.begin_stream()


@pytest.fixture
def held() -> Mirrored:
    """The rows a: 1 and b: 2 at position 5."""
    mirrored = Mirrored()
    mirrored.take(chunk(upsert("a", 1)), chunk(upsert("b", 2)), end(5))
    return mirrored


def test_a_snapshot_is_shown_at_its_end() -> None:
    mirrored = Mirrored()
    mirror = mirrored.mirror
    mirrored.take(chunk(upsert("a")))
    assert (len(mirror), mirror.complete, mirror.position) == (0, False, None)
    mirrored.take(end(5, upsert("b"), tally.deleted("a")))
    assert counts(mirror) == {"b": 1}
    assert mirror.complete
    assert mirror.position == tidegate.Position(b"i", {0: 5})


def test_changes_are_applied_batch_by_batch(held: Mirrored) -> None:
    held.take(tally.fragment(upsert("a", 9)))
    assert counts(held.mirror) == {"a": 1, "b": 2}
    held.take(
        tally.at_watermark(
            delta(5, 6, tally.left("b"), tally.deleted("x"), upsert("c", 3)), 7
        )
    )
    assert counts(held.mirror) == {"a": 9, "c": 3}
    assert held.mirror.position == tidegate.Position(b"i", {0: 6})
    assert held.mirror.watermark is not None
    held.take(delta(6, 7))
    assert held.mirror.watermark is not None, "progress need not carry it"


def test_it_reads_like_a_dictionary(held: Mirrored) -> None:
    mirror = held.mirror
    assert mirror["a"].n == mirror[{"k": "a"}].n == 1
    assert mirror[tally.TALLY.key_class(k="b")].n == 2
    assert mirror.get("x") is None and mirror.get("x", 3) == 3
    assert "a" in mirror and {"k": "x"} not in mirror
    assert list(mirror) == mirror.keys() == ["a", "b"]
    assert [row.n for row in mirror.values()] == [1, 2]
    assert [key for key, _ in mirror.items()] == ["a", "b"]
    assert len(mirror) == 2
    with pytest.raises(KeyError):
        mirror["x"]
    with pytest.raises(KeyError):
        mirror.finality("x")


def test_a_lost_connection_leaves_it_as_it_was(held: Mirrored) -> None:
    held.resume()
    assert counts(held.mirror) == {"a": 1, "b": 2} and held.mirror.complete
    held.take(delta(5, 9, tally.deleted("a")))
    assert counts(held.mirror) == {"b": 2}


def test_after_a_reset_the_rows_stay_until_the_snapshots_end(
    held: Mirrored,
) -> None:
    held.take(tally.at_watermark(delta(5, 6), 7))
    before = held.mirror.position
    held.take(reset(pb.Reset.VIEW_REBUILT))
    assert held.state() is MirrorState.LOADING
    held.take(chunk(upsert("b", 7)))
    assert counts(held.mirror) == {"a": 1, "b": 2}
    assert held.mirror.position == before and held.mirror.complete
    held.take(reset(), chunk(upsert("c", 8)))
    assert held.mirror.watermark is not None
    held.take(end(80))
    assert counts(held.mirror) == {"c": 8}
    assert held.mirror.watermark is None, "that was of the other history"
    assert held.mirror.position == tidegate.Position(b"i", {0: 80})
    assert held.state() is MirrorState.LIVE


def test_its_state_over_a_cut(held: Mirrored) -> None:
    assert held.state() is MirrorState.LIVE
    held.resume()
    assert held.state() is MirrorState.DISCONNECTED
    held.mirror.apply(Connected(resumed_from=b"t5"))
    assert held.state() is MirrorState.LIVE
    held.take(reset(), chunk(upsert("a"), token=b"s"))
    held.resume()
    held.mirror.apply(Connected(resumed_from=b"s"))
    assert held.state() is MirrorState.LOADING
    held.mirror.end()
    assert held.state() is MirrorState.ENDED
    held.resume()
    assert held.state() is MirrorState.ENDED


def test_it_has_a_limit() -> None:
    mirror = tidegate.Mirror(tally.TALLY, max_rows=2)
    two = tuple(
        tidegate.Change(tidegate.ChangeKind.UPSERT, k, tally.TALLY.row_class())
        for k in "ab"
    )
    mirror.apply(tidegate.Snapshot(changes=two))
    more = tidegate.Change(
        tidegate.ChangeKind.UPSERT, "c", tally.TALLY.row_class()
    )
    with pytest.raises(tidegate.LimitExceeded, match="max_mirror_rows, 2"):
        mirror.apply(tidegate.Snapshot(changes=(more,)))
    mirror.apply(Connected())
    position = tidegate.Position(b"i", {0: 5})
    mirror.apply(tidegate.Snapshot(changes=two))
    mirror.apply(tidegate.SnapshotEnd(position=position))
    with pytest.raises(tidegate.LimitExceeded):
        mirror.apply(
            tidegate.Changes(changes=(more,), ranges=(), position=position)
        )
    assert mirror.keys() == ["a", "b"], "as of its position"


def test_a_snapshot_goes_on_over_a_cut() -> None:
    mirrored = Mirrored()
    mirrored.take(chunk(upsert("a"), token=b"s"))
    mirrored.resume()
    mirrored.take(chunk(upsert("b")), end(5))
    assert counts(mirrored.mirror) == {"a": 1, "b": 1}


def test_what_came_after_the_snapshots_token_is_taken_back() -> None:
    """What is still so comes again; the rest may have gone meanwhile."""
    mirrored = Mirrored()
    final = upsert("b", 2, finality=pb.FINALITY_FINAL)
    mirrored.take(
        chunk(upsert("a", 1), final, token=b"s"),
        chunk(upsert("a", 7), tally.deleted("b"), upsert("c")),
        tally.drain(b"s"),
    )
    mirrored.resume()
    mirrored.take(
        chunk(upsert("d", 4), token=b"s2"), chunk(upsert("e", 5)), end(9)
    )
    assert counts(mirrored.mirror) == {"a": 1, "b": 2, "d": 4, "e": 5}
    assert mirrored.mirror.finality("b") is Finality.FINAL


def test_a_drain_may_have_a_token_within_the_snapshot() -> None:
    mirrored = Mirrored()
    mirrored.take(chunk(upsert("a", 1)), tally.drain(b"s"))
    mirrored.resume()
    mirrored.take(chunk(upsert("b", 2)), end(5))
    assert counts(mirrored.mirror) == {"a": 1, "b": 2}


def test_a_snapshot_without_a_token_starts_again() -> None:
    mirrored = Mirrored()
    mirrored.take(chunk(upsert("a")))
    mirrored.resume()
    mirrored.take(chunk(upsert("b")), end(5))
    assert counts(mirrored.mirror) == {"b": 1}


def test_with_anothers_token_it_is_not_complete_before_a_reset() -> None:
    mirrored = Mirrored(b"elsewhere")
    mirrored.take(delta(5, 6, upsert("a")))
    assert counts(mirrored.mirror) == {"a": 1}
    assert not mirrored.mirror.complete
    mirrored.take(reset())
    assert counts(mirrored.mirror) == {"a": 1}
    mirrored.take(end(9))
    assert counts(mirrored.mirror) == {} and mirrored.mirror.complete


def test_nor_after_the_rest_of_anothers_snapshot() -> None:
    mirrored = Mirrored(b"elsewhere")
    mirrored.take(chunk(upsert("b")), end(5))
    assert counts(mirrored.mirror) == {"b": 1}
    assert not mirrored.mirror.complete


def test_keys_removed_go_with_their_answer(held: Mirrored) -> None:
    held.mirror.apply(KeysApplied(request=1, removed=("a", "x")))
    assert counts(held.mirror) == {"b": 2}


def test_finality_is_as_the_server_said(held: Mirrored) -> None:
    final = upsert("a", finality=pb.FINALITY_FINAL)
    held.take(delta(5, 6, final))
    assert held.mirror.finality("a") is Finality.FINAL
    assert held.mirror.finality("b") is Finality.NONE
    assert held.mirror.copy().finality == {"a": Finality.FINAL}
    held.take(delta(6, 7, tally.deleted("a")))
    assert held.mirror.copy().finality == {}


def test_a_reader_never_sees_half_a_batch() -> None:
    """Each batch sets all rows to one number; readers see one at a time."""
    names = [f"k{number}" for number in range(20)]
    mirrored = Mirrored()
    mirrored.take(end(0, *(upsert(name, 0) for name in names)))
    mirror = mirrored.mirror
    stopping = threading.Event()
    seen: list[set[int]] = []

    def read() -> None:
        while not stopping.is_set():
            seen.append({row.n for row in mirror.values()})
            seen.append({row.n for row in mirror.copy().rows.values()})
            with mirror.locked():
                seen.append({mirror[name].n for name in names})

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    number = 0
    while number < 200 or len(seen) < 500:
        mirrored.take(
            delta(number, number + 1, *(upsert(k, number) for k in names))
        )
        number += 1
    stopping.set()
    for reader in readers:
        reader.join()
    assert {len(numbers) for numbers in seen} == {1}
    assert len(set.union(*seen)) > 1, "the readers saw no change at all"


def test_waiting_until_it_is_complete() -> None:
    mirrored = Mirrored()
    assert not mirrored.mirror.wait_complete(0)
    answers: list[bool] = []
    waiting = threading.Thread(
        target=lambda: answers.append(mirrored.mirror.wait_complete())
    )
    waiting.start()
    mirrored.take(end(5))
    waiting.join()
    assert answers == [True]


def test_waiting_ends_with_the_stream() -> None:
    mirror = tidegate.Mirror(tally.TALLY)
    mirror.end()
    assert not mirror.wait_complete()


def test_waiting_until_it_is_at_a_position(held: Mirrored) -> None:
    mirror = held.mirror
    wanted = tidegate.Position(b"of another server", {0: 7})
    assert mirror.wait_until_at(tidegate.Position(b"", {0: 5}), 0)
    assert not mirror.wait_until_at(wanted, 0)
    answers: list[bool] = []
    waiting = threading.Thread(
        target=lambda: answers.append(mirror.wait_until_at(wanted))
    )
    waiting.start()
    held.take(delta(5, 6), delta(6, 8))
    waiting.join()
    assert answers == [True]
    assert not mirror.reached(tidegate.Position(b"", {0: 7, 1: 1}))
    mirror.end()
    assert mirror.wait_until_at(wanted)
    assert not mirror.wait_until_at(tidegate.Position(b"", {0: 9}))


def test_anothers_rows_are_not_at_a_position() -> None:
    mirrored = Mirrored(b"elsewhere")
    mirrored.take(delta(5, 6, upsert("a")))
    assert not mirrored.mirror.reached(tidegate.Position(b"", {0: 6}))


def test_a_fresh_start_replaces_the_rows(held: Mirrored) -> None:
    held.mirror.apply(Connected())
    assert counts(held.mirror) == {"a": 1, "b": 2}
    assert held.state() is MirrorState.LOADING
    held.mirror.apply(tidegate.SnapshotEnd(position=tidegate.Position()))
    assert counts(held.mirror) == {}
