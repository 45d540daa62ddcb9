"""Rows and keys: read, written, and refused with the right shape."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import tally
from tally import TALLY, WINDOWS

import tidegate
from tidegate._values import format_rfc3339, parse_rfc3339


def _window_row(**columns: Any) -> Any:
    row = WINDOWS.row_class(**columns)
    return WINDOWS.decode_row(row.SerializeToString())


def test_a_row_as_a_dictionary() -> None:
    row = _window_row(region="EU", id=7, total=2.5, open=False)
    row.window_end.FromJsonString("2026-01-02T03:04:05.000006Z")
    time = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    columns = {
        "region": "EU", "id": 7, "total": 2.5, "open": False,
        "window_end": time,
    }  # fmt: skip
    assert tidegate.to_dict(row) == columns
    columns["window_end"] = "2026-01-02T03:04:05.000006Z"
    assert tidegate.to_dict(row, timestamps="rfc3339") == columns
    empty = _window_row()
    assert tidegate.to_dict(empty) == dict.fromkeys(columns)


def test_a_large_number_stays_a_number() -> None:
    row = TALLY.row_class(k="a", n=2**63 - 1)
    assert tidegate.to_dict(row)["n"] == 2**63 - 1


def test_fields_that_are_not_described_are_passed_over() -> None:
    data = tally.row("a") + b"\xfa\x3e\x01x"  # field 999, text
    assert TALLY.decode_row(data).k == "a"


def test_other_columns_are_the_same_key() -> None:
    more = {"k": "string", "n": "int64", "other": "double"}
    TALLY.check_key(tally.make_view(columns=more))


@pytest.mark.parametrize(
    "columns",
    [
        {"n": "int64", "k": "string"},  # another field
        {"k": "int64", "n": "int64"},  # another type
        {"k": "time", "n": "int64"},
        tally.RETYPED,
    ],
)
def test_a_key_of_another_type_is_another(columns: dict[str, str]) -> None:
    with pytest.raises(tidegate.ViewChanged, match="another key"):
        TALLY.check_key(tally.make_view(columns=columns))


def test_another_key_is_shown() -> None:
    with pytest.raises(
        tidegate.ViewChanged, match=r"\(region: str, id: int\)"
    ):
        TALLY.check_key(WINDOWS)


@pytest.mark.parametrize(
    "key",
    [
        "a",
        ("a",),
        {"k": "a"},
        TALLY.key_class(k="a"),
        tally.make_view().key_class(k="a"),
    ],
)
def test_one_key_column(key: tidegate.KeyLike) -> None:
    assert TALLY.decode_key(TALLY.encode_key(key)) == "a"
    assert TALLY.normalize_key(key) == "a"


@pytest.mark.parametrize(
    "key", [("EU", 7), {"id": 7, "region": "EU"}, {"region": "EU", "id": 7}]
)
def test_two_key_columns(key: tidegate.KeyLike) -> None:
    assert WINDOWS.decode_key(WINDOWS.encode_key(key)) == ("EU", 7)
    assert WINDOWS.normalize_key(key) == ("EU", 7)
    assert WINDOWS.key_dict(("EU", 7)) == {"region": "EU", "id": 7}


def test_null_is_none() -> None:
    assert WINDOWS.decode_key(WINDOWS.encode_key((None, 7))) == (None, 7)
    assert WINDOWS.key_of(_window_row(id=7)) == (None, 7)


def test_a_prefix_has_the_leading_columns() -> None:
    for prefix in ("EU", ("EU",), {"region": "EU"}):
        data = WINDOWS.encode_key(prefix, prefix=True)
        assert WINDOWS.decode_key(data) == ("EU", None)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("EU", "1 of 2 key columns"),
        (("EU", 7, 8), "3 of 2 key columns"),
        ({"region": "EU", "idd": 7}, 'no key column "idd"; did you mean "id"?'),
        ({"id": 7}, "not leading"),
        (("EU", "seven"), "key column id cannot be 'seven'"),
        (("EU", 1 << 40), "key column id cannot be"),
        (TALLY.key_class(k="a"), "key is a tidegate.views.TallyKey"),
    ],
)
def test_a_wrong_key_is_shown_the_right_shape(key: Any, said: str) -> None:
    with pytest.raises(tidegate.InvalidKey) as raised:
        WINDOWS.encode_key(key)
    assert said in str(raised.value)
    assert "(region: str, id: int)" in str(raised.value)
    assert raised.value.code is tidegate.Code.INVALID_ARGUMENT
    assert isinstance(raised.value, ValueError)


def _timed() -> tidegate.View[Any]:
    """With a timestamp and a number with decimals as its key."""
    row = WINDOWS.row_class
    return tidegate.View("windows", row, row, ["window_end", "total"])


def test_times_as_keys() -> None:
    view = _timed()
    time = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    for key in ((time, 1.5), ("2026-01-01T00:00:00Z", 1.5)):
        assert view.decode_key(view.encode_key(key)) == (tally.EPOCH, 1.5)
    with pytest.raises(tidegate.InvalidKey, match="no time zone"):
        view.encode_key((datetime(2026, 1, 1), 1.5))
    with pytest.raises(tidegate.InvalidKey, match="not a datetime"):
        view.encode_key((1, 1.5))


def test_all_nans_are_one_key() -> None:
    view = _timed()
    first, second = (
        view.decode_key(view.encode_key((None, float("nan")))) for _ in "ab"
    )
    assert {first: 1}[second] == 1
    assert math.isnan(first[1])  # type: ignore[index, arg-type]


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.006Z",
     "0001-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"],
)  # fmt: skip
def test_times_as_text(text: str) -> None:
    assert format_rfc3339(parse_rfc3339(text)) == text


def test_descriptors_must_have_the_view() -> None:
    with pytest.raises(ValueError, match="without the message"):
        tidegate.View.from_descriptors(
            "other", ["k"], tally.descriptors("tally")
        )
    with pytest.raises(ValueError, match="no field for key column x"):
        tidegate.View.from_descriptors(
            "tally", ["x"], tally.descriptors("tally")
        )
