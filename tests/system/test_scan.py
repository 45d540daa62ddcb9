"""`tidegate scan` of some rows, and pages of them through the contract."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from system.client import Client
from system.conftest import ServerFactory
from system.counters import BY_SIZE, Counters
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_USAGE = 2
_WAIT_S = 30
_HITS = {("a", 1): 2, ("a", 5): 1, ("ab", 1): 3, ("b", 1): 1, ("b", 7): 4}


@pytest.fixture(scope="module")
def server(binary: Path, work: Path, broker: Broker) -> Iterator[Server]:
    counters = Counters(broker, "scan")
    for (key, n), count in _HITS.items():
        for _ in range(count):
            counters.hit(key, n)
    counters.flush()
    server = Server(
        work / "scan", counters.views() + BY_SIZE, counters.bootstrap
    )
    server.start()
    wait_for("the hits", partial(_holds_all, server), _WAIT_S)
    yield server
    server.kill()


def _holds_all(server: Server) -> bool:
    return {
        (row["k"], row["n"]): row["hits"]
        for _, row in scan_rows(server, "by_size")
    } == _HITS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--where", "hits > 1"), [("a", 1), ("ab", 1), ("b", 7)]),
        (("--key-prefix", "k=a"), [("a", 1), ("a", 5)]),
        (("--key-prefix", '{"k": "b"}'), [("b", 1), ("b", 7)]),
        (("--key-prefix", "k=b,n=7"), [("b", 7)]),
        (("--key-prefix", "k=a", "--where", "n = 1"), [("a", 1)]),
        (("--where", "k LIKE 'a%'", "--limit", "2"), [("a", 1), ("a", 5)]),
        (("--where", "hits / (n - 1) >= 0"), [("a", 5), ("b", 7)]),
        (("--where", "hits > 100"), []),
    ],
)
def test_some_rows(
    server: Server,
    arguments: tuple[str, ...],
    expected: list[tuple[str, int]],
) -> None:
    lines = server.json_lines("scan", "by_size", *arguments)
    assert [(line["row"]["k"], line["row"]["n"]) for line in lines] == expected
    assert [line["row"]["hits"] for line in lines] == [
        _HITS[key] for key in expected
    ]


def test_a_table_of_some_rows(server: Server) -> None:
    done = server.cli("scan", "by_size", "--where", "n = 7")
    assert done.returncode == _OK, done.stderr
    header, _, *rows = map(str.split, done.stdout.splitlines())
    assert header == ["k", "n", "hits"]
    assert rows == [["b", "7", "4"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--where", "hits > 1 AND\n hitz = 2"),
         'where: 2:2: unknown column "hitz"; did you mean "hits"?'),
        (("--where", "hits >"), "where: 1:7: "),
        (("--where", "hits"), "where: 1:1: "),
        (("--key-prefix", "n=1"), 'key_prefix of view "by_size"'),
        (("--key-prefix", "{}"), "names no key column"),
        (("--key-prefix", "kk=a"), "kk"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    server: Server, arguments: tuple[str, ...], said: str
) -> None:
    done = server.cli("scan", "by_size", *arguments)
    assert done.returncode == _USAGE, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


def test_pages_of_a_filter_show_one_position(
    make_server: ServerFactory, broker: Broker
) -> None:
    counters = Counters(broker, "scan_pages")
    keys = [f"key-{number:04}" for number in range(600)]
    for number, key in enumerate(keys):
        counters.hit(key, number % 3)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    with Client(server.address) as client:
        types = client.types("hit_counts")
        wait_for(
            "all keys",
            lambda: len(list(client.scan(types))) == len(keys),
            _WAIT_S,
        )
        # The client checks that all pages show one position.
        rows = client.scan(types, page_size=7, where="total = 1")
        seen = [next(rows)]
        before = client.positions()["hit_counts"]
        for key in keys:
            counters.hit(key, 1)
        counters.flush()
        wait_for(
            "a commit",
            lambda: client.positions()["hit_counts"] > before,
            _WAIT_S,
        )
        seen += rows
    assert [row["k"] for row in seen] == keys[1::3]
    assert all(row["hits"] == 1 for row in seen)
    assert seen[0] == {"k": "key-0001", "hits": 1, "total": 1}
