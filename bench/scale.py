"""The embedded platform as a big cluster: what its own process takes while others watch, with 500 changes a second."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench.figures import Figure, mebibytes
from bench.platforms import Served, served
from bench.startup import ALL_LIVE
from bench.terminal import Terminal, processor, resident
from drill.loopback import connect

PODS, NODES, CHURN = 10_000, 1_000, 500
HUGE = ("--pods", str(PODS), "--nodes", str(NODES), "--churn", str(CHURN))
MOST = 0.5
"""Of one core, that the server may take for `CHURN` changes a second."""

WATCHING = ("kubectl", "get", "pods", "-A", "-w")


def figures(*, quick: bool = False) -> Iterator[Figure]:
    window = 5.0 if quick else 20.0
    before = time.perf_counter()
    with served(*HUGE) as platform, ExitStack() as audience:
        started = time.perf_counter() - before
        what = f"the server at {PODS:,} pods, {NODES:,} nodes, {CHURN} changes/s"
        yield Figure(f"{what}: start to announced", f"{started:.1f} s", "", "", "", None)
        yield _figure(f"{what}: nobody watches", platform, lambda: time.sleep(window))
        consoles = [audience.enter_context(Terminal(platform.console(), platform.environment))]
        consoles[0].wait(ALL_LIVE)
        consoles[0].idle(5)
        yield _figure("the same with a console", platform, lambda: _watch(consoles, window))
        audience.callback(_end, _kubectl(platform))
        consoles[0].idle(8)  # its list of everything
        yield _figure("the same with a console and kubectl get pods -A -w", platform, lambda: _watch(consoles, window))
        for _ in range(2):
            consoles.append(audience.enter_context(Terminal(platform.console(), platform.environment)))
            consoles[-1].wait(ALL_LIVE)
        audience.callback(_end, _kubectl(platform))
        _watch(consoles, 8)
        yield _figure("the same with three consoles and two kubectl", platform, lambda: _watch(consoles, window))
        yield Figure("resident memory of that server", mebibytes(resident(platform.pid)), "", "", "", None)


def _figure(measure: str, platform: Served, wait: Callable[[], None]) -> Figure:
    """What the server's process takes of a core while ``wait`` lasts, and how many changes it made a second.

    Where those who watch leave it no core it makes fewer; so the bar is what as many as asked for would have taken.
    """
    api = connect(platform.kubeconfig)

    def version() -> int:
        return int(api.call("GET", "/api/v1/namespaces/default/pods?limit=1")["metadata"]["resourceVersion"])

    changes, used, since = version(), processor(platform.pid), time.perf_counter()
    wait()
    took = time.perf_counter() - since
    share, rate = (processor(platform.pid) - used) / took, (version() - changes) / took
    whole = share * CHURN / rate
    ours = f"{whole * 100:.0f}% of a core"
    made = f"{share * 100:.0f}% at the {rate:.0f} changes/s that it came to"
    return Figure(measure, ours, made, "", f"≤ {MOST * 100:.0f} %", whole <= MOST)


def _watch(consoles: list[Terminal], seconds: float) -> None:
    """Read what the consoles paint: a terminal that nobody reads would hold them up."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for console in consoles:
            console.idle(0.05)


def _kubectl(platform: Served) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        WATCHING,
        env=os.environ | platform.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
