"""The application: it owns the session, the feeds and the journal, and hands what they bring to the console.

First paint waits for nothing: no network, no store, no import that the first frame does not need.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import var

from tui import writing
from tui.feeds import Feeds, News
from tui.journal import Journal
from tui.keys import checked_keymap
from tui.screens.console import ConsoleScreen
from tui.session import Session, View
from tui.settings import Settings
from tui.theme import THEMES

if TYPE_CHECKING:
    from textual.screen import Screen

    from probes.transitions import Transition, Watcher
    from tui.drill_process import DrillReady
    from tui.options import ConsoleOptions
    from widgets.entry_editor import EntryEditor, KeptText, RetractPrompt

log = logging.getLogger(__name__)

OUR_THEMES = tuple(theme.name for theme in THEMES)


class WarroomApp(App[None]):
    """The console. ``options`` say where to look, who writes, and where it is kept."""

    TITLE = "warroom"
    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", show=False, id="quit", tooltip="Leave the console", priority=True)
    ]

    local_time: var[bool] = var(False)

    def __init__(self, options: ConsoleOptions) -> None:
        # Textual reads NO_COLOR when it starts; the flag means the same.
        if options.no_color:
            os.environ["NO_COLOR"] = "1"
        super().__init__(watch_css=False)
        self.options = options
        self.settings = options.settings
        self.read_only = options.read_only
        self.drill: DrillReady | None = None
        self.feeds = Feeds(self, time.time)
        self.session = Session(self.feeds, time.time, self._connected)
        self.journal = Journal(
            options.store,
            self.settings.author,
            clock=lambda: time.time_ns() // 1_000_000,
            changed=self._timeline_changed,
        )
        self._watcher: Watcher | None = None
        self._observed: asyncio.Queue[Sequence[Transition]] = asyncio.Queue()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.settings.console.theme
        self.set_reactive(WarroomApp.local_time, self.settings.console.clock == "local")
        if self.settings.keys:
            self.set_keymap(checked_keymap(self.settings.keys))

    @property
    def desk(self) -> ConsoleScreen:
        screen = self.screen_stack[0]
        assert isinstance(screen, ConsoleScreen)
        return screen

    def get_default_screen(self) -> Screen[Any]:
        return ConsoleScreen()

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Everything in the palette is ours: Textual's own commands would be a second way to do the same."""
        from tui.palette import commands

        yield from commands(self)

    def on_mount(self) -> None:
        self.call_after_refresh(self._wake)

    # ------------------------------------------------------------------ life

    def _wake(self) -> None:
        """After the first paint: the store, the probes, the clock."""
        self._start()
        self.set_interval(1.0, self._tick, name="clock")
        self.set_interval(20.0, self.journal.flush, name="counts")
        self._tick()

    @work(group="start", exit_on_error=False, description="opens the store and connects")
    async def _start(self) -> None:
        view = await self._view()
        if view is not None:
            await self.session.look_at(view)
        await self._open_journal()

    async def _view(self) -> View | None:
        options = self.options
        if options.drill is None:
            return View(self.settings, options.kubeconfig, options.context, options.namespaces)
        from tui.drill_process import DrillFailed

        try:
            self.drill = await options.drill.ready()
        except DrillFailed as error:
            log.error("%s", error)
            self.tell(str(error), severity="error")
            return None
        platform = await asyncio.to_thread(Settings.load, self.drill.config)
        self.settings = self.settings.with_platform(platform)
        kubeconfig = self.settings.cluster.kubeconfig or str(self.drill.kubeconfig)
        return View(
            self.settings,
            kubeconfig,
            self.settings.cluster.context or None,
            self.settings.cluster.namespaces,
            drill=True,
        )

    async def _open_journal(self) -> None:
        from incident.errors import StoreError

        try:
            await self.journal.open(prefer_drill=True if self.drill else None)
        except StoreError as error:
            log.error("%s", error)
            self.journal.trouble = str(error)
            self.desk.show_trouble(str(error))
            return
        if self.drill is not None:
            await self.journal.declare(
                self.drill.title,
                self.drill.severity,
                drill=True,
                cluster=self.session.cluster.context if self.session.cluster else "drill",
                namespace=self.session.scope_text,
            )
        self._follow_journal()
        self._record()
        self.desk.show_incident()

    @work(group="journal", exit_on_error=False, description="follows the timeline")
    async def _follow_journal(self) -> None:
        try:
            await self.journal.follow()
        except Exception as error:
            log.exception("the timeline is not followed any more")
            self.desk.show_trouble(f"the timeline is not followed any more: {error}")

    @work(group="record", exit_on_error=False, description="records what the probes saw")
    async def _record(self) -> None:
        while True:
            transitions = await self._observed.get()
            await self.journal.observe(transitions)
            if self.journal.trouble:
                self.desk.show_trouble(self.journal.trouble)

    async def on_unmount(self) -> None:
        await self.session.close()
        await self.journal.close()

    # ------------------------------------------------------------------ what comes in

    def on_news(self, message: News) -> None:
        """Hand every pending snapshot to the console, and what changed to the timeline."""
        message.stop()
        console = self.desk
        for snapshot in self.feeds.take():
            console.show(snapshot)
            if self._watcher is None:
                from probes.transitions import Watcher

                self._watcher = Watcher()
            seen = self._watcher.observe(snapshot)
            if seen:
                self._observed.put_nowait(seen)

    def _connected(self) -> None:
        self._watcher = self._watcher or None
        if self.is_running:
            self.desk.show_where()

    async def _timeline_changed(self, touched: set[str] | None) -> None:
        self.desk.show_timeline(touched)

    def _tick(self) -> None:
        self.desk.tick(time.time())

    # ------------------------------------------------------------------ what the screens ask for

    def now(self) -> float:
        return time.time()

    async def on_entry_editor_submitted(self, message: EntryEditor.Submitted) -> None:
        """The long editor over the console: a new entry, or the amendment of one."""
        message.stop()
        if message.original is None:
            trouble = await writing.long_entry(self, message.text, message.when, message.todo)
        else:
            trouble = await writing.amend(self, message.original.id, message.text, message.when)
        _answer(message.control, trouble)

    async def on_retract_prompt_submitted(self, message: RetractPrompt.Submitted) -> None:
        message.stop()
        _answer(message.control, await writing.retract(self, message.entry_id, message.reason))

    async def look_elsewhere(self, view: View) -> None:
        """Switch cluster or namespaces. What the old ones showed is gone before the new ones answer."""
        self._watcher = None
        self.desk.clear()
        await self.session.look_at(view)
        self.desk.show_where()

    def tell(self, text: str, severity: str = "information", timeout: float = 6.0) -> None:
        """A passing message. Never markup: the text may come from anywhere."""
        self.notify(text, severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]

    def watch_local_time(self) -> None:
        if self.is_running:
            self.desk.set_local_time(self.local_time)

    def next_theme(self) -> str:
        index = OUR_THEMES.index(self.theme) if self.theme in OUR_THEMES else -1
        self.theme = OUR_THEMES[(index + 1) % len(OUR_THEMES)]
        return self.theme


def _answer(control: KeptText, trouble: str) -> None:
    if trouble:
        control.failed(trouble)
    else:
        control.saved()


@asynccontextmanager
async def running(options: ConsoleOptions, size: tuple[int, int]) -> AsyncIterator[WarroomApp]:
    """The console without a terminal, for screenshots and tests."""
    app = WarroomApp(options)
    async with app.run_test(size=size):
        yield app


def run_console(options: ConsoleOptions) -> int:
    """Open the console and stay until it is left. Returns the process's exit status."""
    app = WarroomApp(options)
    try:
        app.run()
    finally:
        if options.drill is not None:
            options.drill.stop()
    return app.return_code or 0
