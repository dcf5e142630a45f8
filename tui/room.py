"""The control room: the session, the feeds and the journal of one console, and what passes between them.

Screens ask it; it hands the main screen what comes in. Everything here starts after the first paint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from probes.errors import ConfigError
from tui import writing
from tui.feeds import Feeds
from tui.journal import Journal
from tui.keys import KeymapError, checked_keymap
from tui.screens.console import LAYOUT, ConsoleScreen
from tui.sentences import with_hint
from tui.session import Session, View
from tui.settings import Settings, SettingsError

if TYPE_CHECKING:
    from probes.transitions import Transition, Watcher
    from tui.app import WarroomApp
    from tui.drill_process import DrillReady
    from widgets.entry_editor import EntryEditor, KeptText, RetractPrompt

log = logging.getLogger(__name__)

COUNTS_EVERY = 20.0
"""Seconds between two writings of what folded entries have counted up to."""


class ControlRoom:
    """Everything behind the panes. ``refusal`` is why the console left by itself, if it did."""

    def __init__(self, app: WarroomApp, now: Callable[[], float]) -> None:
        options = app.options
        self.app = app
        self.now = now
        self.settings = options.settings
        self.read_only = options.read_only
        self.drill: DrillReady | None = None
        self.refusal = ""
        self.feeds = Feeds(app, now)
        self.session = Session(self.feeds, now, self._connected)
        self.journal = Journal(
            options.store,
            self.settings.author,
            drill=options.drill is not None,
            clock=lambda: int(now() * 1000),
            changed=self._timeline_changed,
        )
        self.desk = ConsoleScreen(self)
        self._watcher: Watcher | None = None
        self._observed: asyncio.Queue[Sequence[Transition]] = asyncio.Queue()

    # ------------------------------------------------------------------ life

    async def open(self) -> None:
        """Put the console in front, then connect and open the store."""
        try:
            keymap = checked_keymap(self.settings.keys)
        except KeymapError as error:
            self._refuse(f"{self.settings.path}: {error}")
            return
        if keymap:
            self.app.set_keymap(keymap)
        self.app.stylesheet.read(LAYOUT)
        await self.app.push_screen(self.desk)
        try:
            view = await self._view()
        except ConfigError as error:
            self._refuse(with_hint(str(error), error.hint))
            return
        except SettingsError as error:
            self._refuse(str(error))
            return
        if view is not None:
            await self.session.look_at(view)
        self.app.set_interval(1.0, self._tick, name="clock")
        self.app.set_interval(COUNTS_EVERY, self.journal.flush, name="counts")
        await self._open_journal()

    async def close(self) -> None:
        await self.session.close()
        await self.journal.close()

    async def _view(self) -> View | None:
        options = self.app.options
        if options.drill is None:
            await asyncio.to_thread(_check_kubeconfig, options.kubeconfig, options.context)
            return View(self.settings, options.kubeconfig, options.context, options.namespaces)
        from tui.drill_process import DrillFailed

        try:
            self.drill = await options.drill.ready()
        except DrillFailed as error:
            self._refuse(str(error))
            return None
        self.settings = self.settings.with_platform(await asyncio.to_thread(Settings.load, self.drill.config))
        cluster = self.settings.cluster
        kubeconfig = cluster.kubeconfig or str(self.drill.kubeconfig)
        return View(self.settings, kubeconfig, cluster.context or None, options.namespaces or cluster.namespaces)

    async def _open_journal(self) -> None:
        from incident.errors import StoreError

        try:
            await self.journal.open()
            if self.drill is not None:
                await self.journal.declare(
                    self.drill.title,
                    self.drill.severity,
                    cluster=self.settings.cluster.context or "drill",
                    namespace=self.session.scope_text,
                )
        except StoreError as error:
            log.error("%s", error)
            self.journal.trouble = str(error)
            self.desk.show_incident()
            return
        self.app.run_worker(self._follow_journal(), group="journal", exit_on_error=False, name="timeline")
        self.app.run_worker(self._record(), group="record", exit_on_error=False, name="recorder")
        self.desk.show_incident()

    def _refuse(self, sentence: str) -> None:
        """There is nothing to look at: leave with one clear sentence."""
        self.refusal = sentence
        self.app.exit(return_code=2)

    async def _follow_journal(self) -> None:
        try:
            await self.journal.follow()
        except Exception as error:
            log.exception("the timeline is not followed any more")
            self.journal.trouble = f"the timeline is not followed any more: {error}"

    async def _record(self) -> None:
        """One writer, so that what the probes saw is written in the order it was seen."""
        while True:
            transitions = await self._observed.get()
            try:
                await self.journal.observe(transitions)
            except Exception as error:
                log.exception("what the probes saw was not recorded")
                self.journal.trouble = f"what the probes saw was not recorded: {error}"

    # ------------------------------------------------------------------ what comes in

    @property
    def _seated(self) -> bool:
        """Whether the console still has its widgets: when it is left, they go before probes and store do."""
        return self.app.is_running

    def take_news(self) -> None:
        """Hand every pending snapshot to the console, and what changed to the timeline."""
        if not self._seated:
            return
        for snapshot in self.feeds.take():
            self.desk.show(snapshot)
            if self._watcher is None:
                from probes.transitions import Watcher

                self._watcher = Watcher()
            self._note(self._watcher.observe(snapshot, self.now()))

    def _note(self, seen: Sequence[Transition]) -> None:
        if seen:
            self._observed.put_nowait(seen)

    def _connected(self) -> None:
        if self._seated:
            self.desk.show_where()

    async def _timeline_changed(self, touched: set[str] | None) -> None:
        if self._seated:
            self.desk.show_timeline(touched)

    def _tick(self) -> None:
        if not self._seated:
            return
        now = self.now()
        self.desk.tick(now)
        if self._watcher is not None:
            # What becomes certain by time alone: a recovery that lasted, a connection that is really lost.
            self._note(self._watcher.tick(now))

    # ------------------------------------------------------------------ what the screens ask for

    @property
    def local_time(self) -> bool:
        return self.app.local_time

    async def look_elsewhere(self, view: View) -> None:
        """Switch cluster or namespaces. What the old ones showed is gone before the new ones answer."""
        self._watcher = None
        self.desk.clear()
        await self.session.look_at(view)
        self.desk.show_where()

    def tell(self, text: str, severity: str = "information", timeout: float = 6.0) -> None:
        """A passing message. Never markup: the text may come from anywhere."""
        self.app.notify(text, severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]

    def save_entry(self, message: EntryEditor.Submitted) -> None:
        """The long editor over the console: a new entry, or the amendment of one."""
        if message.original is None:
            work = writing.long_entry(self, message.text, message.when, message.todo)
        else:
            work = writing.amend(self, message.original.id, message.text, message.when)
        writing.begin(self, _save(message.control, work), "saves an entry")

    def save_retraction(self, message: RetractPrompt.Submitted) -> None:
        work = writing.retract(self, message.entry_id, message.reason)
        writing.begin(self, _save(message.control, work), "retracts an entry")


async def _save(control: KeptText, work: Awaitable[str]) -> None:
    """A store that another process holds takes seconds to say so: nobody waits for it but the editor."""
    trouble = await writing.answered(work)
    if trouble:
        control.failed(trouble)
    else:
        control.saved()


def _check_kubeconfig(kubeconfig: str | None, context: str | None) -> None:
    """Files only. Raises ConfigError: the console has nothing to look at, and says so instead of opening."""
    from probes.kubeconfig import select

    select(kubeconfig, context)
