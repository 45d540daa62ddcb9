"""The views' own gRPC services: by reflection, and by generated clients."""

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest

from system import gotools
from system.conftest import ServerFactory
from system.counters import Counters
from system.kafka import Broker
from system.processes import DIE_WITH_PARENT, ROOT, wait_for
from system.publish import compile_proto
from system.tidegate import Server, scan_rows

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_OK = 0
_WAIT_S = 30
_SERVICES = {
    f"tidegate.views.{name}" for name in ("HitCounts", "BigHits", "Names")
}
_B = {"k": "b", "hits": 2, "total": 400}
_ROWS = [
    {"k": "a", "hits": 1, "total": 200},
    _B,
    {"k": "c", "hits": 1, "total": 200},
]


@pytest.fixture(scope="module")
def counters(broker: Broker) -> Counters:
    counters = Counters(broker, "typed")
    for key in ("a", "b", "b", "c"):
        counters.hit(key, 200)
    counters.name(7, "seven")
    counters.flush()
    return counters


@pytest.fixture(scope="module")
def server(binary: Path, work: Path, counters: Counters) -> Iterator[Server]:
    server = Server(work / "typed", counters.views(), counters.bootstrap)
    server.start()
    wait_for("the hits", lambda: _rows(server) == _ROWS, _WAIT_S)
    yield server
    server.kill()


def _rows(server: Server) -> list[dict[str, Any]]:
    return [row for _, row in scan_rows(server, "hit_counts")]


