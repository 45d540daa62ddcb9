"""The unary calls, sync, against a scripted server."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
import tally
from scripted import Refused, ScriptedServer
from tally import TALLY, WINDOWS
from test_subscription import client_of, no_thread_is_left

import tidegate
from tidegate import Finality, FoundRow, Position
from tidegate.v1 import view_service_pb2 as pb

__all__ = ["no_thread_is_left"]  # for each test here, too

_AT_5 = Position(b"i", {0: 5})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[tidegate.Client]:
    with client_of(server) as client:
        yield client


def test_what_a_view_is(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    info = pb.ViewInfo(
        name="tally", definition="SELECT", key_columns=["k"], pipeline="p",
        version=2, row_count_estimate=3, position=tally.position(5),
        event_time_column="ts",
    )  # fmt: skip
    info.watermark.FromSeconds(1)
    info.watermark_delay.FromMilliseconds(1500)
    part = info.partitions.add(
        topic="t", partition=4, state=pb.PartitionWatermark.NO_EVENTS
    )
    part.holds_back = True
    info.partitions.add(state=99)
    server.answers["ListViews"] = lambda _: pb.ListViewsResponse(views=[info])
    (view,) = client.list_views()
    assert (view.name, view.key_columns, view.version) == ("tally", ("k",), 2)
    assert view.position == _AT_5
    assert view.watermark == datetime.fromtimestamp(1, UTC)
    assert view.watermark_delay_s == 1.5
    assert [(p.topic, p.state, p.holds_back) for p in view.partitions] == [
        ("t", "no_events", True), ("", "99", False),
    ]  # fmt: skip
    assert view.partitions[0].watermark is None
    assert view.view is None
    described = client.describe("tally")
    assert described.view is not None
    assert described.view.columns == ("k", "n", "note")


def test_rows_by_key(server: ScriptedServer, client: tidegate.Client) -> None:
    entry = pb.GetResponse.Entry
    final = pb.FINALITY_FINAL
    server.answers["Get"] = lambda request: pb.GetResponse(
        entries=[
            entry(row=tally.row("a", 1), finality=final)
            if TALLY.decode_key(key) == "a"
            else entry()
            for key in request.keys
        ],
        position=tally.position(5),
    )
    answer = client.get_many("tally", ["a", {"k": "b"}], min_position=_AT_5)
    first, second = answer.entries
    assert isinstance(first, FoundRow)
    assert first.finality is Finality.FINAL
    assert second is None
    assert answer.rows[1] is None
    assert answer.position == _AT_5
    assert server.calls[-1].min_position == tally.position(5)
    row = client.get(TALLY, "a")
    assert row is not None and row.n == 1
    assert client.get(TALLY, "b") is None
    with pytest.raises(tidegate.InvalidKey):
        client.get(TALLY, 7)


def test_an_answer_of_another_length(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    server.answers["Get"] = lambda _: pb.GetResponse()
    with pytest.raises(tidegate.BrokenPromise, match="asked for 1 keys"):
        client.get(TALLY, "a")


def _page(request: Any) -> pb.ScanResponse:
    """Three pages of two rows."""
    number = int(request.page_token or 0)
    return pb.ScanResponse(
        rows=[tally.row(f"k{2 * number + n}") for n in range(2)],
        finality=[pb.FINALITY_FINAL, pb.FINALITY_PROVISIONAL],
        next_page_token=str(number + 1) if number < 2 else "",
        position=tally.position(5),
    )


def test_a_scan_is_page_after_page(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    server.answers["Scan"] = _page
    scan = client.scan("tally", where="n > 0", page_size=2)
    assert scan.position is None
    rows = [tidegate.to_dict(row)["k"] for row in scan]
    assert rows == [f"k{n}" for n in range(6)]
    assert scan.position == _AT_5
    assert list(scan) == [], "it is over"
    requests = [c for c in server.calls if isinstance(c, pb.ScanRequest)]
    assert [r.page_token for r in requests] == ["", "1", "2"]
    assert {(r.where, r.page_size) for r in requests} == {("n > 0", 2)}
    prefixed = client.scan(WINDOWS, key_prefix={"region": "EU"}).pages()
    page = next(prefixed)
    assert page.entries[1].finality is Finality.PROVISIONAL
    prefix = server.calls[-1].key_prefix
    assert WINDOWS.decode_key(prefix) == ("EU", None)


def test_pages_at_two_positions_break_the_promise(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    positions = iter([5, 6])

    def page(request: Any) -> pb.ScanResponse:
        response = _page(request)
        response.position.CopyFrom(tally.position(next(positions)))
        return response

    server.answers["Scan"] = page
    with pytest.raises(tidegate.BrokenPromise, match="two positions"):
        list(client.scan(TALLY))


def _failing(times: int, code: grpc.StatusCode) -> Any:
    """Pages as `_page` has them, after the first one so many failures."""
    left = [code] * times

    def page(request: Any) -> pb.ScanResponse:
        if request.page_token and left:
            raise Refused(left.pop())
        return _page(request)

    return page


def _tokens(server: ScriptedServer) -> list[str]:
    return [c.page_token for c in server.calls if isinstance(c, pb.ScanRequest)]


def test_a_page_is_asked_for_again(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    server.answers["Scan"] = _failing(2, grpc.StatusCode.UNAVAILABLE)
    assert len(list(client.scan(TALLY))) == 6
    assert _tokens(server) == ["", "1", "1", "1", "2"]


def test_a_scan_starts_again_while_no_row_is_handed_over(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    server.answers["Scan"] = _failing(2, grpc.StatusCode.ABORTED)
    whole = client.scan(TALLY).all()
    assert [row.k for row in whole.rows] == [f"k{n}" for n in range(6)]
    assert whole.position == _AT_5
    assert _tokens(server) == ["", "1", "", "1", "", "1", "2"]
    server.answers["Scan"] = _failing(1, grpc.StatusCode.ABORTED)
    rows = []
    with pytest.raises(tidegate.RpcError) as raised:
        for row in client.scan(TALLY):
            rows.append(row.k)
    assert raised.value.code is tidegate.Code.ABORTED
    assert rows == ["k0", "k1"]


def test_a_read_that_waits_ends_with_the_client(
    server: ScriptedServer,
) -> None:
    tried = threading.Event()

    def unavailable(_: Any) -> pb.GetResponse:
        tried.set()
        raise Refused(grpc.StatusCode.UNAVAILABLE)

    server.answers["Get"] = unavailable
    never = tidegate.Backoff(min_s=3000, max_s=3000)
    client = client_of(server, never, timeout_s=9000)

    def close() -> None:
        tried.wait()
        client.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(tidegate.Error) as raised:
        client.get(TALLY, "a")
    assert raised.value.code is tidegate.Code.CANCELLED
    closer.join()


def test_what_the_server_says_is_raised(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    with pytest.raises(tidegate.NotFound, match="no view 'none'") as raised:
        client.scan("none")
    assert raised.value.view == "none"
    assert raised.value.code is tidegate.Code.NOT_FOUND
    assert isinstance(raised.value, tidegate.Error)


def test_descriptors_that_cannot_be_used(
    server: ScriptedServer, client: tidegate.Client
) -> None:
    server.answers["DescribeView"] = lambda _: tally.description("windows")
    with pytest.raises(tidegate.BrokenPromise, match="descriptors"):
        client.describe("tally")


def test_no_server_within_the_timeout() -> None:
    with tidegate.Client("127.0.0.1:1", timeout_s=0.2) as client:
        with pytest.raises((tidegate.DeadlineExceeded, tidegate.Unavailable)):
            client.describe("tally")
        with pytest.raises(tidegate.RpcError):
            client.list_views()
