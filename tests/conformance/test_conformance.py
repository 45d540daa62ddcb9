"""Every client's driver is put through every scenario; see
clients/conformance/README.md."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from conformance.broken.faults import FAULTS, FURTHER, SAYS, STANDS_STILL
from conformance.contract import ROOT
from conformance.driver import DriverSpec, make
from conformance.drivers import DRIVERS, HISTORY_CHECKER, OWN
from conformance.failed import Failed
from conformance.scenario import Scenario, play_to
from conformance.scenarios import SCENARIOS

# Most of a scenario is waiting.
_AT_ONCE = 6
_PATIENCE_S = 30
# A fault that makes the client stand still costs this much, from when its
# first call has come: how long it takes to start says nothing of it.
_PATIENCE_WHEN_IT_STANDS_S = 5
# Of the suite's own client, when it has a fault that nobody meant.
_EXIT_CRASHED = 70

Case = tuple[DriverSpec, bool, Scenario]  # whether in a session
Players = dict[str, Future[None]]


def _case(spec: DriverSpec, in_session: bool, scenario: Scenario) -> Any:
    way = "session" if in_session else "stream"
    marks = []
    if scenario.name in spec.fails:
        marks.append(pytest.mark.xfail(raises=Failed, strict=True))
    return pytest.param(
        (spec, in_session, scenario),
        id=f"{spec.name}-{way}-{scenario.name}",
        marks=marks,
    )


def _broken_case(fault: str, name: str) -> Any:
    scenario = SCENARIOS[name]
    broken = replace(OWN, command=(*OWN.command, "--broken", fault))
    return pytest.param(
        (broken, scenario.only_sessions, scenario),
        id=fault if name == FAULTS[fault] else f"{fault}-{name}",
    )


def _stands_still(spec: DriverSpec) -> bool:
    return "--broken" in spec.command and spec.command[-1] in STANDS_STILL


_CASES = [
    _case(spec, in_session, scenario)
    for spec in DRIVERS
    for in_session in (False, True)
    for scenario in SCENARIOS.values()
    if scenario.is_for(spec, in_session)
]
_BROKEN_CASES = [_broken_case(*each) for each in (*FAULTS.items(), *FURTHER)]


def _case_of(item: pytest.Function) -> Case:
    return cast(Case, item.callspec.params["case"])


def _player(
    item: pytest.Function, directory: Path
) -> Callable[[], None]:
    spec, in_session, scenario = _case_of(item)
    stands = _stands_still(spec)
    when_up_s = _PATIENCE_WHEN_IT_STANDS_S if stands else _PATIENCE_S

    def play() -> None:
        own = directory / re.sub(r"\W", "_", item.name)
        own.mkdir()
        play_to(
            spec, scenario, in_session, HISTORY_CHECKER, own,
            _PATIENCE_S, when_up_s,
        )  # fmt: skip

    return play


def _timed(item: pytest.Function) -> bool:
    return _case_of(item)[2].timed


@pytest.fixture(scope="session")
def players(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Players]:
    """All the chosen cases, under way: several at once, and then, one after
    the other, those in which a busy machine could be taken for the client."""
    assert HISTORY_CHECKER.exists(), f"{HISTORY_CHECKER} is not built"
    directory = tmp_path_factory.mktemp("conformance")
    items = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == Path(__file__)
        and hasattr(item, "callspec")
    ]
    specs = {spec.name: spec for spec, _, _ in map(_case_of, items)}
    for spec in specs.values():
        make(spec)
    pool = ThreadPoolExecutor(_AT_ONCE)
    alone = ThreadPoolExecutor(1)
    players = {
        item.name: pool.submit(_player(item, directory))
        for item in items
        if not _timed(item)
    }
    alone.submit(lambda: [player.exception() for player in players.values()])
    players |= {
        item.name: alone.submit(_player(item, directory))
        for item in items
        if _timed(item)
    }
    yield players
    for each in (pool, alone):
        each.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", _CASES)
def test_scenario(
    case: Case, request: pytest.FixtureRequest, players: Players
) -> None:
    players[request.node.name].result()


@pytest.mark.parametrize("case", _BROKEN_CASES)
def test_a_broken_client_fails(
    case: Case, request: pytest.FixtureRequest, players: Players
) -> None:
    with pytest.raises(Failed) as failed:
        players[request.node.name].result()
    assert failed.value.exit_status != _EXIT_CRASHED, failed.value
    fault = case[0].command[-1]
    says = FURTHER.get((fault, case[2].name), SAYS[fault])
    assert says in failed.value.reason, failed.value
    waited = re.match(r"waited \S+ s for |did not try", failed.value.reason)
    assert bool(waited) == (fault in STANDS_STILL), failed.value


def test_every_fault_is_one_that_the_client_knows() -> None:
    text = "".join(
        path.read_text()
        for path in (ROOT / "clients/conformance/broken").glob("*.py")
        if path.name != "faults.py"
    )
    known = set(re.findall(r'_fault [!=]= "(\w+)"', text))
    known |= set(re.findall(r'\bfault == "(\w+)"', text))
    # Those that are put together.
    known |= {
        "treats_left_as_nothing", "treats_deleted_as_nothing",
        "hides_watermark",
    }  # fmt: skip
    assert known == set(FAULTS)


def test_of_every_fault_is_known_what_is_said() -> None:
    assert SAYS.keys() == FAULTS.keys()
    assert STANDS_STILL <= FAULTS.keys()


def test_every_scenario_is_failed_by_some_client() -> None:
    failed = {*FAULTS.values(), *(name for _, name in FURTHER)}
    assert failed == SCENARIOS.keys()


def test_the_page_tells_of_every_scenario() -> None:
    page = (ROOT / "clients/conformance/README.md").read_text()
    told = set(re.findall(r"`(\w+)`", page))
    untold = [
        name
        for name in SCENARIOS
        if not any(name == each or name.startswith(each + "_") for each in told)
    ]
    assert untold == []
