"""A line to pick: what is too long for it goes on below itself, in its column."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from tui.screens.choose import Choice


def test_a_label_or_detail_that_is_too_long_goes_on_in_its_column() -> None:
    console = Console(width=70, file=StringIO(), record=True)
    console.print(Choice("a", "bundle", "everything and the evidence in one zip with hashes").text(20))
    console.print(Choice("b", "x" * 50, "a long name").text(50))

    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "  bundle                everything and the evidence in one zip with",
        "                        hashes",
        "  " + "x" * 40 + "  a long name",
        "x" * 10,
    ]
