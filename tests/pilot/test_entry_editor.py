"""The long editor and the retraction: asks before text is thrown away, closes only when it is saved."""

from __future__ import annotations

from textual.widgets import Checkbox, Input, TextArea

from incident.entry import Kind
from incident.timeline import Timeline
from tests.pilot.paper_harness import PaperApp, entry
from widgets.dialogs import EntryDialog, RetractDialog
from widgets.entry_editor import EntryEditor, RetractPrompt
from widgets.timeline import TimelinePane

LINE = Timeline([entry(1, "it was [bold]the firewall[/]")]).lines[0]
SIZE = (110, 30)


def read_time(text: str) -> str:
    if text != "14:02":
        raise ValueError(f"{text} is not a time")
    return "14:02 UTC today"


async def test_a_new_entry_carries_its_lines_its_time_and_whether_it_is_a_follow_up() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        dialog = EntryDialog("first", read_time=read_time)
        app.push_screen(dialog)
        await pilot.pause()
        await pilot.press("enter", *"second")
        dialog.query_one("#when", Input).value = "14:02"
        dialog.query_one("#todo", Checkbox).value = True
        await pilot.press("ctrl+s")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, EntryEditor.Submitted)
        assert (heard.text, heard.when, heard.todo, heard.original) == ("first\nsecond", "14:02", True, None)
        assert app.screen is dialog
        assert "14:02 UTC today" in app.text


async def test_it_closes_when_it_is_saved_and_not_before() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        results: list[bool | None] = []
        dialog = EntryDialog("text")
        app.push_screen(dialog, results.append)
        await pilot.pause()
        await pilot.press("ctrl+s", "ctrl+s")
        await pilot.pause()
        assert len(app.heard) == 1
        dialog.editor.failed("the store is locked")
        await pilot.pause()
        assert "✗ not saved: the store is locked" in app.text
        assert dialog.editor.text == "text"
        await pilot.press("ctrl+s")
        dialog.editor.saved()
        await pilot.pause()
        assert results == [True]
        assert app.screen is not dialog


async def test_escape_asks_before_text_is_thrown_away() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        results: list[bool | None] = []
        dialog = EntryDialog()
        app.push_screen(dialog, results.append)
        await pilot.pause()
        await pilot.press(*"words", "escape")
        await pilot.pause()
        assert "esc again throws it away" in app.text
        assert app.screen is dialog
        await pilot.press("x", "escape")
        assert app.screen is dialog
        await pilot.press("escape")
        await pilot.pause()
        assert results == [False]


async def test_escape_leaves_an_untouched_editor_at_once() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        results: list[bool | None] = []
        app.push_screen(EntryDialog(original=LINE), results.append)
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert results == [False]


async def test_an_amendment_shows_what_stands_and_starts_from_it() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        dialog = EntryDialog(original=LINE)
        app.push_screen(dialog)
        await pilot.pause()
        assert "Mon 23 Nov 2026 14:02:32 ● it was [bold]the firewall[/]" in app.text
        assert dialog.query_one("#text", TextArea).text == "it was [bold]the firewall[/]"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.heard == []
        assert "nothing is changed yet" in app.text
        await pilot.press(*", no", "ctrl+s")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, EntryEditor.Submitted)
        assert heard.original is LINE
        assert heard.text == "it was [bold]the firewall[/], no"


async def test_a_time_that_cannot_be_read_is_not_submitted() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        dialog = EntryDialog("text", read_time=read_time)
        app.push_screen(dialog)
        await pilot.pause()
        dialog.query_one("#when", Input).value = "noon"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.heard == []
        assert "✗ noon is not a time" in app.text


async def test_a_retraction_needs_a_reason() -> None:
    app = PaperApp(TimelinePane())
    async with app.run_test(size=SIZE) as pilot:
        results: list[bool | None] = []
        dialog = RetractDialog(LINE)
        app.push_screen(dialog, results.append)
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert "a retraction needs a reason" in app.text
        await pilot.press(*"was dns", "enter")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, RetractPrompt.Submitted)
        assert (heard.entry_id, heard.reason) == ("e1", "was dns")
        heard.control.saved()
        await pilot.pause()
        assert results == [True]


async def test_a_follow_up_that_is_amended_stays_one() -> None:
    app = PaperApp(TimelinePane())
    line = Timeline([entry(1, "alert on it", kind=Kind.FOLLOWUP)]).lines[0]
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(EntryDialog(original=line))
        await pilot.pause()
        assert app.widths() == {80}
        await pilot.press("!", "ctrl+s")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, EntryEditor.Submitted)
        assert heard.todo
