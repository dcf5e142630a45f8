"""Lines that are handed over again are the lines that Textual would have drawn anew."""

from __future__ import annotations

import pytest
from textual._styles_cache import StylesCache
from textual.geometry import Region

from tests.pilot.pane_harness import NOW, snapshot
from tests.pilot.test_table import event, showing
from widgets.events import EventsPane
from widgets.table_canvas import TableCanvas

DRAWN_ANEW = StylesCache.render_widget


def check(pane: EventsPane) -> None:
    whole = Region(0, 0, *pane.outer_size)
    handed, drawn = pane.render_lines(whole), StylesCache().render_widget(pane, whole)
    assert [list(strip) for strip in handed] == [list(strip) for strip in drawn]


@pytest.mark.parametrize("look", [True, False], ids=["looked at after each change", "looked at in the end"])
async def test_whatever_changed_what_is_shown_is_what_would_be_drawn_anew(look: bool) -> None:
    pane = EventsPane()
    rows = [event(number, type_="Warning" if number % 3 else "Normal") for number in range(60)]
    async with showing(pane, rows, size=(100, 30)) as (app, pilot):
        check(pane)
        later = [event(-1, message="new"), *rows]
        pane.show(snapshot("events", later, version=2, changed=frozenset({"e-1"})))
        for change in (
            lambda: pane.tick(NOW + 30),
            lambda: pane.set_filter("message 1"),
            lambda: pane.action_move(3),
            lambda: pane.set_filter(""),
            lambda: pane.action_freeze(),
            lambda: setattr(pane, "local_time", True),
            lambda: pane.add_class("-stale"),
            lambda: setattr(app, "theme", "textual-light"),
            lambda: pane.blur(),
            lambda: setattr(pane.styles, "opacity", 0.5),
            lambda: setattr(pane.styles, "opacity", 1.0),
        ):
            change()
            if look:
                await pilot.pause()
                check(pane)
        await pilot.pause()
        check(pane)
        for size in ((60, 12), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            check(pane)


async def test_what_did_not_change_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Region] = []

    def counting(cache: StylesCache, widget: TableCanvas[object], crop: Region) -> object:
        asked.append(crop)
        return DRAWN_ANEW(cache, widget, crop)

    pane = EventsPane()
    async with showing(pane, [event(number) for number in range(20)], size=(100, 30)) as (_app, pilot):
        check(pane)
        monkeypatch.setattr(StylesCache, "render_widget", counting)  # Textual's, to count what it is asked for
        pane.render_lines(Region(0, 0, *pane.outer_size))
        assert asked == []
        pane.refresh(Region(0, 4, 10, 1))
        pane.render_lines(Region(0, 0, *pane.outer_size))
        assert [(crop.y, crop.height) for crop in asked] == [(5, 1)]
        await pilot.pause()
