"""What was done by its own key takes the open guide's step as well: once, if it worked, on what the guide is about."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.act import Act
from runbook.guide import Guide, guide
from runbook.plan import Aim, Outcome, Verdict
from tests.unit.act_drafts import plan
from tests.unit.diagnosis_world import banking
from tui.guide_acts import begun_elsewhere, found_of

HERE = "INC-1"
PAYMENTS, CARDS = (Aim(kind="Deployment", namespace="prod", name=f"{name}-service") for name in ("payment", "card"))


def opened(which: str) -> Guide:
    found = guide(banking(), which)
    assert found is not None
    return found


def act(mitigation: str, aim: Aim = PAYMENTS, verdict: Verdict = Verdict.WORKED, incident: str = HERE) -> Act:
    made = Act(
        plan(mitigation=mitigation, aim=aim),
        cast(Any, None),
        incident,
        f"e-{mitigation}",
        "ada",
        lambda: 1.0,
        lambda: None,
    )
    made.outcome = Outcome(verdict=verdict, text="3 of 3 ready", sent=True)
    return made


def taken(which: str, *acts: Act, claimed: frozenset[tuple[str, str]] = frozenset()) -> list[str]:
    """The steps that these acts have taken."""
    found = begun_elsewhere(opened(which), acts, HERE, claimed, ())
    return [planned.key[1] for planned, _ in found]


@pytest.mark.parametrize(
    ("which", "done", "steps"),
    [
        ("payment-failures", act("restart"), ["restart-payments"]),
        ("payment-failures", act("restart", CARDS), []),
        ("payment-failures", act("restart", verdict=Verdict.FAILED), []),
        ("payment-failures", act("restart", incident="INC-2"), []),
        ("payment-failures", act("scale"), []),
        # From wherever it was asked: the network is the same.
        ("payment-failures", act("connectivity", CARDS), ["payment-gateway"]),
        ("security-incident", act("evidence", CARDS), ["preserve-evidence"]),
        ("mitigation", act("restart", CARDS), ["restart-service"]),
    ],
)
def test_an_act_takes_the_step_that_it_is(which: str, done: Act, steps: list[str]) -> None:
    assert taken(which, done) == steps


def test_an_act_is_taken_once_and_what_the_guide_itself_began_is_its_own() -> None:
    done = act("restart")
    claimed = frozenset({("payment-failures", done.entry)})
    assert taken("payment-failures", done, claimed=claimed) == []
    assert taken("mitigation", done, claimed=claimed) == ["restart-service"]
    under_way = {("payment-failures", "restart-payments")}
    assert not list(begun_elsewhere(opened("payment-failures"), [done], HERE, (), under_way))


def test_what_was_never_sent_is_no_finding() -> None:
    found = found_of(act("restart"))
    assert found is not None
    assert (found.known, found.text.endswith(": worked, 3 of 3 ready")) == (True, True)
    assert found_of(act("restart", verdict=Verdict.CANCELLED)) is None
