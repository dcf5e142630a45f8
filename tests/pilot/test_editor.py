"""The one-line editor: text is never lost, never saved twice, never saved by a paste."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events

from tests.breadth import examples
from tests.pilot.paper_harness import PaperApp
from widgets.editor import HISTORY, QuickLog


def preview(text: str) -> str:
    if text.startswith("99:"):
        raise ValueError("99:00 is not a time of day")
    return "happened 14:02 UTC today" if text.startswith("14:02") else "happens now"


def opened() -> tuple[QuickLog, PaperApp]:
    log = QuickLog(preview=preview)
    return log, PaperApp(log)


def submitted(app: PaperApp) -> list[str]:
    return [message.text for message in app.heard if isinstance(message, QuickLog.Submitted)]


async def test_enter_submits_and_the_text_stays_until_it_is_saved() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"asking support", "enter")
        await pilot.pause()
        assert submitted(app) == ["asking support"]
        assert log.value == "asking support"
        assert "saving …" in app.text
        log.saved()
        await pilot.pause()
        assert log.value == ""
        assert "✓ saved" in app.text


async def test_what_could_not_be_saved_stays_and_the_reason_is_shown() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"asking", "enter")
        log.failed("the disk is full [/]")
        await pilot.pause()
        assert log.value == "asking"
        assert "✗ not saved: the disk is full [/]" in app.text
        await pilot.press("enter")
        await pilot.pause()
        assert submitted(app) == ["asking", "asking"]


async def test_enter_pressed_twice_submits_once() -> None:
    _log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"once", "enter", "enter", "enter")
        await pilot.pause()
        assert submitted(app) == ["once"]


async def test_what_is_typed_while_a_line_is_saved_is_the_next_line() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"first", "left", "left", "enter", *"second")
        log.saved()
        await pilot.pause()
        assert submitted(app) == ["first"]
        assert log.value == "second"


async def test_what_is_typed_while_saving_fails_is_kept_too() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"first", "enter", *"second")
        log.failed("locked")
        assert log.value == "first second"


async def test_the_border_says_when_it_will_have_happened() -> None:
    _log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"14:02 it began")
        await pilot.pause()
        assert "happened 14:02 UTC today" in app.lines[0]


async def test_a_line_that_cannot_be_read_is_not_submitted() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"99:00 it began")
        await pilot.pause()
        assert "✗ 99:00 is not a time of day" in app.lines[0]
        await pilot.press("enter")
        await pilot.pause()
        assert submitted(app) == []
        assert log.value == "99:00 it began"


async def test_blank_lines_are_not_submitted() -> None:
    _log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press("enter", "space", "enter")
        await pilot.pause()
        assert app.heard == []


async def test_a_pasted_newline_never_submits() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"seen: ")
        log.post_message(events.Paste("one\ntwo\r\n"))
        await pilot.pause()
        assert log.value == "seen: one ⏎ two"
        assert app.heard == []


async def test_a_big_paste_goes_on_in_the_long_editor_with_all_of_it() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"log: ")
        log.post_message(events.Paste("\n".join(f"line {number}" for number in range(9))))
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, QuickLog.Expand)
        assert heard.text.splitlines() == ["log: line 0", *(f"line {number}" for number in range(1, 9))]
        assert log.value == "log: "


async def test_ctrl_e_goes_on_in_the_long_editor() -> None:
    _log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"more", "ctrl+e")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, QuickLog.Expand)
        assert heard.text == "more"


async def test_escape_leaves_and_keeps_the_text() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.press(*"half a", "escape")
        await pilot.pause()
        assert [type(message) for message in app.heard] == [QuickLog.Cancelled]
        assert log.value == "half a"


async def test_up_and_down_walk_through_what_was_written_and_back_to_the_draft() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        for text in ("one", "two"):
            await pilot.press(*text, "enter")
            log.saved()
        await pilot.press(*"draft", "up")
        assert log.value == "two"
        await pilot.press("up", "up")
        assert log.value == "one"
        await pilot.press("down", "down", "down")
        assert log.value == "draft"


async def test_only_so_many_lines_are_remembered() -> None:
    log, app = opened()
    async with app.run_test(size=(100, 5)) as pilot:
        for number in range(HISTORY + 5):
            log.value = f"line {number}"
            await pilot.press("enter")
            log.saved()
        await pilot.press(*["up"] * (HISTORY + 5))
        assert log.value == "line 5"


async def test_the_hints_that_fit_are_shown_at_eighty_columns() -> None:
    _log, app = opened()
    async with app.run_test(size=(80, 5)) as pilot:
        await pilot.pause()
        assert "enter saves · 14:02 or -5m sets the time · TODO makes a follow-up" in app.lines[2]
        assert app.widths() == {80}


@settings(max_examples=examples(8), deadline=None)
@given(pasted=st.text(alphabet=st.sampled_from("a \n\r\t\x1b[31m\x07\u202e\u200b\u2028界é[/]"), max_size=40))
def test_pasted_text_is_inert(pasted: str) -> None:
    import asyncio

    async def paste() -> str:
        log, app = opened()
        async with app.run_test(size=(80, 5)) as pilot:
            log.post_message(events.Paste(pasted))
            await pilot.pause()
            assert app.widths() == {80}
            assert submitted(app) == []
            expanded = [message.text for message in app.heard if isinstance(message, QuickLog.Expand)]
            return "".join(expanded) or log.value

    value = asyncio.run(paste())
    assert not any(unicodedata.category(character) in ("Cc", "Cf") for character in value.replace("\n", ""))
