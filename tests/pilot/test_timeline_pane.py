"""The timeline's pane: what a line says, following without yanking, a cursor that stays on its entry."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot

from incident.entry import Entry, Kind, Source
from incident.timeline import Timeline
from tests.pilot.paper_harness import SECOND, T0, PaperApp, entry, intent, outcome, timeline
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


# Acts

COMMAND = "kubectl rollout restart deployment/payment-service -n prod"


def style_of(pane: TimelinePane, part: str) -> str:
    """The ink of the row with this part: its name, as the pane's table has it."""
    for _, row in pane.in_window():
        for segment in row:
            if part in segment.text:
                names = [name for name in ("note", *TimelinePane.INKS) if pane.ink(name) == segment.style]
                return ", ".join(sorted(names))
    raise AssertionError(f"{part!r} is not shown")


async def test_an_act_grows_from_running_to_its_verdict_on_the_same_line() -> None:
    pane, lines = TimelinePane(), Timeline([entry(1), intent(2)])
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(lines)
        pane.running = {"e2"}
        await settle(pilot)
        begun = [
            "14:02:33 ▶ Restart deployment/payment-service",
            f"           {COMMAND}",
            "           running…",
            "           mitigation · tech-lead",
        ]
        assert shown(pane)[3:] == begun
        assert style_of(pane, "Restart") == style_of(pane, "running…") == "act"
        assert style_of(pane, COMMAND[:20]) == style_of(pane, "mitigation")

        pane.running = set()
        pane.update(lines.add([outcome(3, "e2", "worked after 1.0 s: 3 of 3 ready", "good")]))
        await settle(pilot)
        assert shown(pane)[3:] == [
            "14:02:33 ✓ Restart deployment/payment-service",
            f"           {COMMAND}",
            "           worked after 1.0 s: 3 of 3 ready",
            "           mitigation · tech-lead",
        ]
        assert style_of(pane, "worked") == style_of(pane, "✓") == "good"
        assert style_of(pane, "Restart") == "act"
        assert pane.selected_id == "e2"


async def test_an_act_that_nobody_is_at_says_loudly_that_its_outcome_is_unknown() -> None:
    pane = TimelinePane()
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([intent(1)]))
        await settle(pilot)
        assert shown(pane)[1].startswith("14:02:32 ▶ ")
        assert shown(pane)[3] == "           outcome unknown: look at the cluster before you go on"
        assert style_of(pane, "outcome unknown") == "unknown"
        assert "outcome unknown" in pane.copy_text()
        pane.running = ["e1"]
        await settle(pilot)
        assert shown(pane)[3] == "           running…"
        assert "running…" in pane.copy_text()
        pane.running = []
        await settle(pilot)
        assert "outcome unknown" in shown(pane)[3]


async def test_every_verdict_has_a_mark_and_words_of_its_own() -> None:
    pane = TimelinePane()
    entries = [
        *(intent(seq, f"act {seq}") for seq in (1, 2, 3, 4)),
        outcome(11, "e1", "worked after 12 s: 3 of 3 ready", "good"),
        outcome(12, "e2", "did not work after 5 min 00 s: 0 of 3 ready", "bad"),
        outcome(13, "e3", "unknown after 12 s: the console was left before the verdict", "warn"),
        refused(5, "act 5\nrefused: blocked: allowed: may not patch", "warn"),
        refused(6, "act 6\ncancelled: nothing was sent", "info"),
    ]
    async with PaperApp(pane).run_test(size=(76, 40)) as pilot:
        pane.show(Timeline(entries))
        await settle(pilot)
        rows = shown(pane)
        assert "".join(row[9] for row in rows if row[:2] == "14") == "✓✗!▶!–"
        for said, style in (
            ("worked", "good"),
            ("did not work", "bad"),
            ("unknown after", "warn"),
            ("outcome unknown", "unknown"),
            ("refused: blocked", "warn"),
            ("cancelled", "note"),
        ):
            assert style in style_of(pane, said), said
        # How one ended that was never sent is not said twice.
        assert sum("refused: blocked" in row for row in rows) == 1


def refused(seq: int, text: str, level: str) -> Entry:
    """An act that was never sent, complete by itself."""
    verdict = text.partition("\n")[2].partition(":")[0]
    return entry(
        seq,
        text,
        source=Source.MITIGATION,
        kind=Kind.MITIGATION,
        level=level,
        evidence={"act": {}, "outcome": {"verdict": verdict, "sent": False}},
    )


async def test_who_found_out_when_and_what_was_said_before_are_told() -> None:
    pane = TimelinePane()
    entries = [
        intent(1),
        outcome(2, "e1", "unknown after 1.0 s: left", "warn"),
        outcome(3, "e1", "worked after 1 h: 3 of 3 ready", "good", author="ann", at=T0 + 3600 * SECOND),
    ]
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline(entries))
        await settle(pilot)
        assert shown(pane)[3:] == [
            "           worked after 1 h: 3 of 3 ready",
            "           before that: unknown after 1.0 s: left",
            "           mitigation · tech-lead · found out by ann · ended 15:02:31",
        ]


async def test_a_long_command_leaves_room_for_how_it_ended() -> None:
    pane = TimelinePane()
    manifest = "\n".join(f"line {number}" for number in range(60))
    act = entry(1, f"Redirect\nkubectl apply -f - <<EOF\n{manifest}", source=Source.MITIGATION, kind=Kind.MITIGATION)
    async with PaperApp(pane).run_test(size=SIZE) as pilot:
        pane.show(Timeline([act, outcome(2, "e1", "worked after 1.0 s: there", "good")]))
        await settle(pilot)
        assert shown(pane)[2:] == [
            "           kubectl apply -f - <<EOF",
            "           line 0",
            "           line 1",
            "           line 2",
            "           … 57 more lines, enter shows all",
            "           worked after 1.0 s: there",
            "           mitigation · tech-lead",
        ]


async def test_acts_are_found_by_their_outcome_and_by_their_source() -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    entries = [entry(1), intent(2), outcome(3, "e2", "did not work: quota", "bad"), intent(4), entry(5)]
    async with app.run_test(size=SIZE) as pilot:
        pane.show(Timeline(entries))
        await pilot.press("slash", *"QUOTA", "enter")
        await settle(pilot)
        assert pane.selected_id == "e2"
        assert "1 of 4" in app.text
        await pilot.press("escape", "o", "o", "o")
        await settle(pilot)
        assert "2 of 4" in app.text
        assert "only mitigations" in app.text


@pytest.mark.parametrize("size", [(80, 24), (30, 18)])
async def test_an_act_is_readable_on_a_small_screen(size: tuple[int, int]) -> None:
    pane = TimelinePane()
    app = PaperApp(pane)
    async with app.run_test(size=size) as pilot:
        pane.show(
            Timeline([intent(1), outcome(2, "e1", "did not work after 5 min 00 s: 0 of 3 ready", "bad"), intent(3)])
        )
        await settle(pilot)
        assert app.widths() == {size[0]}
        told = " ".join(row.strip() for row in shown(pane))
        assert "outcome unknown: look at the cluster before you go on" in told
        pane.action_top()
        await settle(pilot)
        told = " ".join(row.strip() for row in shown(pane))
        assert " ✗ " in told
        assert "did not work after 5 min 00 s: 0 of 3 ready" in told
