"""Kubernetes quantities, the odd ones included."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.quantities import cores, count, exact, number_of_bytes

SUFFIXES = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", "0.25"),
        ("8", "8"),
        ("6Gi", str(6 * 2**30)),
        ("32863208Ki", str(32863208 * 1024)),
        ("155n", "0.000000155"),
        ("12u", "0.000012"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("1.5Gi", str(3 * 2**29)),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1k", "-1000"),
        ("+2", "2"),
        ("0", "0"),
    ],
)
def test_quantities_are_exact(text: str, value: str) -> None:
    assert exact(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1gi", "1K", "0x10", "1e", "NaN", "Infinity", "1,5", "1Gi\n"])
def test_what_is_no_quantity_is_refused_or_counts_as_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        exact(text)
    assert cores(text) == 0.0
    assert number_of_bytes(text) == 0


def test_missing_is_nothing_and_fractions_of_a_byte_round_up() -> None:
    assert cores(None) == 0.0
    assert count("500") == 500
    assert number_of_bytes("1500m") == 2
    assert number_of_bytes("100M") == 100_000_000


@given(number=st.integers(0, 10**12), suffix=st.sampled_from(sorted(SUFFIXES)))
def test_every_decimal_suffix_is_its_power_of_ten(number: int, suffix: str) -> None:
    assert exact(f"{number}{suffix}") == Decimal(number).scaleb(SUFFIXES[suffix])


@given(number=st.integers(0, 10**6), suffix=st.sampled_from(sorted(BINARY)))
def test_every_binary_suffix_is_its_power_of_two(number: int, suffix: str) -> None:
    assert number_of_bytes(f"{number}{suffix}") == number << BINARY[suffix]


@given(st.text(max_size=40))
def test_no_text_at_all_raises_through_the_tolerant_readers(text: str) -> None:
    assert isinstance(cores(text), float)
    assert isinstance(number_of_bytes(text), int)
