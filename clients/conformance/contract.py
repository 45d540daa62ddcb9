"""The contract's messages and stubs, made from the .proto when first needed."""

import fcntl
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_NAME = "tidegate/v1/view_service"
_PROTO = ROOT / "proto" / f"{_NAME}.proto"
_GENERATED = ROOT / "build" / "conformance-proto"
# Names of their own: the Python client has a package `tidegate`.
_PREFIX = "conformance_view_service"


def _generate() -> None:
    """Several processes may come at once: one of them makes the files."""
    _GENERATED.mkdir(parents=True, exist_ok=True)
    last = _GENERATED / f"{_PREFIX}_pb2_grpc.py"
    with (_GENERATED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = last.stat().st_mtime if last.exists() else 0
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
        for suffix in ("pb2", "pb2_grpc"):
            text = (_GENERATED / f"{_NAME}_{suffix}.py").read_text()
            text = text.replace(
                "from tidegate.v1 import view_service_pb2",
                f"import {_PREFIX}_pb2",
            )
            (_GENERATED / f"{_PREFIX}_{suffix}.py").write_text(text)


def _module(suffix: str) -> Any:
    return importlib.import_module(f"{_PREFIX}_{suffix}")


_generate()
if str(_GENERATED) not in sys.path:
    sys.path.append(str(_GENERATED))
importlib.invalidate_caches()
PB = _module("pb2")
STUBS = _module("pb2_grpc")
