"""Command line tools written in Go, built with the Go of the venv."""

import os
import subprocess
import sys
from pathlib import Path

from system.processes import BUILD

_MODULES = {
    "grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3",
    "ghz": "github.com/bojand/ghz/cmd/ghz@v0.120.0",
}


def install(name: str) -> Path:
    """The tool's path; it is built on first use of this version."""
    module = _MODULES[name]
    directory = BUILD / "gobin" / module.rpartition("@")[2]
    tool = directory / name
    if not tool.exists():
        subprocess.run(
            [str(Path(sys.executable).parent / "go"), "install", module],
            check=True,
            env=os.environ
            | {"GOBIN": str(directory), "GOTOOLCHAIN": "local", "GOOS": ""},
            timeout=900,
        )
    return tool
