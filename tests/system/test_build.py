"""A first build from a full topic: killed around its checkpoint, stopped, and
ended by its first reader, it loses nothing and folds nothing twice."""

from typing import Any

import pytest

from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import KILLED_AT_FAILPOINT, Server

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_HITS = 3000
_KEYS = 100


@pytest.fixture
def counters(broker: Broker, scratch: Any) -> Counters:
    made = Counters(broker, scratch.name)
    for number in range(_HITS):
        made.hit(f"k{number % _KEYS}", number)
    for number in range(_KEYS):
        made.name(number, f"name{number}")
    made.flush()
    return made


def _building(server: Server) -> bool:
    return server.metrics()["tidegate_building"] == 1


def _holds_everything(server: Server, counters: Counters) -> bool:
    rows = [line["row"] for line in server.json_lines("scan", "hit_counts")]
    return {row["k"]: (row["hits"], int(row["total"])) for row in rows} == {
        key: (hits, counters.totals[key])
        for key, hits in counters.hits.items()
    }


def _is_right(server: Server, counters: Counters) -> None:
    wait_for(
        f"{_HITS} hits of {_KEYS} keys",
        lambda: _holds_everything(server, counters),
        60,
    )


@pytest.mark.parametrize(
    "failpoint", ["build.before_checkpoint", "build.after_checkpoint"]
)
def test_killed_around_its_checkpoint(
    failpoint: str,
    broker: Broker,
    counters: Counters,
    make_server: ServerFactory,
) -> None:
    server = make_server(counters.views(), broker.bootstrap)
    server.launch(env={"TIDEGATE_FAILPOINT": f"{failpoint}:1"})
    assert server.wait(60) == KILLED_AT_FAILPOINT
    server.start()
    wait_for("the build's end", lambda: not _building(server), 60)
    _is_right(server, counters)
    # From here on there is a log.
    counters.hit("k0", 5)
    counters.flush()
    _is_right(server, counters)
    server.kill()
    server.start()
    _is_right(server, counters)


def test_a_reader_ends_it(
    broker: Broker, counters: Counters, make_server: ServerFactory
) -> None:
    server = make_server(counters.views(), broker.bootstrap)
    server.start()
    # Whether it is still being built or not, who asks is answered.
    server.json_lines("scan", "hit_counts")
    assert not _building(server)
    _is_right(server, counters)
    assert server.terminate() == 0
    server.start()
    _is_right(server, counters)
