"""What went wrong, told once, with what to do about it."""

from __future__ import annotations

import pytest

from probes.freshness import Freshness, State
from tui.sentences import with_hint
from widgets.table_standing import sentences

REFUSED = "the server does not accept the credential (401): log in again with az login"


def test_the_advice_follows_the_sentence() -> None:
    assert with_hint("metrics.k8s.io is not served.", "install it") == "metrics.k8s.io is not served — install it"
    assert with_hint("the server hung up", "") == "the server hung up"


def test_advice_that_the_sentence_gives_itself_is_not_repeated() -> None:
    assert with_hint(REFUSED, "log in again with az login") == REFUSED


@pytest.mark.parametrize("state", [State.FORBIDDEN, State.UNAVAILABLE, State.STALE])
def test_a_pane_gives_the_advice_once(state: State) -> None:
    apart = Freshness(state, 0.0, detail="the server does not accept the credential (401)", hint="az login")
    within = Freshness(state, 0.0, detail=REFUSED, hint="log in again with az login")

    for freshness in (apart, within):
        told = [text for text, _ in sentences(freshness, "pods", "no pods")]
        assert sum(freshness.hint in text for text in told) == 1
