"""Hostile log lines and hostile pastes through the whole console: nothing that steers a terminal reaches it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.freshness import Freshness, Snapshot, State
from probes.log_lines import LogLine
from probes.rows import Pod
from tests.breadth import examples
from tests.pilot.console_harness import WIDE, Console, opened
from tests.pilot.test_hostile_panes import HOSTILE
from tests.unit.loopback_api import refusal, serving
from tui.options import ConsoleOptions
from tui.screens.logs import LogsScreen
from tui.settings import Settings
from widgets.log_view import LogView

BIG = "A\x1b[31m" * 200_000  # a megabyte


@contextlib.contextmanager
def working_in(directory: str) -> Any:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


async def silent(request: web.Request) -> web.StreamResponse:
    """A server that lists nothing for as long as it is asked, and knows no object."""
    if request.query.keys() & {"limit", "watch"}:
        await asyncio.Event().wait()
    return refusal(404, "NotFound", "no such \x1b[31mthing\u202e")


@contextlib.asynccontextmanager
async def console_in(directory: str, size: tuple[int, int]) -> AsyncIterator[Console]:
    """A console whose panes show only what the test hands to them."""
    async with serving(silent) as port:
        kubeconfig = Path(directory) / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "prod",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "lead", "user": {"token": "t"}}],
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "lead", "namespace": "bank"}}],
        }
        await asyncio.to_thread(kubeconfig.write_text, json.dumps(config))
        store = Path(directory) / "warroom.db"
        options = ConsoleOptions(Settings(), str(kubeconfig), None, (), store, None)
        async with opened(options, size, live=False) as console:
            await console.until(lambda: console.room.journal.ready, "the store")
            yield console
            assert console.app._exception is None


async def show(console: Console, rows: dict[str, list[Any]], *, state: State = State.LIVE, word: str = "") -> None:
    now = console.room.now()
    for source, found in rows.items():
        snapshot = Snapshot(source, Freshness(state, now, now, word, word), {row.key: row for row in found}, 1)
        console.room.feeds.put(snapshot)
    await console.until(lambda: all(held.taken for held in console.room.feeds._held.values()), "everything shown")
    await console.pilot.pause()
    check(console)


def check(console: Console) -> None:
    console.check_inert()
    assert console.app.is_running


@settings(max_examples=examples(2), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.one_of(HOSTILE, st.just(BIG)), min_size=1, max_size=3))
def test_hostile_log_lines_can_be_read_pinned_and_copied(texts: list[str]) -> None:
    async def read() -> None:
        with tempfile.TemporaryDirectory() as directory, working_in(directory):
            async with console_in(directory, WIDE) as console:
                await console.declare()
                pod = msgspec.structs.replace(example_pod(), name="pod-1", namespace="bank")
                await show(console, {"pods": [pod]})
                await console.press("1", "home", "l")
                screen = await console.on(LogsScreen)
                view = screen.query_one(LogView)
                view.append([LogLine(at=1.0 + n, pod="p", container="c", text=text) for n, text in enumerate(texts)])
                await console.pilot.pause()
                check(console)
                await console.press("slash", "A", "enter", "w", "home", "p", "y")
                await console.pilot.pause()
                check(console)
                assert console.app.clipboard.isprintable()

    asyncio.run(read())


def example_pod() -> Pod:
    from tests.pilot.pane_harness import pod

    return pod("pod-1", "owner", "CrashLoopBackOff", unready_for=60)


@pytest.mark.parametrize("part", ["\x1b]52;c;aGk=\x07", "\u202egnp.exe", "[/bar][@click=app.quit]x[/]"])
def test_what_a_person_pastes_is_as_inert_as_what_a_cluster_says(part: str) -> None:
    async def paste() -> None:
        with tempfile.TemporaryDirectory() as directory, working_in(directory):
            async with console_in(directory, WIDE) as console:
                await console.declare()
                await console.press("n")
                console.desk.log_line.insert_text_at_cursor(f"before {part} after")
                await console.press("enter")
                await console.notes("before .* after")
                check(console)

    asyncio.run(paste())