def _run_grpcurl(
    server: Server, *words: str, request: Any = None
) -> subprocess.CompletedProcess[str]:
    """Without a file: what it knows it has by reflection."""
    return subprocess.run(
        [
            str(gotools.install("grpcurl")), "-plaintext", "-max-time", "10",
            *(["-d", json.dumps(request)] if request is not None else []),
            server.address, *words,
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def _grpcurl(server: Server, *words: str, request: Any = None) -> str:
    done = _run_grpcurl(server, *words, request=request)
    assert done.returncode == _OK, done.stderr
    return done.stdout


def _call(server: Server, method: str, request: Any) -> Any:
    return json.loads(
        _grpcurl(server, f"tidegate.views.{method}", request=request)
    )


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """Protobuf's JSON has 64-bit numbers in quotes."""
    return {k: str(v) if isinstance(v, int) else v for k, v in row.items()}


def test_grpcurl_lists_and_describes(server: Server) -> None:
    listed = set(_grpcurl(server, "list").split())
    assert listed >= _SERVICES | {"tidegate.v1.ViewService"}
    methods = _grpcurl(server, "describe", "tidegate.views.HitCounts")
    for method in ("Get", "Scan", "Subscribe", "Session"):
        assert f"rpc {method} (" in methods
    row = _grpcurl(server, "describe", "tidegate.views.HitCountsRow")
    assert "optional int64 hits = 2;" in row
    assert 'A row of view "hit_counts".' in row


def test_grpcurl_reads_rows(server: Server) -> None:
    keys = [{"k": "b"}, {"k": "none"}]
    answer = _call(server, "HitCounts/Get", {"keys": keys})
    assert answer["entries"] == [{"row": _json(_B)}, {}]
    answer = _call(server, "HitCounts/Scan", {})
    assert answer["rows"] == [_json(row) for row in _ROWS]
    assert _call(server, "Names/Get", {"keys": [{"id": 7}]})["entries"] == [
        {"row": {"id": "7", "name": "seven"}}
    ]


def test_grpcurl_is_told_the_right_key(server: Server) -> None:
    done = _run_grpcurl(
        server, "tidegate.views.Names/Get", request={"keys": [{}]}
    )
    assert done.returncode != _OK
    assert "InvalidArgument" in done.stderr
    assert "NamesKey{id BIGINT = 1}" in done.stderr


@pytest.mark.parametrize(
    ("method", "request_json"),
    [
        ("Subscribe", {"keys": [{"k": "b"}]}),
        ("Session", {"watch": {"id": 1, "subscribe": {"keys": [{"k": "b"}]}}}),
    ],
)
def test_grpcurl_holds_a_stream(
    server: Server, method: str, request_json: Any
) -> None:
    # With its input open grpcurl outlives its own time limit: the second one.
    process = subprocess.Popen(
        [
            *DIE_WITH_PARENT, "timeout", str(_WAIT_S),
            str(gotools.install("grpcurl")), "-plaintext",
            "-max-time", str(_WAIT_S), "-d", "@", server.address,
            f"tidegate.views.HitCounts/{method}",
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(request_json) + "\n")
    if method == "Subscribe":
        process.stdin.close()  # the one request is known to be complete
    else:
        process.stdin.flush()
    rows = []
    for response in _responses(process.stdout):
        rows += [change["upsert"] for change in response.get("changes", [])]
        if response.get("snapshot_end"):
            break
    process.terminate()
    process.wait()
    assert rows == [_json(_B)]


def _responses(lines: Any) -> Iterator[Any]:
    """Of each JSON object that is printed over several lines.

    A session's message may have several of one watch.
    """
    text = ""
    for line in lines:
        text += line
        if line == "}\n":
            message = json.loads(text)
            text = ""
            if "updates" in message:
                for update in message["updates"]:
                    yield update["response"]
            else:
                yield message
    raise AssertionError("the stream ended by itself")


@pytest.mark.parametrize(
    ("method", "request_json", "flags"),
    [
        ("Get", {"keys": [{"k": "b"}]}, ()),
        ("Scan", {"page_size": 2}, ()),
        ("Subscribe", {}, ("--stream-call-count=2", "--count-errors")),
    ],
)
def test_ghz(
    server: Server, method: str, request_json: Any, flags: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [
            str(gotools.install("ghz")), "--insecure", "--format=json",
            f"--call=tidegate.views.HitCounts/{method}", "--total=200",
            "--concurrency=5", "--connections=5", "--timeout=10s",
            f"--data={json.dumps(request_json)}", *flags, server.address,
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == _OK, done.stderr
    report = json.loads(done.stdout)
    assert report["count"] == 200
    # ghz ends a server's stream by cancelling it.
    expected = "Canceled" if method == "Subscribe" else "OK"
    assert report["statusCodeDistribution"] == {expected: 200}, report


def _proto(server: Server, directory: Path, *view: str) -> str:
    """Writes what `tidegate proto` prints; the file's name."""
    directory.mkdir(parents=True, exist_ok=True)
    done = server.cli("proto", *view)
    assert done.returncode == _OK, done.stderr
    name = f"{view[0] if view else 'views'}.proto"
    (directory / name).write_text(done.stdout)
    return name


@pytest.fixture(scope="module")
def clients(
    server: Server, work: Path
) -> tuple[ModuleType, ModuleType, ModuleType]:
    """Of two views in one program: messages of both, stubs of the first."""
    directory = work / "typed_protos"
    hits, names = (
        compile_proto(directory, _proto(server, directory, view))
        for view in ("hit_counts", "names")
    )
    return hits, importlib.import_module("hit_counts_pb2_grpc"), names


def _as_row(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}


def test_a_generated_python_client_reads(
    server: Server, clients: tuple[ModuleType, ModuleType, ModuleType]
) -> None:
    pb, stubs, names = clients
    with grpc.insecure_channel(server.address) as channel:
        stub = stubs.HitCountsStub(channel)
        answer = stub.Get(
            pb.HitCountsGetRequest(
                keys=[pb.HitCountsKey(k=key) for key in ("b", "none")]
            ),
            timeout=_WAIT_S,
        )
        assert [entry.HasField("row") for entry in answer.entries] == [
            True, False,
        ]  # fmt: skip
        assert _as_row(answer.entries[0].row) == _B
        request = pb.HitCountsScanRequest(
            page_size=2, min_position=answer.position
        )
        rows = []
        while True:
            page = stub.Scan(request, timeout=_WAIT_S)
            rows += [_as_row(row) for row in page.rows]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        assert rows == _ROWS
        get = channel.unary_unary(
            "/tidegate.views.Names/Get",
            request_serializer=names.NamesGetRequest.SerializeToString,
            response_deserializer=names.NamesGetResponse.FromString,
        )
        found = get(
            names.NamesGetRequest(keys=[names.NamesKey(id=7)]), timeout=_WAIT_S
        )
        assert _as_row(found.entries[0].row) == {"id": 7, "name": "seven"}


def test_a_generated_python_client_follows(
    broker: Broker,
    make_server: ServerFactory,
    clients: tuple[ModuleType, ModuleType, ModuleType],
) -> None:
    pb, stubs, _ = clients
    counters = Counters(broker, "typed_follow")
    counters.hit("a", 5)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    wait_for("the hit", lambda: len(_rows(server)) == 1, _WAIT_S)
    with grpc.insecure_channel(server.address) as channel:
        stub = stubs.HitCountsStub(channel)
        stream = stub.Subscribe(
            pb.HitCountsSubscribeRequest(where="total >= 5"), timeout=_WAIT_S
        )
        held: dict[str, Any] = {}
        _follow(stream, held, lambda response: response.snapshot_end)
        assert held == {"a": {"k": "a", "hits": 1, "total": 5}}
        counters.hit("b", 9)
        counters.hit("a", -1)
        counters.flush()
        _follow(stream, held, lambda _: held.keys() == {"b"})
        stream.cancel()
        _session(pb, stub, counters)


def _follow(
    stream: Iterator[Any], held: dict[str, Any], until: Callable[[Any], bool]
) -> None:
    for response in stream:
        for change in response.changes:
            kind = change.WhichOneof("kind")
            row = getattr(change, kind)
            if kind == "upsert":
                held[row.k] = _as_row(row)
            else:
                held.pop(row.k, None)
        if until(response):
            return
    raise AssertionError("the stream ended by itself")


def _session(pb: ModuleType, stub: Any, counters: Counters) -> None:
    requests: list[Any] = [
        pb.HitCountsSessionRequest(
            watch=pb.HitCountsSessionRequest.Watch(
                id=1,
                subscribe=pb.HitCountsSubscribeRequest(
                    keys=[pb.HitCountsKey(k="a")]
                ),
            )
        ),
        pb.HitCountsSessionRequest(
            request=2,
            keys=pb.HitCountsSessionRequest.Keys(
                id=1, add=[pb.HitCountsKey(k="b"), pb.HitCountsKey(k="c")]
            ),
        ),
    ]
    held: dict[str, Any] = {}
    applied = 0
    for response in stub.Session(iter(requests), timeout=_WAIT_S):
        for update in response.updates:
            assert not update.HasField("failure"), update
            _follow(iter([update.response]), held, lambda _: True)
            applied = max(applied, update.keys_applied)
    assert applied == 2
    assert {key: row["hits"] for key, row in held.items()} == counters.hits


def test_files_compile_to_cpp(server: Server, scratch: Path) -> None:
    """Two views in one program, and the file of all views in another."""
    names = [_proto(server, scratch, view) for view in ("hit_counts", "names")]
    program = scratch / "program.cc"
    program.write_text(
        """
#include "hit_counts.grpc.pb.h"
#include "names.grpc.pb.h"
using namespace tidegate::views;
int64_t Total(HitCounts::Stub* stub, Names::Stub*, NamesKey) {
  grpc::ClientContext context;
  HitCountsGetRequest request;
  HitCountsGetResponse response;
  request.add_keys()->set_k("a");
  if (!stub->Get(&context, request, &response).ok()) return -1;
  HitCountsSubscribeResponse::Change change;
  change.set_finality(HitCountsSubscribeResponse::FINALITY_FINAL);
  return response.entries(0).row().total() + change.upsert().hits();
}
"""
    )
    every = _proto(server, scratch)
    for files in (names, [every]):
        subprocess.run(
            [
                "protoc", f"-I{scratch}", f"--cpp_out={scratch}",
                f"--plugin=protoc-gen-grpc={shutil.which('grpc_cpp_plugin')}",
                f"--grpc_out={scratch}", *files,
            ],
            check=True,
        )  # fmt: skip
    for source in (program, scratch / "hit_counts.pb.cc"):
        subprocess.run(
            ["g++", "-std=c++17", "-fsyntax-only", f"-I{scratch}", source],
            check=True,
        )


def test_a_generated_go_client(server: Server, scratch: Path) -> None:
    module = scratch / "goclient"
    shutil.copytree(ROOT / "tests/system/goclient", module)
    name = _proto(server, scratch, "hit_counts")
    plugins = [
        f"--plugin={gotools.install(plugin)}"
        for plugin in ("protoc-gen-go", "protoc-gen-go-grpc")
    ]
    package = "tidegate/tests/system/goclient/views"
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{scratch}",
            *plugins, f"--go_out={module}", f"--go-grpc_out={module}",
            f"--go_opt=M{name}={package}", f"--go-grpc_opt=M{name}={package}",
            "--go_opt=module=tidegate/tests/system/goclient",
            "--go-grpc_opt=module=tidegate/tests/system/goclient",
            name,
        ],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [str(gotools.build(module, "client")), server.address, "a", "b"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == _OK, done.stderr
    lines: dict[str, list[str]] = {
        word: [] for word in ("get", "scan", "subscribe", "session")
    }
    for line in done.stdout.splitlines():
        word, _, row = line.partition(" ")
        lines[word].append(row)
    rows = [" ".join(map(str, row.values())) for row in _ROWS]
    assert lines.pop("scan") == rows
    assert all(line == rows[:2] for line in lines.values()), lines


def test_field_numbers_outlive_columns_and_builds(
    broker: Broker,
    make_server: ServerFactory,
    clients: tuple[ModuleType, ModuleType, ModuleType],
) -> None:
    old, stubs, _ = clients
    counters = Counters(broker, "typed_numbers")
    counters.hit("a", 5)
    counters.hit("a", 6)
    counters.flush()
    server = make_server(counters.views(), counters.bootstrap).start()
    wait_for("the hit", lambda: len(_rows(server)) == 1, _WAIT_S)
    before = server.cli("proto", "hit_counts").stdout
    assert "View hit_counts, version 1" in before
    server.terminate()

    # `hits` is dropped, `top` is new, and the order is another.
    server.views_file.write_text(
        counters.views().replace(
            "k, count(*) AS hits, sum(n) AS total",
            "max(n) AS top, sum(n) AS total, k",
        )
    )
    for flags in (("--rebuild", "hit_counts"), ()):
        server.start(*flags)
        wait_for("the new row", lambda: len(_rows(server)) == 1, _WAIT_S)
        text = server.cli("proto", "hit_counts").stdout
        assert "View hit_counts, version 2" in text
        row = text[text.index("message HitCountsRow") :].partition("}")[0]
        assert [line.strip() for line in row.splitlines()[1:]] == [
            "optional int64 top = 4;",
            "optional int64 total = 3;",
            "optional string k = 1;",
            "reserved 2;",
            'reserved "hits";',
        ]
        described = _grpcurl(server, "describe", "tidegate.views.HitCountsRow")
        assert "reserved 2;" in described
        # Code that was generated before reads what is still there.
        with grpc.insecure_channel(server.address) as channel:
            answer = stubs.HitCountsStub(channel).Get(
                old.HitCountsGetRequest(keys=[old.HitCountsKey(k="a")]),
                timeout=_WAIT_S,
            )
        assert _as_row(answer.entries[0].row) == {"k": "a", "total": 11}
        server.terminate()
