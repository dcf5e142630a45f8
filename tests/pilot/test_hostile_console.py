"""Hostile text through the whole console: every pane, detail, copy, pin, message, list and title shows it as text."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from incident.export import to_json, to_markdown
from incident.verify import verify_json
from probes.freshness import Freshness, Snapshot, State
from probes.rows import Commit, Endpoint, Event, Node, Pod, Release, Usage, Workload
from tests.breadth import examples
from tests.pilot.console_harness import WIDE, Console, opened
from tests.pilot.test_hostile_panes import HOSTILE, filled
from tui import writing
from tui.keys import PANE_KEYS
from tui.options import ConsoleOptions
from tui.screens.choose import Choice, ChooseScreen
from tui.screens.declare import Declaration, DeclareScreen
from tui.settings import Settings
from widgets.dialogs import EntryDialog, RetractDialog

ROWS: dict[str, Any] = {
    "pods": Pod,
    "nodes": Node,
    "workloads": Workload,
    "events": Event,
    "usage": Usage,
    "releases": Release,
    "endpoints": Endpoint,
    "commits": Commit,
}
WORLDS = st.fixed_dictionaries(
    {source: st.lists(filled(kind), min_size=1, max_size=3) for source, kind in ROWS.items()}
)
NASTY = "\x1b[2J\x1b]0;owned\x07\u202e\u2066[/bar][bold red]\u200b\ud800\r\n\t界" + "e\u0301" * 20


def kubeconfig(path: Path, names: list[str]) -> Path:
    """One context for each name, to a server that is not there."""
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u", "namespace": name}} for name in names]
    document = {
        "current-context": names[0],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": contexts,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@asynccontextmanager
async def alone(size: tuple[int, int] = WIDE, names: tuple[str, ...] = ("here",)) -> AsyncIterator[Console]:
    """A console that nobody feeds but the test."""
    with tempfile.TemporaryDirectory() as directory:
        config = await asyncio.to_thread(kubeconfig, Path(directory) / "kubeconfig", list(names))
        store = Path(directory) / "warroom.db"
        options = ConsoleOptions(Settings(), str(config), None, (), store, log_file=None)
        async with opened(options, size, live=False, watched=True) as console:
            await console.until(lambda: console.room.journal.ready, "the store open")
            await console.room.session.close()
            yield console


async def check(console: Console) -> None:
    """What is on the screen is inert, and every line as wide as the screen."""
    await console.pilot.pause()
    console.check_inert()
    strips = console.app.screen._compositor.render_strips()
    assert {cell_len(strip.text) for strip in strips} == {console.app.size.width}
    assert console.app.is_running


def feed(console: Console, world: Mapping[str, list[Any]], state: State, word: str) -> None:
    now = console.room.now()
    for source, rows in world.items():
        freshness = Freshness(state, now, now, word, word)
        console.room.feeds.put(Snapshot(source, freshness, {row.key: row for row in rows}, version=1))


async def visit(console: Console, name: str, key: str, word: str) -> None:
    """One pane, and everything that a key does with its selected row."""
    await console.press(key)
    await check(console)
    await console.press("y", "p", "enter")
    await check(console)
    if console.app.screen is not console.desk:
        await console.press("y", "p", "end")
        await check(console)
        await console.press("escape")
        await console.home()
    if name != "timeline":
        console.table(name).set_filter(word)
        await check(console)
        console.table(name).set_filter("")
    await console.press("z")
    await check(console)


def declaration(title: str, severity: int | None, words: str) -> Declaration:
    return Declaration(title=title, severity=severity, services=(f"s{words[:300]}",), impact=words[:300], facts={})


@settings(max_examples=examples(3), deadline=None, derandomize=True)
@given(world=WORLDS, word=HOSTILE, pane=st.sampled_from(PANE_KEYS), size=st.sampled_from([WIDE, (80, 24)]))
def test_a_hostile_cluster_is_shown_opened_copied_and_pinned_as_text(
    world: dict[str, list[Any]], word: str, pane: tuple[str, str], size: tuple[int, int]
) -> None:
    async def look() -> None:
        async with alone(size) as console:
            await writing._declare(console.room, declaration(f"x{word}", 1, word))
            feed(console, world, State.LIVE, word)
            await visit(console, *pane, word)
            feed(console, world, State.STALE, word)
            await check(console)
            feed(console, {source: [] for source in world}, State.UNAVAILABLE, word)
            await check(console)

    asyncio.run(look())


@settings(max_examples=examples(2), deadline=None, derandomize=True)
@given(words=st.lists(HOSTILE, min_size=1, max_size=4, unique=True), severity=st.sampled_from(["warning", "error"]))
def test_hostile_words_in_messages_lists_and_dialogs_are_text(words: list[str], severity: str) -> None:
    async def look() -> None:
        async with alone() as console:
            for word in words:
                console.room.tell(word, severity)
            await check(console)
            choices = [Choice(word, word, word, current=True) for word in words]
            await console.app.push_screen(ChooseScreen("Namespace", choices, hint=words[0], free=True))
            await check(console)
            await console.typed(words[-1][:40].replace("\n", ""))
            await check(console)
            console.app.pop_screen()
            await writing._declare(console.room, declaration(f"x{words[0]}", None, words[0]))
            await check(console)
            await console.app.push_screen(EntryDialog(words[0]))
            await check(console)

    asyncio.run(look())


@settings(max_examples=examples(2), deadline=None, derandomize=True)
@given(title=HOSTILE, texts=st.lists(HOSTILE, min_size=1, max_size=3))
def test_a_hostile_incident_is_shown_amended_and_exported_as_text(title: str, texts: list[str]) -> None:
    async def look() -> None:
        async with alone() as console:
            journal = console.room.journal
            await writing._declare(console.room, declaration(f"x{title[:900]}", 2, title))
            await console.until(lambda: journal.recording, "the incident declared")
            for text in texts:
                await writing.long_entry(console.room, f"x{text}", "", todo=True)
                await writing.pin_log_line(console.room, text, f"x{text}", 1_795_443_644.0)
            await check(console)
            await console.press("6", "end", "enter")
            await check(console)
            await console.press("y", "escape")
            await console.home()
            line = console.timeline[-1]
            for dialog in (EntryDialog(original=line), RetractDialog(line)):
                await console.app.push_screen(dialog)
                await check(console)
                console.app.pop_screen()
            await writing.retract(console.room, line.id, f"x{texts[0][:200]}")
            await console.press("i")
            await console.on(ChooseScreen)
            await check(console)

            assert journal.incident is not None
            entries = await journal.all_entries()
            document = to_json(journal.incident, entries)
            assert verify_json(document).ok
            to_markdown(journal.incident, entries)

    asyncio.run(look())


async def test_a_passing_message_of_hostile_text_is_inert_and_half_a_surrogate_is_copied_as_a_question_mark() -> None:
    async with alone() as console:
        console.room.tell(f"exported to\n{NASTY}", "error")
        await check(console)
        told = await console.tells("exported to")
        assert told.splitlines()[0] == "exported to"
        assert "[/bar][bold red]" in told
        assert told.replace("\n", "").isprintable()

        console.app.copy_to_clipboard("a\ud800b")
        assert console.app.clipboard == "a?b"


async def test_hostile_contexts_are_listed_and_looked_into_as_text() -> None:
    names = ("here", NASTY.replace("\ud800", ""), "[/bar]", "\u202eevil")
    async with alone(names=names) as console:
        await console.press("c")
        await console.on(ChooseScreen)
        await check(console)
        await console.press("down", "enter")
        await console.home()
        await console.until(lambda: console.room.session.cluster is not None, "the other context")
        await check(console)
        await console.press("I")
        await console.on(DeclareScreen)
        await check(console)
