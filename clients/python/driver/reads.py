"""Reads that the driver is told of, and the lines that come of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from arguments import key_of
from lines import json_text, position_members

import tidegate

Command = dict[str, Any]
Tell = Callable[[list[str]], None]


def _keys(view: tidegate.View[Any], command: Command) -> Sequence[Any]:
    return [key_of(view, key) for key in command["get"]]


def _scan_arguments(
    view: tidegate.View[Any], command: Command
) -> dict[str, Any]:
    what = command["scan_all" if "scan_all" in command else "scan"]
    prefix = what.pop("key_prefix", None)
    if prefix is not None:
        what["key_prefix"] = key_of(view, prefix, prefix=True)
    return {**what, "min_position": _min_position(command)}


def _min_position(command: Command) -> tidegate.Position | None:
    said = command.get("min_position")
    if said is None:
        return None
    return tidegate.Position(
        bytes.fromhex(said["incarnation"]),
        {each["partition"]: each["seq"] for each in said["partitions"]},
    )


def _found(entry: tidegate.FoundRow[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"row": tidegate.to_dict(entry.row)}
    if entry.finality is not tidegate.Finality.NONE:
        found["finality"] = entry.finality.name.lower()
    return found


def _got(found: tidegate.Found[Any]) -> list[str]:
    line: dict[str, Any] = {
        "marker": "got",
        "rows": [
            None if entry is None else _found(entry) for entry in found.entries
        ],
        "position": position_members(found.position),
    }
    if found.watermark is not None:
        line["watermark"] = found.watermark
    return [json_text(line)]


def _rows(entries: Iterable[tidegate.FoundRow[Any]]) -> list[str]:
    return [json_text({"marker": "row"} | _found(entry)) for entry in entries]


def _scanned(position: tidegate.Position | None) -> list[str]:
    assert position is not None
    members = position_members(position)
    return [json_text({"marker": "scanned", "position": members})]


def _failed(error: tidegate.Error) -> list[str]:
    line = {"marker": "failed", "code": error.code.name}
    if isinstance(error, tidegate.BrokenPromise):
        line = {"marker": "broken"}
    return [json_text(line | {"detail": error.detail})]


def obey(
    client: tidegate.Client,
    view: tidegate.View[Any],
    command: Command,
    tell: Tell,
) -> None:
    least = _min_position(command)
    try:
        if "get" in command:
            keys = _keys(view, command)
            tell(_got(client.get_many(view, keys, min_position=least)))
            return
        scan = client.scan(view, **_scan_arguments(view, command))
        if "scan_all" in command:
            tell(_rows(scan.all().entries))
        else:
            for page in scan.pages():
                tell(_rows(page.entries))
        tell(_scanned(scan.position))
    except tidegate.Error as error:
        tell(_failed(error))


async def obey_aio(
    client: tidegate.aio.Client,
    view: tidegate.View[Any],
    command: Command,
    tell: Tell,
) -> None:
    least = _min_position(command)
    try:
        if "get" in command:
            keys = _keys(view, command)
            tell(_got(await client.get_many(view, keys, min_position=least)))
            return
        scan = client.scan(view, **_scan_arguments(view, command))
        if "scan_all" in command:
            tell(_rows((await scan.all()).entries))
        else:
            async for page in scan.pages():
                tell(_rows(page.entries))
        tell(_scanned(scan.position))
    except tidegate.Error as error:
        tell(_failed(error))
