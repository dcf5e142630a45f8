"""The detail view: long texts shown from the beginning, searched, wrapped under their indentation."""

from __future__ import annotations

from tests.pilot.pane_harness import PaneApp
from widgets.detail import DetailView

YAML = """apiVersion: v1
kind: Pod
metadata:
  name: payment
  labels: {app: pay}
spec:
  containers:
  - name: payment
    command: one two three four five six seven eight nine ten eleven
status: {}"""


def shown(view: DetailView) -> list[str]:
    return [row.text.rstrip() for _, row in view.in_window()]


async def test_it_shows_the_text_from_its_beginning_and_continues_lines_under_their_indentation() -> None:
    view = DetailView(YAML, title="pod/payment")
    app = PaneApp(view)
    async with app.run_test(size=(44, 16)) as pilot:
        await pilot.pause()
        assert "pod/payment  10 lines" in app.lines[0]
        assert shown(view)[7:11] == [
            "  - name: payment",
            "    command: one two three four five six",
            "    seven eight nine ten eleven",
            "status: {}",
        ]


async def test_keys_are_told_from_values_only_in_yaml() -> None:
    view = DetailView("name: payment")
    async with PaneApp(view).run_test(size=(44, 16)) as pilot:
        await pilot.pause()
        assert [text for text, *_ in view.in_window()[0][1]] == ["name", ": payment"]
        view.show("name: payment", yaml=False)
        assert [text for text, *_ in view.in_window()[0][1]] == ["name: payment"]


async def test_search_goes_to_the_next_match_and_round() -> None:
    view = DetailView("\n".join(f"line {number}" for number in range(500)))
    app = PaneApp(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("slash", *"LINE 4", "enter")
        await pilot.pause()
        assert "1 of 111 lines" in app.text
        await pilot.press("n", "n")
        assert "3 of 111" in app.text
        assert "line 41" in app.text
        await pilot.press("N", "N", "N")
        assert "111 of 111" in app.text
        assert "line 499" in app.text
        await pilot.press("escape")
        assert "of 111" not in app.text


async def test_a_search_without_a_match_says_so() -> None:
    view = DetailView(YAML)
    app = PaneApp(view)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("slash", *"zebra")
        await pilot.pause()
        assert "not found" in app.text


async def test_it_scrolls_to_the_end_and_no_further() -> None:
    view = DetailView("\n".join(f"line {number}" for number in range(100)))
    async with PaneApp(view).run_test(size=(60, 12)) as pilot:
        await pilot.press("end")
        assert shown(view) == [f"line {number}" for number in range(90, 100)]
        await pilot.press("down", "pagedown")
        assert shown(view)[-1] == "line 99"
        await pilot.press("home", "down")
        assert shown(view)[0] == "line 1"


async def test_lines_can_be_cut_and_scrolled_sideways() -> None:
    view = DetailView("x" * 30 + "y" * 100)
    async with PaneApp(view).run_test(size=(44, 6)) as pilot:
        await pilot.press("w")
        assert shown(view) == ["x" * 30 + "y" * 10]
        await pilot.press("right", "right")
        assert shown(view) == ["y" * 40]
        await pilot.press("left", "left", "left")
        assert shown(view) == ["x" * 30 + "y" * 10]


async def test_a_megabyte_is_laid_out_no_further_than_it_is_seen() -> None:
    view = DetailView("\n".join([YAML] * 5000 + ["z" * 1_000_000]))
    app = PaneApp(view)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert len(view._drawn) <= 44
        await pilot.press("end")
        await pilot.pause()
        assert "(1,000,000 characters)" in app.text
        assert app.widths() == {80}


async def test_another_text_starts_from_its_beginning() -> None:
    view = DetailView("\n".join(f"line {number}" for number in range(100)))
    async with PaneApp(view).run_test(size=(60, 12)) as pilot:
        await pilot.press("end")
        view.show("only one")
        await pilot.pause()
        assert shown(view) == ["only one"]
        view.show("")
        await pilot.pause()
        assert shown(view) == []
        await pilot.press("down", "end", "slash", "x", "n")
        assert view.copy_text() == ""
