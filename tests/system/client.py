"""A client of the gRPC contract, made from the .proto alone."""

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from system.publish import view_service_modules

PB, STUBS = view_service_modules()

Key = tuple[Any, ...]
Row = dict[str, Any]
# "provisional", "final" or "corrected"; None: the view has no windows.
Finality = str | None

_CALL_TIMEOUT_S = 30
# Reconnect within the tests' patience; no HTTP proxy for loopback.
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 << 20),
]


class ContractViolation(AssertionError):
    """The stream broke a promise of the contract."""


def to_python(message: Message) -> Row:
    """A <View>Row or <View>Key; NULL is None, timestamps are microseconds."""
    row: Row = {}
    for column in message.DESCRIPTOR.fields:
        value: Any = None
        if message.HasField(column.name):
            value = getattr(message, column.name)
            if column.message_type is not None:  # google.protobuf.Timestamp
                value = value.seconds * 1_000_000 + value.nanos // 1000
        row[column.name] = value
    return row


def finality_of(value: int) -> Finality:
    """What a tidegate.v1.Finality says."""
    if value == PB.FINALITY_UNSPECIFIED:
        return None
    name: str = PB.Finality.Name(value)
    return name.removeprefix("FINALITY_").lower()


class ViewTypes:
    """The messages of one view, from DescribeView's descriptors."""

    def __init__(self, info: Any, descriptors: Any) -> None:
        self.info = info
        self.key_columns: list[str] = list(info.key_columns)
        pool = descriptor_pool.DescriptorPool()
        names: list[str] = []
        for file in descriptors.file:
            pool.Add(file)
            names += [f"{file.package}.{m.name}" for m in file.message_type]
        camel = "".join(part.capitalize() for part in info.name.split("_"))
        self.row_class = self._message(pool, names, camel + "Row")
        self.key_class = self._message(pool, names, camel + "Key")

    @staticmethod
    def _message(
        pool: descriptor_pool.DescriptorPool, names: list[str], suffix: str
    ) -> Any:
        (name,) = [n for n in names if n.rpartition(".")[2] == suffix]
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))

    def row(self, data: bytes) -> Row:
        message = self.row_class()
        message.ParseFromString(data)
        return to_python(message)

    def key(self, data: bytes) -> Key:
        message = self.key_class()
        message.ParseFromString(data)
        row = to_python(message)
        return tuple(row[column] for column in self.key_columns)

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.key_columns)

    def encode_key(self, *values: Any) -> bytes:
        columns = dict(zip(self.key_columns, values, strict=True))
        encoded: bytes = self.key_class(**columns).SerializeToString()
        return encoded


def judged_rows(
    types: ViewTypes, page: Any
) -> Iterator[tuple[Row, Finality]]:
    """The rows of a ScanResponse, each with its finality."""
    said = [finality_of(value) for value in page.finality]
    if said and len(said) != len(page.rows):
        raise ContractViolation(
            f"{len(page.rows)} rows with the finality of {len(said)}"
        )
    for row, finality in zip(
        page.rows, said or [None] * len(page.rows), strict=True
    ):
        yield types.row(row), finality


class Client:
    """One channel. Thread-safe, as the channel is."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, _CHANNEL_OPTIONS)
        self.stub = STUBS.ViewServiceStub(self.channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def types(self, view: str) -> ViewTypes:
        answer = self.stub.DescribeView(
            PB.DescribeViewRequest(view=view),
            timeout=_CALL_TIMEOUT_S,
            wait_for_ready=True,
        )
        return ViewTypes(answer.view, answer.descriptors)

    def positions(self, timeout_s: float = _CALL_TIMEOUT_S) -> dict[str, int]:
        """Each view's sequence: how many commits its pipeline has made."""
        answer = self.stub.ListViews(
            PB.ListViewsRequest(), timeout=timeout_s, wait_for_ready=True
        )
        return {
            view.name: sum(p.seq for p in view.position.partitions)
            for view in answer.views
        }

    def get(
        self, types: ViewTypes, *keys: Key, **request: Any
    ) -> list[Row | None]:
        return [row for row, _ in self.get_judged(types, *keys, **request)]

    def get_judged(
        self, types: ViewTypes, *keys: Key, **request: Any
    ) -> list[tuple[Row | None, Finality]]:
        """Each row, and whether it can still change."""
        answer = self.stub.Get(
            PB.GetRequest(
                view=types.info.name,
                keys=[types.encode_key(*key) for key in keys],
                **request,
            ),
            timeout=_CALL_TIMEOUT_S,
        )
        return [
            (types.row(entry.row), finality_of(entry.finality))
            if entry.HasField("row")
            else (None, None)
            for entry in answer.entries
        ]

    def scan(
        self, types: ViewTypes, page_size: int = 0, **request: Any
    ) -> Iterator[Row]:
        for row, _ in self.scan_judged(types, page_size, **request):
            yield row

    def scan_judged(
        self, types: ViewTypes, page_size: int = 0, **request: Any
    ) -> Iterator[tuple[Row, Finality]]:
        """Each row, and whether it can still change."""
        token = ""
        positions = set()
        while True:
            page = self.stub.Scan(
                PB.ScanRequest(
                    view=types.info.name,
                    page_size=page_size,
                    page_token=token,
                    **request,
                ),
                timeout=_CALL_TIMEOUT_S,
            )
            positions.add(page.position.SerializeToString(deterministic=True))
            if len(positions) > 1:
                raise ContractViolation("pages of one scan at two positions")
            yield from judged_rows(types, page)
            token = page.next_page_token
            if not token:
                return
