"""The asyncio client against a scripted server."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
import tally
from scripted import (
    OPTIONS,
    ScriptedServer,
    hold,
    refuse,
    say,
    say_and_hold,
    say_and_note,
)
from tally import TALLY, chunk, counts, delta, drain, end, upsert
from test_session import drain as session_drain
from test_session import failure, update
from test_session_core import asked

import tidegate
from tidegate import (
    Backoff,
    Changes,
    Connected,
    Disconnected,
    KeysApplied,
    Limits,
    SnapshotEnd,
    WatchFailed,
)
from tidegate.aio import Client
from tidegate.v1 import view_service_pb2 as pb

_QUICK = Backoff(min_s=0.001, max_s=0.002, seed=1)
_NEVER = Backoff(min_s=3000, max_s=3000)
_WAIT_S = 30

Test = Callable[[Client], Awaitable[None]]


def client_of(
    server: ScriptedServer,
    backoff: Backoff = _QUICK,
    limits: Limits | None = None,
) -> Client:
    return Client(
        server.address, backoff=backoff, limits=limits, options=OPTIONS
    )


@pytest.fixture(scope="session", autouse=True)
def runner() -> Iterator[None]:
    """One event loop for all: gRPC's poller does not like to change it."""
    if _RUNNER:
        yield
        return
    with asyncio.Runner() as made:
        _RUNNER.append(made)
        yield
        _RUNNER.clear()


_RUNNER: list[asyncio.Runner] = []


def run(
    server: ScriptedServer,
    test: Test,
    backoff: Backoff = _QUICK,
    limits: Limits | None = None,
) -> None:
    """Runs the test; no task may be left, none may have failed unseen."""
    unseen: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: unseen.append(what))
        async with asyncio.timeout(_WAIT_S):
            async with client_of(server, backoff, limits) as client:
                await test(client)
                left = asyncio.all_tasks() - {asyncio.current_task()}
                ours = [t for t in left if "tidegate" in str(t.get_coro())]
                assert ours == []

    with server:
        _RUNNER[0].run(main())
    assert unseen == []


async def until(stream: Any, kind: type[Any]) -> Any:
    """The next event of that kind; of a session with its watch."""
    async for event in stream:
        if isinstance(getattr(event, "event", event), kind):
            return event
    raise AssertionError("the stream has ended")


def test_it_survives_cuts() -> None:
    server = ScriptedServer(
        refuse(grpc.StatusCode.UNAVAILABLE),
        say(chunk(upsert("a"), token=b"s")),
        say(chunk(upsert("b")), end(5), delta(5, 6, upsert("c"))),
        say_and_hold(delta(6, 9, tally.deleted("a"))),
    )

    async def test(client: Client) -> None:
        async with client.subscribe("tally") as subscription:
            kinds = []
            async for event in subscription:
                kinds.append(type(event).__name__)
                if kinds[-2:] == ["Connected", "Changes"]:
                    break
            assert kinds == [
                "Disconnected", "Connected", "Snapshot", "Disconnected",
                "Connected", "Snapshot", "SnapshotEnd", "Changes",
                "Disconnected", "Connected", "Changes",
            ]  # fmt: skip
            assert counts(subscription.rows) == {"b": 1, "c": 1}
            assert subscription.token == b"t9"

    run(server, test)
    tokens = [request.resume_token for request in server.asked]
    assert tokens == [b"", b"", b"s", b"t6"]


def test_a_drain_is_left_with_its_token() -> None:
    gone = threading.Event()
    server = ScriptedServer(
        say_and_note(gone, end(5), drain(b"d", 20)), say_and_hold(delta(5, 6))
    )

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            lost = await until(subscription, Disconnected)
            assert lost.retry_after_s >= 0.02
            assert await asyncio.to_thread(gone.wait, _WAIT_S)
            await until(subscription, Changes)

    run(server, test)
    assert server.asked[1].resume_token == b"d"


def test_a_wait_that_is_cancelled_loses_nothing_and_cuts_nothing() -> None:
    go = threading.Event()

    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield end(5)
        assert go.wait(_WAIT_S)
        yield delta(5, 6, upsert("a"))
        hold(context)

    server = ScriptedServer(script)

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, SnapshotEnd)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(subscription), 0.01)
            go.set()
            changes = await anext(subscription)
            assert isinstance(changes, Changes)
            assert counts(subscription.rows) == {"a": 1}

    run(server, test)
    assert len(server.asked) == 1


