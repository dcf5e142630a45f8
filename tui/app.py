"""The application: it paints its outline, then furnishes the control room and puts the console in front.

The first frame waits for nothing: no network, no store, no import that it does not need itself. Keep it so:
what this module imports at its top is paid before anything is seen.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, work
from textual.app import App, ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.reactive import var

from tui.first_frame import FirstFrame
from tui.theme import THEMES

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.feeds import News
    from tui.journal import Journal
    from tui.lookout import Lookout
    from tui.options import ConsoleOptions
    from tui.room import ControlRoom
    from widgets.entry_editor import EntryEditor, RetractPrompt

log = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM  # what a shell reports

HEAD_START = 0.02
"""Seconds that connecting may have for itself. Then the panes are imported, with the first answers on their way."""

OUR_THEMES = tuple(theme.name for theme in THEMES)


class WarroomApp(App[None]):
    """The console. ``options`` say where to look, who writes, and where it is kept."""

    TITLE = "warroom"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", show=False, id="quit", tooltip="Leave the console", priority=True)
    ]

    local_time: var[bool] = var(False, init=False)

    def __init__(self, options: ConsoleOptions) -> None:
        # Textual reads NO_COLOR when it starts; the flag means the same.
        if options.no_color:
            os.environ["NO_COLOR"] = "1"
        super().__init__()
        self.options = options
        self.lookout: Lookout | None = None
        self._looking: asyncio.Task[bool] | None = None
        self._journal: Journal | None = None
        self.room: ControlRoom | None = None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = options.settings.console.theme
        self.set_reactive(WarroomApp.local_time, options.settings.console.clock == "local")

    def compose(self) -> ComposeResult:
        yield FirstFrame(databases=self.options.settings.azure.configured)

    def on_mount(self) -> None:
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self._told_to_end)
            if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
                # Under nohup a closed terminal would leave us running, unseen, for ever.
                signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def on_ready(self) -> None:
        self._furnish()

    def _told_to_end(self) -> None:
        """Close the store and give the terminal back first. A second SIGTERM does not wait for that."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        self.exit(return_code=TERMINATED)

    @work(group="start", exit_on_error=True, description="furnishes the control room")
    async def _furnish(self) -> None:
        """After the first paint: everything else. What has to be waited for begins first."""
        with self.batch_update():  # nothing on the outline changes: Textual would paint it twice more, for 8 ms
            self.lookout = await asyncio.to_thread(_lookout, self)
            self._looking = asyncio.create_task(self.lookout.look(), name="look")
            importing = asyncio.to_thread(_journal, self, self.lookout)
            journal, _ = await asyncio.gather(importing, self.lookout.session.asking(HEAD_START))
            self._journal = journal
            if not self.lookout.refusal:  # where there is nothing to look at, no store is touched
                journal.begin()
            self.room = await asyncio.to_thread(_control_room, self, self.lookout, journal)
        await self.room.open(self._looking)

    async def on_unmount(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self.room is not None:
            await self.room.close()
        elif self.lookout is not None:
            await self.lookout.session.close()
            if self._journal is not None:
                await self._journal.close()

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """Everything in the palette is ours: Textual's own commands would be a second way to do the same."""
        from tui.palette import commands

        if self.room is not None:
            yield from commands(self.room)

    def watch_local_time(self, local: bool) -> None:
        if self.room is not None:
            self.room.desk.set_local_time(local)

    def pop_screen(self) -> AwaitComplete:
        """A dialog that is left twice at once (escape and its button) must not take the console along."""
        if self.room is not None and self.screen is self.room.desk:
            nothing: AwaitComplete = AwaitComplete.nothing()  # type: ignore[no-untyped-call]
            return nothing
        return super().pop_screen()

    async def on_event(self, event: events.Event) -> None:
        """A screen that has to tell deliberate keys from others hears each one, whichever widget it is for."""
        if isinstance(event, events.Key) and not event.is_forwarded and self._screen_stack:
            if self.room is not None:
                self.room.attend()
            hear = getattr(self.screen, "hear", None)
            if hear is not None:
                hear(event)
        await super().on_event(event)

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """A key that is still on its way when the console is left finds no screen, and means nothing any more.

        Nor does one that comes before its screen is laid out, if it is about what is not there yet.
        """
        if not self._screen_stack:
            return False
        screen = self.screen
        try:
            return await super()._check_bindings(key, priority)
        except NoMatches:
            if screen.is_mounted:
                raise
            log.debug("%s came before %s was laid out", key, screen)
            return True

    def copy_to_clipboard(self, text: str) -> None:
        """Half a surrogate pair, which JSON may hold, has no bytes: it is copied as a question mark."""
        super().copy_to_clipboard(text.encode(errors="replace").decode())

    def next_theme(self) -> str:
        """Switch to the next of our own themes; returns its name."""
        index = OUR_THEMES.index(self.theme) if self.theme in OUR_THEMES else -1
        self.theme = OUR_THEMES[(index + 1) % len(OUR_THEMES)]
        return self.theme

    def _fatal_error(self) -> None:
        """Textual prints a traceback over the terminal; ours goes to the log, and a sentence to the person."""
        log.critical("the console ended by a fault of its own", exc_info=self._exception)
        where = f"; the details are in {self.options.log_file}" if self.options.log_file else ""
        self.panic(
            Text(f"warroom ended by a fault of its own: {self._exception!r:.300}. Every saved entry is on disk{where}")
        )

    # What reaches the app from feeds and from dialogs over the console belongs to the room.

    async def on_news(self, message: News) -> None:
        message.stop()
        if self.room is not None:
            self.room.hear_news()

    def on_entry_editor_submitted(self, message: EntryEditor.Submitted) -> None:
        message.stop()
        if self.room is not None:
            self.room.save_entry(message)

    def on_retract_prompt_submitted(self, message: RetractPrompt.Submitted) -> None:
        message.stop()
        if self.room is not None:
            self.room.save_retraction(message)


# All are imported in a thread, while the first frame is on the screen.


def _lookout(app: WarroomApp) -> Lookout:
    from tui.lookout import Lookout

    return Lookout(app, time.time)


def _journal(app: WarroomApp, lookout: Lookout) -> Journal:
    from tui.journal import Journal

    options = app.options
    return Journal(
        options.store,
        lookout.settings.author,
        drill=options.drill is not None,
        shared=options.drill is not None and options.drill.shared,
        clock=lambda: int(time.time() * 1000),
        changed=_unheard,
    )


async def _unheard(_lines: set[str] | None) -> None:
    """Nobody shows the timeline yet."""


def _control_room(app: WarroomApp, lookout: Lookout, journal: Journal) -> ControlRoom:
    from tui.room import ControlRoom

    return ControlRoom(app, lookout, journal, time.time)


def run_console(options: ConsoleOptions) -> int:
    """Open the console and stay until it is left. Returns the process's exit status."""
    app = WarroomApp(options)
    try:
        app.run()
    finally:
        if options.drill is not None:
            options.drill.stop()
    if app.lookout is not None and app.lookout.refusal:
        print(f"warroom: {app.lookout.refusal}", file=sys.stderr)
    return app.return_code or 0
