"""Format, include direction, heavy headers, sizes and leftovers."""

import re
import subprocess
from pathlib import Path

import pytest

from lint.tree import (
    CODE_FOLDERS,
    ROOT,
    cpp_files,
    files,
    relative,
    top_folder,
)

_MAX_LINES = 500

# folder -> the folders it may include besides itself (and proto/).
_MAY_INCLUDE = {
    "base": set[str](),
    "views": {"base"},
    "ingest": {"base", "views"},
    "gateway": {"base", "views"},
    "clients": {"base"},
    "cmd": {"base", "views", "ingest", "gateway", "clients", "loadtest"},
    "loadtest": {"base", "clients"},
    "tests": set(CODE_FOLDERS),
}
_SEES_PROTO = {"ingest", "gateway", "clients", "cmd", "loadtest", "tests"}

_INCLUDE = re.compile(
    r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE
)
_HEAVY = re.compile(
    r"^(grpc|grpcpp|google/protobuf|rocksdb|librdkafka|prometheus|simdjson"
    r"|civetweb|curl)(/|\.h$)|^(CivetServer|civetweb)\.h$|\.pb\.h$"
)
# Which folder may speak to which library at all; tests may to every one.
_LIBRARY_FOLDERS = {
    r"^rocksdb/": {"views"},
    r"^librdkafka/": {"ingest", "cmd", "clients", "loadtest"},
    r"^simdjson": {"ingest", "clients"},
    r"^curl/": {"ingest"},
    r"^grpc": {"gateway", "clients", "cmd", "loadtest"},
}
# Spelled in two parts so that this file passes its own check.
_LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def _includes(path: Path) -> list[str]:
    found = _INCLUDE.findall(path.read_text())
    return [quoted or angled for quoted, angled in found]


def test_clang_format() -> None:
    paths = [str(path) for path in cpp_files()]
    done = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", "--ferror-limit=5", *paths],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:4000]


def test_the_check_of_directions_covers_every_folder() -> None:
    assert _MAY_INCLUDE.keys() == set(CODE_FOLDERS)
    assert {top_folder(path) for path in files(".cc", ".h")} <= set(
        CODE_FOLDERS
    )


@pytest.mark.parametrize("folder", CODE_FOLDERS)
def test_include_direction(folder: str) -> None:
    wrong = []
    for path in cpp_files():
        if top_folder(path) != folder:
            continue
        for include in _includes(path):
            target = include.partition("/")[0]
            if target == "proto" or target == "tidegate":
                allowed = folder in _SEES_PROTO
            elif target in CODE_FOLDERS:
                allowed = target == folder or target in _MAY_INCLUDE[folder]
            else:
                allowed = _library_allowed(folder, include)
            if not allowed:
                wrong.append(f"{relative(path)} includes {include}")
    assert wrong == []


def _library_allowed(folder: str, include: str) -> bool:
    return folder == "tests" or all(
        folder in folders
        for pattern, folders in _LIBRARY_FOLDERS.items()
        if re.search(pattern, include)
    )


def _is_test(path: Path) -> bool:
    return top_folder(path) == "tests" or path.stem.endswith("_test")


def _drags(header: Path) -> list[str]:
    """The heavy headers that whoever includes `header` gets with it."""
    seen = {header}
    unread = [header]
    heavy = []
    while unread:
        for include in _includes(unread.pop()):
            path = ROOT / include
            if _HEAVY.search(include):
                heavy.append(include)
            elif path.exists() and path not in seen:
                seen.add(path)
                unread.append(path)
    return heavy


def test_heavy_headers_stay_within_their_folder() -> None:
    """A header that needs one is its own folder's business (and the tests')."""
    wrong = []
    for path in cpp_files():
        for include in _includes(path):
            header = ROOT / include
            is_private = header.parent == path.parent
            if is_private or not header.exists() or _is_test(path):
                continue
            if heavy := _drags(header):
                wrong.append(f"{relative(path)} gets {heavy} by {include}")
    assert wrong == []


def test_the_patterns_catch_what_they_should() -> None:
    for heavy in (
        "grpcpp/grpcpp.h", "rocksdb/db.h", "librdkafka/rdkafka.h",
        "google/protobuf/message.h", "proto/tidegate/v1/view_service.pb.h",
        "simdjson.h", "CivetServer.h", "prometheus/registry.h", "curl/curl.h",
    ):  # fmt: skip
        assert _HEAVY.search(heavy), heavy
    assert not _HEAVY.search("gateway/grpc/server.h")
    assert not _library_allowed("gateway", "rocksdb/db.h")
    assert not _library_allowed("views", "grpcpp/grpcpp.h")
    assert _library_allowed("views", "rocksdb/db.h")


def test_include_guards() -> None:
    wrong = []
    for path in cpp_files():
        if path.suffix != ".h":
            continue
        name = "TIDEGATE_" + re.sub(r"\W", "_", relative(path)).upper() + "_"
        text = path.read_text()
        if f"#ifndef {name}\n#define {name}\n" not in text:
            wrong.append(f"{relative(path)}: no {name}")
    assert wrong == []


def test_file_lengths() -> None:
    long = []
    for path in files(".cc", ".h", ".py", ".proto", ".cmake", ".sh"):
        lines = path.read_text().count("\n")
        if lines >= _MAX_LINES:
            long.append(f"{relative(path)}: {lines} lines")
    assert long == []


def test_nothing_is_left_for_later() -> None:
    found = []
    for path in files(".cc", ".h", ".py", ".proto", ".cmake", ".sh", ".md"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if _LEFTOVER.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()}")
    assert found == []
