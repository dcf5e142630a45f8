"""The timeline's pane: what a line says, following without yanking, a cursor that stays on its entry."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot

from incident.entry import Kind, Source
from incident.timeline import Timeline
from tests.pilot.paper_harness import SECOND, T0, PaperApp, entry, timeline
from widgets.timeline import TimelinePane

SIZE = (76, 20)


def shown(pane: TimelinePane) -> list[str]:
    """The pane's rows without the border, the cursor's column and the scroll mark."""
    return [row.text.rstrip() for _, row in pane.in_window()]


async def settle(pilot: Pilot[None]) -> None:
    await pilot.pause()


async def test_a_line_has_its_time_mark_text_and_quiet_remarks_below_it() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        fold = "workload/prod/payment-service/unhealthy"
        news = entry(
            11,
            "payment-service unhealthy, 0 of 3 ready",
            source=Source.PROBE,
            kind=Kind.OBSERVATION,
            level="bad",
            fold=fold,
            evidence={"detail": "CrashLoopBackOff, exit 1"},
        )
        again = entry(50, "", kind=Kind.REPEAT, source=Source.PROBE, refers_to="e11", count=21)
        pane.show(Timeline([entry(1, "deployed", source=Source.PROBE, fold="release/x"), news, again]))
        await settle(pilot)
        assert shown(pane) == [
            "── Mon 23 Nov 2026 " + "─" * 53,
            "14:02:32 ◆ deployed",
            "           probe",
            "14:02:42 ✗ payment-service unhealthy, 0 of 3 ready",
            "           CrashLoopBackOff, exit 1 · probe · 21 times so far, last",
            "           14:03:21",
        ]


async def test_long_text_is_wrapped_with_a_hanging_indent() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=(50, 20)) as pilot:
        pane.show(Timeline([entry(1, "Pool timeout in the logs, same stack in all three pods")]))
        await settle(pilot)
        assert shown(pane)[1:] == [
            "14:02:32 ● Pool timeout in the logs, same",
            "           stack in all three pods",
            "           tech-lead",
        ]


async def test_every_kind_of_line_has_a_mark_of_its_own() -> None:
    pane = TimelinePane()
    entries = [
        entry(1, "deployed", source=Source.PROBE, fold="release/x/12/deployed"),
        entry(2, "down", source=Source.PROBE, level="bad", fold="endpoint/x"),
        entry(3, "hot", source=Source.PROBE, level="warn", fold="node/x"),
        entry(4, "up", source=Source.PROBE, level="good", fold="endpoint/y"),
        entry(5, "blind", source=Source.PROBE, level="bad", fold="connection"),
        entry(6, "declared", kind=Kind.DECLARED),
        entry(7, "a note"),
        entry(8, "a pod", kind=Kind.PIN),
        entry(9, "alert on it", kind=Kind.FOLLOWUP),
        entry(10, "sent", source=Source.UPDATE),
        entry(11, "restart", source=Source.MITIGATION),
        entry(12, "wrong"),
        entry(13, "was another", kind=Kind.RETRACTION, refers_to="e12"),
    ]
    async with PaperApp(pane).run_test(size=(76, 40)) as pilot:
        pane.show(Timeline(entries))
        await settle(pilot)
        marks = [row[9] for row in shown(pane) if row[:2] == "14"]
        assert "".join(marks) == "◆✗!✓–▲●⊙☐»▶⊘"


async def test_a_retraction_is_visible_as_words_too() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([entry(1, "the firewall"), entry(2, "it was not", kind=Kind.RETRACTION, refers_to="e1")]))
        await settle(pilot)
        assert shown(pane)[1:] == ["14:02:32 ⊘ the firewall", "           RETRACTED: it was not · tech-lead"]
        struck = pane.in_window()[1][1]
        assert [bool(style and style.strike) for _, style, _ in struck] == [False, False, True]


async def test_amended_and_late_entries_say_when() -> None:
    pane = TimelinePane()
    late = entry(1, "first", recorded=T0 + 3600 * SECOND)
    amended = entry(9, "second", kind=Kind.AMENDMENT, refers_to="e1", at=T0 + SECOND, recorded=T0 + 7200 * SECOND)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([late, amended]))
        await settle(pilot)
        assert shown(pane)[1:] == [
            "14:02:32 ● second",
            "           tech-lead · amended 16:02 · recorded 15:02",
        ]


async def test_a_new_day_is_announced_and_times_of_another_day_carry_their_date() -> None:
    pane = TimelinePane()
    day = 86_400 * SECOND
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([entry(1, recorded=T0 + day), entry(2, at=T0 + day)]))
        await settle(pilot)
        days = [row for row in shown(pane) if row.startswith("──")]
        assert [row.strip("─ ") for row in days] == ["Mon 23 Nov 2026", "Tue 24 Nov 2026"]
        assert "recorded Tue 24 Nov 2026 14:02" in "\n".join(shown(pane))


async def test_the_first_line_of_what_a_person_wrote_is_not_all_of_it() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([entry(1, "first\nsecond\n\nthird")]))
        await settle(pilot)
        assert shown(pane)[1:4] == ["14:02:32 ● first", "           second", "           third"]


async def test_it_opens_at_the_end_and_lays_out_only_what_is_on_the_screen() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(timeline(20_000))
        await settle(pilot)
        assert shown(pane)[-2:] == ["19:35:51 ● note number 20000", "           tech-lead"]
        assert len(pane._drawn) <= 20
        assert "Timeline  20,000" in pilot.app.screen.query_one(TimelinePane)._border_title.plain  # type: ignore[union-attr]


async def test_it_follows_the_end_while_nobody_reads_further_up() -> None:
    pane, lines = TimelinePane(), timeline(50)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(lines)
        await settle(pilot)
        pane.update(lines.add([entry(51, "the newest")]))
        await settle(pilot)
        assert shown(pane)[-2].endswith("the newest")
        assert pane.selected_id == "e51"


async def test_a_reader_who_moved_up_is_never_moved_and_is_told_what_is_new() -> None:
    pane, lines = TimelinePane(), timeline(50)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        app = pilot.app
        assert isinstance(app, PaperApp)
        pane.show(lines)
        await settle(pilot)
        await pilot.press("pageup")
        before = shown(pane)
        pane.update(lines.add([entry(number) for number in (51, 52, 53)]))
        await settle(pilot)
        assert shown(pane) == before
        assert "▼ 3 new" in app.text
        await pilot.press("end")
        assert "▼" not in app.text
        assert pane.selected_id == "e53"


async def test_an_entry_inserted_above_does_not_move_what_is_read() -> None:
    pane, lines = TimelinePane(), timeline(50)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(lines)
        await settle(pilot)
        await pilot.press("pageup")
        before, chosen = shown(pane), pane.selected_id
        pane.update(lines.add([entry(60, "early\nand long\nand longer", at=T0)]))
        await settle(pilot)
        assert shown(pane) == before
        assert pane.selected_id == chosen


async def test_the_cursor_stays_on_its_entry_when_an_amendment_moves_it_in_time() -> None:
    pane, lines = TimelinePane(), timeline(50)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(lines)
        await settle(pilot)
        await pilot.press("up", "up")
        assert pane.selected_id == "e48"
        moved = entry(51, "moved", kind=Kind.AMENDMENT, refers_to="e48", at=T0 + 47 * SECOND - 500)
        pane.update(lines.add([moved]))
        assert pane.selected_id == "e48"
        assert pane.selected is not None
        assert pane.selected.text == "moved"


@pytest.mark.parametrize(
    ("key", "message"),
    [("enter", TimelinePane.Opened), ("a", TimelinePane.Amend), ("x", TimelinePane.Retract)],
)
async def test_keys_report_the_entry_under_the_cursor(key: str, message: type[TimelinePane.Asked]) -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=SIZE) as pilot:
        pane.show(timeline(9))
        await pilot.press("up", key)
        await settle(pilot)
        (heard,) = app.heard
        assert type(heard) is message
        assert isinstance(heard, TimelinePane.Asked)
        assert heard.entry_id == "e8"


async def test_the_cursor_goes_with_the_wheel_so_that_no_key_acts_on_what_is_not_seen() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(timeline(50))
        await settle(pilot)
        for _ in range(8):
            pane.post_message(events.MouseScrollUp(pane, 5, 5, 0, 0, 0, False, False, False))
        await settle(pilot)
        visible = {index for index, _ in pane.in_window()}
        assert pane.cursor_index in visible
        assert pane.cursor_index < 49
        for _ in range(20):
            pane.post_message(events.MouseScrollDown(pane, 5, 5, 0, 0, 0, False, False, False))
        await settle(pilot)
        assert pane.follow
        assert pane.selected_id == "e50"


async def test_one_key_narrows_to_one_source_and_the_title_counts() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=SIZE) as pilot:
        entries = [entry(n, source=Source.PROBE if n % 3 else Source.PERSON) for n in range(1, 31)]
        pane.show(Timeline(entries))
        await pilot.press("o")
        await settle(pilot)
        assert "10 of 30" in app.text
        assert "only people" in app.text
        await pilot.press("o")
        await settle(pilot)
        assert "20 of 30" in app.text
        await pilot.press("o")
        await settle(pilot)
        assert "None of the 30 entries is from mitigations" in app.text


async def test_search_narrows_as_it_is_typed_and_escape_ends_it() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=SIZE) as pilot:
        pane.show(timeline(120))
        await pilot.press("slash", *"NUMBER 11")
        await settle(pilot)
        assert "11 of 120" in app.text
        assert "/NUMBER 11▏" in app.text
        await pilot.press("enter", "a")
        await settle(pilot)
        assert pane.query_text == "NUMBER 11"
        assert [type(message) for message in app.heard] == [TimelinePane.Amend]
        await pilot.press("escape")
        await settle(pilot)
        assert "120 " in app.lines[0]


async def test_typing_a_search_never_triggers_keys() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=SIZE) as pilot:
        pane.show(timeline(3))
        await pilot.press("slash", *"axo")
        await settle(pilot)
        assert app.heard == []
        assert "None of the 3 entries is about “axo”" in app.text


async def test_an_empty_timeline_says_what_to_do() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=SIZE) as pilot:
        pane.show(Timeline())
        await settle(pilot)
        assert "No entries yet. Press n to write the first one." in app.text
        await pilot.press("up", "down", "end", "home", "enter", "a")
        assert app.heard == []
        pane.show(None, "No open incident. Press I to declare one.")
        await settle(pilot)
        assert "No open incident. Press I to declare one." in app.text


async def test_local_time_redraws_every_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        pane = TimelinePane()
        async with PaperApp(pane).run_test(size=SIZE) as pilot:
            pane.show(timeline(1))
            pane.local_time = True
            await settle(pilot)
            assert shown(pane)[1].startswith("15:02:32")
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_it_is_usable_in_eighty_columns_and_in_thirty() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=(30, 8)) as pilot:
        pane.show(timeline(100))
        await settle(pilot)
        assert app.widths() == {30}
        assert shown(pane)[-2:] == ["14:04 ● note number 100", "        tech-lead"]


async def test_a_copied_line_carries_its_date_and_zone() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE):
        pane.show(timeline(1))
        assert pane.copy_text() == "Mon 23 Nov 2026 14:02:32 UTC ● note number 1\ntech-lead"
