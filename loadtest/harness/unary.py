"""`Get` under ghz beside a bare unary call of the same bytes."""

import base64
import json
import shlex
import subprocess
import sys

import grpc
from system.kafka import Broker
from system.processes import BUILD, ROOT
from system.publish import view_service_modules

from harness import bare
from harness.fanout import Load, Measures
from harness.fanout_ours import VIEW, Ours, work_directory
from harness.processes import cpu_seconds
from harness.report import Entry, at_most

_APIS = ("queue", "callback")
_TIMEOUT_S = 120


def entry() -> Entry:
    return Entry("get.cpu", "us", "a bare unary call", at_most(1.25))


def measure_get(broker: Broker, load: Load, measures: Measures) -> None:
    """One key, by 50 connections, as fast as they go."""
    result = measures.entries["get.cpu"]
    with Ours(broker, work_directory("ours")) as ours:
        ours.fill(load.subscribers)
        command = _ghz(ours.server.address, load.window.seconds)
        size = _reply_bytes(ours.server.address)
        our_us = _us_per_request(command, ours.server.address, ours.pid)
    bare_us = {}
    for api in _APIS:
        with bare.serving(
            "tidegate_unary_bare", f"--api={api}", f"--reply_bytes={size}"
        ) as (address, process):
            bare_us[api] = _us_per_request(command, address, process.pid)
    print(
        f"  get {our_us:.2f} us, bare"
        f" {', '.join(f'{api} {us:.2f}' for api, us in bare_us.items())} us,"
        f" reply of {size} bytes",
        flush=True,
    )
    for api, us in bare_us.items():
        result.more.setdefault(api, []).append(round(us, 3))
    result.add(our_us, min(bare_us.values()))


def _ghz(address: str, seconds: float) -> list[str]:
    """The command but for the address at its end."""
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "loadtest" / "ghz" / "run"), "get",
            f"--server={address}", f"--view={VIEW}", "--keys=1", "--print",
            "--", f"--duration={seconds}s", "--format=json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return shlex.split(done.stdout.splitlines()[-1])[:-1]


def _reply_bytes(address: str) -> int:
    """Of the request that ghz sends."""
    sent = json.loads((BUILD / "ghz" / "get.json").read_text())[0]
    messages, stubs = view_service_modules()
    with grpc.insecure_channel(address) as channel:
        reply = stubs.ViewServiceStub(channel).Get(
            messages.GetRequest(
                view=sent["view"],
                keys=[base64.b64decode(key) for key in sent["keys"]],
            ),
            timeout=_TIMEOUT_S,
        )
    size: int = reply.ByteSize()
    return size


def _us_per_request(command: list[str], address: str, pid: int) -> float:
    used = cpu_seconds(pid)
    done = subprocess.run(
        [*command, address],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=_TIMEOUT_S,
    )
    used = cpu_seconds(pid) - used
    report = json.loads(done.stdout)
    codes = report["statusCodeDistribution"]
    if codes.keys() != {"OK"}:
        raise RuntimeError(f"not every Get succeeded: {codes}")
    return used / report["count"] * 1e6
