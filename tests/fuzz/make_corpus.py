"""Writes the seeds that are not text: run it with pytest's Python.

    build/venv/bin/python tests/fuzz/make_corpus.py

Seeds of text stand in corpus/ by themselves; so do inputs that were findings.
"""

import base64
import json
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from system.publish import view_service_modules  # noqa: E402

_CORPUS = HERE / "corpus"
_SERVICE = "/tidegate.v1.ViewService/"
_INCARNATION = b"A" * 16  # the fake store's
_RESUME_SEED = 0x7469646567617465
_PAGE_SEED = 0x7061676574616C65


def write(target: str, name: str, data: bytes) -> None:
    folder = _CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def prefixed(data: bytes) -> bytes:
    return varint(len(data)) + data


def fnv1a(data: bytes, seed: int = 0xCBF29CE484222325) -> int:
    value = seed
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def sealed(body: bytes, seed: int) -> bytes:
    return body + struct.pack("<Q", fnv1a(body, seed))


def filters() -> None:
    row = (
        b"\x08\x01\x10\x05\x18\x80\x80\x80\x80\x10"
        b"\x21" + struct.pack("<d", 2.5) + b"\x2a\x03abc"
        b"\x4a\x06\x08\x80\x92\xb8\xc3\x06\x50\x03"
    )
    texts = {
        "comparison": "i = 5 AND l > 100 OR NOT b",
        "null": "s IS NOT NULL AND \"2 odd\" IS NULL",
        "division": "i <> 0 AND l / i > 2 OR l % 7 = -1",
        "overflow": "l - 1 < 0 OR -l > 9223372036854775807",
        "like": "s LIKE 'a%_c' ESCAPE '!' OR lower(s) NOT LIKE '%x%'",
        "list": "i IN (1, 2, NULL, 5) AND d NOT BETWEEN -1e3 AND 2.5",
        "case": "CASE i WHEN 5 THEN b WHEN 6 THEN NULL ELSE d > 1 END",
        "cast": "i::VARCHAR || CAST(d AS VARCHAR) <> coalesce(s, '')",
        "time": "t >= '2026-01-01T00:00:00Z' AND extract(hour FROM t) = 9",
        "interval": "date_trunc('day', t) - INTERVAL '1' HOUR < t -- so",
        "functions": "length(replace(s, 'a', 'bb')) + round(d) > abs(i)",
        "text": "substring(s, 2, i) = trim(upper(s)) OR greatest(i, 3) = l",
        "unknown": "regoin = 'EU' AND sum(i) > 1 AND now() > t",
        "nested": "(" * 40 + "b" + ")" * 40,
        "unclosed": "s = 'abc",
    }
    for name, text in texts.items():
        write("row_filter", name, text.encode() + b"\0" + row)
    write("row_filter", "malformed_row", b"d > 1\0\x21\x01\x02")


def records() -> None:
    kind = b"\xf8\xff\xff\xff\x0f"
    every = (
        b"\x08\x01\x10\x0d\x29"
        + struct.pack("<d", -0.5)
        + b"\x32\x03\xe2\x82\xac"
        + b"\x82\x01\x08\x08\x80\x92\xb8\xc3\x06\x10\x07"
        + kind
        + b"\x01"
    )
    for name, record in {
        "every_type": b"\x7f" + every,
        "empty": b"\x7f",
        "oneof_last_wins": b"\x7f\x10\x0d\x18\x07\x25abcd\x18\x09",
        "merged_time": b"\x60\x82\x01\x02\x08\x05\x82\x01\x02\x10\x06",
        "repeated_packed": b"\x03\x3a\x03\x01\x02\x03\x38\x04",
        "map": b"\x7f\x42\x05\x0a\x01a\x10\x02",
        "inner": b"\x7f\x4a" + prefixed(every),
        "group": b"\x7f\xeb\x04\x08\x01\xec\x04\x08\x00",
        "wrong_wire": b"\x7f\x0d\x01\x00\x00\x00\x32\x01x",
        "unknown_enum": b"\x40" + kind + b"\xfb" + b"\xff" * 8 + b"\x01",
        "bad_utf8": b"\x10\x32\x02\xc3\x28",
        "cut": b"\x7f" + every[:-9],
    }.items():
        write("protobuf", name, record)


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else ~(value << 1))


def avro_text(data: bytes) -> bytes:
    return zigzag(len(data)) + data


