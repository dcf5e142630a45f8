"""Numbers drawn as text have the width that was promised and never say more than was measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.bars import bar, buckets, cores, latency, percent, size, sparkline

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(NUMBERS, st.integers(0, 40))
def test_a_bar_is_as_wide_as_asked_whatever_the_number(fraction: float, cells: int) -> None:
    filled, track = bar(fraction, cells)
    assert len(filled + track) == cells


def test_a_little_use_is_not_drawn_as_none() -> None:
    assert bar(0.001, 10) == ("█", "·" * 9)
    assert bar(0.0, 10) == ("", "·" * 10)
    assert bar(7.0, 4) == ("████", "")


@given(st.lists(st.one_of(st.none(), NUMBERS), max_size=50), st.integers(0, 20))
def test_a_sparkline_is_as_wide_as_asked_and_ends_with_the_newest(values: list[float | None], cells: int) -> None:
    line = sparkline(values, cells)
    assert len(line) == cells
    if cells and values and values[-1] is None:
        assert line[-1] == " "


def test_a_sparkline_leaves_gaps_where_nothing_was_measured() -> None:
    assert sparkline([0.0, None, 5.0, 10.0], 6) == "  ▁ ▄▇"
    assert sparkline([1.0, math.inf], 2, ceiling=100.0) == "▁▇"


def test_samples_fall_into_the_stretch_they_were_taken_in() -> None:
    samples = [(0.0, 9.0), (11.0, 1.0), (19.9, 2.0), (30.0, 3.0), (31.0, 9.0)]
    assert buckets(samples, 2, until=30.0, span=20.0) == [[1.0, 2.0], [3.0]]
    assert buckets(samples, 0, until=30.0, span=20.0) == []


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (cores(0.41), "410m"), (cores(9.5), "9500m"), (cores(12.5), "12.5"),
        (size(388 * 2**20), "388Mi"), (size(0), "0Mi"), (size(9 * 2**30), "9216Mi"), (size(12.4 * 2**30), "12.4Gi"),
        (percent(0.905), "90%"), (latency(38.2), "38 ms"), (latency(2410), "2.41 s"),
    ],
)  # fmt: skip
def test_figures_read_as_people_say_them(shown: str, expected: str) -> None:
    assert shown == expected
