"""What the subscribers of a swarm hold, beside what they should. Pure."""

import json
from collections.abc import Iterable
from typing import Any, Protocol

_SHOWN = 5


class Types(Protocol):
    """How a view's bytes are read: system.client.ViewTypes, but for tests."""

    def row(self, data: bytes) -> dict[str, Any]: ...
    def key(self, data: bytes) -> tuple[Any, ...]: ...
    def key_of(self, row: dict[str, Any]) -> tuple[Any, ...]: ...


def wrong_states(
    crowd: str,
    lines: Iterable[str],
    subscribers: int,
    types: Types,
    expected: dict[Any, dict[str, Any]],
) -> list[str]:
    """One text for each set of subscribers that do not hold the rows of their
    keys, and one if not every subscriber has said what it holds. `lines` are
    of --dump_state, `expected` by the view's only key column."""
    wrong: list[str] = []
    seen = 0
    for line in lines:
        state = json.loads(line)
        seen += state["streams"]
        rows = [types.row(bytes.fromhex(row)) for row in state["rows"]]
        held = {types.key_of(row)[0]: row for row in rows}
        keys = [types.key(bytes.fromhex(k))[0] for k in state["filter"]]
        want = {
            key: row for key, row in expected.items() if not keys or key in keys
        }
        differing = sorted(
            key for key in held.keys() | want.keys()
            if held.get(key) != want.get(key)
        )  # fmt: skip
        if not differing:
            continue
        key = differing[0]
        wrong.append(
            f"{crowd}: {state['streams']} subscribers of"
            f" {keys or 'all rows'} hold {held.get(key)} for {key},"
            f" not {want.get(key)} ({len(differing)} keys differ)"
        )
    if seen != subscribers:
        wrong.append(f"{crowd}: the states of {seen} of {subscribers}")
    return wrong[:_SHOWN]
