"""What a subscription does next: attempts, waits, drains, failures."""

import random
from typing import Any

import pytest
import tally
from tally import delta, drain, end, upsert

import tidegate
from tidegate import Backoff, Disconnected, Drain, Limits, Reset
from tidegate._backoff import Retries, backoff_s
from tidegate._lifecycle import Check, Leave, Open, Read, Wait
from tidegate._subscription_core import (
    Emit,
    Subject,
    SubscriptionCore,
    subject_of,
)
from tidegate.errors import Code, rpc_error
from tidegate.v1 import view_service_pb2 as pb

_LIMITS = Limits()


def make_core(
    limits: Limits = _LIMITS, **backoff: Any
) -> SubscriptionCore[Any]:
    subject = Subject(view="tally", where="n > 0", min_interval_s=1.5)
    retries = Retries(Backoff(seed=1, **backoff))
    return SubscriptionCore(
        subject, tally.TALLY, b"", retries, limits, fresh=True
    )


def events(core: SubscriptionCore[Any]) -> list[Any]:
    """What is to be handed over now; then comes something else."""
    found = []
    while isinstance(step := core.step(), Emit):
        found.append(step.event)
    return found


def open_(core: SubscriptionCore[Any]) -> bytes:
    """Opens a stream; the token that it resumes from."""
    assert isinstance(core.step(), Open)
    token = core.opened().resume_token
    assert isinstance(core.step(), Read)
    return token


def wait_of(core: SubscriptionCore[Any]) -> float:
    """The wait that comes next, told and done."""
    (event,) = events(core)
    assert isinstance(event, Disconnected)
    step = core.step()
    assert isinstance(step, Wait)
    assert step.seconds == event.retry_after_s
    core.waited()
    return step.seconds


def test_the_request_says_what_is_wanted() -> None:
    request = make_core().opened()
    assert (request.view, request.where) == ("tally", "n > 0")
    assert request.min_interval.ToMilliseconds() == 1500
    assert not request.HasField("progress_interval")


def test_it_resumes_where_it_was_cut() -> None:
    core = make_core()
    assert open_(core) == b""
    core.received(end(5, upsert("a")))
    assert core.token == b"", "nothing is handed over yet"
    assert len(events(core)) == 3
    assert core.token == b"t5"
    core.received(delta(5, 6))
    core.ended(rpc_error(Code.UNAVAILABLE, "cut"))
    _, lost = events(core)
    assert (lost.error.code, lost.error.detail) == (Code.UNAVAILABLE, "cut")
    core.waited()
    assert open_(core) == b"t6"


def test_the_mirror_is_never_ahead_of_the_events() -> None:
    core = make_core()
    core.opened()
    core.received(end(5, upsert("a")))
    seen = []
    while isinstance(core.step(), Emit):
        seen.append(len(core.mirror))
    assert seen == [0, 0, 1]


def test_waits_grow_and_start_again_once_a_response_has_come() -> None:
    core = make_core(min_s=1, max_s=8)
    waits = []
    for _ in range(6):
        open_(core)
        core.ended(rpc_error(Code.UNAVAILABLE, "away"))
        waits.append(wait_of(core))
    for wait, whole in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert whole / 2 < wait <= whole
    assert len(set(waits)) == len(waits)
    open_(core)
    core.received(end(5))
    events(core)
    core.ended(rpc_error(Code.UNAVAILABLE, "away"))
    assert wait_of(core) <= 1


def test_the_same_seed_waits_the_same() -> None:
    def wait() -> float:
        core = make_core()
        open_(core)
        core.ended(rpc_error(Code.UNAVAILABLE, "away"))
        return wait_of(core)

    assert wait() == wait()


def test_the_wait_is_a_random_part_of_the_upper_half() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    uniform = random.Random(seed).random
    for failures in range(1, 2000):
        whole = min(0.05 * 2 ** min(failures - 1, 50), 5)
        wait = backoff_s(0.05, 5, failures, uniform())
        assert whole / 2 < wait <= whole
    assert backoff_s(0.05, 5, 3, 0.0) == 0.2
    assert backoff_s(0.05, 5, 10**6, 0.5) == 3.75


def test_a_refusals_own_delay_is_kept() -> None:
    core = make_core()
    open_(core)
    core.ended(rpc_error(Code.RESOURCE_EXHAUSTED, "full", retry_after_s=30.0))
    assert 30 <= wait_of(core) <= 37.5


def test_a_shorter_delay_does_not_replace_the_backoff() -> None:
    core = make_core(min_s=1, max_s=8)
    for whole in (1, 2, 4):
        open_(core)
        core.ended(rpc_error(Code.RESOURCE_EXHAUSTED, "", retry_after_s=0.001))
        assert whole / 2 < wait_of(core) <= whole


