"""Command line tools written in Go, built with the Go of the venv."""

import os
import subprocess
import sys
from pathlib import Path

from system.processes import BUILD

_GO = Path(sys.executable).parent / "go"
_BUILD_TIMEOUT_S = 900

_MODULES = {
    "grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3",
    "ghz": "github.com/bojand/ghz/cmd/ghz@v0.120.0",
    "protoc-gen-go": (
        "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11"
    ),
    "protoc-gen-go-grpc": (
        "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2"
    ),
    "nats-server": "github.com/nats-io/nats-server/v2@v2.15.2",
}


def install(name: str) -> Path:
    """The tool's path; it is built on first use of this version."""
    module = _MODULES[name]
    directory = BUILD / "gobin" / module.rpartition("@")[2]
    tool = directory / name
    if not tool.exists():
        _go("install", module, GOBIN=str(directory))
    return tool


def build(module: Path, package: str) -> Path:
    """A program of ours: the package at that path in a module of the tree."""
    directory = BUILD / "gobin" / module.name
    directory.mkdir(parents=True, exist_ok=True)
    _go("build", "-o", str(directory), f"./{package}", cwd=module)
    return directory / Path(package).name


def run(module: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`go WORDS` in a module of the tree."""
    return subprocess.run(
        [str(_GO), *words],
        cwd=module,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILD_TIMEOUT_S,
    )


def gofmt(folder: Path) -> str:
    """The files below it that gofmt would write in another way."""
    (program,) = Path(sys.prefix).glob("lib/*/site-packages/go/bin/gofmt")
    done = subprocess.run(
        [program, "-l", folder], check=True, capture_output=True, text=True
    )
    return done.stdout


def _environment(**more: str) -> dict[str, str]:
    return os.environ | {"GOTOOLCHAIN": "local", "GOOS": ""} | more


def _go(*words: str, cwd: Path | None = None, **environment: str) -> None:
    subprocess.run(
        [str(_GO), *words],
        check=True,
        cwd=cwd,
        env=_environment(**environment),
        timeout=_BUILD_TIMEOUT_S,
    )
