"""The served views through the command line, grpcurl and HTTP."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from system import gotools
from system.client import Client
from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import ROOT, wait_for
from system.tidegate import Server, ended

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_NO = 1
_BIG = 2**53 + 1  # a double would lose its last bit

_TYPES = """
CREATE SOURCE typed (
  id BIGINT, small INT, flag BOOLEAN, ratio DOUBLE PRECISION, text VARCHAR,
  at TIMESTAMPTZ
) WITH (topic = '@HITS@') FORMAT PLAIN ENCODE JSON;
CREATE MATERIALIZED VIEW all_types (PRIMARY KEY (id, text)) AS
  SELECT id, small, flag, ratio, text, at FROM typed;
"""


@pytest.fixture(scope="module")
def counters(broker: Broker) -> Counters:
    counters = Counters(broker, "serve")
    for key in ("a", "b", "b", "c"):
        counters.hit(key, 200)
    for number in range(3):
        counters.name(number, f"name {number}")
    counters.flush()
    return counters


@pytest.fixture(scope="module")
def server(binary: Path, work: Path, counters: Counters) -> Iterator[Server]:
    server = Server(work / "serve", counters.views(), counters.bootstrap)
    server.start()
    wait_for(
        "the hits",
        lambda: len(server.json_lines("scan", "hit_counts")) == 3,
        30,
    )
    yield server
    server.kill()


def test_scan(server: Server) -> None:
    assert server.json_lines("scan", "hit_counts") == [
        {"key": {"k": k}, "row": {"k": k, "hits": hits, "total": hits * 200}}
        for k, hits in (("a", 1), ("b", 2), ("c", 1))
    ]
    table = server.cli("scan", "hit_counts", "--format", "table")
    assert table.returncode == _OK
    assert re.search(r"\bk\b.*\bhits\b.*\btotal\b", table.stdout)
    assert re.search(r"\bb\b.*\b2\b.*\b400\b", table.stdout)


def test_get(server: Server) -> None:
    assert server.json_lines("get", "hit_counts", "b", "a") == [
        {"key": {"k": "b"}, "row": {"k": "b", "hits": 2, "total": 400}},
        {"key": {"k": "a"}, "row": {"k": "a", "hits": 1, "total": 200}},
    ]
    assert server.json_lines("get", "names", "2") == [
        {"key": {"id": 2}, "row": {"id": 2, "name": "name 2"}}
    ]


def test_get_of_a_key_without_a_row(server: Server) -> None:
    done = server.cli("get", "hit_counts", "zebra", "--format", "json")
    assert done.returncode == _NO, done.stderr
    assert "zebra" in done.stdout + done.stderr


def test_near_views_are_named(server: Server) -> None:
    for command in (("scan", "hit_count"), ("get", "hit_count", "a")):
        done = server.cli(*command)
        assert done.returncode == _NO, done.stderr
        assert "hit_counts" in done.stderr


def test_views(server: Server) -> None:
    names = {line["name"] for line in server.json_lines("views")}
    assert names == {"hit_counts", "big_hits", "names"}


def test_every_type_in_json(broker: Broker, make_server: ServerFactory) -> None:
    counters = Counters(broker, "types")
    row: dict[str, Any] = {
        "id": _BIG,
        "small": -(2**31),
        "flag": False,
        "ratio": 0.1,
        "text": 'quotes " and \u00e9 \U0001f6a2 \n',
        "at": "2026-01-02T03:04:05.678901Z",
    }
    nulls = dict.fromkeys(row)
    counters.raw(json.dumps(row).encode())
    counters.raw(json.dumps(nulls).encode())
    counters.raw(b"{}")
    counters.flush()
    views = _TYPES.replace("@HITS@", counters.hits_topic)
    server = make_server(views, counters.bootstrap).start()
    lines = wait_for(
        "two rows",
        lambda: (
            found
            if len(found := server.json_lines("scan", "all_types")) == 2
            else None
        ),
        30,
    )
    assert lines == [
        {"key": {c: r["id" if c == "id" else "text"] for c in ("id", "text")},
         "row": r}
        for r in (row, nulls)
    ]  # fmt: skip
    assert server.cli("scan", "all_types").stdout.count("\n") >= 2


def test_watch(server: Server, counters: Counters, tmp_path: Path) -> None:
    output = tmp_path / "watch.jsonl"
    keyed_output = tmp_path / "watch-b.jsonl"
    process = server.watch(output, "hit_counts")
    keyed = server.watch(keyed_output, "hit_counts", "--key", "b")

    def lines(path: Path) -> list[dict[str, Any]]:
        text = path.read_text()
        return [json.loads(line) for line in text.splitlines(True) if
                line.endswith("\n")]  # fmt: skip

    def has(path: Path, **wanted: Any) -> bool:
        return any(wanted.items() <= line.items() for line in lines(path))

    for path in (output, keyed_output):
        wait_for("the snapshot", partial(has, path, marker="snapshot_end"), 30)
    counters.hit("b", 1)
    counters.hit("d", 1)
    counters.flush()
    row = {"k": "b", "hits": counters.hits["b"], "total": counters.totals["b"]}
    for path in (output, keyed_output):
        wait_for(
            "the change",
            partial(has, path, op="upsert", key={"k": "b"}, row=row),
            30,
        )
    wait_for("d", lambda: has(output, op="upsert", key={"k": "d"}), 30)
    wait_for("progress", lambda: has(keyed_output, marker="progress"), 30)
    keys = {line["key"]["k"] for line in lines(keyed_output) if "op" in line}
    assert keys == {"b"}
    token = [line["token"] for line in lines(output) if line.get("token")][-1]
    ended(process)
    ended(keyed)

    counters.hit("c", 1)
    counters.flush()
    resumed_output = tmp_path / "resumed.jsonl"
    resumed = server.watch(resumed_output, "hit_counts", "--resume", token)
    wait_for("c", lambda: has(resumed_output, op="upsert", key={"k": "c"}), 30)
    ended(resumed)
    changed = [line["key"]["k"] for line in lines(resumed_output)
               if "op" in line]  # fmt: skip
    assert changed == ["c"]
    assert not has(resumed_output, marker="snapshot_end")


def test_http(server: Server) -> None:
    assert server.fetch("/healthz")[0] == 200
    assert server.fetch("/readyz")[0] == 200
    assert server.fetch("/nothing")[0] == 404
    metrics = server.metrics()
    assert metrics["tidegate_records_total"] >= 7
    assert metrics["tidegate_commits_total"] >= 1
    for part in ("bytes", "subscribers", "bad_records", "rows"):
        assert any(part in name for name in metrics), (part, sorted(metrics))
    for stage in ("produced_to_committed", "committed_to_sent"):
        assert f"tidegate_{stage}_seconds_count" in metrics, sorted(metrics)


def test_grpcurl(server: Server) -> None:
    grpcurl = gotools.install("grpcurl")

    def call(*arguments: str) -> str:
        return subprocess.run(
            [
                str(grpcurl), "-plaintext", "-import-path", str(ROOT / "proto"),
                "-proto", "tidegate/v1/view_service.proto", *arguments,
            ],
            check=True, capture_output=True, text=True, timeout=60,
        ).stdout  # fmt: skip

    answer = json.loads(
        call(server.address, "tidegate.v1.ViewService/ListViews")
    )
    names = {view["name"] for view in answer["views"]}
    assert names == {"hit_counts", "big_hits", "names"}
    first = call(
        "-max-time", "10", "-d", '{"view": "names"}', server.address,
        "tidegate.v1.ViewService/Scan",
    )  # fmt: skip
    assert len(json.loads(first)["rows"]) == 3


def test_grpc_health(server: Server) -> None:
    with Client(server.address) as client:
        check = client.channel.unary_unary("/grpc.health.v1.Health/Check")
        # HealthCheckRequest is empty; field 1 of the answer is SERVING = 1.
        assert check(b"", timeout=10) == b"\x08\x01"


def test_sigterm_drains(
    make_server: ServerFactory, counters: Counters, tmp_path: Path
) -> None:
    server = make_server(counters.views(), counters.bootstrap).start()
    output = tmp_path / "watch.jsonl"
    process = server.watch(output, "hit_counts")
    wait_for("the snapshot", lambda: '"snapshot_end"' in output.read_text(), 30)
    assert server.terminate() == _OK
    wait_for("the drain", lambda: '"drain"' in output.read_text(), 30)
    assert process.poll() is None, "watch waits for the server's return"
    counters.hit("e", 1)
    counters.flush()
    server.start()
    wait_for("e", lambda: '{"k":"e"}' in output.read_text(), 30)
    ended(process)
    assert output.read_text().count('"snapshot_end"') == 1
