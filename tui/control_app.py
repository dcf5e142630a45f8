"""The organiser's screen: what can be made to happen, what the script still holds, what was injected, who works.

One key injects, and nothing asks whether that was meant: it is a drill, and a debrief lists it.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, OptionList, Static

from tui.control_rows import about, going_on, headline, injected_rows, script_rows, step_rows, working_rows
from tui.drill_control import organiser
from tui.options import from_arguments
from tui.outline import NARROW
from tui.theme import THEMES
from widgets.plain import clock, crop, plain
from widgets.row_list import ListRow, RowList

if TYPE_CHECKING:
    import argparse

    from drill.control import Remote

EVERY = 1.0
"""Seconds between two looks at the platform."""

PANES = ("steps", "script", "injected", "working")
TITLES = {"steps": "Steps", "script": "Script", "injected": "Injected", "working": "Working"}


class NextWord(Suggester):
    """Offers the rest of the word that is being typed: a kind, the name of a key, a value that it can have."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.forms: dict[str, Any] = {}
        self.names: dict[str, list[str]] = {}

    async def get_suggestion(self, value: str) -> str | None:
        head, blank, word = value.rpartition(" ")
        if not word:
            return None
        found = next((one for one in self._known(value.partition(" ")[0], blank, word) if one.startswith(word)), None)
        return None if found is None or found == word else head + blank + found

    def _known(self, kind: str, blank: str, word: str) -> list[str]:
        if not blank:
            return [*self.forms]
        fields = self.forms.get(kind, {}).get("fields", ())
        name, mark, _ = word.partition("=")
        if not mark:
            return [f"{field['name']}=" for field in fields]
        expects = next((str(field["expects"]) for field in fields if field["name"] == name), "")
        options = expects.removeprefix("one of ").split(", ") if expects.startswith("one of ") else []
        return [f"{name}={option}" for option in (*self.names.get(name, ()), *options)]


