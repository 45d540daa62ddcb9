"""A session's watches: what is asked of the server, and what is told."""

from typing import Any

import pytest
import tally
from tally import delta, end, upsert

import tidegate
from tidegate import Backoff, Limits
from tidegate._lifecycle import Check, Leave, Open, Wait
from tidegate._session_core import EmitWatch, SessionCore, WatchCore
from tidegate._subscription_core import Subject
from tidegate.errors import Code, rpc_error
from tidegate.v1 import view_service_pb2 as pb

_NOW = 100.0
_LATER = 200.0


def key(k: str) -> bytes:
    return tally.TALLY.encode_key(k)


def _letters(keys: Any) -> str:
    return " ".join(str(tally.TALLY.decode_key(each)) for each in keys)


def asked(request: pb.SessionRequest) -> str:
    """E.g. "watch 1 a b token=t5", "keys 1 r3 +c -a", "unwatch 1"."""
    match request.WhichOneof("action"):
        case "watch":
            to = request.watch.subscribe
            text = f"watch {request.watch.id} {_letters(to.keys)}"
            return f"{text} token={to.resume_token.decode()}"
        case "keys":
            text = f"keys {request.keys.id} r{request.request}"
            for sign, keys in (
                ("+", request.keys.add), ("-", request.keys.remove)
            ):  # fmt: skip
                text += "".join(f" {sign}{_letters([k])}" for k in keys)
            return text
        case _:
            return f"unwatch {request.unwatch}"


class World:
    """A session core, driven by hand."""

    def __init__(self, **limits: int) -> None:
        self.core = SessionCore(Backoff(seed=1), Limits(**limits))

    def watch(self, *keys: str, keyed: bool = True) -> WatchCore[Any]:
        subject = Subject(view="tally", keys=tuple(map(key, keys)))
        return self.core.add_watch(
            subject, tally.TALLY, keyed, b"", fresh=True
        )

    def change(
        self, watch: WatchCore[Any], add: str = "", remove: str = ""
    ) -> int:
        return self.core.change_keys(
            watch, tuple(map(key, add.split())), tuple(map(key, remove.split()))
        )

    def open(self) -> list[str]:
        assert isinstance(self.core.step(), Open)
        self.core.opened()
        return self.written()

    def written(self, now: float = _NOW) -> list[str]:
        found = []
        while (request := self.core.next_request(now)) is not None:
            found.append(asked(request))
        return found

    def send(
        self,
        wire_id: int,
        response: pb.SubscribeResponse | None = None,
        applied: int = 0,
        failure: Code | None = None,
    ) -> list[str]:
        """One update; what is told of it."""
        message = pb.SessionResponse()
        update = message.updates.add(id=wire_id, keys_applied=applied)
        if response is not None:
            update.response.CopyFrom(response)
        if failure is not None:
            update.failure.code = failure
            update.failure.message = "no"
        return self.receive(message)

    def receive(self, message: pb.SessionResponse) -> list[str]:
        self.core.received(message, _NOW)
        return self.told()

    def told(self) -> list[str]:
        """E.g. "1 Changes", "1 KeysApplied 3", "- Drain"."""
        found = []
        while isinstance(step := self.core.step(), EmitWatch):
            step.deliver()
            text = f"{step.watch.number if step.watch else '-'}"
            text += f" {type(step.event).__name__}"
            if isinstance(step.event, tidegate.KeysApplied):
                text += f" {step.event.request}"
            found.append(text)
        return found

    def cut(self) -> list[str]:
        """The stream ends; the next one may be opened."""
        self.core.ended(rpc_error(Code.UNAVAILABLE, "cut"))
        told = self.told()
        assert isinstance(self.core.step(), Wait)
        self.core.waited()
        return told


def test_it_resumes_each_watch_by_its_token_with_the_keys_applied() -> None:
    world = World()
    watch = world.watch("a")
    world.watch(keyed=False)
    assert world.open() == ["watch 1 a token=", "watch 2  token="]
    assert world.send(1, end(5)) == ["1 Connected", "1 SnapshotEnd"]
    assert world.send(2, end(5)) == ["2 Connected", "2 SnapshotEnd"]
    assert world.change(watch, "b c", "a") == 1
    assert world.change(watch, "d") == 2
    assert world.written() == ["keys 1 r1 +b +c -a", "keys 1 r2 +d"]
    assert world.send(1, delta(5, 7), applied=1) == [
        "1 Changes", "1 KeysApplied 1",
    ]  # fmt: skip
    assert world.cut() == ["- Disconnected"]
    assert watch.mirror.state is tidegate.MirrorState.DISCONNECTED
    assert world.open() == [
        "watch 1 b c token=t7", "keys 1 r2 +d", "watch 2  token=t5",
    ]  # fmt: skip
    assert world.send(1, delta(7, 9), applied=2) == [
        "1 Connected", "1 Changes", "1 KeysApplied 2",
    ]  # fmt: skip


