"""`tidegate watch` of several views over one session, and of some rows."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from system.conftest import ServerFactory
from system.counters import BY_SIZE, Counters
from system.kafka import Broker
from system.processes import wait_for
from system.tidegate import Server, checker, ended

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_USAGE = 2
_WAIT_S = 30
_VIEWS = ("hit_counts", "by_size")

Line = dict[str, Any]


@pytest.fixture(scope="module")
def counters(broker: Broker) -> Counters:
    counters = Counters(broker, "session")
    for key in ("a", "b", "b", "c"):
        counters.hit(key, 200)
    counters.flush()
    return counters


@pytest.fixture(scope="module")
def server(binary: Path, work: Path, counters: Counters) -> Iterator[Server]:
    server = Server(
        work / "session", counters.views() + BY_SIZE, counters.bootstrap
    )
    server.start()
    wait_for("the hits", partial(counters.agree_with, server), _WAIT_S)
    yield server
    server.kill()


def _lines(path: Path) -> list[Line]:
    return [
        json.loads(line)
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]


def _has(path: Path, **wanted: Any) -> bool:
    return any(wanted.items() <= line.items() for line in _lines(path))


def _has_hits(path: Path, key: str, hits: int) -> bool:
    return any(
        line["row"]["k"] == key and line["row"]["hits"] == hits
        for line in _lines(path)
        if line.get("op") == "upsert"
    )


def _split(path: Path) -> dict[str, Path]:
    """The lines of each view, as a file of their own."""
    texts = dict.fromkeys(_VIEWS, "")
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            texts[json.loads(line)["view"]] += line
    files = {}
    for view, text in texts.items():
        files[view] = path.with_name(f"{path.stem}-{view}.jsonl")
        files[view].write_text(text)
    return files


def _ends_at_the_scans(server: Server, path: Path) -> bool:
    """Each view's lines are a right history, and end in what `scan` shows."""
    for view, history in _split(path).items():
        done = server.cli("scan", view, "--format", "json")
        assert done.returncode == _OK, done.stderr
        scan = path.with_name(f"scan-{view}.jsonl")
        scan.write_text(done.stdout)
        if checker(history, "--final", scan).returncode != _OK:
            return False
    return True


def _resumes(path: Path, view: str) -> int:
    return sum(
        line["view"] == view
        and line.get("marker") == "connect"
        and line["resume"] is not None
        for line in _lines(path)
    )


def test_two_views_through_restarts(
    broker: Broker, make_server: ServerFactory, scratch: Path
) -> None:
    counters = Counters(broker, "session_restarts")
    counters.hit("a")
    counters.flush()
    server = make_server(counters.views() + BY_SIZE, counters.bootstrap)
    server.start()
    wait_for("the hit", partial(counters.agree_with, server), _WAIT_S)
    output = scratch / "watch.jsonl"
    process = server.watch(output, *_VIEWS)

    def hits(prefix: str, count: int) -> None:
        for number in range(count):
            counters.hit(f"{prefix}{number % 5}", number % 3)
        counters.flush()

    for view in _VIEWS:
        wait_for(
            "the snapshot",
            partial(_has, output, view=view, marker="snapshot_end"),
            _WAIT_S,
        )
    hits("before", 50)
    wait_for("it", partial(_has_hits, output, "before0", 10), _WAIT_S)
    server.kill()
    hits("killed", 50)
    server.start()
    wait_for("them", partial(_has_hits, output, "killed0", 10), _WAIT_S)
    # A watch that is not back yet is told no farewell.
    for view in _VIEWS:
        wait_for(view, partial(_resumes, output, view), _WAIT_S)
    assert server.terminate() == _OK
    hits("drained", 50)
    server.start()
    hits("after", 50)
    wait_for("all", partial(_has_hits, output, "after0", 10), _WAIT_S)
    wait_for(
        "the rows of scan",
        partial(_ends_at_the_scans, server, output),
        _WAIT_S,
    )
    assert ended(process) == _OK
    for view in _VIEWS:
        assert _has(output, view=view, marker="drain")
        assert _resumes(output, view) >= 2, "after the kill and the drain"
    for history in _split(output).values():
        done = checker(history)
        assert done.returncode == _OK, done.stdout


def test_several_views_take_one_stream(
    counters: Counters, make_server: ServerFactory, scratch: Path
) -> None:
    server = make_server(
        counters.views() + BY_SIZE, counters.bootstrap, "--max-subscribers=1"
    ).start()
    output = scratch / "watch.jsonl"
    process = server.watch(output, *_VIEWS)
    for view in _VIEWS:
        wait_for(
            "the snapshot",
            partial(_has, output, view=view, marker="snapshot_end"),
            _WAIT_S,
        )
    # There is room for no other: the limit is one.
    refused = server.directory / "refused.jsonl"
    second = server.watch(refused, "hit_counts")
    wait_for(
        "the refusal",
        lambda: "lost" in (server.directory / "watch.log").read_text(),
        _WAIT_S,
    )
    assert refused.read_text() == ""
    assert ended(process) == _OK
    wait_for("room", partial(_has, refused, marker="snapshot_end"), _WAIT_S)
    assert ended(second) == _OK


