"""A schema registry, and writers that register what they write with."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from system import gotools
from system.processes import DIE_WITH_PARENT, ROOT, tail, wait_for

_START_TIMEOUT_S = 30
_LISTENING = re.compile(r"^listening (\S+)$", re.MULTILINE)


class Registry:
    """srfake on a port, and with registrations, that outlive the process."""

    def __init__(
        self, directory: Path, user: str | None = None, tls: bool = False
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._program = gotools.build(ROOT / "tests" / "tools", "registry")
        self._directory = directory
        self._out = directory / "registry.out"
        self._address = "127.0.0.1:0"
        self._flags = ["-state", str(directory / "registrations.jsonl")]
        self._user = user
        self.certificate = directory / "registry.pem"
        if user is not None:
            self._flags += ["-user", user]
        if tls:
            self._flags += ["-tls", str(self.certificate)]
        self._scheme = "https" if tls else "http"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Registry":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._address}"

    def start(self) -> None:
        assert self._process is None
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    *DIE_WITH_PARENT, str(self._program),
                    "-listen", self._address, *self._flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        match = wait_for("the registry", self._listens, _START_TIMEOUT_S)
        self._address = match[1]

    def _listens(self) -> re.Match[str] | None:
        assert self._process is not None
        assert self._process.poll() is None, tail(self._out)
        return _LISTENING.search(self._out.read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> SchemaRegistryClient:
        config = {"url": self.url}
        if self._user is not None:
            config["basic.auth.user.info"] = self._user
        if self._scheme == "https":
            config["ssl.ca.location"] = str(self.certificate)
        return SchemaRegistryClient(config)


@dataclass(frozen=True)
class Order:
    order_id: str
    driver_id: int
    amount: int
    region: str | None


Writer = Callable[[Order], bytes]


@dataclass(frozen=True)
class Writers:
    """Writers of one topic whose schemas differ."""

    first: Writer
    second: Writer  # fields added, in another order, with other numbers
    third: Writer  # without a region
    incompatible: Writer  # the amount is text


def message_class(directory: Path, files: dict[str, str], name: str) -> Any:
    """The class of a message, in a pool of its own.

    `files` are texts by path, the one with the message last.
    """
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    described = directory / "described"
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{directory}",
            f"--descriptor_set_out={described}", "--include_imports",
            list(files)[-1],
        ],
        check=True,
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(
        described.read_bytes()
    ).file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _fields(order: Order) -> dict[str, Any]:
    fields = {
        "order_id": order.order_id,
        "driver_id": order.driver_id,
        "amount": order.amount,
    }
    return fields | ({} if order.region is None else {"region": order.region})


_SYNTAX = 'syntax = "proto3"; package shop;\n'
_FIRST = """message Order {
  string order_id = 1; int64 driver_id = 2; int64 amount = 3;
  optional string region = 4;
}"""
_TEXT = """message Text { string text = 1; }"""
_NOTE = """import "common/text.proto";
message Note { string order_id = 1; Text of = 2; }"""
_SECOND = """message Order {
  optional string region = 1; Note note = 2; string order_id = 7;
  sint64 amount = 8; fixed64 driver_id = 300;
}"""
_THIRD = """message Order {
  string order_id = 1; int64 driver_id = 2; int64 amount = 3;
}"""
_INCOMPATIBLE = """message Order {
  string order_id = 1; int64 driver_id = 2; string amount = 3;
}"""


def protobuf_writers(
    registry: Registry, topic: str, directory: Path, nested: bool = False
) -> Writers:
    """`nested`: the second's Order lies within another message."""
    context = SerializationContext(topic, MessageField.VALUE)
    client = registry.client()

    def writer(
        tag: str, files: dict[str, str], name: str, text_amount: bool = False
    ) -> Writer:
        made = message_class(directory / tag, files, name)
        serialize = ProtobufSerializer(
            made, client, {"use.deprecated.format": False}
        )

        def write(order: Order) -> bytes:
            fields = _fields(order)
            if text_amount:
                fields["amount"] = str(order.amount)
            if tag == "second":
                fields["note"] = {"of": {"text": f"of {order.order_id}"}}
            return serialize(made(**fields), context)

        return write

    second = _SYNTAX + 'import "common/note.proto";\nmessage Other {}\n'
    second += (
        f"message Envelope {{ message Empty {{}} {_SECOND} }}"
        if nested
        else _SECOND
    )
    return Writers(
        first=writer("first", {"order.proto": _SYNTAX + _FIRST}, "shop.Order"),
        second=writer(
            "second",
            {
                "common/text.proto": _SYNTAX + _TEXT,
                "common/note.proto": _SYNTAX + _NOTE,
                "order.proto": second,
            },
            "shop.Envelope.Order" if nested else "shop.Order",
        ),
        third=writer("third", {"order.proto": _SYNTAX + _THIRD}, "shop.Order"),
        incompatible=writer(
            "incompatible",
            {"order.proto": _SYNTAX + _INCOMPATIBLE},
            "shop.Order",
            text_amount=True,
        ),
    )


