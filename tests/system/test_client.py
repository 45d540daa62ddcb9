"""A client made from the .proto alone: cut off and resumed, it misses and
repeats nothing."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest

from system.client import PB, Client, Row
from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import wait_for
from system.proxy import CuttingProxy
from system.replica import Replica
from system.subscriber import Subscriber

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_SETTLE_S = 30
_CUTS = 8
_KEYS = 10_000  # several messages of a snapshot


@pytest.fixture
def counters(broker: Broker, scratch: Any) -> Counters:
    return Counters(broker, scratch.name)


def _holds(
    rows: Callable[[], dict[Any, Any]], counters: Counters
) -> Callable[[], bool]:
    def same() -> bool:
        held = {key[0]: row["hits"] for key, row in rows().items()}
        return held == dict(counters.hits)

    return same


def _read(
    client: Client,
    replica: Replica,
    until: Callable[[Any], bool],
    **request: Any,
) -> list[Any]:
    """Feeds the replica from one stream until a response satisfies `until`."""
    replica.open()
    call = client.stub.Subscribe(
        PB.SubscribeRequest(
            view=replica.types.info.name, resume_token=replica.token, **request
        ),
        timeout=_SETTLE_S,
    )
    seen = []
    for response in call:
        replica.apply(response)
        seen.append(response)
        if until(response):
            call.cancel()
            return seen
    raise AssertionError("the stream ended by itself")


def _code(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_cut_anywhere_it_misses_and_repeats_nothing(
    make_server: ServerFactory, counters: Counters
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    keys = [f"key-{number:05}" for number in range(_KEYS)]
    for key in keys:
        counters.hit(key)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        types = client.types("hit_counts")
        wait_for(
            "the snapshot's rows",
            lambda: len(list(client.scan(types))) == len(keys),
            _SETTLE_S,
        )

    # Each key's count only grows, so a change that is seen twice shows.
    repeated: list[str] = []

    def watch_for_repeats(before: Row | None, row: Row | None) -> None:
        assert row is not None, "nothing is ever deleted"
        if before is not None and row["hits"] <= before["hits"]:
            repeated.append(f"{row} after {before}")

    with CuttingProxy(server.address, cut_after_bytes=20_000) as proxy:
        subscriber = Subscriber(
            proxy.address, "hit_counts", on_delta=watch_for_repeats
        )
        wait_for("a cut in the snapshot", lambda: proxy.cuts >= 1, _SETTLE_S)
        replica = subscriber.replica

        def resumed(before: int, by_hand: bool) -> bool:
            """Sends more until a cut has come and a resume after it."""
            for _ in range(1000):
                counters.hit(rng.choice(keys), rng.randrange(100))
            counters.flush()
            if by_hand:
                proxy.cut()
            return replica.resumes > before

        for _ in range(_CUTS):
            proxy.cut_after_bytes = rng.randrange(70_000, 150_000)
            wait_for(
                "a resume",
                partial(resumed, replica.resumes, rng.random() < 0.5),
                _SETTLE_S,
                0.3,
            )
        proxy.cut_after_bytes = None
        proxy.cut()
        wait_for(
            "the subscriber to hold the truth",
            _holds(subscriber.rows, counters),
            _SETTLE_S,
        )
        subscriber.close()
    totals = {key[0]: row["total"] for key, row in replica.rows.items()}
    assert totals == dict(counters.totals)
    assert repeated == []
    assert proxy.cuts >= _CUTS and replica.resumes >= _CUTS
    assert replica.resets == 0 and replica.snapshots == 1
    assert replica.deltas > 0


def test_a_token_brings_exactly_what_was_missed(
    make_server: ServerFactory, counters: Counters
) -> None:
    for key in "abcde":
        counters.hit(key)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        replica = Replica(client.types("hit_counts"))
        _read(
            client,
            replica,
            lambda _: replica.live and len(replica.rows) == 5,
        )
        token, position = replica.token, dict(replica.position or {})

    for key in "bcc":
        counters.hit(key)
    counters.flush()

    def resume() -> None:
        again = Replica(
            replica.types,
            rows=dict(replica.rows),
            finality=dict(replica.finality),
            position=dict(position),
            token=token,
            live=True,
        )
        with Client(server.address) as client:
            seen = _read(
                client,
                again,
                lambda _: _holds(lambda: again.rows, counters)(),
            )
        changed = {
            replica.types.row(change.upsert)["k"]
            for response in seen
            for change in response.changes
        }
        assert changed == {"b", "c"}
        assert not any(r.snapshot or r.snapshot_end for r in seen)
        assert again.resumes == 1 and again.resets == 0
        assert again.position != position

    # Twice from one token, on connections of their own, to the same end.
    resume()
    resume()


def test_a_restarted_server_honours_tokens(
    make_server: ServerFactory, counters: Counters
) -> None:
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    subscriber = Subscriber(server.address, "hit_counts")
    wait_for("a", _holds(subscriber.rows, counters), _SETTLE_S)
    server.kill()
    counters.hit("a")
    counters.hit("b")
    counters.flush()
    server.start()
    wait_for("a and b", _holds(subscriber.rows, counters), _SETTLE_S)
    replica = subscriber.close()
    assert replica.resumes >= 1 and replica.resets == 0


def test_keys_see_only_their_own_changes(
    make_server: ServerFactory, counters: Counters
) -> None:
    for number in range(10):
        counters.name(number, f"name {number}")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    subscriber = Subscriber(server.address, "names", keys=((3,), (7,), (99,)))

    def names() -> dict[int, str]:
        return {row["id"]: row["name"] for row in subscriber.rows().values()}

    wait_for("3 and 7", lambda: names() == {3: "name 3", 7: "name 7"}, 30)
    counters.name(3, None)
    counters.name(4, None)
    counters.name(99, "new")
    counters.flush()
    wait_for("99 for 3", lambda: names() == {7: "name 7", 99: "new"}, 30)
    subscriber.cut()
    counters.name(7, None)
    counters.name(3, "back")
    counters.flush()
    wait_for("3 for 7", lambda: names() == {3: "back", 99: "new"}, 30)
    replica = subscriber.close()
    assert replica.resumes >= 1 and replica.snapshots == 1
    assert replica.deltas == 4


def test_an_empty_view_has_one_end_marker_and_progress(
    make_server: ServerFactory, counters: Counters
) -> None:
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        replica = Replica(client.types("hit_counts"))
        progress: list[Any] = []

        def two_of_progress(response: Any) -> bool:
            progress.extend(r for r in response.ranges)
            return len(progress) >= 2

        request = PB.SubscribeRequest().progress_interval
        request.FromMilliseconds(100)
        _read(client, replica, two_of_progress, progress_interval=request)
        assert replica.snapshots == 1 and replica.rows == {}


def test_foreign_tokens(make_server: ServerFactory, counters: Counters) -> None:
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        replica = Replica(client.types("hit_counts"))
        _read(client, replica, lambda _: replica.live)
        token = replica.token

        def subscribe(**request: Any) -> Callable[[], Any]:
            call = PB.SubscribeRequest(**request)
            return lambda: next(client.stub.Subscribe(call, timeout=20))

        for wrong in (
            subscribe(view="hit_counts", resume_token=b"nonsense"),
            subscribe(view="big_hits", resume_token=token),
            subscribe(
                view="hit_counts",
                resume_token=token,
                keys=[replica.types.encode_key("a")],
            ),
        ):
            code, _ = _code(wrong)
            assert code == grpc.StatusCode.INVALID_ARGUMENT

    # The same view on other data: an incarnation that it never had.
    other = make_server(
        counters.views(), counters.bootstrap, name="other"
    ).start()
    with Client(other.address) as client:
        stranger = Replica(client.types("hit_counts"), token=token, live=True)
        seen = _read(
            client, stranger, lambda _: stranger.live and stranger.resets > 0
        )
        assert seen[0].reset.cause == PB.Reset.UNKNOWN_INCARNATION
        assert seen[0].reset.detail
        assert stranger.snapshots == 1


def test_errors_say_what_to_do(
    make_server: ServerFactory, counters: Counters
) -> None:
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        client.types("hit_counts")
        code, message = _code(
            lambda: client.stub.Get(PB.GetRequest(view="hit_cuonts"))
        )
        assert code == grpc.StatusCode.NOT_FOUND
        assert "hit_counts" in message
        code, _ = _code(
            lambda: client.stub.Get(
                PB.GetRequest(view="hit_counts", keys=[b"\xff\xff"])
            )
        )
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        code, _ = _code(
            lambda: client.stub.Scan(
                PB.ScanRequest(view="hit_counts", page_token="nonsense")
            )
        )
        assert code == grpc.StatusCode.INVALID_ARGUMENT


def test_reads_wait_for_a_position(
    make_server: ServerFactory, counters: Counters
) -> None:
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        types = client.types("hit_counts")
        replica = Replica(types)
        # A snapshot may be of before the record.
        _read(client, replica, lambda _: replica.live and bool(replica.rows))
        position = client.stub.Get(PB.GetRequest(view="hit_counts")).position
        assert client.get(types, ("a",), min_position=position) != [None]
        ahead = PB.Position()
        ahead.CopyFrom(position)
        ahead.partitions[0].seq += 1_000_000
        code, _ = _code(
            lambda: client.stub.Get(
                PB.GetRequest(view="hit_counts", min_position=ahead), timeout=1
            )
        )
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
