"""The console's keys that act: which mitigations there are, which make sense on this row, and what is under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual import events, on

from tui import acting
from tui.keys import Key, act_keys, bar_keys
from tui.screens.console_layout import ConsoleLayout
from widgets.acts_strip import ActsStrip
from widgets.key_bar import KeyBar
from widgets.table import TablePane
from widgets.timeline import TimelinePane

if TYPE_CHECKING:
    from runbook.mitigation import Mitigation
    from runbook.plan import Aim
    from tui.aims import Aims
    from tui.room import ControlRoom


class ConsoleActs(ConsoleLayout):
    """A key that acts opens a plan; the footer dims those that make no sense on the row under the cursor."""

    def __init__(self, host: ControlRoom) -> None:
        super().__init__(host)
        self._mitigations: dict[str, Mitigation] = {}
        self._act_keys: tuple[Key, ...] = ()
        self._aims: Aims | None = None
        self._keys_due = False

    def furnish_acts(self, mitigations: Mapping[str, Mitigation]) -> None:
        """The mitigations there are: their keys work from now on. They are not needed for the first frame."""
        self._mitigations = dict(mitigations)
        self._act_keys = act_keys(mitigations.values())
        known = {binding.id for _, binding in self._bindings}
        for key in self._act_keys:
            if key.id not in known:
                pressed = self.app._keymap.get(key.id, key.keys)
                self._bindings.bind(pressed, key.action, key.label, show=False)
        self._show_keys()

    def show_acts(self) -> None:
        """What is under way, over the keys."""
        acts = self.host.gates.acts
        self.timeline.running = {act.entry for act in acts if not act.finished} | self.host.book.elsewhere()
        rows = acting.rows(acts, self.host.now())
        self.set_class(bool(rows), "-acting")
        self.query_one(ActsStrip).show(rows)

    def refusal(self, name: str, aim: Aim) -> str:
        """Why a mitigation makes no sense for ``aim``, or an empty string."""
        if name in self._mitigations:
            return self._mitigations[name].refuses(aim)
        return "the settings name nothing to do it on ([azure], [sql])" if self._mitigations else "not ready yet"

    @property
    def act_keys(self) -> tuple[Key, ...]:
        """The keys of the mitigations, once they are known."""
        return self._act_keys

    def act_label(self, name: str) -> str:
        return self._mitigations[name].label if name in self._mitigations else name

    def aim(self) -> Aim:
        """What the keys that act are about, as of now."""
        return self.aim_of(self.selected_row())

    def aim_of(self, row: object) -> Aim:
        """What a row means to what acts."""
        from tui.aims import Aims

        self._aims = self._aims or Aims()
        return self._aims.of(row, self.host.feeds.latest)

    def _show_keys(self) -> None:
        """The footer: what acts is dim where it makes no sense on this row."""
        self._keys_due = False
        if not self._mitigations or not self.children:
            return
        aim = self.aim()
        off = {name: mitigation.refuses(aim) for name, mitigation in self._mitigations.items()}
        of_row = {name for name, each in self._mitigations.items() if each.place != "cluster" and not off[name]}
        self.query_one(KeyBar).show(bar_keys(self.app._keymap, self._act_keys, off, self.without, of_row))

    def _show_keys_soon(self) -> None:
        """The cursor is painted first, and a held key changes the footer once for each paint and not for each row."""
        if self._mitigations and not self._keys_due:
            self._keys_due = True
            self.call_after_refresh(self._show_keys)

    @on(TablePane.Selected)
    def _row_selected(self, event: TablePane.Selected) -> None:
        event.stop()
        if event.pane is self.pane:
            self._show_keys_soon()

    @on(events.DescendantFocus)
    def _pane_focused(self) -> None:
        if isinstance(self.focused, TablePane | TimelinePane):
            self._show_keys_soon()

    @on(KeyBar.Pressed)
    async def _hint_clicked(self, event: KeyBar.Pressed) -> None:
        event.stop()
        if event.hint.action:
            await self.run_action(event.hint.action)

    def action_act(self, name: str) -> None:
        acting.plan(self.host, name)

    def action_arm(self) -> None:
        acting.arm(self.host)

    def action_undo(self) -> None:
        acting.undo(self.host)

    def action_watch(self) -> None:
        acting.watch(self.host)
