"""Rows of classes that protoc has generated, as an application has them."""

import importlib
import subprocess
import sys
from typing import Any

import pytest
import tally
from scripted import ScriptedServer, say_and_hold
from tally import delta, end
from test_subscription import client_of

import tidegate
from tidegate.v1 import view_service_pb2 as pb

# The fields' numbers are the server's; here it has one column more.
_PROTO = """
syntax = "proto3";
package tidegate.views;
message DriverTotalsRow {
  optional int64 driver_id = 2;
  optional int64 orders = 4;
}
message DriverTotalsKey {
  optional int64 driver_id = 2;
}
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("generated")
    (directory / "totals_of_an_application.proto").write_text(_PROTO)
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{directory}",
            f"--python_out={directory}", "totals_of_an_application.proto",
        ],
        check=True,
    )  # fmt: skip
    sys.path.insert(0, str(directory))
    try:
        return importlib.import_module("totals_of_an_application_pb2")
    finally:
        sys.path.remove(str(directory))


def _row(driver: int, orders: int) -> bytes:
    """As the server has it, with a column that the application lacks."""
    data: bytes = (
        tally.make_view("driver_totals")
        .row_class(driver_id=driver, orders=orders, region="EU")
        .SerializeToString()
    )
    return data


def test_rows_and_keys_are_the_applications_own(generated: Any) -> None:
    totals = tidegate.View(
        "driver_totals", generated.DriverTotalsRow, generated.DriverTotalsKey
    )
    change = pb.Change(upsert=_row(42, 3))
    gone = pb.Change(deleted=totals.encode_key(7))
    with (
        ScriptedServer(
            say_and_hold(end(5, change), delta(5, 6, gone))
        ) as server,
        client_of(server) as client,
    ):
        server.answers["Get"] = lambda _: pb.GetResponse(
            entries=[pb.GetResponse.Entry(row=_row(42, 3))]
        )
        row = client.get(totals, generated.DriverTotalsKey(driver_id=42))
        assert isinstance(row, generated.DriverTotalsRow)
        assert row.orders == 3
        with client.subscribe(totals, keys=[42, 7]) as subscription:
            for event in subscription:
                if isinstance(event, tidegate.Changes):
                    assert event.changes[0].key == 7
                    break
            held = subscription.rows[42]
            assert isinstance(held, generated.DriverTotalsRow)
            assert held == row
        calls = [type(call).__name__ for call in server.calls]
        # By the stream: whether the key is still that of the classes.
        assert calls == ["GetRequest", "DescribeViewRequest"]
