"""The command palette: every key's action by name, and nothing that has no key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from tui.keys import KEYS, first_key
from widgets.plain import plain

if TYPE_CHECKING:
    from tui.room import ControlRoom


def commands(room: ControlRoom) -> Iterator[SystemCommand]:
    """What the palette offers on the console; the texts are the table's own (see `tui.keys`)."""
    console, keymap = room.desk, room.app._keymap
    for key in (*KEYS, *console.act_keys):
        if key.id == "palette" or key.id in console.without:
            continue

        async def run(action: str = key.action) -> None:
            await console.run_action(action)

        yield _command(f"{key.label}  ({first_key(key.id, key.keys, keymap)})", key.tooltip, run)
    for name, number in console.panes:

        async def go(name: str = name) -> None:
            await console.run_action(f"pane('{name}')")

        yield _command(f"go to {name}  ({first_key(f'pane-{name}', number, keymap)})", f"Focus the {name} pane", go)
    for theme in sorted(room.app.available_themes):

        def use(theme: str = theme) -> None:
            room.app.theme = theme

        yield _command(f"theme {theme}", "Until you leave; [console] theme in the settings keeps it", use)


def _command(title: str, sentence: str, run: Callable[[], object]) -> SystemCommand:
    """Textual reads both as markup, and a bracket that is none ends the app; a runbook's own words may have any."""
    return SystemCommand(plain(title).replace("[", r"\["), plain(sentence, 300).replace("[", r"\["), run)
