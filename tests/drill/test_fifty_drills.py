"""Fifty drills one after another in one process: nothing of a drill outlives it."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from drill.control import Control
from drill.platform import Platform, Running, running
from drill.scenario import parse
from drill.server import ApiServer
from drill.store import ObjectStore
from drill.watches import Watch
from tests.drill.database_desk import ESTATE
from tests.pilot.console_harness import opened, options_for
from tui.app import WarroomApp
from tui.room import ControlRoom

DRILLS, WARM = 50, 10
POOL = min(32, (os.cpu_count() or 1) + 4)  # threads, at most: concurrent.futures' own limit
CONSOLES = (1, 25, DRILLS)  # the drills in which somebody practises
TINY = replace(
    parse(
        """
name: tiny
title: Payments failing
severity: 2
summary: One service.
cluster: aks-tiny
namespace: banking-platform-prod
release: {name: banking-platform-prod, chart: banking-platform}
nodes: [{name: aks-system-00000}]
services: [{name: payment-service, replicas: 1, image: bankingacr.azurecr.io/payment-service, check: payments}]
script: [{do: upgrade, at: -2m, chart: 1.0.0, tags: {payment-service: 1.1.1}}]
commits: [{at: -3m, author: ada, subject: Release 1.0.0, file: values.yaml}]
""",
        source="tiny",
    ),
    azure=ESTATE,
)
"""Everything that a platform has, and of each the least."""

PARTS = (Platform, ObjectStore, ApiServer, Watch, Control, ControlRoom)


@dataclass(frozen=True)
class Held:
    """What the process holds between two drills."""

    tasks: int
    files: int
    children: str
    parts: int  # of platforms and consoles that are over
    apps: int
    threads: int
    objects: int
    memory: int  # bytes


def held() -> Held:
    gc.collect()
    objects = gc.get_objects()
    return Held(
        tasks=len(asyncio.all_tasks()),
        files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # sockets and pipes are among them
        children=Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
        parts=sum(isinstance(one, PARTS) for one in objects),
        apps=sum(isinstance(one, WarroomApp) for one in objects),
        threads=threading.active_count(),
        objects=len(objects),
        memory=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    )


async def practised(platform: Running, store: Path) -> None:
    """Somebody sees it, and stays until what each console in the process keeps of the first one is there."""
    async with opened(options_for(platform, store)) as console:
        await console.says("payment-service")
        await console.until(lambda: console.room.response, "the runbook read")


async def test_fifty_drills_leave_no_task_socket_file_child_or_memory(tmp_path: Path) -> None:
    temporary, store = tmp_path / "tmp", tmp_path / "warroom.db"
    temporary.mkdir()
    warm = before = held()
    for number in range(1, DRILLS + 1):
        async with running(TINY, speed=100, directory=temporary, organised=True) as platform:
            if number in CONSOLES:
                await practised(platform, store)
        if number == WARM:
            warm = held()
    del platform  # of the last drill
    after = held()
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while (after.tasks, after.children) != (before.tasks, before.children) or after.files > warm.files:
                await asyncio.sleep(0.05)  # a connection that was closed is gone in the loop's next turns
                after = held()

    assert [*temporary.iterdir()] == []
    assert (after.tasks, after.children) == (before.tasks, before.children)
    assert after.files <= warm.files
    # Textual's context of the last application outlives it, and tests before this one may have left theirs.
    assert after.parts <= before.parts + 1
    assert after.apps <= before.apps + 1
    assert after.threads <= before.threads + POOL  # the loop's own for blocking work, which keeps its threads
    # A platform is some 20,000 objects, a console some 100,000: not one of them is kept. What grows are Textual's
    # caches of styles and lines, up to their limits, with each console.
    assert after.objects - warm.objects < 60_000
    assert after.memory - warm.memory < 40 * 2**20
