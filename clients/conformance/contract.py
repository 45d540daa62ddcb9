"""The contract's messages and stubs, made from the .proto when first needed."""

import fcntl
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_NAME = "tidegate/v1/view_service"
_PROTO = ROOT / "proto" / f"{_NAME}.proto"
_GENERATED = ROOT / "build" / "conformance-proto"


def _generate() -> None:
    """Several processes may come at once: one of them makes the files."""
    _GENERATED.mkdir(parents=True, exist_ok=True)
    stubs = _GENERATED / f"{_NAME}_pb2_grpc.py"
    with (_GENERATED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = stubs.stat().st_mtime if stubs.exists() else 0
        if made > _PROTO.stat().st_mtime:
            return
        subprocess.run(
            [
                sys.executable, "-m", "grpc_tools.protoc",
                f"-I{ROOT / 'proto'}", f"--python_out={_GENERATED}",
                f"--grpc_python_out={_GENERATED}", f"{_NAME}.proto",
            ],
            check=True,
        )  # fmt: skip


def _modules() -> tuple[ModuleType, ModuleType]:
    _generate()
    if str(_GENERATED) not in sys.path:
        sys.path.insert(0, str(_GENERATED))
    importlib.invalidate_caches()
    name = _NAME.replace("/", ".")
    return (
        importlib.import_module(name + "_pb2"),
        importlib.import_module(name + "_pb2_grpc"),
    )


PB: Any
STUBS: Any
PB, STUBS = _modules()
