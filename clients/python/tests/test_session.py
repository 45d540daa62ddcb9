"""A session over gRPC, sync, against a scripted server."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import tally
from scripted import ScriptedServer, hold
from tally import TALLY, counts, delta, end, upsert
from test_session_core import asked
from test_subscription import client_of, no_thread_is_left

import tidegate
from tidegate import (
    Changes,
    Connected,
    Disconnected,
    Drain,
    KeysApplied,
    SessionEvent,
    SnapshotEnd,
    WatchFailed,
)
from tidegate.v1 import view_service_pb2 as pb

__all__ = ["no_thread_is_left"]  # for each test here, too


def update(
    wire_id: int, response: pb.SubscribeResponse, applied: int = 0
) -> pb.SessionResponse:
    message = pb.SessionResponse()
    added = message.updates.add(id=wire_id, keys_applied=applied)
    added.response.CopyFrom(response)
    return message


def failure(wire_id: int, code: tidegate.Code) -> pb.SessionResponse:
    message = pb.SessionResponse()
    added = message.updates.add(id=wire_id)
    added.failure.code = code
    return message


def drain(millis: int) -> pb.SessionResponse:
    message = pb.SessionResponse()
    message.drain.retry_after.FromMilliseconds(millis)
    return message


def until(
    session: tidegate.Session, kind: type[Any], watch: Any = None
) -> SessionEvent:
    """The next event of that kind, of that watch if one is given."""
    for happened in session:
        if isinstance(happened.event, kind) and (
            watch is None or happened.watch is watch
        ):
            return happened
    raise AssertionError("the session has ended")


def test_keys_come_and_go_over_a_cut() -> None:
    def first(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5, upsert("a")))
        next(requests)
        yield update(1, delta(5, 6, upsert("b", 2)), applied=1)
        next(requests)
        context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def second(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, delta(6, 8, upsert("c", 3)), applied=2)
        hold(context)

    with (
        ScriptedServer(first, second) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        watch = session.add_watch(TALLY, keys=["a"])
        until(session, SnapshotEnd)
        assert watch.rows.complete
        assert watch.add_keys(["b"]) == 1
        until(session, KeysApplied)
        assert watch.change_keys(add=["c"], remove=["a"]) == 2
        assert until(session, Disconnected).watch is None
        assert until(session, Connected).watch is watch
        applied = until(session, KeysApplied).event
        assert applied == KeysApplied(request=2, removed=("a",))
        assert counts(watch.rows) == {"b": 2, "c": 3}
        assert watch.token == b"t8"
        assert [asked(request) for request in server.asked] == [
            "watch 1 a token=", "keys 1 r1 +b", "keys 1 r2 +c -a",
            "watch 1 a b token=t6", "keys 1 r2 +c -a",
        ]  # fmt: skip


def test_a_watch_may_be_added_and_given_up_while_it_runs() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for number, request in enumerate(requests, 1):
            if request.HasField("watch"):
                yield update(request.watch.id, end(number))
        hold(context)

    with (
        ScriptedServer(script) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        first = session.add_watch("tally")
        until(session, SnapshotEnd, first)
        second = session.add_watch("windows", where="id > 1")
        until(session, SnapshotEnd, second)
        first.unwatch()
        third = session.add_watch(TALLY, key_prefix="a")
        until(session, SnapshotEnd, third)
        assert [first.number, second.number, third.number] == [1, 2, 3]
        assert (first.view, second.view) == ("tally", "windows")
        wanted = [each.WhichOneof("action") for each in server.asked]
        assert wanted == ["watch", "watch", "unwatch", "watch"]
        assert server.asked[1].watch.subscribe.where == "id > 1"
        with pytest.raises(tidegate.Closed):
            first.add_keys(["a"])


def test_a_refused_watch_is_asked_for_again_and_the_others_go_on() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(3):
            next(requests)
        yield update(3, end(5))
        yield failure(1, tidegate.Code.INVALID_ARGUMENT)
        yield failure(2, tidegate.Code.UNAVAILABLE)
        again = next(requests)
        yield update(again.watch.id, end(6))
        yield update(3, delta(5, 7))
        hold(context)

    with (
        ScriptedServer(script) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        bad, late, good = (session.add_watch(TALLY) for _ in range(3))
        failed = until(session, WatchFailed)
        assert failed.watch is bad
        assert isinstance(failed.event, WatchFailed)
        assert isinstance(failed.event.error, tidegate.InvalidArgument)
        until(session, Disconnected, late)
        until(session, SnapshotEnd, late)
        until(session, Changes, good)
        assert asked(server.asked[3]) == "watch 4  token="


def test_a_drain_is_left() -> None:
    def goes(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5))
        yield drain(20)
        hold(context)

    def comes(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, delta(5, 6))
        hold(context)

    with (
        ScriptedServer(goes, comes) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        session.add_watch(TALLY)
        assert until(session, Drain).watch is None
        lost = until(session, Disconnected).event
        assert isinstance(lost, Disconnected) and lost.retry_after_s >= 0.02
        until(session, Changes)
        assert asked(server.asked[-1]) == "watch 1  token=t5"


def test_a_gap_in_one_watch_is_raised() -> None:
    def breaks(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5))
        yield update(1, delta(6, 7))
        hold(context)

    with (
        ScriptedServer(breaks) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        watch = session.add_watch(TALLY)
        with pytest.raises(tidegate.BrokenPromise) as raised:
            list(session)
        assert raised.value.watch == watch.number


def test_a_mirror_that_is_full_ends_its_watch_alone() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, end(5, upsert("a"), upsert("b")))
        assert next(requests).unwatch == 1
        yield update(2, end(5, upsert("a")))
        hold(context)

    limits = tidegate.Limits(max_mirror_rows=1)
    with (
        ScriptedServer(script) as server,
        client_of(server, limits=limits) as client,
        client.session() as session,
    ):
        full, other = session.add_watch(TALLY), session.add_watch(TALLY)
        told = []
        for event in session:
            told.append((event.watch, type(event.event)))
            if isinstance(event.event, WatchFailed):
                error = event.event.error
            if told[-1] == (other, SnapshotEnd):
                break
        assert isinstance(error, tidegate.LimitExceeded)
        assert error.watch == full.number
        assert told[:2] == [(full, Connected), (full, WatchFailed)]
        assert full.rows.state is tidegate.MirrorState.ENDED
        assert counts(other.rows) == {"a": 1}


def described_but(missing: int) -> Callable[[Any], Any]:
    """Answers to DescribeView; the call of that number, from 1, finds none."""
    calls = iter(range(1, 100))

    def answer(request: Any) -> Any:
        if next(calls) == missing:
            raise KeyError(request.view)
        return tally.description(request.view)

    return answer


def test_a_view_that_is_gone_ends_its_watch_alone() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, end(5))
        yield update(1, tally.reset(pb.Reset.VIEW_REBUILT))
        assert next(requests).unwatch == 1
        yield update(2, end(5))
        hold(context)

    with (
        ScriptedServer(script) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        gone, other = session.add_watch(TALLY), session.add_watch(TALLY)
        server.answers["DescribeView"] = described_but(2)
        told = []
        for event in session:
            told.append((event.watch, type(event.event)))
            if isinstance(event.event, WatchFailed):
                assert isinstance(event.event.error, tidegate.NotFound)
            if told[-1] == (other, SnapshotEnd):
                break
        assert (gone, WatchFailed) in told


def test_the_session_is_refused_for_good() -> None:
    with (
        ScriptedServer() as server,
        client_of(server) as client,
        client.session() as session,
    ):
        session.add_watch(TALLY)
        with pytest.raises(tidegate.NotFound):
            next(session)


def test_close_ends_a_read_in_another_thread() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5, upsert("a")))
        hold(context)

    with ScriptedServer(script) as server, client_of(server) as client:
        session = client.session()
        watch = session.add_watch(TALLY)
        reader = threading.Thread(target=list, args=(session,))
        reader.start()
        assert watch.rows.wait_complete(30)
        session.close()
        reader.join(30)
        assert not reader.is_alive()
        assert counts(watch.rows) == {"a": 1}


def test_a_reader_that_holds_the_mirror_may_ask_for_keys() -> None:
    """Neither waits for the other, though events come meanwhile."""

    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5, upsert("a")))
        for number in range(5, 200):
            yield update(1, delta(number, number + 1, upsert("a", number)))
        for request in requests:
            yield update(1, delta(200, 200), applied=request.request)
            break
        hold(context)

    with (
        ScriptedServer(script) as server,
        client_of(server) as client,
        client.session() as session,
    ):
        watch = session.add_watch(TALLY, keys=["a"])
        reader = threading.Thread(target=until, args=(session, KeysApplied))
        reader.start()
        assert watch.rows.wait_complete(30)
        with watch.rows.locked() as rows:
            before = rows["a"].n
            watch.add_keys(["b"])
            assert rows["a"].n == before
        reader.join(30)
        assert not reader.is_alive()
        assert counts(watch.rows) == {"a": 199}
