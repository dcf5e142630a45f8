"""The guide on the console: beside the panes on a wide terminal, a tab of its own on a narrow one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on

from tui import writing
from tui.keys import first_key
from tui.screens.console_acts import ConsoleActs
from widgets.plain import crop, plain, width
from widgets.tab_bar import Tab
from widgets.table import TablePane
from widgets.timeline import TimelinePane

if TYPE_CHECKING:
    from tui.guiding import Guiding
    from tui.room import ControlRoom
    from widgets.guide import GuidePane, GuidePanel

GUIDE = "guide"

PANES = {"version": "nodes", "connectivity": "pods", "logs": "pods"}
"""Where a look is to be seen that is not called as its pane is."""


class ConsoleGuide(ConsoleActs):
    """``g`` opens a guide, goes to the open one, and closes it from within. The panes keep their cursors."""

    def __init__(self, host: ControlRoom) -> None:
        super().__init__(host)
        self._guiding: Guiding | None = None
        self._panel: GuidePanel | None = None
        self._guide_in_front = False  # of the tabs of the narrow layout

    @property
    def front(self) -> str:
        return GUIDE if self._guide_in_front and self._panel is not None else super().front

    @property
    def guiding(self) -> Guiding:
        from tui.guiding import Guiding

        self._guiding = self._guiding or Guiding(self.host)
        return self._guiding

    # ------------------------------------------------------------------ opening and closing

    def action_guide(self, which: str = "") -> None:
        """Open the guide of this id; without one, go to the guide that is open, or choose one."""
        if self.host.response is None:
            writing.begin(self.host, self._guide_once_read(which), "reads the runbook")
        elif which:
            writing.begin(self.host, self._open_guide(which), "opens a guide")
        elif self._panel is not None:
            self.action_pane(GUIDE)
        else:
            writing.begin(self.host, self._choose_guide(), "lists the guides")

    async def _guide_once_read(self, which: str) -> None:
        await self.host.read_response()
        if which:
            await self._open_guide(which)
        elif self.app.screen is self:  # else the key was pressed twice, or somebody has gone on to something else
            await self._choose_guide()

    async def _choose_guide(self) -> None:
        from tui.screens.choose import Choice, ChooseScreen

        found = self.guiding.all()
        if not found:
            self.host.tell("the runbook has neither scenarios nor phases: --runbook names another", "warning")
            return
        labels = [f"{one.name}  {plain(one.title, 60)}" for one in found]
        room = max(min(self.size.width - 4, 100) - 12 - max(map(width, labels)), 16)
        choices = [
            Choice(one.id, label, crop(plain(self.guiding.why(one)), room), current=number == 0)
            for number, (one, label) in enumerate(zip(found, labels, strict=True))
        ]
        hint = "what fits is first · type to filter · enter opens it · esc leaves"
        chosen = await self.app.push_screen_wait(ChooseScreen("Guide", choices, hint=hint))
        if chosen:
            await self._open_guide(chosen)

    async def _open_guide(self, which: str) -> None:
        from widgets.guide import GuidePanel

        self.guiding.open_id = which
        if self.guiding.guide is None:
            self.guiding.open_id = ""
            self.host.tell(f"the runbook has no guide {which}", "warning", timeout=4)
            return
        if self._panel is None:
            self._panel = GuidePanel(id=GUIDE, classes="pane")
            await self.query_one("#right").mount(self._panel, before="#timeline")
            self.add_class("-guided")
        self.show_guide()
        self.action_pane(GUIDE)

    async def close_guide(self) -> None:
        panel, self._panel = self._panel, None
        if panel is None:
            return
        if self.maximized is not None:
            self.minimize()
        self._guide_in_front = False
        self.guiding.open_id = ""
        self.remove_class("-guided")
        self.arrange_panes()
        self.pane.focus()
        await panel.remove()

    def show_guide(self) -> None:
        """Draw the open guide as it stands."""
        if self._panel is None or self._guiding is None or not self._panel.is_mounted:
            return
        view = self._guiding.view(self.host.now())
        if view is not None:
            self._panel.pane.show(view)

    def hear_timeline(self, touched: set[str] | None) -> None:
        """Entries came, of this console or another: what was ticked shows at once."""
        if self._guiding is not None and self._guiding.hear(touched) and self._panel is not None:
            self.call_after_refresh(self.show_guide)

    def tick_guide(self) -> None:
        if self._guiding is not None:
            self._guiding.tick()
            self.show_guide()

    # ------------------------------------------------------------------ its place

    def action_pane(self, name: str) -> None:
        self._guide_in_front = name == GUIDE
        if name != GUIDE:
            super().action_pane(name)
        elif self._panel is not None and self._panel.is_mounted:
            if self.maximized is not None:
                self.minimize()
            self.arrange_panes()
            self._panel.pane.focus()

    def stops(self) -> list[str]:
        found = super().stops()
        return [*found[:-1], GUIDE, found[-1]] if self._panel is not None else found

    def stop_here(self) -> str:
        if self._panel is not None and self._panel.has_focus_within:
            return GUIDE
        return super().stop_here()

    def action_maximise(self) -> None:
        if self.maximized is None and self._panel is not None and self._panel.has_focus_within:
            self.maximize(self._panel)
        else:
            super().action_maximise()

    def _tabs(self) -> list[Tab]:
        tabs = super()._tabs()
        if self._panel is not None:
            tabs.append(Tab(GUIDE, first_key(GUIDE, "g", self.app._keymap), "Guide", "Guide"))
        return tabs

    @on(events.DescendantFocus)
    def _guide_focused(self) -> None:
        """A pane that gets the focus by a click comes to the front, and so does the guide."""
        within = self._panel is not None and self._panel.has_focus_within
        if within or isinstance(self.focused, TablePane | TimelinePane):
            self._guide_in_front = within
            self.arrange_panes()

    # ------------------------------------------------------------------ what its keys ask for

    # Named and not decorated, so that the widget is imported when the first guide is opened.

    async def on_guide_pane_left(self, event: GuidePane.Left) -> None:
        event.stop()
        await self.close_guide()

    def on_guide_pane_asked(self, event: GuidePane.Asked) -> None:
        event.stop()
        key = (event.guide, event.step)
        match event.what:
            case "run":
                self.guiding.run(key)
                self.show_guide()
            case "tick":
                self.guiding.toggle(key)
            case "copy":
                self._copy_step(key)
            case "show":
                self._show_step(key)

    def _copy_step(self, key: tuple[str, str]) -> None:
        at = self.guiding.step(key)
        if at is None:
            return
        text = (at[1].query or self.guiding.code(*at)).strip("\n") or "\n".join((at[1].text, *at[1].notes))
        self.app.copy_to_clipboard(text)
        self.host.tell(f"copied: {plain(text, 80)}", timeout=3)

    def _show_step(self, key: tuple[str, str]) -> None:
        """To the pane where it can be seen; of a step that reads logs, to the logs."""
        at = self.guiding.step(key)
        if at is None:
            return
        from tui import guide_aims

        look = at[1].look
        if at[1].way == "logs":
            subject = guide_aims.logs_of(self.host, *at)
            if subject is not None and self.host.session.cluster is not None:
                from tui.screens.logs import LogsScreen

                self.app.push_screen(LogsScreen(self.host, subject, subject.pods))
                return
        what = look.what if look is not None else "pods" if at[1].way == "plan" else ""
        pane = PANES.get(what, what)
        if pane == "sql":
            self.host.tell("enter asks it and shows its rows; y copies the query", timeout=4)
        elif pane == "databases" and not self.has_databases:
            self.host.tell("no pane shows this: the settings have no [azure]", timeout=4)
        elif pane:
            self.action_pane(pane)
        else:
            self.host.tell("no pane shows this", timeout=3)

    def on_guide_panel_noted(self, event: GuidePanel.Noted) -> None:
        event.stop()
        key = (event.guide, event.step)
        writing.begin(self.host, self._save_note(event.panel, key, event.text), "writes a note on a step")

    async def _save_note(self, panel: GuidePanel, key: tuple[str, str], text: str) -> None:
        """The line keeps the text until the note is on disk."""
        kept = False
        try:
            kept = await self.guiding.note(key, text)
        finally:
            if panel.is_attached:
                if kept:
                    panel.saved()
                else:
                    panel.failed()