def avro() -> None:
    double = struct.pack("<d", -2.25)
    end = (
        b"abc" + zigzag(1) + zigzag(2**62) + zigzag(2) + double
        + zigzag(1) + avro_text("né".encode()) + zigzag(1_700_000_000_000_000)
        + zigzag(1)
    )  # fmt: skip
    empty, some_int = zigzag(0), zigzag(1) + zigzag(-7)
    blocks = zigzag(1) + zigzag(1) + avro_text(b"k") + zigzag(1)
    blocks += avro_text(b"bytes") + empty + empty
    sized = zigzag(-1) + zigzag(1) + empty + empty
    nulls = empty + b"abc" + zigzag(2) + empty + empty + empty + empty
    for name, record in {
        "every_type": b"\x01" + empty + some_int + end,
        "blocks": b"\x00" + blocks + some_int + end,
        "sized_block": b"\x01" + sized + some_int + end,
        "nulls": b"\x01" + empty + nulls,
        "cut": b"\x01" + empty + some_int + end[:-9],
        "more_behind": b"\x01" + empty + some_int + end + b"\x00",
        "bad_union": b"\x01" + empty + zigzag(2),
        "bad_boolean": b"\x02",
        "long_text": b"\x01" + empty + some_int + end[:16] + zigzag(2**40),
    }.items():
        write("avro", name, b"\x7f\0" + record)
    write("avro", "few_columns", b"\x11\0\x01" + empty + some_int + end)
    fields = {
        "plain": '"string"',
        "union": '["null", "string"]',
        "enum": '{"type": "enum", "name": "E", "symbols": ["A", "B"]}',
        "bytes": '"bytes"',
        "unknown": '"Strin"',
        "recursive": '{"type": "array", "items": "R"}',
        "nested": '{"type": "array", "items": ' * 30 + '"int"' + "}" * 30,
    }
    for name, type_ in fields.items():
        text = (
            '{"type": "record", "name": "R", "namespace": "n", "fields": '
            f'[{{"name": "s", "type": {type_}}}]}}'
        )
        data = text.encode() + b"\0" + zigzag(1) + avro_text(b"x")
        write("avro", f"schema_{name}", b"\x7f" + data)
    write("avro", "schema_cut", b'\x7f{"type": "record", "name": \0')


def framing() -> None:
    def framed(id_: int, rest: bytes) -> bytes:
        return b"f\0" + struct.pack(">I", id_) + rest

    order = b"\x08\x01\x10\x0d\x2a\x01x"
    for name, data in {
        "protobuf": framed(1, b"\x02\x02" + order),
        "protobuf_first": framed(1, b"\0" + order),
        "protobuf_nested": framed(1, b"\x04\0\0\x0a\x01x"),
        "protobuf_no_such": framed(1, b"\x02\x0e"),
        "path_too_long": framed(1, b"\x80\x01" + b"\0" * 64),
        "path_negative": framed(1, b"\x02\x01"),
        "path_long_form": framed(1, b"\x82\x80\0\x82\0" + order),
        "path_cut": framed(1, b"\x06\0\x02"),
        "avro": framed(2, b"\0" + zigzag(7) + zigzag(1) + avro_text(b"x")),
        "json": framed(3, b'{"i": 5, "s": "x"}'),
        "missing": framed(4, b"\0"),
        "awaited": framed(5, b"\0"),
        "negative_id": framed(2**31, b"\0"),
        "no_magic": b'f{"i": 5}',
        "cut": b"f\0\0\0",
        "empty": b"f",
    }.items():
        write("framing", name, data)


