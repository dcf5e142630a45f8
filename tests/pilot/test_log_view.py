"""The log view: follows without yanking, finds, wraps, and says what it no longer holds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from probes.log_lines import LogLine
from tests.pilot.paper_harness import PaperApp
from widgets.log_buffer import LogBuffer
from widgets.log_paint import SOURCE_STYLES, colour, labels, stamp
from widgets.log_view import LogView

T0 = 1_795_442_551.0  # Mon 23 Nov 2026, 14:02:31 UTC
SIZE = (100, 12)


def line(number: int, text: str = "", *, pod: str = "pay-abc-x1", container: str = "pay", kind: str = "log") -> LogLine:
    assert kind in ("log", "gap", "notice")
    return LogLine(at=T0 + number / 1000, pod=pod, container=container, text=text or f"line {number}", kind=kind)  # type: ignore[arg-type]


def lines(numbers: Iterable[int]) -> list[LogLine]:
    return [line(number) for number in numbers]


def shown(view: LogView) -> list[str]:
    return [row.text.rstrip() for _, row in view.in_window()]


async def test_lines_have_their_time_and_a_single_source_is_not_repeated() -> None:
    view = LogView("pay-abc-x1")
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append(lines(range(2)))
        await pilot.pause()
        assert shown(view) == ["14:02:31.000 line 0", "14:02:31.001 line 1"]
        await pilot.press("t")
        assert shown(view) == ["line 0", "line 1"]
        assert "Logs  pay-abc-x1  2 lines" in app.lines[0]


async def test_lines_of_several_pods_say_whose_they_are() -> None:
    view = LogView("pay")
    async with PaperApp(view).run_test(size=SIZE) as pilot:
        view.append(
            [line(0, pod="pay-abc-x1"), line(1, pod="pay-abc-y2"), line(2, pod="pay-abc-x1", container="proxy")]
        )
        await pilot.pause()
        assert shown(view) == [
            "14:02:31.000 x1/pay   line 0",
            "14:02:31.001 y2/pay   line 1",
            "14:02:31.002 x1/proxy line 2",
        ]


async def test_it_follows_until_the_reader_moves_up_and_counts_what_is_new() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append(lines(range(100)))
        await pilot.pause()
        assert shown(view)[-1].endswith("line 99")
        await pilot.press("pageup")
        before = shown(view)
        view.append(lines(range(100, 1400)))
        await pilot.pause()
        assert shown(view) == before
        assert "▼ 1,300 new" in app.text
        await pilot.press("end")
        assert shown(view)[-1].endswith("line 1399")
        assert "▼" not in app.text


async def test_f_stops_and_follows_again() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append(lines(range(100)))
        await pilot.press("f")
        view.append(lines(range(100, 103)))
        await pilot.pause()
        assert shown(view)[-1].endswith("line 99")
        await pilot.press("f")
        assert shown(view)[-1].endswith("line 102")


async def test_gaps_and_notices_cannot_be_taken_for_log_lines() -> None:
    view = LogView()
    async with PaperApp(view).run_test(size=SIZE) as pilot:
        view.append(
            [line(0), line(1, "connection lost for 4 s", kind="gap"), line(2, "container restarted", kind="notice")]
        )
        await pilot.pause()
        gap, notice = shown(view)[1:]
        assert gap.startswith("─── ! 14:02:31.001  pay-abc-x1/pay  connection lost for 4 s ──")
        assert notice.startswith("─── · 14:02:31.002  pay-abc-x1/pay  container restarted ──")


async def test_dropping_the_oldest_lines_is_said() -> None:
    view = LogView(most_lines=1000)
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        for start in range(0, 3000, 100):
            view.append(lines(range(start, start + 100)))
        await pilot.pause()
        assert view.line_count + view.dropped == 3000
        assert view.line_count <= 1000
        assert f"{view.dropped:,} older dropped" in app.lines[0]
        await pilot.press("home")
        await pilot.pause()
        oldest = 31_000 + view.dropped
        assert f"{view.dropped:,} older lines dropped from view, oldest now 14:02:{oldest // 1000}" in app.text
        assert shown(view)[1].endswith(f"line {view.dropped}")


async def test_what_a_reader_reads_is_kept_longer_and_does_not_move_when_older_lines_go() -> None:
    view = LogView(most_lines=1000)
    async with PaperApp(view).run_test(size=SIZE) as pilot:
        view.append(lines(range(1000)))
        await pilot.press("pageup")
        before = shown(view)
        for start in range(1000, 2600, 50):
            view.append(lines(range(start, start + 50)))
        await pilot.pause()
        assert view.dropped > 0
        assert shown(view) == before


async def test_search_counts_marks_and_goes_round() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append([line(number, "ERROR pool" if number % 50 == 10 else "") for number in range(200)])
        await pilot.press("slash", *"error", "enter")
        await pilot.pause()
        assert "4 of 4" in app.text
        assert view.selected is not None
        assert view.selected.text == "ERROR pool"
        assert view.selected.at == T0 + 0.160
        await pilot.press("n")
        assert "1 of 4" in app.text
        await pilot.press("N", "N")
        assert "3 of 4" in app.text
        assert any(style and style.reverse for _, row in view.in_window() for _, style, _ in row)
        await pilot.press("escape")
        assert "of 4" not in app.text


async def test_a_search_that_finds_nothing_says_so_and_stays() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append(lines(range(100)))
        await pilot.press("pageup")
        before = shown(view)
        await pilot.press("slash", *"zebra")
        await pilot.pause()
        assert "not found" in app.text
        assert [row for row in shown(view) if row in before]


async def test_new_lines_that_match_are_found_too() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        view.append(lines(range(10)))
        view.set_query("boom")
        view.append([line(11, "BOOM one"), line(12), line(13, "boom two")])
        await pilot.pause()
        assert "2 found" in app.text or "of 2" in app.text


async def test_only_matches_can_be_shown_and_the_place_is_kept() -> None:
    view = LogView()
    async with PaperApp(view).run_test(size=SIZE) as pilot:
        view.append([line(number, f"ERROR {number}" if number % 10 == 0 else "") for number in range(200)])
        await pilot.press("slash", *"error", "enter", "N", "N")
        assert view.selected is not None
        chosen = view.selected.text
        await pilot.press("o")
        assert view.selected.text == chosen
        assert all("ERROR" in row for row in shown(view))
        await pilot.press("o")
        assert view.selected.text == chosen
        assert not all("ERROR" in row for row in shown(view))


async def test_long_lines_scroll_sideways_beside_their_time_or_wrap() -> None:
    view = LogView()
    async with PaperApp(view).run_test(size=(60, 12)) as pilot:
        text = "".join(f"{number:03} " for number in range(60))
        view.append([line(0, text)])
        await pilot.pause()
        assert shown(view) == ["14:02:31.000 " + text[:43].rstrip()]
        await pilot.press("right")
        assert shown(view) == ["14:02:31.000 " + text[16:59].rstrip()]
        await pilot.press("w")
        rows = shown(view)
        assert rows[0] == "14:02:31.000 " + text[:43].rstrip()
        assert rows[1] == " " * 13 + text[44:87].rstrip()
        assert "".join(row[13:] + " " for row in rows).split() == text.split()


async def test_words_of_trouble_stand_out() -> None:
    view = LogView()
    async with PaperApp(view).run_test(size=SIZE) as pilot:
        view.append([line(0, "WARN terror: request failed, errorless")])
        await pilot.pause()
        loud = [text for text, style, _ in view.in_window()[0][1] if style and style.bold]
        assert loud == ["WARN", "failed"]


async def test_the_previous_run_is_unmistakable_and_asked_for_by_a_key() -> None:
    view = LogView("pay", previous=True)
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "PREVIOUS RUN" in app.lines[0]
        await pilot.press("b")
        await pilot.pause()
        (heard,) = app.heard
        assert isinstance(heard, LogView.RunAsked)
        assert heard.previous is False


async def test_an_empty_log_takes_every_key() -> None:
    view = LogView()
    app = PaperApp(view)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(
            "up", "down", "home", "end", "pageup", "pagedown", "f", "w", "t", "o", "n", "escape", "left", "right"
        )
        view.append([])
        await pilot.pause()
        assert view.selected is None
        assert view.copy_text() == ""
        assert app.widths() == {100}


def test_a_buffer_is_bounded_by_characters_too() -> None:
    buffer = LogBuffer(most_lines=1000, most_characters=100_000)
    for number in range(50):
        buffer.append([line(number, "x" * 9_880)])
        buffer.trim()
    assert len(buffer) <= 10
    assert buffer.dropped == 50 - len(buffer)
    assert buffer[buffer.dropped] is buffer[buffer.end - len(buffer)]


def test_a_buffer_keeps_the_newest_line_however_long_it_is() -> None:
    buffer = LogBuffer(most_lines=1000, most_characters=100)
    buffer.append([line(1, "x" * 1000), line(2, "y" * 1000)])
    buffer.trim()
    assert [buffer[number].text[0] for number in range(buffer.dropped, buffer.end)] == ["y"]


def test_matches_go_with_the_lines_that_are_dropped() -> None:
    buffer = LogBuffer(most_lines=100)
    buffer.search("line")
    for number in range(0, 300, 50):
        buffer.append(lines(range(number, number + 50)))
        buffer.trim()
    assert buffer.matches == list(range(buffer.dropped, buffer.end))
    assert buffer.match_after(buffer.end - 1) == buffer.dropped
    assert buffer.match_before(buffer.dropped) == buffer.end - 1


def test_narrowing_a_search_finds_what_searching_anew_finds() -> None:
    narrowed, anew = LogBuffer(), LogBuffer()
    for buffer in (narrowed, anew):
        buffer.append(lines(range(500)))
    for needle in ("l", "line", "line 4", "line 42"):
        narrowed.search(needle)
    anew.search("line 42")
    assert narrowed.matches == anew.matches != []


def test_sources_keep_their_colour_while_some_are_free() -> None:
    sources = [("pod", f"container-{number}") for number in range(SOURCE_STYLES)]
    taken: list[int] = []
    for source in sources:
        taken.append(colour(source, taken))
    assert sorted(taken) == list(range(SOURCE_STYLES))
    assert colour(sources[0], []) == taken[0]


def test_pods_of_different_workloads_are_named_in_full() -> None:
    assert labels([("web-1", "a"), ("api-1", "a")]) == {("web-1", "a"): "web-1", ("api-1", "a"): "api-1"}


@pytest.mark.parametrize("at", [None, float("inf"), 1e300, float("nan")])
def test_an_instant_that_no_calendar_has_is_blank(at: float | None) -> None:
    assert stamp(at, local=False) == " " * 12
