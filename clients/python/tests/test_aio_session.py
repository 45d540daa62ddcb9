"""Sessions of the asyncio client against a scripted server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tally
from scripted import ScriptedServer, hold
from tally import TALLY, counts, delta, end, upsert
from test_aio import run, runner, until
from test_session import described_but, update

import tidegate
from tidegate import Changes, Limits, SnapshotEnd, WatchFailed
from tidegate.aio import Client
from tidegate.v1 import view_service_pb2 as pb

__all__ = ["runner"]  # for each test here, too


def test_what_was_read_elsewhere_is_waited_for() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        next(requests)
        yield update(1, end(5))
        yield update(1, delta(5, 6, upsert("b")))
        hold(context)

    async def test(client: Client) -> None:
        async with client.session() as session:
            watch = await session.add_watch(TALLY)
            waits = asyncio.ensure_future(
                session.wait_until_at(watch, tidegate.Position(b"i", {0: 6}))
            )
            await until(session, Changes)
            await waits
            assert counts(watch.rows) == {"b": 1}
            never = asyncio.ensure_future(
                session.wait_until_at(watch, tidegate.Position(b"i", {0: 7}))
            )
            watch.unwatch()
            with pytest.raises(tidegate.Closed):
                await never

    run(ScriptedServer(script), test)


def test_a_mirror_that_is_full_ends_its_watch_alone() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, end(5, upsert("a"), upsert("b")))
        assert next(requests).unwatch == 1
        yield update(2, end(5, upsert("a")))
        hold(context)

    async def test(client: Client) -> None:
        async with client.session() as session:
            full = await session.add_watch(TALLY)
            other = await session.add_watch(TALLY)
            failed = await until(session, WatchFailed)
            assert failed.watch is full
            assert isinstance(failed.event.error, tidegate.LimitExceeded)
            assert (await until(session, SnapshotEnd)).watch is other
            assert counts(other.rows) == {"a": 1}

    run(ScriptedServer(script), test, limits=Limits(max_mirror_rows=1))


def test_a_view_that_is_gone_ends_its_watch_alone() -> None:
    def script(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for _ in range(2):
            next(requests)
        yield update(1, end(5))
        yield update(1, tally.reset(pb.Reset.VIEW_REBUILT))
        assert next(requests).unwatch == 1
        yield update(2, end(5))
        hold(context)

    server = ScriptedServer(script)

    async def test(client: Client) -> None:
        async with client.session() as session:
            gone = await session.add_watch(TALLY)
            other = await session.add_watch(TALLY)
            server.answers["DescribeView"] = described_but(2)
            failed = await until(session, WatchFailed)
            assert failed.watch is gone
            assert isinstance(failed.event.error, tidegate.NotFound)
            assert (await until(session, SnapshotEnd)).watch is other

    run(server, test)
