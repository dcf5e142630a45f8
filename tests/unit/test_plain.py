"""Hostile text becomes inert, and ages, clocks and paddings read as they should."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.plain import ago, clock, crop, fit, middle, plain, width

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x07\x1b\n\r\t\x7f\x85\x9b\u202a\u202e\u2066\u2069\u200b\u200d\u2028\u2029\ufeff️ㅤ한ᄒ̈👩🏽🇩界"
        ),
    ),
    max_size=80,
)


@given(HOSTILE, st.integers(1, 60))
def test_no_hostile_text_keeps_a_control_a_direction_or_a_hidden_character(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    marks = 0
    for character in shown:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        assert marks <= 2
    assert sum(cell_len(character) for character in shown) == cell_len(shown)


@given(HOSTILE)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(HOSTILE, st.integers(0, 40))
def test_fitted_text_has_exactly_the_width_asked_for(text: str, cells: int) -> None:
    shown = plain(text)
    assert cell_len(fit(shown, cells)) == cells
    assert cell_len(fit(shown, cells, "right")) == cells
    assert width(crop(shown, cells)) <= cells
    assert width(middle(shown, cells)) <= cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("payment-service", "payment-service"),
        ("a\nb\r\nc", "a⏎b⏎c"),
        ("\x1b[31mred\x1b]0;owned\x07", "␛[31mred␛]0;owned␇"),
        ("\x9b31m", "�31m"),
        ("pay\u202etnem", "pay�tnem"),
        ("a\tb", "a b"),
        ("[/bar] [bold]x[/]", "[/bar] [bold]x[/]"),
        ("e\u0301", "é"),
        ("🇩🇪", "DE"),
        ("\udce9", "�"),
    ],
)
def test_what_is_hidden_becomes_visible(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_megabyte_costs_what_a_line_costs() -> None:
    message = "\u202e\x1b[2J" * 250_000
    began = time.thread_time()
    shown = plain(message)
    assert time.thread_time() - began < 0.5  # all of it would take many times that
    assert len(shown) == 512
    assert shown.endswith("…")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-90, "0s"), (0, "0s"), (1.9, "1s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (599, "9m59s"), (600, "10m"),
        (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600 - 1, "7h59m"), (8 * 3600, "8h"),
        (48 * 3600 - 1, "47h"), (48 * 3600, "2d"), (76 * 3600, "3d4h"), (8 * 86400, "8d"), (700 * 86400, "700d"),
        (730 * 86400, "2y"), (731 * 86400, "2y1d"), (3000 * 86400, "8y"),
    ],
)  # fmt: skip
def test_ages_read_as_kubectl_prints_them(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (1_795_443_641.0, "14:20:41"),
        (1_795_443_641.0 - 2 * 86400, "Sat 14:20"),
        (1_795_443_641.0 - 12 * 86400, "11 Nov"),
        (1_795_443_641.0 - 400 * 86400, "Oct 2025"),
        (1e300, "–"),
    ],
)
def test_a_time_of_another_day_says_which_day(at: float, shown: str) -> None:
    assert clock(at, now=1_795_443_700.0) == shown


def test_a_name_is_shortened_in_its_middle() -> None:
    assert middle("pod/payment-service-755cc495fc-kw78d", 27) == "pod/payment-service-…-kw78d"
