"""Partitions become idle by what the broker says, never by its silence."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.conftest import ServerFactory
from system.kafka import Broker
from system.processes import wait_for
from system.publish import ExactProducer
from system.rfc3339 import format_micros, parse_micros
from system.tidegate import Server

pytestmark = [pytest.mark.kafka, pytest.mark.server]

_SECOND_US = 1_000_000
# After so long a silence is noticed (1.6 s) and its last watermark committed
# (1 s), on a busy machine too.
_NOTICED_US = 5 * _SECOND_US

VIEWS = """
CREATE SOURCE hits (k VARCHAR, ts TIMESTAMPTZ,
    WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (topic = 'hits', idle.timeout = '3s')
  FORMAT PLAIN ENCODE JSON;

CREATE MATERIALIZED VIEW counts AS
  SELECT k, count(*) AS n FROM hits GROUP BY k;
"""


@pytest.fixture
def own_broker(scratch: Path) -> Iterator[Broker]:
    node = Broker(scratch / "kafka")
    node.start()
    yield node
    node.resume()
    node.stop()


def _now_us() -> int:
    return int(time.time() * _SECOND_US)


def _watermark(server: Server) -> int | None:
    (view,) = server.json_lines("views")
    text = view["watermark"]
    return None if text is None else parse_micros(text)


def _passes(server: Server, time_us: int) -> None:
    wait_for(
        f"a watermark above {format_micros(time_us)}",
        lambda: (_watermark(server) or 0) > time_us,
        60,
    )


def test_a_silent_broker_makes_no_partition_idle(
    make_server: ServerFactory, own_broker: Broker
) -> None:
    own_broker.create_topic("hits", 2)
    producer = ExactProducer(own_broker.bootstrap)
    started = _now_us()
    value = json.dumps({"k": "a", "ts": format_micros(started)}).encode()
    producer.send("hits", 0, value, b"a", started // 1000)
    producer.flush()
    server = make_server(VIEWS, own_broker.bootstrap).start()
    # Only an idle partition 1 lets there be one, and only the clock moves it
    # above what partition 0 has shown.
    _passes(server, started)

    own_broker.pause()
    paused = _now_us()
    wait_for("the silence", lambda: _now_us() > paused + _NOTICED_US, 30)
    stopped_at = _watermark(server)
    assert stopped_at is not None
    assert stopped_at < paused + _NOTICED_US - _SECOND_US
    # For longer than idle.timeout nothing moves.
    more = _NOTICED_US + 4 * _SECOND_US
    wait_for("more of it", lambda: _now_us() > paused + more, 30)
    assert _watermark(server) == stopped_at

    own_broker.resume()
    _passes(server, stopped_at)
