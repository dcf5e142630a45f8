"""Every key of the console in one table: bindings, footer, help, palette and the keymap are made from it.

Lower case looks, upper case acts. A pane's own keys (cursor movement, filter, expand) are bindings of
that pane; this table holds what works everywhere on the console.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol

from msgspec import Struct
from textual.binding import Binding, BindingType

from widgets.key_bar import KeyHint

Group = Literal["look", "record", "view", "act"]


class KeymapError(Exception):
    """The ``[keys]`` table of the settings names an unknown action, or gives one key to two of them."""


class Key(Struct, frozen=True):
    """One action. ``id`` is its name in the settings' ``[keys]`` table; ``footer`` 0 means not in the footer."""

    id: str
    keys: str  # Textual's notation, comma separated
    action: str
    label: str  # one or two words, for the footer
    tooltip: str  # one sentence, for help and palette
    group: Group
    footer: int = 0  # 1 is the last to be dropped when the footer is narrow
    panes: tuple[str, ...] = ()  # the ids of the panes' own bindings for it, remapped with it

    @property
    def binding(self) -> Binding:
        return Binding(self.keys, self.action, self.label, show=False, id=self.id, tooltip=self.tooltip, group=None)


NAMES: Mapping[str, str] = {
    "slash": "/",
    "question_mark": "?",
    "exclamation_mark": "!",
    "full_stop": ".",
    "escape": "esc",
    "pageup": "page up",
    "pagedown": "page down",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def readable(key: str) -> str:
    """One key in Textual's notation as a person reads it."""
    key = key.strip()
    return NAMES.get(key, key.replace("ctrl+", "^"))


def first_key(binding: str, keys: str, keymap: Mapping[str, str]) -> str:
    """The first key of a binding, the keymap's if it has one, as a person reads it."""
    return readable(keymap.get(binding, keys).split(",")[0])


KEYS: tuple[Key, ...] = (
    Key(
        "detail",
        "enter",
        "detail",
        "detail",
        "The selected row in full: what is known of it and its raw object",
        "look",
        1,
    ),
    Key(
        "diagnose",
        "d",
        "diagnose",
        "diagnose",
        "What is wrong, which scenario fits, and what changed before: the investigation framework, evaluated live",
        "look",
        2,
    ),
    Key(
        "guide",
        "g",
        "guide",
        "guide",
        "A scenario or phase of the runbook as a checklist beside the panes; the one that fits is first",
        "look",
        2,
        ("guide.again", "diagnosis.guide"),
    ),
    Key("logs", "l", "logs", "logs", "Logs of the selected pod, or of every pod of the selected workload", "look", 1),
    Key(
        "filter",
        "slash",
        "filter",
        "filter",
        "Show only the rows of this pane that contain what you type",
        "look",
        2,
        ("table.filter", "paper.search"),
    ),
    Key("copy", "y", "copy", "copy", "Copy the selected row to your clipboard, over SSH too (OSC 52)", "look", 3),
    Key(
        "pin", "p", "pin", "pin", "Put the selected row on the timeline, with its own time and raw object", "record", 1
    ),
    Key("note", "n", "note", "log", "Write a timeline entry in the line at the bottom", "record", 1),
    Key("editor", "ctrl+e", "editor", "editor", "Write a timeline entry of several lines", "record", 5),
    Key("export", "e", "export", "export", "Write the incident's review to a file and say where it is", "record", 2),
    Key(
        "card", "v", "card", "incident", "The incident's card: severity, status, roles, times, checklists", "record", 2
    ),
    Key("score", "r", "score", "score", "How this drill goes: points, and the ideal path beside yours", "record", 3),
    Key("incidents", "i", "incidents", "others", "Choose which incident's timeline is shown", "record", 4),
    Key("maximise", "z", "maximise", "zoom", "Give this pane the whole screen, or give it back", "view", 2),
    Key(
        "freeze",
        "f",
        "freeze",
        "freeze",
        "Hold this pane still while you read; press again to go live",
        "view",
        3,
        ("table.freeze", "paper.follow"),
    ),
    Key("namespaces", "s", "namespaces", "namespace", "Look at another namespace, or at all of them", "view", 3),
    Key("contexts", "c", "contexts", "context", "Look at another cluster of your kubeconfig", "view", 3),
    Key("clock", "t", "clock", "clock", "Show times in UTC or in local time", "view", 5),
    Key("theme", "ctrl+t", "theme", "theme", "Next theme: dark, light, high contrast", "view", 6),
    Key("help", "question_mark,f1", "help", "help", "Every key and what it does", "view"),
    Key("palette", "ctrl+p", "app.command_palette", "palette", "Everything there is to do, by name", "view", 5),
    Key("quit", "ctrl+q", "quit", "quit", "Leave the console; the incident stays as it is", "view", 5),
    Key("watch", "w", "watch", "acts", "What this console is carrying out, how far it is, and how it ended", "look", 4),
    Key("declare", "I", "declare", "declare", "Declare an incident: a timeline of its own begins", "act", 2),
    Key(
        "update", "M", "update", "update", "Write a status update, and send it to whom the runbook wants told", "act", 2
    ),
    Key("arm", "A", "arm", "arm", "Arm this console for production for a while, or disarm it", "act", 2),
    Key("undo", "U", "undo", "undo", "Take back what was done: a plan of its own, from its undo recipe", "act", 2),
)

PANE_KEYS: tuple[tuple[str, str], ...] = (
    ("pods", "1"),
    ("nodes", "2"),
    ("events", "3"),
    ("services", "4"),
    ("changes", "5"),
    ("timeline", "6"),
)
DATABASES_PANE = ("databases", "7")


def pane_keys(databases: bool) -> tuple[tuple[str, str], ...]:
    """The panes there are, in the order of their keys. The databases' is there where the settings name an Azure."""
    return (*PANE_KEYS, DATABASES_PANE) if databases else PANE_KEYS


STEP_KEYS: tuple[tuple[str, str, int, str], ...] = (
    ("pane-next", "tab", 1, "The next pane; after the last one the log line"),
    ("pane-previous", "shift+tab", -1, "The pane before"),
)
"""(id, key, step, sentence). Ours and not Textual's: in the narrow layout only one pane can have the focus."""


def bindings() -> list[BindingType]:
    """The console's bindings, each with an id (for keymaps) and a tooltip (for help)."""
    table: list[BindingType] = [key.binding for key in KEYS]
    table += [
        Binding(number, f"pane('{name}')", name, show=False, id=f"pane-{name}", tooltip=f"Go to {name}")
        for name, number in pane_keys(databases=True)
    ]
    table += [
        Binding(keys, f"step_pane({step})", "pane", show=False, id=name, tooltip=sentence)
        for name, keys, step, sentence in STEP_KEYS
    ]
    return table


class Actable(Protocol):
    """What a mitigation says of its key (see `runbook.mitigation`)."""

    @property
    def id(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def sentence(self) -> str: ...


def act_keys(mitigations: Iterable[Actable]) -> tuple[Key, ...]:
    """The keys of the runbook's mitigations, in the order of their table."""
    return tuple(
        Key(each.id, each.key, f"act('{each.id}')", each.label, each.sentence, "act", 1) for each in mitigations
    )


OFF, OWN = 9, 0
"""Weights in a narrow footer: what does nothing on this row goes first, what only such rows have stays longest."""


def bar_keys(
    keymap: Mapping[str, str],
    acts: Sequence[Key] = (),
    off: Mapping[str, str] = MappingProxyType({}),
    without: Collection[str] = (),
    of_row: Collection[str] = (),
) -> list[KeyHint]:
    """The footer's hints, those that look before those that act, with the keys that are in force.

    ``off`` says by id why a key does nothing on the row under the cursor; ``without`` are left out. ``of_row`` only
    rows like this one have: where there is little room, they are what is wanted.
    """
    own = [key for key in KEYS if key.footer and key.id not in without]
    looks = [key for key in own if key.group != "act"]

    def weight(key: Key) -> int:
        if off.get(key.id):
            return OFF
        return OWN if key.id in of_row else key.footer

    return [
        KeyHint(
            first_key(key.id, key.keys, keymap),
            key.label,
            weight(key),
            key.group == "act",
            off.get(key.id, ""),
            action=key.action,
        )
        for key in (*looks, *acts, *(key for key in own if key.group == "act"))
    ]


def checked_keymap(wanted: Mapping[str, str], acts: Sequence[Key] = ()) -> dict[str, str]:
    """The settings' ``[keys]`` as Textual's keymap. ``acts`` are the keys of the mitigations.

    Raises:
        KeymapError: an unknown action, or a key that another action already has. Textual would let the
            later binding win in silence, and a key that does something else than it says is how accidents happen.
    """
    known = {key.id: key.keys for key in (*KEYS, *acts)}
    known |= {f"pane-{name}": number for name, number in pane_keys(databases=True)}
    known |= {name: keys for name, keys, _, _ in STEP_KEYS}
    for name in wanted:
        if name not in known:
            raise KeymapError(f"[keys] {name}: there is no such action; there are {', '.join(sorted(known))}")
    taken: dict[str, str] = {}
    for name, keys in (known | dict(wanted)).items():
        for pressed in (part.strip() for part in keys.split(",")):
            if pressed in taken:
                raise KeymapError(f"[keys] {name}: the key {pressed} already belongs to {taken[pressed]}")
            taken[pressed] = name
    keymap = dict(wanted)
    for key in KEYS:
        if key.id in wanted:
            keymap |= dict.fromkeys(key.panes, wanted[key.id])
    return keymap