def test_a_backoff_that_is_cancelled_goes_on() -> None:
    server = ScriptedServer(refuse(grpc.StatusCode.UNAVAILABLE))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, Disconnected)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(subscription), 0.01)

    run(server, test, _NEVER)
    assert len(server.asked) == 1, "no attempt before its time"


def test_a_backoff_that_is_cancelled_is_not_begun_anew() -> None:
    server = ScriptedServer(
        refuse(grpc.StatusCode.UNAVAILABLE), say_and_hold(end(5))
    )

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, Disconnected)
            while True:
                try:
                    event = await asyncio.wait_for(anext(subscription), 0.02)
                except TimeoutError:
                    continue
                assert isinstance(event, Connected)
                return

    run(server, test, Backoff(min_s=0.2, max_s=0.2, seed=1))


def test_of_a_client_that_is_closed() -> None:
    server = ScriptedServer(say_and_hold(end(5)))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            session = client.session()
            await session.add_watch(TALLY)
            await anext(subscription)
            await client.close()
            with pytest.raises(tidegate.Closed):
                await until(subscription, Changes)
            with pytest.raises(tidegate.Closed):
                await anext(session)
            with pytest.raises(tidegate.Closed):
                await client.list_views()

    run(server, test)


def test_the_task_that_iterates_may_be_cancelled() -> None:
    server = ScriptedServer(say_and_hold(end(5)))

    async def test(client: Client) -> None:
        live = asyncio.Event()

        async def read() -> None:
            async with client.subscribe(TALLY) as subscription:
                async for event in subscription:
                    if isinstance(event, SnapshotEnd):
                        live.set()

        task = asyncio.create_task(read())
        await live.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(server, test)


def test_close_ends_the_iteration_of_another_task() -> None:
    server = ScriptedServer(say_and_hold(end(5)))

    async def test(client: Client) -> None:
        subscription = client.subscribe(TALLY)
        await until(subscription, SnapshotEnd)

        async def read() -> list[Any]:
            return [event async for event in subscription]

        task = asyncio.create_task(read())
        await asyncio.sleep(0)  # it reads
        await subscription.close()
        assert await task == []
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)

    run(server, test)


def test_close_ends_a_wait() -> None:
    server = ScriptedServer(refuse(grpc.StatusCode.UNAVAILABLE))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, Disconnected)
            asyncio.get_running_loop().call_soon(
                asyncio.ensure_future, subscription.close()
            )
            assert [event async for event in subscription] == []

    run(server, test, _NEVER)


def test_the_mirror_by_itself() -> None:
    server = ScriptedServer(say_and_hold(end(5, upsert("a"))))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            subscription.start()
            await subscription.wait_complete()
            assert counts(subscription.rows) == {"a": 1}
            with pytest.raises(RuntimeError, match="another task"):
                await anext(subscription)
        assert counts(subscription.rows) == {"a": 1}

    run(server, test)


def test_what_was_read_elsewhere_is_waited_for() -> None:
    go_on = threading.Event()

    def script(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield end(5, upsert("a"))
        assert go_on.wait(30)
        yield delta(5, 7, upsert("b"))
        context.abort(grpc.StatusCode.NOT_FOUND, "gone")

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY).start() as subscription:
            wanted = tidegate.Position(b"i", {0: 6})
            waits = asyncio.ensure_future(subscription.wait_until_at(wanted))
            await subscription.wait_until_at(tidegate.Position(b"i", {0: 5}))
            go_on.set()
            await waits
            assert counts(subscription.rows) == {"a": 1, "b": 1}
            with pytest.raises(tidegate.NotFound):
                await subscription.wait_until_at(
                    tidegate.Position(b"i", {0: 8})
                )

    run(ScriptedServer(script), test)


def test_what_ends_the_mirror_is_told() -> None:
    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            subscription.start()
            with pytest.raises(tidegate.NotFound):
                await subscription.wait_complete()

    run(ScriptedServer(), test)


def test_a_view_that_is_not_there() -> None:
    async def test(client: Client) -> None:
        with pytest.raises(tidegate.NotFound, match="no view 'none'"):
            async with client.subscribe("none"):
                pass

    run(ScriptedServer(), test)


