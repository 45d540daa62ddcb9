"""The tests' client itself: faults planted in a stream must be noticed."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from system.client import PB, ContractViolation, ViewTypes, judged_rows
from system.history import HistoryWriter
from system.replica import Replica
from system.tidegate import BINARY, checker

_FIELD = descriptor_pb2.FieldDescriptorProto


def _types() -> ViewTypes:
    """View `hits`: k VARCHAR (its key), n BIGINT."""
    file = descriptor_pb2.FileDescriptorProto(
        name="hits.proto", package="tidegate.views", syntax="proto3"
    )
    for message, columns in {"HitsRow": ("k", "n"), "HitsKey": ("k",)}.items():
        descriptor = file.message_type.add(name=message)
        for number, column in enumerate(columns):
            descriptor.oneof_decl.add(name=f"_{column}")
            descriptor.field.add(
                name=column,
                number=number + 1,
                type=_FIELD.TYPE_STRING if column == "k" else _FIELD.TYPE_INT64,
                label=_FIELD.LABEL_OPTIONAL,
                oneof_index=number,
                proto3_optional=True,
            )
    return ViewTypes(
        PB.ViewInfo(name="hits", key_columns=["k"]),
        descriptor_pb2.FileDescriptorSet(file=[file]),
    )


TYPES = _types()


def _upsert(key: str, n: int, finality: str = "UNSPECIFIED") -> Any:
    return PB.Change(
        upsert=TYPES.row_class(k=key, n=n).SerializeToString(),
        finality=f"FINALITY_{finality}",
    )


def _deleted(key: str) -> Any:
    return PB.Change(deleted=TYPES.encode_key(key))


def _position(seq: int) -> Any:
    return PB.Position(
        incarnation=b"i", partitions=[PB.PartitionSeq(partition=0, seq=seq)]
    )


def _snapshot(*changes: Any) -> Any:
    return PB.SubscribeResponse(
        snapshot=True,
        changes=changes,
        resume_token=b"in",
        position=_position(10),
    )


def _snapshot_end(seq: int = 10) -> Any:
    return PB.SubscribeResponse(
        snapshot_end=True,
        position=_position(seq),
        resume_token=f"at {seq}".encode(),
    )


def _judged(seconds: int, response: Any) -> Any:
    """The response, with a watermark."""
    response.watermark.seconds = seconds
    return response


def _delta(from_: int, to: int, *changes: Any, **fields: Any) -> Any:
    return PB.SubscribeResponse(
        ranges=[PB.Range(partition=0, to=to, **{"from": from_})],
        changes=changes,
        resume_token=f"at {to}".encode(),
        **fields,
    )


def _first(seq: int) -> Any:
    """A resumed stream's first response: progress of nothing."""
    return PB.SubscribeResponse(position=_position(seq))


def _fragment(*changes: Any) -> Any:
    return PB.SubscribeResponse(fragment=True, changes=changes)


def _reset() -> Any:
    return PB.SubscribeResponse(
        reset=PB.Reset(cause=PB.Reset.VIEW_REBUILT, detail="built anew"),
        position=_position(20),
    )


START = [_snapshot(_upsert("a", 1), _upsert("b", 2)), _snapshot_end()]
OPEN = "a new stream begins"
# Rows of a view with windows: c can change, d cannot, e was amended.
JUDGED = [
    _judged(
        5,
        _snapshot(
            _upsert("c", 1, "PROVISIONAL"),
            _upsert("d", 2, "FINAL"),
            _upsert("e", 3, "CORRECTED"),
        ),
    ),
    _judged(5, _snapshot_end()),
]

GOOD: dict[str, tuple[list[Any], dict[str, int]]] = {
    "deltas": (
        [
            *START, _delta(10, 12, _upsert("a", 3)),
            _delta(12, 13, _deleted("b")),
        ],
        {"a": 3},
    ),
    "fragments": (
        [*START, _fragment(_upsert("a", 3)), _delta(10, 12, _upsert("b", 4))],
        {"a": 3, "b": 4},
    ),
    "resumed": (
        [
            *START, _delta(10, 12, _upsert("a", 3)), _fragment(_upsert("a", 9)),
            OPEN, _first(12), _delta(12, 15, _upsert("a", 5)),
        ],
        {"a": 5, "b": 2},
    ),
    "reset": (
        [*START, OPEN, _reset(), _snapshot(_upsert("c", 1)), _snapshot_end(20)],
        {"c": 1},
    ),
    "finality": (
        [
            *JUDGED,
            _judged(6, _delta(
                10, 12, _upsert("c", 4, "FINAL"), _upsert("d", 5, "CORRECTED"),
                _upsert("e", 6, "CORRECTED"),
            )),
            OPEN, _judged(6, _first(12)),
            _delta(12, 13, _upsert("c", 4, "CORRECTED"), _deleted("d")),
            _delta(13, 14, _upsert("d", 7, "PROVISIONAL")),
        ],
        {"c": 4, "d": 7, "e": 6},
    ),
}  # fmt: skip

