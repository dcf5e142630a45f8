"""The control room: the screen, the lookout and the journal of one console, and what passes between them.

Screens ask it; it hands the main screen what comes in. Everything here starts after the first paint.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from incident.errors import StoreError
from incident.practice import Practice
from tui import collector, writing
from tui.act_book import ActBook
from tui.commanding import Commanding
from tui.diagnosing import Diagnosing
from tui.gates import Gates
from tui.keeping import Keeping
from tui.keys import KeymapError, act_keys, checked_keymap
from tui.recording import Recording
from tui.runbook_reader import RunbookReader
from tui.screens.console import DIALOGS, LAYOUT, ConsoleScreen
from tui.settings import SettingsError
from tui.updates import Updates
from widgets.plain import plain

if TYPE_CHECKING:
    from runbook.gate import Gate
    from runbook.response import Response
    from tui.app import WarroomApp
    from tui.drill_process import DrillReady
    from tui.journal import Journal
    from tui.lookout import Lookout
    from tui.session import View
    from tui.settings import Settings
    from widgets.entry_editor import EntryEditor, KeptText, RetractPrompt

log = logging.getLogger(__name__)

MESSAGE_LINE, MESSAGE_LINES = 500, 8
"""Characters and lines of a passing message that are shown."""

COUNTS_EVERY = 20.0
"""Seconds between two writings of what folded entries have counted up to."""

ACTS_AFTER = 3.0
"""Seconds after which the keys that act are made ready even if not every source is live."""

BEHIND_EVERY = 0.25
"""Seconds between two repaints of the console behind a dialog."""

DIAGNOSED_AFTER = 2.0
"""Seconds after which a diagnosis is made even if not all is live: of thousands of rows it is no small work."""

LAUNCHED_AFTER = 2.0
"""Seconds after which what the first sight does not need is begun even if not every source is live: to read the
runbook costs as much as some thousand rows do, and who opens a console wants to see the rows."""

STARTED_AFTER = 20.0
"""Seconds after which the start counts as over even if not every source is live."""


class ControlRoom:
    """Everything behind the panes."""

    def __init__(self, app: WarroomApp, lookout: Lookout, journal: Journal, now: Callable[[], float]) -> None:
        options = app.options
        self.app = app
        self.now = now
        self.read_only = options.read_only
        self.lookout = lookout
        self.feeds = lookout.feeds
        self.session = lookout.session
        self.journal = journal
        journal.changed = self._timeline_changed
        self.book = ActBook(self.journal, lambda: self.diagnosing.first_symptom)
        self.runbook = RunbookReader(options)
        self.response: Response | None = None  # how to respond to incidents, once the runbook is read
        playbook, account = self.runbook.playbook, self.session.account
        self.gates = Gates(options, playbook, self.book, self.feeds, now, self._acts_changed, account)
        self.updates = Updates(self, os.environ, self._updates_changed)
        self.plan_opening = False  # a plan is on its way to the screen
        self.diagnosing = Diagnosing(self)
        self.keeping = Keeping(self)
        self.commanding = Commanding(self)
        self._recording = Recording(self)
        self.desk = ConsoleScreen(self)
        self._furnished = False  # the desk is composed and can be shown things
        self._news_waits = False  # behind a dialog
        self._opened_at = now()
        self._opening: asyncio.Task[None] | None = None
        self._launched = asyncio.Event()  # every source is live, somebody pressed a key, or it took too long
        self._prepared: View | None = None  # what acts were prepared for
        self._arm_next = False  # an incident was declared here before there was a gate

    # ------------------------------------------------------------------ life

    async def open(self, looking: asyncio.Task[bool]) -> None:
        """Put the console in front, then open the store; ``looking`` is the lookout's `look`, begun before."""
        try:
            # The keys that act are looked at only where somebody changed any: their table takes a moment to import.
            acts = act_keys((await self.gates.table()).values()) if self.settings.keys else ()
            keymap = checked_keymap(self.settings.keys, acts)
        except KeymapError as error:
            self._refuse(f"{self.settings.path}: {error}")
            return
        except SettingsError as error:
            self._refuse(str(error))
            return
        if keymap:
            self.app.set_keymap(keymap)
        self.app.stylesheet.read(LAYOUT)
        self._opening = asyncio.create_task(self._open_journal(looking), name="open the store")
        await self.app.push_screen(self.desk)
        launch: Any = self._launch
        self.app.run_worker(launch, group="runbook", exit_on_error=False, name="read the runbook")
        self.app.call_after_refresh(self.app.stylesheet.read, DIALOGS)
        self.app.set_interval(1.0, self._tick, name="clock")
        self.app.set_interval(COUNTS_EVERY, self.journal.flush, name="counts")
        await self._opening

    def furnished(self) -> None:
        """The desk is composed and was not painted yet: what came in meanwhile is part of its first frame."""
        self._furnished = True
        self.desk.furnish_azure()
        self.lookout.connected = self._connected
        self._connected()
        if self.journal.ready or self.journal.trouble:
            self.desk.show_incident()
        self.take_news()

    @property
    def settings(self) -> Settings:
        return self.lookout.settings

    @property
    def refusal(self) -> str:
        """Why the console left by itself, empty if it did not."""
        return self.lookout.refusal

    @property
    def drill(self) -> DrillReady | None:
        """The embedded platform, if this console is a drill's and its platform serves."""
        return self.lookout.drill

    async def close(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self.runbook.close()
        await self.updates.close()
        await self.commanding.close()
        await self.gates.close()
        await self.session.close()
        await self.journal.close()

    async def _open_journal(self, looking: asyncio.Task[bool]) -> None:
        """Once it is known where the console looks: a drill's incident is declared when its platform serves."""
        if not await looking:
            self._refuse(self.lookout.refusal)
            return
        if self._seated:
            self.desk.furnish_azure()
        try:
            if self.drill is not None:  # before the store is open: it has incidents of other drills, too
                self.journal.practice = Practice(
                    scenario=self.drill.scenario,
                    opened_at=round(self.now() * 1000),
                    declared=False,
                    good=self.drill.good,
                    platform=str(self.drill.kubeconfig.parent),
                    seed=self.drill.seed,
                    surprise=self.drill.surprise,
                )
            await self.journal.open()
            if self.journal.notice:
                self.tell(self.journal.notice, "warning", timeout=60)
            if self.drill is not None and not self.app.options.undeclared:
                await self.journal.declare(
                    self.drill.title,
                    self.drill.severity,
                    cluster=self.settings.cluster.context or "drill",
                    namespace=self.session.scope_text,
                    declared_itself=True,
                )
                self.arm_by_declaration()
        except StoreError as error:
            log.error("%s", error)
            self.journal.trouble = str(error)
            if self._seated:
                self.desk.show_incident()
            return
        # Functions, not coroutines: an app that is leaving starts no worker, and nothing may be left unawaited.
        follow: Any = self._follow_journal
        record: Any = self._recording.write
        self.app.run_worker(follow, group="journal", exit_on_error=False, name="timeline")
        self.app.run_worker(record, group="record", exit_on_error=False, name="recorder")
        if self._seated:
            self.desk.show_incident()

    def attend(self) -> None:
        """Somebody is here (pressed a key): what waits for the first sight is begun now."""
        self._launched.set()

    async def read_response(self) -> Response:
        """How to respond to incidents; at once, once the runbook is read. Raises SettingsError if its file is wrong."""
        if self.response is None:
            self.response = (await self.runbook.read()).response
        return self.response

    async def _launch(self) -> None:
        """Begin what the first sight does not need: the timeline of what is seen, and the runbook."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAUNCHED_AFTER):
                await self._launched.wait()
        self._launched.set()
        self._recording.work_in()
        try:
            await self.read_response()
        except SettingsError as error:
            self._refuse(str(error))
        except Exception as error:
            log.exception("the runbook was not read")
            self._refuse(f"the runbook cannot be read: {error!r:.200}")

    def _refuse(self, sentence: str) -> None:
        """There is nothing to look at: leave with one clear sentence."""
        self.lookout.refusal = sentence
        self.app.exit(return_code=2)

    async def _follow_journal(self) -> None:
        try:
            await self.journal.follow()
        except Exception as error:
            log.exception("the timeline is not followed any more")
            self.journal.trouble = f"the timeline is not followed any more: {error}"

    # ------------------------------------------------------------------ what comes in

    @property
    def _seated(self) -> bool:
        """Whether the console has its widgets: when it is left, they go before probes and store do."""
        return self._furnished and self.app.is_running

    def hear_news(self) -> None:
        """The feeds have news: shown at once, and a few times a second behind a dialog, where a repaint takes both."""
        if not self._seated or self.app._screen_stack[-1:] in ([], [self.desk]):
            self.take_news()
        elif not self._news_waits:
            self._news_waits = True
            self.app.set_timer(BEHIND_EVERY, self._take_late_news)

    def _take_late_news(self) -> None:
        self._news_waits = False
        self.take_news()

    def take_news(self) -> None:
        """Hand every pending snapshot to the console, and what changed to the timeline."""
        if not self._seated:
            return  # they stay pending
        for snapshot in self.feeds.take():
            self.desk.show(snapshot)
            self.diagnosing.see(snapshot)
            self._recording.see(snapshot, self.now())
        # What changed can be written a moment later; the person who looks comes first.
        if self._launched.is_set():
            asyncio.get_running_loop().call_soon(self._recording.work_in)
        elif self._all_live:
            self.app.call_after_refresh(self._launched.set)

    def _connected(self) -> None:
        if self._seated:
            self.desk.show_where()

    async def _timeline_changed(self, touched: set[str] | None) -> None:
        if self.journal.met:
            self.tell(self.journal.met, "warning", timeout=30)
            self.journal.met = ""
        self.updates.hear(touched)
        self.keeping.hear(self.journal.incident)
        self.commanding.hear(touched)
        if self._seated:
            self.desk.show_timeline(touched)

    @property
    def _all_live(self) -> bool:
        return self.desk.vitals.live >= len(self.session.sources)

    def _updates_changed(self) -> None:
        if self._seated:
            self.desk.show_banner(self.now())

    def _tick(self) -> None:
        if not self._seated:
            return
        now = self.now()
        live, since = self._all_live, now - self._opened_at
        if live or since > DIAGNOSED_AFTER:
            self.diagnosing.look_if_due(now)
        self.updates.tick(now)
        self.keeping.tick(now)
        self.desk.tick(now)
        if live or since > STARTED_AFTER:
            collector.release()
        if live or since > ACTS_AFTER:
            self._prepare_acts()
        self._recording.tick(now)

    # ------------------------------------------------------------------ acts

    @property
    def gate(self) -> Gate | None:
        """The gate of what is in view, once it was made."""
        return self.gates.known(self.session.view)

    def arm_by_declaration(self) -> None:
        """Who declares an incident here is about to act."""
        if self.gate is None:
            self._arm_next = True
        elif not self.gate.read_only:
            self.gate.arm()

    def _prepare_acts(self) -> None:
        """After the start, and after looking elsewhere: the keys that act, and what earlier consoles left open."""
        view = self.session.view
        if view is None or view is self._prepared or not self.journal.ready or self.response is None:
            return
        self._prepared = view
        writing.begin(self, self._make_ready(view), "makes acts ready")

    async def _make_ready(self, view: View) -> None:
        from probes.errors import ProbeError
        from tui import acting

        try:
            gate = await self.gates.of(view)
        except ProbeError as error:
            log.warning("no gate: %s", error)
            self._prepared = None  # the next tick tries again
            return
        self.desk.furnish_acts(gate.offered)
        if self._arm_next and not gate.read_only:
            self._arm_next = False
            gate.arm()
        await acting.prepare(self, gate)

    def _acts_changed(self) -> None:
        if self._seated:
            self.desk.show_acts()

    # ------------------------------------------------------------------ what the screens ask for

    @property
    def local_time(self) -> bool:
        return self.app.local_time

    async def look_elsewhere(self, view: View) -> None:
        """Switch cluster or namespaces. What the old ones showed is gone before the new ones answer."""
        self._recording.forget()
        self.diagnosing.forget()
        self.desk.clear()
        await self.session.look_at(view)
        self.desk.show_where()

    def tell(self, text: str, severity: str = "information", timeout: float = 6.0) -> None:
        """A passing message. Never markup, and inert: the text may come from anywhere."""
        text = "\n".join(plain(line, MESSAGE_LINE) for line in text.split("\n")[:MESSAGE_LINES])
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