def test_what_a_server_asks_for_has_a_limit() -> None:
    core = make_core()
    open_(core)
    core.ended(rpc_error(Code.RESOURCE_EXHAUSTED, "", retry_after_s=1e9))
    assert 600 <= wait_of(core) <= 750
    open_(core)
    core.received(drain(b"d", 1_000_000_000))
    events(core)
    core.left()
    assert 600 <= wait_of(core) <= 750


def test_a_drain_is_obeyed() -> None:
    core = make_core()
    open_(core)
    core.received(end(5))
    core.received(drain(b"d", 2000))
    told = events(core)
    assert isinstance(told[-1], Drain)
    assert isinstance(core.step(), Leave)
    core.left()
    assert 2 <= wait_of(core) <= 2.5
    assert open_(core) == b"d"


@pytest.mark.parametrize(
    "code",
    [
        Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS,
        Code.PERMISSION_DENIED, Code.UNAUTHENTICATED,
        Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE, Code.UNIMPLEMENTED,
    ],
)  # fmt: skip
def test_a_refusal_for_good_is_raised(code: Code) -> None:
    core = make_core()
    open_(core)
    core.received(end(5))
    core.ended(rpc_error(code, "no", view="tally"))
    with pytest.raises(tidegate.RpcError) as raised:
        events(core)
    assert raised.value.code is code and raised.value.permanent
    assert str(raised.value) == f'{code.name}: view "tally": no'
    assert core.token == b"t5", "what had come was handed over before"


def test_attempts_may_be_limited() -> None:
    core = make_core(max_failed_attempts=2)
    for _ in range(2):
        open_(core)
        core.ended(rpc_error(Code.UNAVAILABLE, "away"))
        wait_of(core)
    open_(core)
    core.ended(rpc_error(Code.UNAVAILABLE, "away"))
    with pytest.raises(tidegate.Unavailable):
        core.step()


def test_a_broken_promise_comes_after_what_was_told_before() -> None:
    core = make_core()
    open_(core)
    core.received(end(5))
    core.received(delta(6, 7))
    assert isinstance(core.step(), Emit)
    assert isinstance(core.step(), Emit)
    for _ in range(2):
        with pytest.raises(tidegate.BrokenPromise) as raised:
            core.step()
        assert raised.value.view == "tally"


def test_a_view_that_may_have_another_key_is_checked() -> None:
    core = make_core()
    open_(core)
    core.received(end(5, upsert("a")))
    core.received(tally.reset())
    assert len(events(core)) == 4, "neither at first nor after a trim"
    core.received(tally.reset(pb.Reset.VIEW_REBUILT))
    assert core.step() == Check("tally")
    core.checked(tally.TALLY)
    (event,) = events(core)
    assert isinstance(event, Reset)
    core.received(tally.reset(pb.Reset.VIEW_REBUILT))
    core.checked(tally.WINDOWS)
    for _ in range(2):
        with pytest.raises(tidegate.ViewChanged, match="another key"):
            core.step()


def test_types_of_another_time_are_checked_at_first() -> None:
    subject = Subject(view="tally")
    retries = Retries(Backoff(seed=1))
    core = SubscriptionCore(subject, tally.TALLY, b"", retries, _LIMITS)
    open_(core)
    core.received(end(5, upsert("a")))
    assert core.step() == Check("tally")
    core.checked(tally.TALLY)
    assert len(events(core)) == 3


def test_a_check_that_fails_is_a_cut() -> None:
    core = make_core()
    open_(core)
    core.received(end(5))
    events(core)
    rebuilt = tally.reset(pb.Reset.VIEW_REBUILT)
    rebuilt.snapshot = True
    rebuilt.changes.append(upsert("a"))
    rebuilt.resume_token = b"s"
    core.received(rebuilt)
    core.not_checked(rpc_error(Code.UNAVAILABLE, "cut"))
    wait_of(core)
    assert open_(core) == b"", "what came with the reset was not handed over"
    core.received(end(9))
    assert core.step() == Check("tally")


def test_a_mirror_that_is_full_ends_it() -> None:
    core = make_core(Limits(max_mirror_rows=1))
    open_(core)
    core.received(end(5, upsert("a"), upsert("b")))
    assert isinstance(core.step(), Emit)
    for _ in range(2):
        with pytest.raises(tidegate.LimitExceeded, match="max_mirror_rows"):
            core.step()


def test_no_keys_are_not_all_rows() -> None:
    nothing: dict[str, Any] = {
        "key_prefix": None, "where": "", "min_interval_s": 0,
        "progress_interval_s": 0,
    }  # fmt: skip
    with pytest.raises(tidegate.InvalidKey, match="none"):
        subject_of(tally.TALLY, keys=[], **nothing)
    assert subject_of(tally.TALLY, keys=None, **nothing).keys == ()


@pytest.mark.parametrize(
    "wrong", [{"min_s": 0}, {"min_s": 2, "max_s": 1},
              {"max_failed_attempts": -1}]
)  # fmt: skip
def test_a_backoff_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Backoff(**wrong)
