"""The head of a drill's score card, which has to fit 80 columns beside the incident's id."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.drills import Drill
from tui.score_rows import title


def test_the_title_says_how_far_it_is_at_80_columns_and_counts_nothing_of_nothing() -> None:
    found = Drill().score()
    assert title(found).plain == "100 of 100  16 of 16 judged · so far"
    assert title(replace(found, judged=())).plain == "nothing to judge yet  so far"
