"""Hostile text stays text on the timeline, in logs, details, banner and bars: inert, every row of its exact width."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.widget import Widget

from incident.entry import Entry, Kind, Source
from incident.timeline import Timeline
from probes.log_lines import LogLine
from tests.breadth import examples
from tests.pilot.pane_harness import PaneApp
from tests.pilot.paper_harness import PaperApp
from tests.pilot.test_hostile_panes import HOSTILE, check
from widgets.banner import Banner
from widgets.banner_state import BannerState
from widgets.cursor_view import CursorView
from widgets.detail import DetailView
from widgets.dialogs import EntryDialog
from widgets.filter_line import SearchableView
from widgets.key_bar import KeyBar, KeyHint
from widgets.log_view import LogView
from widgets.tab_bar import Tab, TabBar
from widgets.timeline import TimelinePane

SIZES = st.sampled_from([(200, 12), (80, 12), (30, 8), (8, 4)])
INSTANTS = st.one_of(st.integers(1_795_000_000_000, 1_796_000_000_000), st.integers(-(10**18), 10**18))
NUMBERS = st.one_of(st.none(), st.floats(-1e15, 1e15))
PLACES = st.one_of(st.none(), st.integers(0, 10**6))

ENTRIES = st.builds(
    Entry,
    id=st.integers().map(str),
    incident=st.just("INC"),
    seq=st.integers(1, 10**6),
    happened_at=INSTANTS,
    recorded_at=INSTANTS,
    author=HOSTILE,
    source=st.sampled_from(Source),
    kind=st.sampled_from(Kind),
    text=HOSTILE,
    evidence=st.one_of(st.none(), st.fixed_dictionaries({"detail": HOSTILE, "pinned": HOSTILE})),
    refers_to=st.one_of(st.none(), st.integers(0, 5).map(str)),
    fold=st.one_of(st.none(), HOSTILE),
    level=st.one_of(st.sampled_from(["info", "good", "warn", "bad"]), HOSTILE),
    count=st.integers(0, 10**9),
    previous_hash=st.just(""),
    hash=st.just(""),
)
LOG_LINES = st.builds(
    LogLine,
    at=st.one_of(st.none(), st.floats()),
    pod=HOSTILE,
    container=HOSTILE,
    text=HOSTILE,
    kind=st.sampled_from(["log", "gap", "notice"]),
)


async def read(view: SearchableView, size: tuple[int, int], word: str, keys: list[str]) -> None:
    app = PaneApp(view)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        check(app, size[0])
        view.set_query(word)
        await pilot.pause()
        check(app, size[0])
        await pilot.press(*keys)
        await pilot.pause()
        check(app, size[0])
        if isinstance(view, CursorView):
            view.action_top()
            await pilot.pause()
            check(app, size[0])


@settings(max_examples=examples(4), deadline=None)
@given(entries=st.lists(ENTRIES, max_size=5), size=SIZES, word=HOSTILE)
def test_the_timeline_shows_hostile_entries_as_text(entries: list[Entry], size: tuple[int, int], word: str) -> None:
    pane = TimelinePane()
    pane.show(Timeline(entries))
    asyncio.run(read(pane, size, word, ["escape", "up", "pageup", "pagedown", "o", "end"]))


@settings(max_examples=examples(4), deadline=None)
@given(batch=st.lists(LOG_LINES, max_size=6), size=SIZES, word=HOSTILE)
def test_the_log_shows_hostile_lines_as_text(batch: list[LogLine], size: tuple[int, int], word: str) -> None:
    view = LogView(word)
    view.append(batch)
    asyncio.run(read(view, size, word, ["n", "w", "N", "o", "w", "right", "t", "escape", "right", "home"]))


@settings(max_examples=examples(3), deadline=None)
@given(text=st.lists(HOSTILE, max_size=4).map("\n".join), size=SIZES, word=HOSTILE)
def test_the_detail_shows_hostile_objects_as_text(text: str, size: tuple[int, int], word: str) -> None:
    asyncio.run(read(DetailView(text, title=word, remark=word), size, word, ["n", "w", "right", "N", "end"]))


@settings(max_examples=examples(4), deadline=None)
@given(
    state=st.builds(
        BannerState,
        incident_id=HOSTILE,
        title=HOSTILE,
        severity=st.one_of(st.none(), st.integers(-1, 9)),
        status=HOSTILE,
        open=st.booleans(),
        opened_at=NUMBERS,
        changed_at=NUMBERS,
        next_update_at=NUMBERS,
        roles=st.lists(st.tuples(HOSTILE, HOSTILE), max_size=3).map(tuple),
        drill=st.booleans(),
        declare_key=HOSTILE,
        environment=HOSTILE,
        production=st.booleans(),
        context=HOSTILE,
        namespace=HOSTILE,
        version=HOSTILE,
        read_only=st.booleans(),
        armed_until=NUMBERS,
        probes_live=st.integers(0, 99),
        probes_stale=st.integers(0, 99),
        probes_other=st.integers(0, 99),
        pods=PLACES,
        unhealthy=PLACES,
        unhealthy_trend=st.lists(st.floats(), max_size=30).map(tuple),
        nodes=PLACES,
        pressured=PLACES,
        not_ready=PLACES,
        errors_per_minute=NUMBERS,
    ),
    size=SIZES,
)
def test_the_banner_shows_hostile_names_as_text(state: BannerState, size: tuple[int, int]) -> None:
    async def draw() -> None:
        banner = Banner()
        app = PaneApp(banner)
        async with app.run_test(size=size) as pilot:
            banner.show(state)
            await pilot.pause()
            check(app, size[0])

    asyncio.run(draw())


@settings(max_examples=examples(3), deadline=None)
@given(words=st.lists(HOSTILE, min_size=3, max_size=3), size=SIZES)
def test_the_bars_show_hostile_words_as_text(words: list[str], size: tuple[int, int]) -> None:
    async def draw(widget: Widget) -> None:
        app = PaneApp(widget)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            check(app, size[0])

    key, label, reason = words
    asyncio.run(draw(KeyBar([KeyHint(key, label, disabled=reason), KeyHint(label, key, act=True)])))
    asyncio.run(draw(TabBar([Tab("a", key, label, reason, mark=reason, count=3), Tab("b", "2", key)], "a")))


@settings(max_examples=examples(3), deadline=None)
@given(event=ENTRIES)
def test_an_amendment_of_a_hostile_entry_shows_it_as_text(event: Entry) -> None:
    async def draw() -> None:
        app = PaperApp(TimelinePane())
        async with app.run_test(size=(80, 40)) as pilot:
            app.push_screen(EntryDialog(original=Timeline([event]).lines[0]))
            await pilot.pause()
            assert app.widths() == {80}
            assert "\x1b" not in app.text
            assert "\u202e" not in app.text

    asyncio.run(draw())