def test_removed_keys_leave_the_mirror_with_their_answer() -> None:
    world = World()
    watch = world.watch("a", "b")
    world.open()
    world.send(1, end(5, upsert("a"), upsert("b")))
    world.change(watch, "c", "a")
    world.send(1, delta(5, 6, upsert("a", 2)))
    assert tally.counts(watch.mirror) == {"a": 2, "b": 1}
    world.send(1, delta(6, 7, upsert("c")), applied=1)
    assert tally.counts(watch.mirror) == {"b": 1, "c": 1}


def test_a_key_that_is_removed_and_added_at_once_stays() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    world.send(1, end(5, upsert("a")))
    world.change(watch, "a b", "a")
    world.send(1, delta(5, 6, upsert("a", 2), upsert("b")), applied=1)
    assert tally.counts(watch.mirror) == {"a": 2, "b": 1}


def test_a_watch_that_starts_without_keys() -> None:
    world = World()
    watch = world.watch()
    assert world.open() == []
    world.change(watch, "a b")
    world.change(watch, "", "b")
    assert world.written() == ["watch 1 a b token=", "keys 1 r2 -b"]
    told = world.send(1, end(5, upsert("a"), upsert("b")))
    assert told == [
        "1 Connected", "1 Snapshot", "1 SnapshotEnd", "1 KeysApplied 1",
    ]  # fmt: skip
    assert world.send(1, applied=2) == ["1 KeysApplied 2"]
    assert tally.counts(watch.mirror) == {"a": 1}


def test_keys_asked_for_before_the_stream_are_the_watchs_own() -> None:
    world = World()
    watch = world.watch()
    world.change(watch, "a b")
    world.change(watch, "a", "b a")
    world.change(watch, "c", "")
    assert world.open() == ["watch 1 a c token="]
    told = world.send(1, end(5, upsert("a"), upsert("c")))
    assert told[-3:] == [f"1 KeysApplied {number}" for number in (1, 2, 3)]
    assert tally.counts(watch.mirror) == {"a": 1, "c": 1}


def test_a_watch_whose_keys_are_gone_is_not_opened_until_some_come() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    world.send(1, end(5, upsert("a")))
    world.change(watch, "", "a")
    world.send(1, applied=1)
    world.cut()
    assert world.open() == []
    assert world.send(1, end(7)) == [], "of the stream before"
    world.change(watch, "b")
    assert world.written() == ["watch 1 b token="]
    assert world.send(1, end(9, upsert("b"))) == []
    world.core.checked(tally.TALLY)  # it has begun anew
    assert world.told()[-2:] == ["1 SnapshotEnd", "1 KeysApplied 2"]
    assert tally.counts(watch.mirror) == {"b": 1}


def test_keys_applied_out_of_turn_break_the_promise() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    world.change(watch, "b")
    with pytest.raises(tidegate.BrokenPromise, match="request 9") as raised:
        world.send(1, end(5), applied=9)
    assert (raised.value.view, raised.value.watch) == ("tally", 1)


def test_a_gap_in_one_watch_breaks_the_promise() -> None:
    world = World()
    world.watch("a")
    world.open()
    assert world.send(1, end(5)) == ["1 Connected", "1 SnapshotEnd"]
    with pytest.raises(tidegate.BrokenPromise, match="does not continue"):
        world.send(1, delta(6, 7))


def test_a_failure_ends_one_watch_unless_it_passes() -> None:
    world = World()
    first, second, third = (world.watch(k) for k in "abc")
    world.open()
    world.send(2, end(5, upsert("b")))
    assert world.send(1, failure=Code.INVALID_ARGUMENT) == ["1 WatchFailed"]
    assert world.send(2, failure=Code.UNAVAILABLE) == ["2 Disconnected"]
    assert world.written() == []
    due = world.core.next_due()
    assert due is not None and _NOW < due <= _NOW + 0.05
    assert world.written(_LATER) == ["watch 4 b token=t5"]
    assert world.core.next_due() is None
    assert world.send(2, delta(5, 6)) == [], "its old number is no more"
    assert world.send(4, delta(5, 6)) == ["2 Connected", "2 Changes"]
    assert world.send(3, end(5)) == ["3 Connected", "3 SnapshotEnd"]
    with pytest.raises(tidegate.Closed):
        world.change(first, "x")
    assert not first.mirror.wait_complete()
    assert second.mirror.complete and third.mirror.complete


