"""The table of keys: no key twice, upper case acts, and a keymap that would steal a key is refused by name."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from tui.keys import KEYS, PANE_KEYS, STEP_KEYS, KeymapError, bar_keys, bindings, checked_keymap


def test_no_key_belongs_to_two_actions() -> None:
    pressed = [key for binding in bindings() if isinstance(binding, Binding) for key in binding.key.split(",")]

    assert len(pressed) == len(set(pressed))


def test_every_binding_has_an_id_and_a_sentence() -> None:
    for binding in bindings():
        assert isinstance(binding, Binding)
        assert binding.id
        assert binding.tooltip


def test_lower_case_looks_and_upper_case_acts() -> None:
    for key in KEYS:
        for pressed in key.keys.split(","):
            if len(pressed) == 1 and pressed.isalpha():
                assert pressed.isupper() == (key.group == "act"), key.id


def test_the_footer_shows_what_looks_before_what_acts() -> None:
    acts = [hint.act for hint in bar_keys({})]

    assert acts == sorted(acts)
    assert {hint.key for hint in bar_keys({})} >= {"enter", "l", "/", "p", "n", "I"}


def test_every_key_is_for_the_footer_and_help_stands_at_its_end_anyway() -> None:
    assert {hint.action for hint in bar_keys({})} == {key.action for key in KEYS if key.id != "help"}


def test_a_key_that_is_of_no_use_here_is_not_in_the_footer() -> None:
    assert {hint.label for hint in bar_keys({})} - {hint.label for hint in bar_keys({}, without=("score",))} == {
        "score"
    }


def test_the_footer_shows_the_keys_that_are_in_force() -> None:
    hints = {hint.action: hint.key for hint in bar_keys({"export": "ctrl+x,f9"})}

    assert (hints["export"], hints["filter"]) == ("^x", "/")


def test_a_remapped_key_goes_along_to_the_panes_own_binding() -> None:
    assert checked_keymap({"filter": "ctrl+f"}) == {
        "filter": "ctrl+f",
        "table.filter": "ctrl+f",
        "paper.search": "ctrl+f",
    }
    assert checked_keymap({}) == {}


def test_two_actions_may_swap_their_keys() -> None:
    assert checked_keymap({"logs": "y", "copy": "l"}) == {"logs": "y", "copy": "l"}


def test_an_unknown_action_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(KeymapError, match=r"\[keys\] detial: there is no such action; there are .*detail"):
        checked_keymap({"detial": "d"})


@pytest.mark.parametrize("stolen", ["l", "1", "tab", "x,l"])
def test_a_key_that_is_taken_is_refused_with_both_names(stolen: str) -> None:
    with pytest.raises(KeymapError, match=r"the key \S+ already belongs to"):
        checked_keymap({"export": stolen})


def test_panes_and_steps_can_be_remapped_too() -> None:
    assert checked_keymap({"pane-nodes": "f2", "pane-next": "ctrl+right"}) == {
        "pane-nodes": "f2",
        "pane-next": "ctrl+right",
    }
    assert {name for name, *_ in STEP_KEYS}.isdisjoint({f"pane-{name}" for name, _ in PANE_KEYS})


def test_the_palette_has_a_key_that_no_other_action_gets() -> None:
    with pytest.raises(KeymapError, match=r"the key ctrl\+p already belongs to"):
        checked_keymap({"logs": "ctrl+p"})