def answers() -> None:
    def schema(kind: str, text: str, *references: str) -> bytes:
        answer = {
            "schemaType": kind,
            "schema": text,
            "references": [
                {"name": name, "subject": f"s/{name}", "version": 1}
                for name in references
            ],
        }
        return b"2" + json.dumps(answer).encode() + b"\0"

    proto = 'syntax = "proto3"; '
    imports = proto + 'import "b"; import "c"; message A { B i = 1; C x = 2; }'
    record = '{"type": "record", "name": "%s", "fields": [%s]}'
    of_b = record % ("A", '{"name": "s", "type": "B"}')
    text = field(1, b"s") + b"\x18\x01\x20\x01\x28\x09"
    message = field(1, b"A") + field(2, text)
    described = base64.b64encode(
        field(1, b"a.proto") + field(4, message) + field(12, b"proto3")
    ).decode()
    missing = b'4{"error_code": 40403, "message": "Schema not found"}\0'
    for name, data in {
        "json": schema("JSON", "{}"),
        "avro": b'2{"schema": "\\"string\\""}\0',
        "avro_reference": schema("AVRO", of_b, "B")
        + schema("AVRO", '{"type": "enum", "name": "B", "symbols": ["X"]}'),
        "protobuf": schema("PROTOBUF", proto + "message A { string s = 1; }"),
        "protobuf_references": schema("PROTOBUF", imports, "b", "c")
        + schema("PROTOBUF", proto + 'import "c"; message B { C c = 1; }', "c")
        + schema("PROTOBUF", proto + "message C {}"),
        "protobuf_well_known": schema(
            "PROTOBUF",
            proto + 'import "google/protobuf/timestamp.proto";'
            " message A { google.protobuf.Timestamp t = 1; }",
        ),
        "protobuf_descriptor": schema("PROTOBUF", described),
        "protobuf_bad": schema("PROTOBUF", "message A { nonsense }"),
        "refers_to_itself": schema("AVRO", '"A"', "A") * 2,
        "a_reference_is_missing": schema("AVRO", '"A"', "A") + missing,
        "unknown_type": schema("THRIFT", "x"),
        "missing": missing,
        "not_the_registrys": b"4<html>\0",
        "denied": b"1{}\0",
        "error": b"5busy\n\xff\0",
        "unreachable": b"-",
        "too_long": b"+",
        "no_object": b"2[]\0",
        "no_reference": b'2{"schema": "x", "references": [{"name": 1}]}\0',
    }.items():
        write("framing", f"answer_{name}", b"a" + data)


def tokens() -> None:
    def resume(flags: bytes, view: bytes = b"things") -> bytes:
        return (
            b"\x01" + struct.pack("<Q", fnv1a(view)) + varint(1)
            + struct.pack("<Q", fnv1a(b"all rows")) + prefixed(_INCARNATION)
            + varint(1) + varint(0) + varint(4) + flags
        )  # fmt: skip

    plain = resume(varint(0))
    snapshot = resume(varint(1) + varint(3) + prefixed(b"k1\0\0"))
    write("token", "resume", sealed(plain, _RESUME_SEED))
    write("token", "resume_in_snapshot", sealed(snapshot, _RESUME_SEED))
    write("token", "resume_body", snapshot)
    all_sent = varint(3) + varint(4) + prefixed(b"")
    write("token", "resume_all_sent", resume(all_sent))
    write("token", "resume_ahead", plain[:-2] + varint(2**63) + varint(0))
    page = (
        struct.pack("<QQQ", fnv1a(b"things"), fnv1a(b""), fnv1a(b""))
        + prefixed(_INCARNATION) + varint(4) + prefixed(b"k3")
    )  # fmt: skip
    write("token", "page", base64.urlsafe_b64encode(sealed(page, _PAGE_SEED)))
    write("token", "page_body", page)
    write("token", "short", b"\x01abc")


def call(method: str, *messages: Any, several: bool = False) -> bytes:
    out = method.encode() + b"\n"
    for message in messages:
        data = message.SerializeToString()
        if several:
            assert len(data) < 256
            out += bytes([len(data)])
        out += data
    return out


def key(name: str) -> bytes:
    return b"\x0a" + prefixed(name.encode())


def reads(pb: Any) -> None:
    def one(name: str, method: str, message: Any) -> None:
        write("requests", name, call(_SERVICE + method, message))

    ahead = pb.Position(incarnation=_INCARNATION)
    ahead.partitions.add(seq=99)
    there = pb.Position(incarnation=_INCARNATION)
    there.partitions.add(seq=3)
    one("list", "ListViews", pb.ListViewsRequest())
    one("describe", "DescribeView", pb.DescribeViewRequest(view="windows"))
    one("describe_unknown", "DescribeView", pb.DescribeViewRequest(view="x"))
    some = [key("k1"), key("none"), key("k3")]
    one("get", "Get", pb.GetRequest(view="things", keys=some))
    many = pb.GetRequest(view="things", keys=[key(str(i)) for i in range(20)])
    one("get_many", "Get", many)
    there_too = pb.GetRequest(view="things", keys=some, min_position=there)
    one("get_there", "Get", there_too)
    one("get_ahead", "Get", pb.GetRequest(view="things", min_position=ahead))
    one("get_bad_key", "Get", pb.GetRequest(view="things", keys=[b"\xff"]))
    for name, request in {
        "all": pb.ScanRequest(page_size=2),
        "where": pb.ScanRequest(where="v > '5'"),
        "none": pb.ScanRequest(where="v = 'x'", min_position=there),
        "prefix": pb.ScanRequest(key_prefix=key("k2"), page_size=1),
        "token": pb.ScanRequest(page_token="AAAA"),
    }.items():
        typed = call("/tidegate.views.Windows/Scan", request)
        write("requests", f"typed_scan_{name}", typed)
        request.view = "windows"
        one(f"scan_{name}", "Scan", request)