def test_rows_enter_and_leave_a_condition(
    server: Server, counters: Counters, tmp_path: Path
) -> None:
    condition = "hits BETWEEN 2 AND 3 AND k = 'w'"
    alone = tmp_path / "alone.jsonl"
    several = tmp_path / "several.jsonl"
    processes = [
        server.watch(alone, "hit_counts", "--where", condition),
        server.watch(
            several, *_VIEWS, "--where", f"hit_counts:{condition}",
            "--key-prefix", "by_size:k=w",
        ),
    ]  # fmt: skip
    for path in (alone, several):
        wait_for(
            "the snapshots",
            lambda path=path: (
                path.read_text().count('"snapshot_end"')
                == (1 if path == alone else 2)
            ),
            _WAIT_S,
        )
    for count in (1, 2, 3, 4):
        counters.hit("x", count)
        counters.hit("w", count)
        counters.flush()
        wait_for("the hit", partial(counters.agree_with, server), _WAIT_S)
        if count in (2, 3):
            for path in (alone, several):
                wait_for("w", partial(_has_hits, path, "w", count), _WAIT_S)
    for path in (alone, several):
        wait_for(
            "w to leave", partial(_has, path, op="left", key={"k": "w"}), _WAIT_S
        )
    sizes = [{"k": "w", "n": n} for n in (1, 2, 3, 4)]
    for size in sizes:
        wait_for("its size", partial(_has, several, key=size), _WAIT_S)
    for process in processes:
        assert ended(process) == _OK
    changes = [line for line in _lines(alone) if "op" in line]
    assert [(c["op"], c.get("row", {}).get("hits")) for c in changes] == [
        ("upsert", 2), ("upsert", 3), ("left", None),
    ]  # fmt: skip
    changes = [line for line in _lines(several) if "op" in line]
    assert [
        (c["op"], c["key"]) for c in changes if c["view"] == "by_size"
    ] == [("upsert", size) for size in sizes]
    assert [c["op"] for c in changes if c["view"] == "hit_counts"] == [
        "upsert", "upsert", "left",
    ]  # fmt: skip
    assert _lines(alone)[0]["where"] == condition


def test_min_interval_conflates(
    server: Server, counters: Counters, tmp_path: Path
) -> None:
    interval_s = 2
    files = {
        name: tmp_path / f"{name}.jsonl" for name in ("plain", "one", "two")
    }
    rarely = ("--min-interval", f"{interval_s}s")
    processes = [
        server.watch(files["plain"], "hit_counts"),
        server.watch(files["one"], "hit_counts", *rarely),
        server.watch(files["two"], *_VIEWS, *rarely),
    ]
    for path in files.values():
        wait_for(
            "the snapshot",
            partial(_has, path, marker="snapshot_end"),
            _WAIT_S,
        )
    start = time.monotonic()
    count = 30
    for number in range(1, count + 1):
        counters.hit("often")
        counters.flush()
        wait_for(
            "it",
            partial(_has_hits, files["plain"], "often", number),
            _WAIT_S,
            0.01,
        )
    for path in files.values():
        wait_for("all", partial(_has_hits, path, "often", count), _WAIT_S)
    elapsed_s = time.monotonic() - start
    for process in processes:
        assert ended(process) == _OK

    def seen(name: str) -> int:
        return sum(
            line.get("op") == "upsert"
            and line["key"] == {"k": "often"}
            and line.get("view", "hit_counts") == "hit_counts"
            for line in _lines(files[name])
        )

    assert seen("plain") == count
    for name in ("one", "two"):
        assert 1 <= seen(name) <= elapsed_s / interval_s + 2, name
        assert seen(name) < count


def test_text_names_the_view_first(server: Server) -> None:
    # Rows by key are read at the head; a snapshot of many may be older, and
    # what follows its end brings it there.
    done = server.cli("watch", *_VIEWS, "--key=hit_counts:c",
                      "--key=by_size:k=c,n=200",
                      "--until-snapshot-end")  # fmt: skip
    assert done.returncode == _OK, done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(_VIEWS) for line in lines), lines
    assert "hit_counts  upsert   c  1  200" in lines
    assert "by_size  upsert   c  200  1" in lines
    for view in _VIEWS:
        assert sum(bool(re.match(view + " +-- the rows above", line))
                   for line in lines) == 1  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hit_counts", "--where", "hitz > 1"),
         'where: 1:1: unknown column "hitz"; did you mean "hits"?'),
        ((*_VIEWS, "--where", "by_size:hitz > 1"),
         'view "by_size": where: 1:1: unknown column "hitz"'),
        (("hit_counts", "--key=a", "--key-prefix=b"), "exclude each other"),
        (("by_size", "--key-prefix=n=1"), 'key_prefix of view "by_size"'),
        (("by_size", "--key-prefix={}"), "names no key column"),
        (("by_size", "--min-interval=2d"), "min_interval out of range"),
        ((*_VIEWS, "--where", "hits > 1"), "with several views"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    server: Server, arguments: tuple[str, ...], said: str
) -> None:
    done = server.cli("watch", *arguments, "--until-snapshot-end")
    assert done.returncode == _USAGE, done.stderr
    assert said in done.stderr
