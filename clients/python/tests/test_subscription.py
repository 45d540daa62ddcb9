"""A subscription over gRPC, sync, against a scripted server."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import scripted
import tally
from scripted import (
    OPTIONS,
    ScriptedServer,
    refuse,
    say,
    say_and_hold,
    say_and_note,
)
from tally import TALLY, chunk, counts, delta, drain, end, upsert

import tidegate
from tidegate import Backoff, Changes, Connected, Disconnected, Drain, Limits
from tidegate.v1 import view_service_pb2 as pb

_QUICK = Backoff(min_s=0.001, max_s=0.002, seed=1)
_NEVER = Backoff(min_s=3000, max_s=3000)


def client_of(
    server: ScriptedServer, backoff: Backoff = _QUICK, **more: Any
) -> tidegate.Client:
    return tidegate.Client(
        server.address, backoff=backoff, options=OPTIONS, **more
    )


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threads()
    yield
    for thread in threads() - before:
        thread.join(30)
        assert not thread.is_alive(), f"{thread} is left"


def test_it_survives_cuts() -> None:
    with (
        ScriptedServer(
            refuse(grpc.StatusCode.UNAVAILABLE),
            say(chunk(upsert("a"), token=b"s")),
            say(chunk(upsert("b")), end(5), delta(5, 6, upsert("c"))),
            say(),
            say_and_hold(delta(6, 9, tally.deleted("a"))),
        ) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        kinds = []
        for event in subscription:
            kinds.append(type(event).__name__)
            if kinds[-2:] == ["Connected", "Changes"]:
                break
        assert kinds == [
            "Disconnected", "Connected", "Snapshot",
            "Disconnected", "Connected", "Snapshot", "SnapshotEnd", "Changes",
            "Disconnected",
            "Disconnected", "Connected", "Changes",
        ]  # fmt: skip
        assert counts(subscription.rows) == {"b": 1, "c": 1}
        tokens = [request.resume_token for request in server.asked]
        assert tokens == [b"", b"", b"s", b"t6", b"t6"]
        assert subscription.token == b"t9"


def test_a_stream_that_ends_with_ok_is_a_cut() -> None:
    def ends(_: Any, __: Any) -> Iterator[Any]:
        yield end(5)

    with (
        ScriptedServer(ends, say_and_hold(delta(5, 6))) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        for event in subscription:
            if isinstance(event, Changes):
                break
        assert server.asked[1].resume_token == b"t5"


def test_a_drain_is_left_with_its_token() -> None:
    gone = threading.Event()
    with (
        ScriptedServer(
            say_and_note(gone, end(5), drain(b"d", 20)),
            say_and_hold(delta(5, 6)),
        ) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        told = []
        for event in subscription:
            told.append(event)
            if isinstance(event, Disconnected):
                assert gone.wait(30)
            if isinstance(event, Changes):
                break
        told_drain, lost = told[2:4]
        assert isinstance(told_drain, Drain) and told_drain.token == b"d"
        assert isinstance(lost, Disconnected)
        assert 0.02 <= lost.retry_after_s <= 0.025
        assert server.asked[1].resume_token == b"d"


def test_a_refusal_says_how_long_to_wait() -> None:
    details = scripted.retry_details(0.03)
    with (
        ScriptedServer(
            refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, details),
            say_and_hold(end(5)),
        ) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        lost = next(subscription)
        assert isinstance(lost, Disconnected)
        assert isinstance(lost.error, tidegate.ResourceExhausted)
        assert lost.error.retry_after_s == 0.03
        assert lost.retry_after_s >= 0.03
        assert isinstance(next(subscription), Connected)


def test_a_refusal_for_good_is_raised_at_once() -> None:
    with (
        ScriptedServer(refuse(grpc.StatusCode.FAILED_PRECONDITION)) as server,
        client_of(server, _NEVER) as client,
        client.subscribe(TALLY) as subscription,
    ):
        with pytest.raises(tidegate.FailedPrecondition, match="no") as raised:
            next(subscription)
        assert raised.value.view == "tally"
        assert subscription.failure is raised.value


def test_a_broken_promise_ends_the_stream() -> None:
    gone = threading.Event()
    with (
        ScriptedServer(say_and_note(gone, end(5), delta(6, 7))) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        with pytest.raises(tidegate.BrokenPromise, match="range"):
            list(subscription)
        assert gone.wait(30)
        assert len(server.asked) == 1


def test_disconnect_is_as_a_network_would() -> None:
    with (
        ScriptedServer(say_and_hold(end(5)), say_and_hold(delta(5, 6))) as (
            server
        ),
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        assert isinstance(next(subscription), Connected)
        next(subscription)
        subscription.disconnect()
        assert isinstance(next(subscription), Disconnected)
        connected = next(subscription)
        assert isinstance(connected, Connected)
        assert connected.resumed_from == b"t5"


def test_close_ends_a_read_in_another_thread() -> None:
    with (
        ScriptedServer(say_and_hold(end(5))) as server,
        client_of(server) as client,
    ):
        subscription = client.subscribe(TALLY)
        told: list[Any] = []
        ended = threading.Event()

        def read() -> None:
            for event in subscription:
                told.append(event)
                if len(told) == 2:
                    ended.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert ended.wait(30)
        subscription.close()
        reader.join(30)
        assert not reader.is_alive() and len(told) == 2
        with pytest.raises(StopIteration):
            next(subscription)


def test_close_ends_a_wait() -> None:
    with (
        ScriptedServer(refuse(grpc.StatusCode.UNAVAILABLE)) as server,
        client_of(server, _NEVER) as client,
        client.subscribe(TALLY) as subscription,
    ):
        assert isinstance(next(subscription), Disconnected)
        threading.Timer(0.01, subscription.close).start()
        assert list(subscription) == []


def test_a_signal_handler_may_close_it() -> None:
    with (
        ScriptedServer(say_and_hold(end(5))) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        handled = signal.signal(signal.SIGALRM, lambda *_: subscription.close())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            assert len(list(subscription)) == 2
        finally:
            signal.signal(signal.SIGALRM, handled)


def test_of_a_client_that_is_closed() -> None:
    with ScriptedServer(say_and_hold(end(5))) as server:
        client = client_of(server)
        subscription = client.subscribe(TALLY)
        session = client.session()
        session.add_watch(TALLY)
        next(subscription)
        client.close()
        with pytest.raises(tidegate.Closed):
            list(subscription)
        with pytest.raises(tidegate.Closed):
            next(session)
        with pytest.raises(tidegate.Closed):
            client.list_views()


def test_the_mirror_by_itself() -> None:
    with (
        ScriptedServer(
            say_and_hold(end(5, upsert("a")), delta(5, 6, upsert("b")))
        ) as server,
        client_of(server) as client,
    ):
        moved = threading.Event()

        def on_event(event: tidegate.Event[Any]) -> None:
            if isinstance(event, Changes):
                moved.set()

        with client.subscribe(TALLY).start(on_event) as subscription:
            assert subscription.wait_complete(30)
            assert moved.wait(30)
            assert counts(subscription.rows) == {"a": 1, "b": 1}
            with pytest.raises(RuntimeError):
                subscription.start()
        assert counts(subscription.rows) == {"a": 1, "b": 1}, "still there"


def test_what_was_read_elsewhere_is_waited_for() -> None:
    go_on = threading.Event()

    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield end(5, upsert("a"))
        assert go_on.wait(30)
        yield delta(5, 7, upsert("b"))
        context.abort(grpc.StatusCode.NOT_FOUND, "gone")

    with ScriptedServer(script) as server, client_of(server) as client:
        with client.subscribe(TALLY).start() as subscription:
            wanted = tidegate.Position(b"i", {0: 6})
            assert subscription.wait_complete(30)
            assert not subscription.wait_until_at(wanted, 0)
            go_on.set()
            assert subscription.wait_until_at(wanted, 30)
            assert counts(subscription.rows) == {"a": 1, "b": 1}
            with pytest.raises(tidegate.NotFound):
                subscription.wait_until_at(tidegate.Position(b"i", {0: 8}), 30)


def test_what_ends_the_mirror_is_told() -> None:
    with ScriptedServer() as server, client_of(server) as client:
        with client.subscribe(TALLY).start() as subscription:
            with pytest.raises(tidegate.NotFound):
                subscription.wait_complete(30)
            assert isinstance(subscription.failure, tidegate.NotFound)


def test_a_handler_that_fails_ends_it() -> None:
    def on_event(_: object) -> None:
        raise LookupError("mine")

    with (
        ScriptedServer(say_and_hold(end(5))) as server,
        client_of(server) as client,
        client.subscribe(TALLY).start(on_event) as subscription,
        pytest.raises(LookupError, match="mine"),
    ):
        subscription.wait_complete(30)


def test_a_view_with_another_key_ends_it() -> None:
    rebuilt = tally.reset(pb.Reset.VIEW_REBUILT)
    with (
        ScriptedServer(say_and_hold(end(5), rebuilt, rebuilt)) as server,
        client_of(server) as client,
        client.subscribe(TALLY) as subscription,
    ):
        for event in subscription:
            if isinstance(event, tidegate.Reset):
                break
        server.answers["DescribeView"] = lambda _: tally.description(
            "tally", tally.RETYPED
        )
        with pytest.raises(tidegate.ViewChanged, match="k: int"):
            next(subscription)


def test_the_filter_goes_along() -> None:
    with (
        ScriptedServer(say_and_hold(end(5)), say_and_hold(end(5))) as server,
        client_of(server) as client,
    ):
        with client.subscribe(TALLY, keys=["a", {"k": "b"}]) as subscription:
            next(subscription)
        windows = tally.WINDOWS
        with client.subscribe(
            windows, key_prefix="EU", where="id > 1", resume_token=b"r",
            progress_interval_s=0.25,
        ) as prefixed:  # fmt: skip
            next(prefixed)
        first, second = server.asked
        assert [TALLY.decode_key(key) for key in first.keys] == ["a", "b"]
        assert windows.decode_key(second.key_prefix) == ("EU", None)
        assert (second.where, second.resume_token) == ("id > 1", b"r")
        assert second.progress_interval.ToMilliseconds() == 250


def test_a_message_has_a_limit() -> None:
    limits = Limits(max_message_bytes=1000)
    big = tally.row("a" * 2000)
    change = pb.Change(upsert=big)
    with (
        ScriptedServer(say_and_hold(end(5, change))) as server,
        client_of(server, limits=limits) as client,
        client.subscribe(TALLY) as subscription,
    ):
        lost = next(subscription)
        assert isinstance(lost, Disconnected)
        assert isinstance(lost.error, tidegate.ResourceExhausted)


def test_by_name_the_types_are_asked_for_once() -> None:
    with (
        ScriptedServer(*[say_and_hold(end(5, upsert("a", 7)))] * 2) as server,
        client_of(server) as client,
    ):
        for _ in range(2):
            with client.subscribe("tally").start() as subscription:
                subscription.wait_complete(30)
                assert tidegate.to_dict(subscription.rows["a"])["n"] == 7
        # And whether they are still right, when they are used again.
        assert [call.view for call in server.calls] == ["tally"] * 2


def test_types_that_were_asked_for_before_a_rebuild() -> None:
    """Nobody watched when the view was built anew with another key."""
    with (
        ScriptedServer(*[say_and_hold(end(5))] * 3) as server,
        client_of(server) as client,
    ):
        with client.subscribe("tally").start() as subscription:
            subscription.wait_complete(30)
        server.answers["DescribeView"] = lambda _: tally.description(
            "tally", tally.RETYPED
        )
        with client.subscribe("tally").start() as subscription:
            with pytest.raises(tidegate.ViewChanged):
                subscription.wait_complete(30)
        with client.subscribe("tally").start() as subscription:
            assert subscription.wait_complete(30), "by the new types"