BAD: dict[str, list[Any]] = {
    "a gap": [*START, _delta(11, 12)],
    "a range again": [*START, _delta(10, 12), _delta(10, 12)],
    "a range back": [*START, _delta(10, 12), _delta(12, 11)],
    "no end of the snapshot": [*START[:1], _delta(10, 11)],
    "two ends": [*START, _snapshot_end()],
    "rows after the end": [*START, _snapshot(_upsert("c", 1))],
    "a row twice": [_snapshot(_upsert("a", 1), _upsert("a", 1))],
    "a delete in a snapshot": [_snapshot(_deleted("a"))],
    "resumed elsewhere": [*START, OPEN, _first(11)],
    "a gap after a resume": [*START, OPEN, _first(10), _delta(11, 12)],
    "no position first": [*START, OPEN, _delta(10, 11)],
    "a reset without a cause": [
        PB.SubscribeResponse(reset=PB.Reset(), position=_position(1))
    ],
    "watermark back": [
        *START,
        _delta(10, 11, watermark={"seconds": 5}),
        _delta(11, 12, watermark={"seconds": 4}),
    ],
    "watermark back after a resume": [
        *JUDGED, OPEN, _judged(4, _delta(10, 10, position=_position(10))),
    ],
    "watermark back in a snapshot": [
        _judged(5, _snapshot(_upsert("a", 1))),
        _judged(4, _snapshot(_upsert("b", 1))),
    ],
    "a final row changed": [*JUDGED, _delta(10, 11, _upsert("d", 9, "FINAL"))],
    "final, then provisional": [
        *JUDGED, _delta(10, 11, _upsert("d", 2, "PROVISIONAL")),
    ],
    "corrected, then final": [
        *JUDGED, OPEN, _first(10), _delta(10, 11, _upsert("e", 9, "FINAL")),
    ],
    "finality is lost": [*JUDGED, _delta(10, 11, _upsert("c", 9))],
    "final at no watermark": [*START, _delta(10, 11, _upsert("c", 1, "FINAL"))],
    "changes without a range": [
        *START,
        PB.SubscribeResponse(changes=[_upsert("a", 2)], resume_token=b"x"),
    ],
    "a fragment with a token": [
        *START,
        PB.SubscribeResponse(fragment=True, resume_token=b"x"),
    ],
}  # fmt: skip


def _feed(stream: list[Any]) -> Replica:
    replica = Replica(TYPES)
    replica.open()
    for response in stream:
        if response is OPEN:
            replica.open()
        else:
            replica.apply(response)
    return replica


@pytest.mark.parametrize("name", GOOD)
def test_a_good_stream(name: str) -> None:
    stream, rows = GOOD[name]
    replica = _feed(stream)
    assert {key[0]: row["n"] for key, row in replica.rows.items()} == rows


def test_finality_is_held_beside_the_rows() -> None:
    replica = _feed(JUDGED)
    assert replica.finality == {
        ("c",): "provisional",
        ("d",): "final",
        ("e",): "corrected",
    }
    assert replica.watermark_us == 5_000_000
    replica.apply(_delta(10, 11, _deleted("d")))
    assert ("d",) not in replica.finality
    assert _feed(START).finality == {("a",): None, ("b",): None}


def test_a_page_says_it_of_every_row_or_of_none() -> None:
    rows = [change.upsert for change in JUDGED[0].changes]
    said = [change.finality for change in JUDGED[0].changes]
    judged = judged_rows(TYPES, PB.ScanResponse(rows=rows, finality=said))
    assert [finality for _, finality in judged] == [
        "provisional", "final", "corrected",
    ]  # fmt: skip
    plain = judged_rows(TYPES, PB.ScanResponse(rows=rows))
    assert [finality for _, finality in plain] == [None] * 3
    with pytest.raises(ContractViolation):
        list(judged_rows(TYPES, PB.ScanResponse(rows=rows, finality=said[1:])))


@pytest.mark.parametrize("name", BAD)
def test_a_planted_fault_is_found(name: str) -> None:
    with pytest.raises(ContractViolation):
        _feed(BAD[name])


@pytest.mark.server
def test_the_checker_reads_our_histories(tmp_path: Path) -> None:
    assert (BINARY.parent / "history_checker").exists()

    def record(name: str, stream: list[Any]) -> Path:
        path = tmp_path / name
        writer = HistoryWriter(path, TYPES)
        token = b""
        writer.connect(token)
        for response in stream:
            if response is OPEN:
                writer.connect(token)
                continue
            writer.response(response)
            token = response.resume_token or token
        return path

    good = {name: record(name, stream) for name, (stream, _) in GOOD.items()}
    for name, path in good.items():
        done = checker(path)
        assert done.returncode == 0, f"{name}: {done.stdout}"
        assert " violations=0" in done.stdout
    done = checker(good["resumed"])
    assert "deltas=2 resumes=1 resets=0 snapshots=1" in done.stdout
    done = checker(good["reset"])
    assert "deltas=0 resumes=1 resets=1 snapshots=2" in done.stdout
    # Two histories that were told different rows at one position.
    done = checker(good["deltas"], good["fragments"])
    assert done.returncode == 1 and "state: other rows" in done.stdout
    for name in (
        "a gap", "a range again", "two ends", "watermark back",
        "watermark back after a resume", "a final row changed",
        "final, then provisional", "corrected, then final",
        "finality is lost", "final at no watermark",
    ):  # fmt: skip
        done = checker(record(name, BAD[name]))
        assert done.returncode == 1, f"{name}: {done.stdout}"
