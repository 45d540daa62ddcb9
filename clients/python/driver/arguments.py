"""The driver's command line, and keys as text."""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

import tidegate

_INTEGERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


@dataclass
class Spec:
    """What is to be watched of one view, as the command line says it."""

    view: str
    keys: list[str] = field(default_factory=list)
    key_prefix: str = ""
    where: str = ""
    resume: bytes = b""


@dataclass
class Arguments:
    server: str
    specs: list[Spec]
    session: bool
    aio: bool
    mirror: bool
    commands: bool
    reads: bool
    timeout_s: float


def parse(argv: list[str]) -> Arguments:
    parser = argparse.ArgumentParser(prog="driver")
    parser.add_argument("views", metavar="VIEW", nargs="+")
    parser.add_argument("--server", required=True)
    parser.add_argument("--format", choices=["json"], default="json")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--key-prefix", action="append", default=[])
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--resume", action="append", default=[])
    for switch in ("--session", "--aio", "--mirror", "--commands",
                   "--reads"):  # fmt: skip
        parser.add_argument(switch, action="store_true")
    parser.add_argument("--timeout-ms", type=int, default=30_000)
    given = parser.parse_args(argv)
    if len(given.views) > 1 and not given.session:
        parser.error("several views need --session")
    if given.commands and not given.session:
        parser.error("--commands needs --session")
    specs = {view: Spec(view) for view in given.views}

    def addressed(text: str) -> tuple[Spec, str]:
        """With several views, a flag's value begins with the view's name."""
        if len(specs) == 1:
            return next(iter(specs.values())), text
        view, colon, rest = text.partition(":")
        if not colon or view not in specs:
            parser.error(f"{text!r} does not begin with a view's name")
        return specs[view], rest

    for text in given.key:
        spec, value = addressed(text)
        spec.keys.append(value)
    for text in given.key_prefix:
        spec, spec.key_prefix = addressed(text)
    for text in given.where:
        spec, spec.where = addressed(text)
    for text in given.resume:
        spec, value = addressed(text)
        spec.resume = base64.b64decode(value)
    return Arguments(
        given.server, list(specs.values()), given.session, given.aio,
        given.mirror, given.commands, given.reads, given.timeout_ms / 1000,
    )  # fmt: skip


def parse_key(
    view: tidegate.View[Any], text: str, *, prefix: bool = False
) -> dict[str, Any]:
    """The value itself if there is one key column, `a=1,b=x` if there are
    several, or a JSON object. Of a whole key, what is absent is NULL."""
    if text.lstrip().startswith("{"):
        given = json.loads(text)
    elif len(view.key_columns) == 1:
        given = {view.key_columns[0]: text}
    else:
        given = dict(pair.split("=", 1) for pair in text.split(","))
    return key_of(view, given, prefix=prefix)


def key_of(
    view: tidegate.View[Any], given: dict[str, Any], *, prefix: bool = False
) -> dict[str, Any]:
    """With each value of its column's type."""
    fields = view.key_class.DESCRIPTOR.fields_by_name
    key = {
        name: _value(fields[name], value) if name in fields else value
        for name, value in given.items()
    }
    if prefix:
        return key
    return dict.fromkeys(view.key_columns) | key


def _value(column: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if column.cpp_type in _INTEGERS:
        return int(value)
    if column.cpp_type in _FLOATS:
        return float(value)
    if column.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return value == "true"
    return value
