"""A key that was meant is told from one that was held, pasted, or came before anybody could have read."""

from __future__ import annotations

from widgets.deliberation import CALM, HASTY, PASTED, SHOWN, TYPED, UNREAD, Deliberation


def shown(at: float = 0.0) -> Deliberation:
    deliberation = Deliberation()
    deliberation.shown(at)
    return deliberation


def test_a_key_after_a_look_counts() -> None:
    deliberation = shown()
    deliberation.pressed(1.0)

    assert deliberation.objection(1.0) == ""


def test_nothing_counts_before_there_was_time_to_read() -> None:
    deliberation = shown()
    deliberation.pressed(SHOWN - 0.01)

    assert deliberation.objection(SHOWN - 0.01) == UNREAD


def test_nothing_counts_before_anything_is_shown() -> None:
    deliberation = Deliberation()
    deliberation.pressed(100.0)

    assert deliberation.objection(100.0) == UNREAD


def test_a_plan_that_changed_has_to_be_read_again() -> None:
    deliberation = shown()
    deliberation.shown(10.0)
    deliberation.pressed(10.2)

    assert deliberation.objection(10.2) == UNREAD


def test_a_held_key_never_counts() -> None:
    deliberation = shown()
    at = 1.0
    deliberation.pressed(at)
    for _ in range(200):
        at += 0.033
        deliberation.pressed(at)
        assert deliberation.objection(at) == HASTY


def test_the_second_of_two_quick_presses_does_not_count() -> None:
    deliberation = shown()
    deliberation.pressed(1.0)
    deliberation.pressed(1.0 + CALM / 2)

    assert deliberation.objection(1.0 + CALM / 2) == HASTY


def test_after_a_pause_a_key_counts_again() -> None:
    deliberation = shown()
    deliberation.pressed(1.0)
    deliberation.pressed(1.1)
    deliberation.pressed(1.1 + CALM + 0.01)

    assert deliberation.objection(1.1 + CALM + 0.01) == ""


PHRASE = len("payment-service")


def typed(deliberation: Deliberation, at: float, each: float) -> float:
    for _ in range(PHRASE):
        deliberation.pressed(at)
        at += each
    return at


def test_a_name_typed_by_hand_counts() -> None:
    deliberation = shown()
    at = typed(deliberation, 1.0, 0.08) + 1.0
    deliberation.pressed(at)

    assert deliberation.objection(at, PHRASE) == ""


def test_a_name_that_comes_all_at_once_does_not_count() -> None:
    deliberation = shown()
    at = typed(deliberation, 1.0, TYPED / 10) + 1.0
    deliberation.pressed(at)

    assert deliberation.objection(at, PHRASE) == PASTED


def test_a_name_deleted_and_typed_by_hand_counts() -> None:
    deliberation = shown()
    at = typed(deliberation, 1.0, TYPED / 10)
    at = typed(deliberation, at + 1, 0.08) + 1.0
    deliberation.pressed(at)

    assert deliberation.objection(at, PHRASE) == ""
