"""All scenarios; importing this package registers them."""

from conformance.scenario import SCENARIOS
from conformance.scenarios import (
    broken_promises,
    cuts,
    drains,
    reads,
    refusals,
    resets,
    sessions,
    streams,
)

__all__ = [
    "SCENARIOS",
    "broken_promises",
    "cuts",
    "drains",
    "reads",
    "refusals",
    "resets",
    "sessions",
    "streams",
]
