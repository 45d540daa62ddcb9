"""Publishes flights and airlines to Kafka, each row to the place it claims."""

import functools
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from system import flights
from system.flights import PARTITIONS, Flight
from system.kafka import Broker
from system.processes import BUILD, ROOT
from system.rfc3339 import format_micros

DATA = Path(__file__).parent / "data"
_GENERATED = BUILD / "pytest-proto"
_KEEP_FOREVER = {"retention.ms": "-1"}


def compile_proto(directory: Path, name: str) -> ModuleType:
    """The Python module of a .proto file; `name` is its path below."""
    _GENERATED.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            sys.executable, "-m", "grpc_tools.protoc", f"-I{directory}",
            f"--python_out={_GENERATED}", f"--grpc_python_out={_GENERATED}",
            name,
        ],
        check=True,
    )  # fmt: skip
    if str(_GENERATED) not in sys.path:
        sys.path.insert(0, str(_GENERATED))
    importlib.invalidate_caches()
    return importlib.import_module(
        name.removesuffix(".proto").replace("/", ".") + "_pb2"
    )


def view_service_modules() -> tuple[ModuleType, ModuleType]:
    """(messages, stubs) of the server's own contract."""
    name = "tidegate/v1/view_service"
    messages = compile_proto(ROOT / "proto", name + ".proto")
    stubs = importlib.import_module(name.replace("/", ".") + "_pb2_grpc")
    return messages, stubs


class ExactProducer:
    """Sends each record once, in order, and checks the offset it got."""

    def __init__(self, bootstrap: str) -> None:
        self._failures: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 200_000,
                "message.timeout.ms": 180_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def send(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        key: bytes | None,
        timestamp_ms: int,
        offset: int | None = None,
    ) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failures.append(f"{topic}[{partition}]: {error}")
            elif offset is not None and message.offset() != offset:
                self._failures.append(
                    f"{topic}[{partition}]: expected offset {offset},"
                    f" got {message.offset()}"
                )

        while True:
            try:
                self._producer.produce(
                    topic,
                    value=value,
                    key=key,
                    partition=partition,
                    timestamp=timestamp_ms,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as failure:
                # A partition that was added since the topic was last looked at.
                if failure.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                self._producer.list_topics(topic, timeout=10)
        self._producer.poll(0)

    def poll(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)

    def flush(self) -> None:
        left = self._producer.flush(180)
        assert left == 0, f"{left} records not delivered"
        assert not self._failures, self._failures[:5]


class FlightTopics:
    """Three topics of one data set, named after `tag`."""

    def __init__(self, broker: Broker, tag: str) -> None:
        self._broker = broker
        self.json = f"flights_json_{tag}"
        self.proto = f"flights_proto_{tag}"
        self.airlines = f"airlines_{tag}"
        for topic in (self.json, self.proto):
            broker.create_topic(topic, PARTITIONS, _KEEP_FOREVER)
        broker.create_topic(
            self.airlines, 1, _KEEP_FOREVER | {"cleanup.policy": "compact"}
        )

    def publish_airlines(self, names: dict[str, str]) -> None:
        producer = ExactProducer(self._broker.bootstrap)
        now_ms = int(time.time() * 1000)

        def send(carrier: str, name: str | None) -> None:
            value = None
            if name is not None:
                value = json.dumps({"carrier": carrier, "name": name}).encode()
            producer.send(self.airlines, 0, value, carrier.encode(), now_ms)

        send(flights.DELETED_AIRLINE, "soon to be deleted")
        for carrier, name in names.items():
            send(carrier, "an older name")
            send(carrier, name)
        send(flights.DELETED_AIRLINE, None)
        producer.flush()

    def publish(
        self,
        rows: Iterable[Flight],
        rows_per_second: float = 0,
        on_row: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Each row goes to both topics; `on_row` is told how many are sent."""
        producer = ExactProducer(self._broker.bootstrap)
        started = time.monotonic()
        for count, row in enumerate(rows):
            if rows_per_second and count % 30 == 0:
                due = started + count / rows_per_second
                while (wait := due - time.monotonic()) > 0:
                    producer.poll(wait)
            producer.send(
                self.json, row.jpart, flight_json(row), row.carrier.encode(),
                row.ts // 1000, row.joff,
            )  # fmt: skip
            key = row.tailnum.encode() if row.tailnum is not None else None
            producer.send(
                self.proto, row.ppart, flight_proto(row), key,
                row.ts // 1000, row.poff,
            )  # fmt: skip
            on_row(count + 1)
        producer.flush()


def flight_json(row: Flight) -> bytes:
    """Every third row leaves NULLs out; the others write them."""
    fields: dict[str, object] = {
        "id": row.id,
        "carrier": row.carrier,
        "flight": row.flight,
        "tailnum": row.tailnum,
        "origin": row.origin,
        "dest": row.dest,
        "sched": format_micros(row.sched),
        "ts": format_micros(row.ts),
        "dep_delay": row.dep_delay,
        "arr_delay": row.arr_delay,
        "air_hours": row.air_hours,
        "distance": row.distance,
        "cancelled": row.cancelled,
    }
    if row.id % 3 == 0:
        fields = {name: v for name, v in fields.items() if v is not None}
    return json.dumps(fields, separators=(",", ":")).encode()


@functools.cache
def flight_message() -> Any:
    """The class of flights.Flight."""
    return compile_proto(DATA, "flight.proto").Flight


def flight_proto(row: Flight) -> bytes:
    message = flight_message()(
        id=row.id,
        carrier=row.carrier,
        flight=row.flight,
        tailnum=row.tailnum,
        origin=row.origin,
        dest=row.dest,
        dep_delay=row.dep_delay,
        arr_delay=row.arr_delay,
        air_hours=row.air_hours,
        distance=row.distance,
        cancelled=row.cancelled,
    )
    message.sched.FromMicroseconds(row.sched)
    message.ts.FromMicroseconds(row.ts)
    encoded: bytes = message.SerializeToString()
    return encoded
