"""The scripted server's own answers, those that no scenario asks for."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from conformance.contract import PB, STUBS
from conformance.server import Server
from conformance.views import TALLY, VIEWS

_ROWS = [TALLY.row("a", 1), TALLY.row("b", None, "x"), TALLY.row("c", 3)]


@pytest.fixture
def stub() -> Iterator[Any]:
    server = Server(arrived=lambda _: None, wake=lambda: None)
    server.rows["tally"] = _ROWS
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield STUBS.ViewServiceStub(channel)
    server.stop()


def test_views_are_listed(stub: Any) -> None:
    listed = stub.ListViews(PB.ListViewsRequest()).views
    assert [view.name for view in listed] == list(VIEWS)


def test_get_answers_in_the_order_asked(stub: Any) -> None:
    keys = [TALLY.encode_key({"k": name}) for name in ("c", "none", "a")]
    answer = stub.Get(PB.GetRequest(view="tally", keys=keys))
    assert [entry.HasField("row") for entry in answer.entries] == [
        True, False, True,
    ]  # fmt: skip
    assert TALLY.decode_row(answer.entries[0].row) == _ROWS[2]


def test_pages_of_a_scan(stub: Any) -> None:
    rows, token = [], ""
    while True:
        page = stub.Scan(
            PB.ScanRequest(view="tally", page_size=2, page_token=token)
        )
        assert len(page.rows) <= 2
        rows += [TALLY.decode_row(row) for row in page.rows]
        token = page.next_page_token
        if not token:
            break
    assert rows == _ROWS


def test_a_view_that_is_not_there(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.DescribeView(PB.DescribeViewRequest(view="nope"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