def test_a_broken_promise_ends_the_stream() -> None:
    server = ScriptedServer(say_and_hold(end(5), delta(6, 7)))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            with pytest.raises(tidegate.BrokenPromise, match="range"):
                await until(subscription, Changes)
            assert isinstance(subscription.failure, tidegate.BrokenPromise)

    run(server, test)
    assert len(server.asked) == 1


def test_a_view_with_another_key_ends_it() -> None:
    rebuilt = tally.reset(pb.Reset.VIEW_REBUILT)
    server = ScriptedServer(say_and_hold(end(5), rebuilt, rebuilt))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, tidegate.Reset)
            server.answers["DescribeView"] = lambda _: tally.description(
                "tally", tally.RETYPED
            )
            with pytest.raises(tidegate.ViewChanged, match="k: int"):
                await anext(subscription)

    run(server, test)


def test_disconnect_is_as_a_network_would() -> None:
    server = ScriptedServer(say_and_hold(end(5)), say_and_hold(delta(5, 6)))

    async def test(client: Client) -> None:
        async with client.subscribe(TALLY) as subscription:
            await until(subscription, SnapshotEnd)
            subscription.disconnect()
            await until(subscription, Disconnected)
            connected = await until(subscription, Connected)
            assert connected.resumed_from == b"t5"

    run(server, test)


def test_a_session_over_a_cut() -> None:
    def first(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5, upsert("a")))
        next(requests)
        context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def second(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, delta(5, 8, upsert("b", 3)), applied=1)
        yield session_drain(1)
        hold(context)

    def third(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            request = next(requests)
        yield update(request.watch.id, end(9))
        yield failure(1, tidegate.Code.NOT_FOUND)
        yield failure(2, tidegate.Code.UNAVAILABLE)
        next(requests)
        hold(context)

    server = ScriptedServer(first, second, third)

    async def test(client: Client) -> None:
        async with client.session() as session:
            watch = await session.add_watch("tally", keys=["a"])
            await until(session, SnapshotEnd)
            assert watch.change_keys(["b"], ["a"]) == 1
            assert (await until(session, Disconnected)).watch is None
            applied = await until(session, KeysApplied)
            assert applied.watch is watch
            assert counts(watch.rows) == {"b": 3}
            other = await session.add_watch(TALLY)
            await until(session, Disconnected)
            assert (await until(session, SnapshotEnd)).watch is other
            assert (await until(session, WatchFailed)).watch is watch
            assert (await until(session, Disconnected)).watch is other
            task = asyncio.ensure_future(anext(session))
            while len(server.asked) < 7:
                await asyncio.sleep(0.001)
            other.unwatch()
            await session.close()
            with pytest.raises(StopAsyncIteration):
                await task

    run(server, test)
    assert [asked(request) for request in server.asked] == [
        "watch 1 a token=", "keys 1 r1 +b -a",
        "watch 1 a token=t5", "keys 1 r1 +b -a",
        "watch 1 b token=t8", "watch 2  token=",
        "watch 3  token=t9",
    ]  # fmt: skip


def test_a_gap_in_a_session_is_raised() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5))
        yield update(1, delta(6, 7))
        hold(context)

    async def test(client: Client) -> None:
        async with client.session() as session:
            await session.add_watch(TALLY)
            with pytest.raises(tidegate.BrokenPromise):
                await until(session, Changes)

    run(ScriptedServer(script), test)


def test_unary_calls() -> None:
    server = ScriptedServer()
    server.answers["ListViews"] = lambda _: pb.ListViewsResponse(
        views=[pb.ViewInfo(name="tally")]
    )
    server.answers["Get"] = lambda request: pb.GetResponse(
        entries=[pb.GetResponse.Entry(row=key) for key in request.keys]
    )
    pages = iter(["next", ""])
    server.answers["Scan"] = lambda request: pb.ScanResponse(
        rows=[tally.row("a")], next_page_token=next(pages)
    )

    async def test(client: Client) -> None:
        assert [v.name for v in await client.list_views()] == ["tally"]
        row = await client.get("tally", "a")
        assert row is not None and tidegate.to_dict(row)["k"] == "a"
        rows = [row.k async for row in client.scan(TALLY)]
        assert rows == ["a", "a"]
        del server.answers["Get"]
        with pytest.raises(tidegate.NotFound):
            await client.get("tally", "a")

    run(server, test)