def test_a_refused_watch_is_asked_for_in_the_next_stream_at_once() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    world.send(1, failure=Code.UNAVAILABLE)
    world.change(watch, "b")
    assert world.written() == [], "not before its time"
    world.cut()
    assert world.open() == ["watch 1 a token=", "keys 1 r1 +b"]
    assert world.written(_LATER) == []


def test_unwatched() -> None:
    world = World()
    first, second = world.watch("a"), world.watch("b")
    world.open()
    world.core.remove_watch(first)
    world.core.remove_watch(first)
    assert world.written() == ["unwatch 1"]
    assert world.send(1, end(5)) == world.send(1, delta(7, 8)) == []
    world.cut()
    assert world.open() == ["watch 1 b token="]
    assert world.send(1, end(5)) == ["2 Connected", "2 SnapshotEnd"]
    assert second.mirror.complete


def test_nothing_is_told_of_a_watch_that_was_removed_meanwhile() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    message = pb.SessionResponse()
    message.updates.add(id=1).response.CopyFrom(end(5))
    world.core.received(message, _NOW)
    world.core.remove_watch(watch)
    assert world.told() == []


def test_a_drain_is_of_the_session() -> None:
    world = World()
    world.watch("a")
    world.open()
    world.send(1, end(5))
    message = pb.SessionResponse()
    message.drain.retry_after.FromMilliseconds(3000)
    assert world.receive(message) == ["- Drain"]
    assert isinstance(world.core.step(), Leave)
    world.core.left()
    assert world.told() == ["- Disconnected"]
    step = world.core.step()
    assert isinstance(step, Wait) and 3 <= step.seconds <= 3.75
    world.core.waited()
    assert world.open() == ["watch 1 a token=t5"]


def test_a_reset_of_one_watch() -> None:
    world = World()
    watch = world.watch("a")
    world.open()
    world.send(1, end(5, upsert("a")))
    world.change(watch, "b")
    assert world.send(1, tally.reset()) == ["1 Reset"]
    assert world.send(1, end(50)) == ["1 SnapshotEnd"]
    assert world.send(1, delta(50, 50, upsert("b")), applied=1) == [
        "1 Changes", "1 KeysApplied 1",
    ]  # fmt: skip
    assert tally.counts(watch.mirror) == {"b": 1}


def test_a_watch_whose_view_has_another_key_ends() -> None:
    world = World()
    first, _ = world.watch("a"), world.watch("b")
    world.open()
    world.send(1, end(5, upsert("a")))
    world.send(2, end(5, upsert("b")))
    rebuilt = tally.reset(pb.Reset.VIEW_REBUILT)
    assert world.send(1, rebuilt) == []
    assert world.core.step() == Check("tally")
    world.core.checked(tally.make_view(columns=tally.RETYPED))
    assert world.told() == ["1 WatchFailed"]
    assert world.written() == ["unwatch 1"]
    assert first.mirror.state is tidegate.MirrorState.ENDED
    assert world.send(2, rebuilt) == []
    world.core.checked(tally.TALLY)
    assert world.told() == ["2 Reset"]
    begun = tally.chunk(upsert("b"), token=b"s")
    begun.reset.cause = pb.Reset.VIEW_REBUILT
    world.send(2, begun)
    world.core.not_checked(rpc_error(Code.UNAVAILABLE, "cut"))
    assert world.told() == ["- Disconnected"]
    world.core.waited()
    assert world.open() == ["watch 1 b token="]


def test_a_view_that_is_gone_ends_its_watch_alone() -> None:
    world = World()
    first, second = world.watch("a"), world.watch("b")
    world.open()
    world.send(1, end(5, upsert("a")))
    world.send(2, end(5, upsert("b")))
    assert world.send(1, tally.reset(pb.Reset.VIEW_REBUILT)) == []
    world.core.not_checked(rpc_error(Code.NOT_FOUND, "no view"))
    assert world.told() == ["1 WatchFailed"]
    assert world.written() == ["unwatch 1"]
    assert world.send(2, delta(5, 6)) == ["2 Changes"]
    assert first.mirror.state is tidegate.MirrorState.ENDED
    assert second.mirror.state is tidegate.MirrorState.LIVE


def test_limits_have_names() -> None:
    world = World(max_watches_per_session=1, max_pending_key_requests=1)
    watch = world.watch("a")
    with pytest.raises(tidegate.LimitExceeded, match="max_watches_per"):
        world.watch("b")
    world.change(watch, "b")
    with pytest.raises(tidegate.LimitExceeded, match="max_pending_key"):
        world.change(watch, "c")


def test_a_watch_without_keys_gets_none() -> None:
    world = World()
    watch = world.watch(keyed=False)
    with pytest.raises(ValueError, match="added without keys"):
        world.change(watch, "a")