def nested_writers(registry: Registry, topic: str, directory: Path) -> Writers:
    return protobuf_writers(registry, topic, directory, nested=True)


def _record(name: str, fields: list[dict[str, Any]]) -> str:
    return json.dumps({"type": "record", "name": name, "fields": fields})


def _register_note(
    client: SchemaRegistryClient, topic: str
) -> list[SchemaReference]:
    """A record shop.Note, which refers to a record shop.Text."""
    text = _record("shop.Text", [{"name": "text", "type": "string"}])
    note = _record("shop.Note", [{"name": "of", "type": "shop.Text"}])
    references: list[SchemaReference] = []
    for name, schema in (("shop.Text", text), ("shop.Note", note)):
        subject = f"{topic}-{name}"
        client.register_schema(subject, Schema(schema, "AVRO", references))
        references = [SchemaReference(name, subject, 1)]
    return references


def avro_writers(registry: Registry, topic: str, _: Path) -> Writers:
    context = SerializationContext(topic, MessageField.VALUE)
    client = registry.client()
    refers = _register_note(client, topic)
    order_id = {"name": "order_id", "type": "string"}
    driver_id = {"name": "driver_id", "type": "long"}
    amount = {"name": "amount", "type": "long"}
    region = {"name": "region", "type": ["null", "string"], "default": None}
    note = {"name": "note", "type": "shop.Note"}

    def writer(fields: list[dict[str, Any]], text: bool = False) -> Writer:
        schema = _record("Order", fields)
        serialize = AvroSerializer(
            client, Schema(schema, "AVRO", refers if note in fields else [])
        )

        def write(order: Order) -> bytes:
            values = _fields(order) | {"region": order.region}
            values["note"] = {"of": {"text": f"of {order.order_id}"}}
            if text:
                values["amount"] = str(order.amount)
            names = [field["name"] for field in fields]
            written = serialize({n: values[n] for n in names}, context)
            assert written is not None
            return written

        return write

    return Writers(
        first=writer([order_id, driver_id, amount, region]),
        second=writer([note, region, amount, driver_id, order_id]),
        third=writer([order_id, driver_id, amount]),
        incompatible=writer(
            [order_id, driver_id, {"name": "amount", "type": "string"}],
            text=True,
        ),
    )


def bare_json(order: Order) -> bytes:
    return json.dumps(_fields(order)).encode()


def json_and_protobuf_writers(
    registry: Registry, topic: str, directory: Path
) -> Writers:
    """Framed JSON, and Protobuf of the same registry."""
    framed = json_writers(registry, f"{topic}-json", directory)
    binary = protobuf_writers(registry, topic, directory)
    return Writers(
        first=framed.first,
        second=binary.second,
        third=framed.third,
        incompatible=binary.incompatible,
    )


def json_writers(registry: Registry, topic: str, _: Path) -> Writers:
    context = SerializationContext(topic, MessageField.VALUE)
    client = registry.client()

    def writer(names: list[str], text: bool = False) -> Writer:
        kinds = {
            "order_id": {"type": "string"},
            "driver_id": {"type": "integer"},
            "amount": {"type": "string" if text else "integer"},
            "region": {"type": ["string", "null"]},
            "note": {"type": "object"},
        }
        schema = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Order",
            "type": "object",
            "properties": {name: kinds[name] for name in names},
        }
        serialize = JSONSerializer(json.dumps(schema), client)

        def write(order: Order) -> bytes:
            values = _fields(order) | {"region": order.region}
            values["note"] = {"text": f"of {order.order_id}"}
            if text:
                values["amount"] = str(order.amount)
            written = serialize({n: values[n] for n in names}, context)
            assert written is not None
            return written

        return write

    return Writers(
        first=writer(["order_id", "driver_id", "amount", "region"]),
        second=writer(["note", "region", "amount", "driver_id", "order_id"]),
        third=writer(["order_id", "driver_id", "amount"]),
        incompatible=writer(["order_id", "driver_id", "amount"], text=True),
    )
