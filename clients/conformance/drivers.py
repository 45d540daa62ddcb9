"""The drivers that are put through the suite: one entry each."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from conformance.contract import ROOT
from conformance.driver import DriverSpec

# The variable is for trying what was built elsewhere, as in tests/system.
_TIDEGATE = Path(
    os.environ.get("TIDEGATE_BINARY", ROOT / "build" / "release" / "tidegate")
)
_BUILT = _TIDEGATE.parent
HISTORY_CHECKER = _BUILT / "history_checker"

_PYTHON = ROOT / "clients" / "python" / "driver"
_GO = ROOT / "build" / "gobin" / "go" / "conformance"

# The suite's own client; with --broken FAULT it has that fault.
OWN = DriverSpec(
    "own",
    (sys.executable, "-m", "conformance.broken.client"),
    environment={"PYTHONPATH": str(ROOT / "clients")},
)


def _yours() -> tuple[DriverSpec, ...]:
    """A driver that is not one of ours: its command is in the environment."""
    command = shlex.split(os.environ.get("TIDEGATE_DRIVER", ""))
    if not command:
        return ()
    command[0] = shutil.which(command[0]) or command[0]
    return (DriverSpec("yours", tuple(command)),)


DRIVERS = (
    *_yours(),
    OWN,
    DriverSpec(
        "tidegate_watch",
        (str(_TIDEGATE), "watch"),
        session=False,
        mirror=False,
        commands=False,
        reads=False,
        names_codes=False,
        usage_exit=2,
    ),
    DriverSpec("cpp", (str(_BUILT / "conformance_driver"),)),
    DriverSpec("python", (sys.executable, str(_PYTHON))),
    DriverSpec("python_aio", (sys.executable, str(_PYTHON), "--aio")),
    DriverSpec(
        "go",
        (str(_GO),),
        environment={"GOTOOLCHAIN": "local", "GOOS": ""},
        make=(
            str(Path(sys.executable).parent / "go"), "build",
            "-o", str(_GO), "./internal/conformance",
        ),
        make_in=ROOT / "clients" / "go",
    ),
)
