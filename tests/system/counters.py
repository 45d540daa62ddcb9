"""A small data set: counters by key, in a topic of JSON, and its views."""

import json
import time
from collections import defaultdict

from system.kafka import Broker
from system.publish import ExactProducer
from system.tidegate import Server, scan_rows

VIEWS = """
CREATE SOURCE hits (k VARCHAR, n BIGINT, ts TIMESTAMPTZ)
  WITH (topic = '@HITS@', key = 'k') FORMAT PLAIN ENCODE JSON;

CREATE TABLE names (id BIGINT PRIMARY KEY, name VARCHAR)
  WITH (topic = '@NAMES@') FORMAT UPSERT ENCODE JSON;

CREATE MATERIALIZED VIEW hit_counts AS
  SELECT k, count(*) AS hits, sum(n) AS total FROM hits GROUP BY k;

CREATE MATERIALIZED VIEW big_hits (PRIMARY KEY (k)) AS
  SELECT k, n FROM hits WHERE n > 100;
"""


# One more view of the hits, with a key of two columns.
BY_SIZE = """
CREATE MATERIALIZED VIEW by_size AS
  SELECT k, n, count(*) AS hits FROM hits GROUP BY k, n;
"""


class Counters:
    """Two topics named after `tag`, and what the views over them must hold."""

    def __init__(self, broker: Broker, tag: str, partitions: int = 2) -> None:
        self.hits_topic = f"hits_{tag}"
        self.names_topic = f"names_{tag}"
        self.partitions = partitions
        broker.create_topic(self.hits_topic, partitions)
        broker.create_topic(self.names_topic, 1)
        self.bootstrap = broker.bootstrap
        self.hits: dict[str, int] = defaultdict(int)
        self.totals: dict[str, int] = defaultdict(int)
        self._producer = ExactProducer(broker.bootstrap)

    def views(self) -> str:
        return VIEWS.replace("@HITS@", self.hits_topic).replace(
            "@NAMES@", self.names_topic
        )

    def agree_with(self, server: Server) -> bool:
        """The server's `hit_counts` holds every hit so far."""
        return {
            row["k"]: row["hits"] for _, row in scan_rows(server, "hit_counts")
        } == self.hits

    def hit(self, key: str, n: int = 1, partition: int | None = None) -> None:
        if partition is None:
            partition = sum(key.encode()) % self.partitions
        value = json.dumps({"k": key, "n": n, "ts": "2026-01-01T00:00:00Z"})
        self._producer.send(
            self.hits_topic, partition, value.encode(), key.encode(), _now_ms()
        )
        self.hits[key] += 1
        self.totals[key] += n

    def raw(self, value: bytes | None, key: bytes | None = None) -> None:
        """Anything at all, to partition 0 of the topic of hits."""
        self._producer.send(self.hits_topic, 0, value, key, _now_ms())

    def name(self, id_: int, name: str | None) -> None:
        """An upsert of the table, or its delete."""
        value = None
        if name is not None:
            value = json.dumps({"id": id_, "name": name}).encode()
        self._producer.send(
            self.names_topic, 0, value, str(id_).encode(), _now_ms()
        )

    def flush(self) -> None:
        self._producer.flush()


def _now_ms() -> int:
    return int(time.time() * 1000)