def subscriptions(pb: Any) -> None:
    requests = {
        "all": pb.SubscribeRequest(view="things"),
        "keys": pb.SubscribeRequest(view="things", keys=[key("k1"), key("z")]),
        "prefix": pb.SubscribeRequest(view="windows", key_prefix=key("k2")),
        "where": pb.SubscribeRequest(view="windows", where="v LIKE '1%'"),
        "skip": pb.SubscribeRequest(view="things", skip_snapshot=True),
    }
    name_of = {name: request.view for name, request in requests.items()}
    requests["skip"].min_interval.seconds = 1
    requests["skip"].progress_interval.nanos = 200_000_000
    for name, request in requests.items():
        subscribe = call(_SERVICE + "Subscribe", request)
        write("requests", f"subscribe_{name}", subscribe)
        request.view = ""
        typed = call("/tidegate.views.Things/Subscribe", request)
        write("requests", f"typed_subscribe_{name}", typed)
        request.view = name_of[name]

    def watch(number: int, request: Any) -> Any:
        action = pb.SessionRequest(request=number)
        action.watch.id = number
        action.watch.subscribe.CopyFrom(request)
        return action

    def keys(
        number: int, id_: int, add: Iterable[str], remove: Iterable[str]
    ) -> Any:
        action = pb.SessionRequest(request=number)
        action.keys.id = id_
        action.keys.add.extend(map(key, add))
        action.keys.remove.extend(map(key, remove))
        return action

    sessions = {
        "watches": [watch(1, requests["keys"]), watch(2, requests["where"])],
        "keys": [
            watch(1, requests["keys"]), keys(2, 1, ["k2", "k3"], ["k1"]),
            keys(3, 1, ["k1"], []), keys(4, 9, ["k1"], []),
        ],
        "unwatch": [
            watch(1, requests["all"]), pb.SessionRequest(request=2, unwatch=1),
            watch(1, requests["keys"]), watch(1, requests["keys"]),
        ],
        "nothing": [pb.SessionRequest(request=7)],
    }  # fmt: skip
    for name, actions in sessions.items():
        write("requests", f"session_{name}",
              call(_SERVICE + "Session", *actions, several=True))  # fmt: skip


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + prefixed(data)


def builtin() -> None:
    """Health and reflection, whose Python modules are another package's."""
    for service in (b"", b"tidegate.v1.ViewService", b"x"):
        for method in (b"Check", b"Watch"):
            name = service.rpartition(b".")[2] or b"all"
            write(
                "requests",
                b"_".join([b"health", method, name]).decode().lower(),
                b"/grpc.health.v1.Health/" + method + b"\n" + field(1, service),
            )
    extension = field(1, b"google.protobuf.FileOptions") + b"\x10\x07"
    questions = [
        field(7, b"*"),
        field(1, b"host") + field(3, b"tidegate/v1/view_service.proto"),
        field(4, b"tidegate.v1.Change"),
        field(4, b"no.such"),
        field(5, extension),
        field(6, b"google.protobuf.FieldOptions"),
        b"",
    ]
    for version in (b"v1", b"v1alpha"):
        write(
            "requests",
            f"reflection_{version.decode()}",
            b"/grpc.reflection." + version
            + b".ServerReflection/ServerReflectionInfo\n"
            + b"".join(map(prefixed, questions)),
        )  # fmt: skip


def main() -> None:
    filters()
    records()
    avro()
    framing()
    answers()
    tokens()
    pb, _ = view_service_modules()
    reads(pb)
    subscriptions(pb)
    builtin()


if __name__ == "__main__":
    main()
