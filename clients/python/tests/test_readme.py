"""The README's programs, and the example, do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tally
from scripted import Script, ScriptedServer, hold
from tally import delta, end

from tidegate.v1 import view_service_pb2 as pb

_HERE = Path(__file__).parents[1]
_BLOCKS = re.findall(
    r"```python\n(.*?)```", (_HERE / "README.md").read_text(), re.DOTALL
)
_LINE_WAIT_S = 60


_VIEW = tally.make_view("driver_totals")


def _row(driver: int) -> bytes:
    data: bytes = _VIEW.row_class(
        driver_id=driver, orders=3, region="EU"
    ).SerializeToString()
    return data


def _upsert(driver: int) -> pb.Change:
    return pb.Change(upsert=_row(driver))


def _answers(server: ScriptedServer) -> None:
    server.answers["ListViews"] = lambda _: pb.ListViewsResponse(
        views=[pb.ViewInfo(name="driver_totals", key_columns=["driver_id"])]
    )
    server.answers["Get"] = lambda request: pb.GetResponse(
        entries=[pb.GetResponse.Entry(row=_row(42)) for _ in request.keys]
    )
    server.answers["Scan"] = lambda _: pb.ScanResponse(rows=[_row(42)])


def _stream(_: Any, context: Any) -> Any:
    yield end(5, _upsert(42))
    yield delta(5, 6, _upsert(43), pb.Change(deleted=_VIEW.encode_key(42)))
    hold(context)


def _still(_: Any, context: Any) -> Any:
    yield end(5, _upsert(42))
    hold(context)


def _session(requests: Any, context: Any) -> Any:
    message = pb.SessionResponse()
    update = message.updates.add(id=next(requests).watch.id)
    update.response.CopyFrom(end(5, _upsert(42)))
    yield message
    update.response.CopyFrom(delta(5, 6, _upsert(43)))
    update.keys_applied = next(requests).request
    yield message
    hold(context)


def _wait_for(program: list[str], wanted: str) -> str:
    """Runs it until it prints that, and ends it; what it printed."""
    env = os.environ | {
        "PYTHONPATH": str(_HERE / "src"),
        "no_grpc_proxy": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, *program],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if wanted in said:
                return said
        raise AssertionError(f"it ended, without {wanted!r}:\n{said}")
    finally:
        process.kill()
        process.communicate(timeout=_LINE_WAIT_S)


@pytest.mark.parametrize(
    ("number", "script", "wanted"),
    [
        (0, _stream, "driver_totals ('driver_id',)"),
        (1, _stream, "'orders': 3, 'region': 'EU'}\n"),
        (2, _stream, "deleted 42 None"),
        (3, _still, "driver_id: 42"),
        (4, _stream, "Changes 1"),
        (5, _session, "driver_id: 43"),
    ],
)
def test_a_program_of_the_readme(
    number: int, script: Script, wanted: str, tmp_path: Path
) -> None:
    with ScriptedServer(script) as server:
        _answers(server)
        program = tmp_path / "program.py"
        program.write_text(
            _BLOCKS[number].replace("localhost:7070", server.address)
        )
        _wait_for([str(program)], wanted)


def test_there_is_no_other_program() -> None:
    assert len(_BLOCKS) == 6


def test_the_example() -> None:
    with ScriptedServer(_stream) as server:
        _answers(server)
        example = str(_HERE / "examples" / "driver_totals.py")
        said = _wait_for([example, server.address], "42  gone")
    assert said.splitlines()[:3] == [
        "1 rows:",
        "  42  {'driver_id': 42, 'orders': 3, 'region': 'EU'}",
        "  43  {'driver_id': 43, 'orders': 3, 'region': 'EU'}",
    ]
