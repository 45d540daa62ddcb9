"""The set-up that ./demo and ./test share, with a make-believe apt and sudo."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lint.tree import ROOT

_UNAVAILABLE = 69
_NOBODY = 65534
_TOUCHED = "touched"


@pytest.fixture
def fakes() -> Iterator[Path]:
    """Stand-ins for apt-get and sudo that note that they were called."""
    # Not below tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield _make_fakes(Path(name))


def _make_fakes(top: Path) -> Path:
    directory = top / "bin"
    directory.mkdir()
    for name in ("apt-get", "sudo"):
        tool = directory / name
        # sudo -n without a password fails; apt-get would succeed.
        status = 1 if name == "sudo" else 0
        tool.write_text(
            f'#!/bin/sh\necho "{name} $*" >>{top}/{_TOUCHED}\nexit {status}\n'
        )
        tool.chmod(0o755)
    return directory


def _ensure(
    fakes: Path, installed: str, *, as_nobody: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs ensure_packages; `installed` is what dpkg-query has to say."""
    query = fakes / "dpkg-query"
    query.write_text(f"#!/bin/sh\n{installed}\n")
    query.chmod(0o755)
    prefix = []
    if as_nobody and os.geteuid() == 0:
        prefix = [
            "setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}",
            "--clear-groups",
        ]  # fmt: skip
    setup = (ROOT / "tools" / "setup.sh").read_text()
    # A copy in a directory of its own: `nobody` may not enter the tree.
    workdir = fakes.parent / "tree"
    (workdir / "tools").mkdir(parents=True, exist_ok=True)
    workdir.chmod(0o777)
    (workdir / "tools" / "setup.sh").write_text(setup)
    packages = (ROOT / "tools" / "packages.txt").read_text()
    (workdir / "tools" / "packages.txt").write_text(packages)
    return subprocess.run(
        [
            *prefix, "bash", "-euo", "pipefail", "-c",
            "source tools/setup.sh; ensure_packages build test; echo ready",
        ],
        cwd=workdir,
        env={"PATH": f"{fakes}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip


_ALL_INSTALLED = 'shift 2; for p; do echo "installed $p"; done'
_NO_CMAKE = _ALL_INSTALLED + " | grep -v ' cmake$'; exit 1"


@pytest.mark.parametrize("as_nobody", [False, True])
def test_with_nothing_missing_it_touches_nothing(
    fakes: Path, as_nobody: bool
) -> None:
    done = _ensure(fakes, _ALL_INSTALLED, as_nobody=as_nobody)
    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr
    assert not (fakes.parent / _TOUCHED).exists()


def test_without_rights_it_prints_the_command(fakes: Path) -> None:
    done = _ensure(fakes, _NO_CMAKE, as_nobody=True)
    assert done.returncode == _UNAVAILABLE, done.stderr
    command = re.search(r"^ +(sh -c .*)$", done.stderr, re.MULTILINE)
    assert command is not None
    assert command[1] == (
        "sh -c 'apt-get update && apt-get install -y"
        " --no-install-recommends cmake'"
    )
    touched = (fakes.parent / _TOUCHED).read_text()
    assert touched == "sudo -n true\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="installs as root")
def test_as_root_it_installs_what_is_missing(fakes: Path) -> None:
    done = _ensure(fakes, _NO_CMAKE)
    assert done.returncode == 0, done.stderr
    touched = (fakes.parent / _TOUCHED).read_text()
    assert touched == (
        "apt-get update\napt-get install -y --no-install-recommends cmake\n"
    )


def test_a_package_that_was_removed_counts_as_missing(fakes: Path) -> None:
    removed = (
        'shift 2; for p; do if [ "$p" = cmake ]; then'
        ' echo "config-files $p"; else echo "installed $p"; fi; done'
    )
    done = _ensure(fakes, removed, as_nobody=True)
    assert done.returncode == _UNAVAILABLE
    assert "cmake" in done.stderr
