"""The driver's lines and keys, which other tests then take for granted."""

import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tally
from tally import TALLY, WINDOWS, chunk, delta, end, upsert

import tidegate
from tidegate._cursor import StreamCursor
from tidegate.v1 import view_service_pb2 as pb

_DRIVER = Path(__file__).parents[1] / "driver"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"driver_{name}", _DRIVER / f"{name}.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


lines = _load("lines")
arguments = _load("arguments")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-2.5, "-2.5"), (0.1, "0.1"),
        (1e-4, "0.0001"), (1.25e-5, "1.25e-05"), (1e-300, "1e-300"),
        (999999999999999.0, "999999999999999"), (1e15, "1e+15"),
        (1.5e16, "1.5e+16"), (123456789012345678.0, "1.2345678901234568e+17"),
        (100.0, "100"), (-1e22, "-1e+22"), (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'), (math.nan, '"NaN"'),
    ],
)  # fmt: skip
def test_numbers_are_spelled_as_the_server_spells_them(
    value: float, text: str
) -> None:
    assert lines.double_text(value) == text


def _lines(subject: Any, *responses: Any, token: bytes = b"") -> list[Any]:
    cursor = StreamCursor(TALLY, token, 1 << 20)
    cursor.begin_stream()
    found: list[Any] = []
    for response in responses:
        events: list[Any] = []
        cursor.take(response, events)
        for event in events:
            found += map(json.loads, subject.lines(event))
    return found


def _subject(**begin: Any) -> Any:
    return lines.Subject(TALLY, [{"k": "a"}], None, "n > 0", begin)


_POSITION = {"incarnation": "69", "partitions": [{"partition": 0, "seq": 5}]}


def test_the_lines_of_a_stream() -> None:
    moved = _POSITION | {"partitions": [{"partition": 0, "seq": 7}]}
    corrected = upsert("a", 2, finality=pb.FINALITY_CORRECTED)
    found = _lines(
        _subject(),
        chunk(upsert("a"), token=b"s", at=5),
        chunk(upsert("b")),
        tally.at_watermark(end(5), 1),
        delta(5, 7, corrected, tally.left("b")),
        tally.reset(),
        tally.drain(b"", 250),
    )
    row = {"k": "a", "n": 1, "note": None}
    assert found == [
        {"marker": "connect", "view": "tally", "keys": [{"k": "a"}],
         "where": "n > 0", "resume": None, "position": _POSITION},
        {"op": "upsert", "key": {"k": "a"}, "row": row},
        {"marker": "progress", "snapshot": True, "token": "cw=="},
        {"op": "upsert", "key": {"k": "b"}, "row": row | {"k": "b"}},
        {"marker": "snapshot_end", "position": _POSITION, "token": "dDU=",
         "watermark": "1970-01-01T00:00:01Z"},
        {"op": "upsert", "key": {"k": "a"}, "row": row | {"n": 2},
         "finality": "corrected"},
        {"op": "left", "key": {"k": "b"}},
        {"marker": "progress",
         "ranges": [{"partition": 0, "from": 5, "to": 7}],
         "position": moved, "token": "dDc="},
        {"marker": "reset", "cause": "HISTORY_TRIMMED", "detail": "why"},
        {"marker": "drain", "retry_after_ms": 250},
    ]  # fmt: skip


def test_lines_of_several_watches_say_which() -> None:
    found = _lines(_subject(view="tally", watch=2), end(5, upsert("a")))
    assert all(line["watch"] == 2 for line in found)
    assert all(line["view"] == "tally" for line in found)
    resumed = _lines(_subject(), delta(5, 6), token=b"t5")
    assert resumed[0]["resume"] == "dDU="


def test_a_mirror_is_sorted_by_its_keys() -> None:
    view = WINDOWS
    mirror = tidegate.Mirror(view)
    changes = [
        tidegate.Change(
            tidegate.ChangeKind.UPSERT, key,
            view.row_class(region=key[0], id=key[1]),
        )
        for key in (("b", 1), (None, 1), ("a", 10), ("a", 9))
    ]  # fmt: skip
    mirror.apply(tidegate.Snapshot(changes=tuple(changes)))
    mirror.apply(tidegate.SnapshotEnd(position=tidegate.Position()))
    subject = lines.Subject(view, [], None, "", {})
    line = json.loads(subject.mirror(mirror))
    assert line["marker"] == "mirror"
    keys = [(each["key"]["region"], each["key"]["id"]) for each in line["rows"]]
    assert keys == [("a", 9), ("a", 10), ("b", 1), (None, 1)]
    assert line["rows"][0]["row"]["open"] is None


@pytest.mark.parametrize(
    ("view", "text", "key"),
    [
        (TALLY, "a=1,b", {"k": "a=1,b"}),
        (TALLY, '{"k":"a"}', {"k": "a"}),
        (WINDOWS, "region=EU,id=7", {"region": "EU", "id": 7}),
        (WINDOWS, "region=EU", {"region": "EU", "id": None}),
        (WINDOWS, '{"id":7,"region":"EU"}', {"region": "EU", "id": 7}),
    ],
)
def test_keys_as_text(view: Any, text: str, key: dict[str, Any]) -> None:
    assert arguments.parse_key(view, text) == key
    view.encode_key(key)


def test_a_flag_is_for_the_view_that_it_names() -> None:
    given = arguments.parse(
        ["a", "b", "--server=h:1", "--session", "--key=b:x:y", "--where=a:n>1",
         "--resume=b:dDU="]
    )  # fmt: skip
    first, second = given.specs
    assert (first.where, second.keys, second.resume) == ("n>1", ["x:y"], b"t5")
