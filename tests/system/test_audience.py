"""A small audience: faults, a storm, a drain and stalls that outlast the log."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.audience import (
    Audience,
    Config,
    Outcome,
    not_reset,
    not_resumed,
)
from harness.audience_states import wrong_states
from harness.audience_truth import BOARD, KEYED
from system.kafka import Broker

_SMALL = Config(
    rate=500, keys=40, board_rate=40, board_rows=50,
    streams=80, sessions=10, session_keys=5, board=20,
    warm_up_s=1, seconds=8, recorders=1,
    stalled_percent=10, stall_s=4,
    disconnecting_percent=10, disconnect_every_s=1,
    base_mb=400, kb_per_connection=40,
    storm_seconds=5, drain_time_s=10, drain_seconds=10,
    reset_seconds=11, reset_stall_s=9, reset_window=1024,
    log_retention_s=2, checkpoint_age_s=1,
)  # fmt: skip


class _JsonTypes:
    """A view of key `k` whose rows and keys are JSON."""

    def row(self, data: bytes) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(data)
        return row

    def key(self, data: bytes) -> tuple[Any, ...]:
        return (self.row(data)["k"],)

    def key_of(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return (row["k"],)


def _line(streams: int, rows: dict[int, int], *keys: int) -> str:
    def hexed(value: dict[str, int]) -> str:
        return json.dumps(value).encode().hex()

    return json.dumps(
        {
            "filter": [hexed({"k": key}) for key in keys],
            "streams": streams,
            "rows": [hexed({"k": key, "n": n}) for key, n in rows.items()],
        }
    )


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([_line(3, {1: 10, 2: 20})], None),
        ([_line(2, {1: 10, 2: 20}), _line(1, {2: 20}, 2)], None),
        ([_line(2, {1: 10, 2: 20}), _line(1, {}, 7)], None),
        ([_line(2, {1: 10, 2: 20}), _line(1, {1: 10, 2: 21})],
         "1 subscribers of all rows hold {'k': 2, 'n': 21} for 2"),
        ([_line(3, {1: 10})], "hold None for 2"),
        ([_line(3, {1: 10, 2: 20, 3: 30})], "for 3, not None"),
        ([_line(3, {1: 10, 2: 20}, 2)], "subscribers of [2] hold"),
        ([_line(2, {1: 10, 2: 20})], "the states of 2 of 3"),
        ([], "the states of 0 of 3"),
    ],
)  # fmt: skip
def test_a_wrong_state_is_found(
    lines: list[str], complaint: str | None
) -> None:
    expected = {1: {"k": 1, "n": 10}, 2: {"k": 2, "n": 20}}
    wrong = wrong_states("crowd", lines, 3, _JsonTypes(), expected)
    if complaint is None:
        assert wrong == []
    else:
        (only,) = wrong
        assert complaint in only


@pytest.fixture
def small(full: bool) -> Config:
    if not full:
        pytest.skip("a load; --full")
    return _SMALL


def _show(outcome: Outcome) -> None:
    for crowd, report in outcome.reports.items():
        print(crowd, json.dumps(report))
    print(f"memory {outcome.max_rss_mb:.0f} MB, exit {outcome.exit_s:.1f} s")


def _falsified(truth: Any, view: str, key: int, **columns: Any) -> Any:
    rows = truth[view] | {key: truth[view][key] | columns}
    return truth | {view: rows}


@pytest.mark.kafka
@pytest.mark.server
def test_bad_subscribers_among_others(
    broker: Broker, scratch: Path, small: Config
) -> None:
    audience = Audience(broker, scratch / "faults", small)
    try:
        outcome = audience.run(faults=True)
        _show(outcome)
        assert outcome.problems == []
        assert outcome.total("faults", "stalls") == 11
        assert outcome.total("faults", "disconnects") > 0
        assert outcome.total("resumes") > 0
        assert outcome.resets() == {}
        # What was compared would have been found wrong if it were.
        truth = audience.truth()
        assert audience.wrong_states(outcome, truth) == []
        orders = truth[KEYED][3]["orders"]
        off = _falsified(truth, KEYED, 3, orders=orders + 1)
        single, session, *_ = audience.wrong_states(outcome, off)
        assert single.startswith("streams: 2 subscribers of [3] hold"), single
        assert session.startswith("sessions: 2 subscribers of [0, 1, 2, 3, 4]"), session
        off = _falsified(truth, BOARD, 7, region="nowhere")
        (found,) = audience.wrong_states(outcome, off)
        assert found.startswith("board: 20 subscribers of all rows"), found
    finally:
        audience.close()


@pytest.mark.kafka
@pytest.mark.server
def test_all_come_back_at_once(
    broker: Broker, scratch: Path, small: Config
) -> None:
    audience = Audience(broker, scratch / "storm", small)
    try:
        outcome = audience.run(
            f"--storm_at={small.warm_up_s}s", seconds=small.storm_seconds
        )
        _show(outcome)
        assert outcome.problems + not_resumed("storm", outcome) == []
    finally:
        audience.close()


@pytest.mark.kafka
@pytest.mark.server
def test_a_drain_under_load(
    broker: Broker, scratch: Path, small: Config
) -> None:
    audience = Audience(broker, scratch / "drain", small)
    try:
        outcome = audience.run(seconds=small.drain_seconds, restart=True)
        _show(outcome)
        assert outcome.problems + not_resumed("drain", outcome) == []
    finally:
        audience.close()


@pytest.mark.kafka
@pytest.mark.server
def test_stalls_that_outlast_the_log(
    broker: Broker, scratch: Path, small: Config
) -> None:
    audience = Audience(broker, scratch / "reset", small.for_reset())
    try:
        outcome = audience.run(faults=True, seconds=small.reset_seconds)
        _show(outcome)
        assert outcome.problems + not_reset(outcome) == []
    finally:
        audience.close()