class ControlApp(App[None]):
    """``remote`` is the platform; ``by`` is who injects."""

    TITLE = "warroom drill control"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; background: $background; }
    #head, #lasting { height: 1; background: $panel; }
    #about { height: 3; padding: 0 2; color: $foreground 80%; }
    #said { height: 1; padding: 0 2; }
    #line { border: round $border-blurred; background: $background; padding: 0 1; height: 3; }
    #line:focus { border: round $border; }
    #keys { height: 1; background: $panel; }
    #steps { width: 46%; }
    #right { width: 1fr; }
    #working { height: 9; }
    RowList { height: 1fr; }
    RowList:blur > .option-list--option-highlighted { background: $background; color: $foreground; text-style: none; }
    .-narrow #steps, .-narrow #right { width: 100%; }
    .-narrow #working { height: 1fr; }
    .-aside { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", id="control-quit", priority=True, tooltip="Leave; the drill goes on"),
        Binding("q", "quit", show=False, id="control-leave"),
        Binding("X", "inject", "inject", id="control-inject", tooltip="Have the step under the cursor happen, at once"),
        Binding("W", "well", "servers well", id="control-well", tooltip="End all trouble with the servers"),
        Binding("m", "message", "message", id="control-message", tooltip="Words to who practises"),
        Binding("i", "line", "step line", id="control-line", tooltip="Write a step"),
        Binding("z", "clock", "UTC or local", show=False, id="control-clock"),
        Binding("escape", "list", "back", show=False, id="control-list"),
        *(Binding(str(n), f"pane('{name}')", TITLES[name], show=False) for n, name in enumerate(PANES, 1)),
    ]
    HINTS = "X inject at once · enter take it into the line · W servers well · m message · 1-4 or tab panes · q leave"
    FEW_HINTS = "X inject · enter into the line · W well · m message · 1-4 panes · q leave"

    def __init__(self, remote: Remote, by: str, *, local: bool = False, theme: str = "warroom") -> None:
        super().__init__()
        self._remote = remote
        self._by = by
        self._local = local
        self._told: dict[str, Any] = {}
        self._silent = 0.0  # since when (wall) the platform has not answered; 0 while it does
        self._pane = "steps"
        self._words = NextWord()
        self._looking = False
        for one in THEMES:
            self.register_theme(one)
        self.theme = theme

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Static(id="lasting", markup=False)
        with Horizontal():
            yield RowList(id="steps")
            with Vertical(id="right"):
                yield RowList(id="script")
                yield RowList(id="injected")
                yield RowList(id="working")
        yield Static(id="about", markup=False)
        yield Input(
            id="line",
            placeholder="a step: KIND NAME=VALUE …   (→ completes, enter injects, esc back)",
            suggester=self._words,
            select_on_focus=False,  # the next letter would replace what was taken into it
        )
        yield Static(id="said", markup=False)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one("#steps").focus()
        self._arrange()
        self._look()
        self.set_interval(EVERY, self._look, name="look at the platform")

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._show)

    def _arrange(self) -> None:
        if not self.is_running or not self._screen_stack:
            return
        narrow = self.size.width < NARROW
        self.screen.set_class(narrow, "-narrow")
        for name in PANES:
            self.query_one(f"#{name}").set_class(narrow and name != self._pane, "-aside")
        self.query_one("#right").set_class(narrow and self._pane == "steps", "-aside")

    def _list(self, name: str) -> RowList:
        return self.query_one(f"#{name}", RowList)

    # ------------------------------------------------------------------ what is shown

    @property
    def _furnished(self) -> bool:
        """Whether there are widgets to show anything in: not yet at the start, and not any more at the end."""
        return self.is_running and bool(self._screen_stack) and self._screen_stack[-1].is_mounted

    @work(group="look", exit_on_error=False, description="looks at the platform")
    async def _look(self) -> None:
        from drill.control import NoControl, Refusal

        if self._looking:
            return
        self._looking = True
        try:
            self._told = await asyncio.to_thread(self._remote.state)
            self._silent = 0.0
        except (NoControl, Refusal) as error:
            self._silent = self._silent or time.time()
            self._say(str(error), "bold $text-error")
        finally:
            self._looking = False
        self._show()

    def _show(self) -> None:
        if not self._furnished:
            return
        width, told = self.size.width, self._told
        hints = self.FEW_HINTS if width < NARROW else self.HINTS
        self.query_one("#keys", Static).update(Content.styled(" " + crop(hints, width - 2), DIM))
        for number, name in enumerate(PANES, 1):
            self._list(name).border_title = Content.styled(f"{number} {TITLES[name]}", "bold $foreground 80%")
        if not told:
            if self._silent:
                self.query_one("#head", Static).update(Content.styled(" DRILL CONTROL  no platform answers", "bold"))
            return
        self._words.forms = {form["do"]: form for form in told["forms"]}
        self._words.names = told["names"]
        self.query_one("#head", Static).update(headline(told, width))
        lasting = going_on(told)
        if self._silent:
            since = f"the platform has not answered since {clock(self._silent, self._local)}"
            lasting = Content.styled(f" ✗ {since}; what is shown is from before", "bold $text-error")
        self.query_one("#lasting", Static).update(lasting)
        cells = {name: max(self._list(name).scrollable_content_region.width - 1, 30) for name in PANES}
        self._list("steps").show(step_rows(told, cells["steps"]))
        self._put("script", script_rows(told, cells["script"], local=self._local))
        self._put("injected", injected_rows(told, cells["injected"], local=self._local))
        self._put("working", working_rows(told, cells["working"]))
        self._describe()

    def _put(self, name: str, rows: list[ListRow]) -> None:
        self._list(name).show(rows)

    @on(OptionList.OptionHighlighted)
    @on(Input.Changed, "#line")
    def _describe(self) -> None:
        """Below the lists: what the kind under the cursor expects, or what a cropped row says in full."""
        if not self._told or not self._furnished:
            return
        focused = self.focused
        if isinstance(focused, RowList) and focused.id != "steps":
            text = focused.full
        else:
            kind = self._line.value.partition(" ")[0] if focused is self._line else self._chosen
            form = self._words.forms.get(kind)
            text = f"{form['do']}   {about(form, self._words.names)}" if form is not None else ""
        self.query_one("#about", Static).update(Content(plain(text, 600)))

    def on_descendant_focus(self) -> None:
        focused = self.focused
        if isinstance(focused, RowList) and focused.id in PANES and focused.id != self._pane:
            self._pane = focused.id
            self._arrange()
        self._describe()

    def _say(self, text: str, style: str) -> None:
        if not self._furnished:
            return
        self.query_one("#said", Static).update(Content.styled(crop(plain(text, 1000), self.size.width - 4), style))

    # ------------------------------------------------------------------ keys

    @property
    def _line(self) -> Input:
        return self.query_one("#line", Input)

    @property
    def _chosen(self) -> str:
        return self._list("steps").chosen.removeprefix("step ")

    def _take(self, step: str) -> None:
        """Into the line, with the cursor where the first value is missing."""
        line = self._line
        line.value = step
        line.focus()
        gap = next((at for at, mark in enumerate(step) if mark == "=" and step[at + 1 : at + 2] in ("", " ")), None)
        line.cursor_position = len(step) if gap is None else gap + 1

    @on(OptionList.OptionSelected, "#steps")
    def _begin(self) -> None:
        form = self._words.forms.get(self._chosen)
        if form is not None:
            self._take(form["example"])

    @on(OptionList.OptionSelected, "#injected")
    def _again(self) -> None:
        number = self._list("injected").chosen.removeprefix("injected ")
        found = next((one for one in self._told.get("injected", ()) if str(one["number"]) == number), None)
        if found is not None:
            self._take(str(found["step"]))

    @on(Input.Submitted, "#line")
    def _submit(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._inject(event.value, typed=True)

    def action_inject(self) -> None:
        form = self._words.forms.get(self._chosen)
        if form is None or self.focused is not self._list("steps"):
            return
        if any(word.endswith("=") for word in form["example"].split()):
            self._take(form["example"])
            self._say(f"{form['do']} needs what is still empty; enter injects it", "$text-warning")
        else:
            self._inject(form["example"], typed=False)

    def action_well(self) -> None:
        self._inject("well", typed=False)

    def action_message(self) -> None:
        self._take("message ")

    def action_line(self) -> None:
        self._line.focus()

    def action_list(self) -> None:
        self._list(self._pane).focus()

    def action_clock(self) -> None:
        self._local = not self._local
        self._show()

    def action_pane(self, name: str) -> None:
        self._pane = name
        self._arrange()
        self._list(name).focus()
        self.call_after_refresh(self._show)

    @work(group="inject", exit_on_error=False, description="injects a step")
    async def _inject(self, step: str, *, typed: bool) -> None:
        from drill.control import NoControl, Refusal

        try:
            done = await asyncio.to_thread(self._remote.do, step, self._by)
        except (NoControl, Refusal) as error:
            self._say(f"✗ not injected: {error}", "bold $text-error")
            return
        failed = str(done.get("failed") or "")
        told = (
            f"✗ {done['step']}: {failed}"
            if failed
            else f"✓ injected at {clock(float(done['at']), self._local)}: {done['step']}"
        )
        self._say(told, "bold $text-error" if failed else "bold $text-success")
        if typed and not failed and self._line.value == step:
            self._line.value = ""
            self.action_list()
        self._look()


DIM = "$foreground 60%"


def run_control(remote: Remote, arguments: argparse.Namespace) -> int:
    """Open the screen and stay until it is left. Returns the process's exit status."""
    options = from_arguments(arguments)
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    settings = options.settings.console
    app = ControlApp(remote, organiser(), local=settings.clock == "local", theme=settings.theme)
    app.run()
    return app.return_code or 0
