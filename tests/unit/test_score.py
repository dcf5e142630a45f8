"""A drill's score: what earns points, what loses them, and that what cannot be judged is said and not counted."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from incident import score as scoring
from incident.entry import Draft, Kind, Source
from incident.export import TEXTS
from incident.practice import DRILL, LEFT, SEALED, Harmful, NotGood, Wanted, practice_of, read_good, sealed
from incident.relapse import over_draft, relapse_draft
from incident.score import WEIGHTS, Score, to_json
from incident.verify import verify_json
from runbook.plan import Aim, Recipe, Undo, Verdict
from tests.unit.drills import EVIDENCE_FIRST, GOOD, MINUTE, Drill, played_right
from tests.unit.incident_entries import BEGAN
from tui.score_rows import point_rows


def points(found: Score) -> dict[str, int | None]:
    return {one.id: one.got for one in found.judged}


def test_the_weights_are_a_hundred_and_a_drill_that_was_played_right_has_them_all() -> None:
    assert sum(of for _, of in WEIGHTS.values()) == 100
    found = played_right().score()

    assert (found.points, found.state) == (100, "finished")
    assert points(found)["evidence"] is None  # this scenario asks for none: not counted, neither way
    assert (found.got, found.of) == (90, 90)
    assert [step.at is not None for step in found.path] == [True] * 7
    assert not found.harm
    assert not found.others


def test_times_earn_all_below_the_target_half_below_its_double_and_nothing_later() -> None:
    for at, got in ((14.9, 6), (15, 3), (29.9, 3), (30, 0)):
        assert Drill(at=at).row("detection").got == got, at
    for at, got in ((7.9, 6), (8, 3), (13, 0)):
        assert Drill().update(at).row("first-update").got == got, at
    assert Drill().seen(4, "bad").seen(32, "good").row("mitigation").got == 12
    assert Drill().seen(4, "bad").seen(33, "good").row("mitigation").got == 6
    row = Drill().note(18.5).row("response")
    assert (row.got, row.said, row.took, row.target) == (3, "00:15:30, not under 00:15:00", 930_000, 900_000)


def test_what_was_not_done_yet_is_judged_only_when_it_is_too_late() -> None:
    early, late = Drill().row("response", now=10), Drill().row("response", now=20)
    assert (early.got, early.said) == (None, "not yet: under 00:15:00")
    assert (late.got, late.said) == (0, "not in 00:17:00: under 00:15:00")
    assert Drill().resolved(5).row("first-update").said == "it ended before that was due"


def test_what_the_drill_did_itself_earns_nobody_points() -> None:
    mine = Drill(declared=True)
    assert (mine.row("detection").got, mine.row("severity").got) == (None, None)
    assert "the drill" in mine.row("severity").said
    assert Drill(declared=True, severity=3).row("severity").got == 0
    assert Drill(declared=True, severity=3).severity(5, 2).row("severity").got == 10


def test_a_severity_that_was_wrong_at_first_is_half_right() -> None:
    assert Drill(severity=3).row("severity").got == 0
    assert Drill(severity=3).severity(5, 2).row("severity").got == 5
    assert Drill(severity=None).severity(5, 2).row("severity").got == 10
    assert Drill(severity=2).severity(5, 1).row("severity").said == "SEV 1, where SEV 2 is right"
    assert Drill(severity=3).resolved(5).severity(6, 2).row("severity").got == 0  # the card has told it
    argued = Drill(replace(GOOD, also=(1,)), severity=1)  # the runbook can be read either way
    assert (argued.row("severity").got, argued.row("severity").said) == (10, "SEV 1")
    assert argued.score().path[1].at is not None
    assert (
        Drill(replace(GOOD, also=(1,)), severity=3).severity(5, 1).row("severity").said == "SEV 3 at first, then SEV 1"
    )


def test_a_missed_update_is_no_answer_of_a_person_and_costs() -> None:
    drill = Drill().missed(8).update(12).update(40)
    assert (drill.row("updates").got, drill.row("updates").said) == (5, "2 sent, 1 missed")
    assert drill.row("response").took == 9 * 60_000
    for at in range(41, 61):
        drill.update(at)
    assert (drill.row("updates").got, drill.row("updates").said) == (7, "22 sent, 1 missed")  # a share is not all


def test_who_resolves_what_is_still_down_wins_no_time_by_it() -> None:
    found = Drill().seen(4, "bad").note(4).resolved(5).score()
    assert (points(found)["mitigation"], points(found)["resolution"]) == (0, 0)
    assert found.path[-1].at is None


def test_what_is_down_again_was_not_well_although_its_line_is_only_repeated() -> None:
    drill = Drill().seen(3.1, "bad").seen(6, "good")
    assert drill.row("mitigation").got == 12
    again = Draft(text="", author="probe", source=Source.PROBE, kind=Kind.REPEAT, level="bad",
                  refers_to=drill.entries[1].id, fold="workload/payment-service/health", count=2)  # fmt: skip
    relapsed = drill.say(7, again).resolved(8)
    assert relapsed.row("mitigation").said == "resolved while it was not well again"
    assert relapsed.row("resolution").got == 0


def test_what_falls_ill_after_the_resolution_changes_no_score_whether_somebody_stays_to_see_it_or_not() -> None:
    drill = played_right()
    drill.say(
        20,
        relapse_draft(
            drill.dossier.incident, "workload/payment-service/health", BEGAN + 20 * MINUTE, "ill", "10 min", {}
        ),
    )
    assert (drill.score().points, drill.row("mitigation").took) == (100, 5 * MINUTE)
    drill.say(22, over_draft("workload/payment-service/health", BEGAN + 22 * MINUTE, "well"))
    assert (drill.score().points, drill.row("mitigation").took) == (100, 5 * MINUTE)


def test_acts_that_do_harm_are_named_and_only_those_that_were_sent() -> None:
    drill = Drill().act(5, "restart", "Deployment/payment-service")
    found = drill.score()
    assert [(one.what, one.why) for one in found.harm] == [
        ("restart Deployment/payment-service", "it only crashes again")
    ]
    assert points(found)["harm"] == 6
    assert [deed.title for deed in found.others] == ["restart Deployment/payment-service"]
    assert points(drill.act(7, "restart", "Deployment/card-service").score())["harm"] == 0
    refused = Drill().act(5, "restart", "Deployment/api", verdict=Verdict.REFUSED, sent=False)
    assert (refused.row("harm").got, refused.row("harm").said) == (None, "nothing was done")
    assert Drill().act(5, "restart", "Pod/api").row("harm").got == 12


def test_the_card_says_in_full_why_an_act_did_harm() -> None:
    found = Drill().act(5, "restart", "Deployment/payment-service").score()
    (harm,) = [row.content.plain for row in point_rows(found, 32) if row.id.startswith("harm")]
    assert harm.split()[-4:] == ["it", "only", "crashes", "again"]


def node(way: str, back: str) -> dict[str, Any]:
    """Fields of a plan for a node, with how it is taken back."""
    return {"choices": {"act": way}, "undo": Undo(back, Recipe(mitigation="cordon", aim=Aim(), choices={"act": back}))}


def scaled(before: int, after: int) -> dict[str, Any]:
    back = Undo("", Recipe(mitigation="scale", aim=Aim(), choices={"replicas": str(before)}))
    return {"choices": {"replicas": str(after)}, "undo": back}


def test_what_is_taken_back_does_no_harm_again_and_an_act_may_do_harm_in_one_way_only() -> None:
    good = replace(GOOD, harmful=(Harmful(act="cordon", why="it is needed"), Harmful(act="scale", way="up", why="no")))
    drill = Drill(good).act(5, "cordon", "Node/n1", **node("cordon", "uncordon"))
    drill = drill.act(6, "cordon", "Node/n1", **node("uncordon", "cordon"))
    assert [one.what for one in drill.score().harm] == ["cordon Node/n1"]
    drill = drill.act(8, "scale", "Deployment/api", **scaled(3, 1))
    assert points(drill.score())["harm"] == 6
    assert points(drill.act(9, "scale", "Deployment/web", **scaled(3, 4)).score())["harm"] == 0


def test_that_it_is_over_is_told_only_by_an_update_after_it() -> None:
    told = Wanted(id="over", say="Tell the team that it is over", update="team", over=True)
    good = replace(GOOD, path=(told,))

    assert Drill(good).seen(4, "bad").update(5).seen(6, "good").update(7).resolved(8).score().path[0].at is None
    done = Drill(good).seen(4, "bad").update(5).seen(6, "good").resolved(8).update(9).score().path[0]
    assert done.at == BEGAN + 9 * MINUTE
    assert Drill(good).seen(4, "bad").resolved(8).update(9).score().path[0].at is None  # it was not over


def test_a_checklist_is_worked_through_when_all_that_concerns_the_incident_is_settled() -> None:
    told = replace(GOOD, path=(Wanted(id="external", say="Work through it", checklist="external"),))
    drill = Drill(told).ticked(5, "page", of="external")
    assert drill.score().path[0].at is None
    assert drill.ticked(6, "scheme", of="external").score().path[0].at == BEGAN + 6 * MINUTE
    assert drill.severity(7, 1).score().path[0].at is None  # severity 1 wants the central bank told


def test_a_step_may_want_an_act_in_one_way() -> None:
    down = replace(GOOD, path=(Wanted(id="less", say="Fewer", act=("scale",), way="down"),))
    up = Drill(down).act(5, "scale", "Deployment/api", **scaled(1, 2))
    assert up.score().path[0].at is None
    assert up.act(8, "scale", "Deployment/api", **scaled(2, 1)).score().path[0].at is not None


def test_what_only_looked_well_without_its_cure_was_not_well() -> None:
    calm = Drill(replace(GOOD, cure="scale")).seen(3.1, "bad").act(4, "delete-pod", "Pod/api").seen(6, "good")
    found = calm.resolved(7).score()
    assert (points(found)["mitigation"], points(found)["resolution"]) == (0, 0)
    assert {one.said for one in found.judged if one.id in ("mitigation", "resolution")} == {
        "resolved while it only looked well again"
    }
    cured = Drill(replace(GOOD, cure="scale")).seen(3.1, "bad").seen(6, "good")
    cured = cured.act(8, "scale", "Deployment/payment-service")
    assert cured.resolved(9).row("mitigation").took == 5 * 60_000  # not before what cured it


def test_an_act_that_did_not_work_is_no_step_of_the_path() -> None:
    failed = Drill().act(5, "scale", "Deployment/payment-service", verdict=Verdict.FAILED).score()
    assert next(step for step in failed.path if step.id == "scale").at is None
    elsewhere = Drill().act(5, "scale", "Deployment/card-service").score()
    assert next(step for step in elsewhere.path if step.id == "scale").at is None
    found = Drill().act(5, "scale", "Deployment/payment-service", verdict=Verdict.FAILED, looks_only=True).score()
    assert next(step for step in found.path if step.id == "scale").at is not None, "a check that found trouble is done"


def test_an_act_that_heals_later_than_it_is_looked_at_is_a_step_all_the_same() -> None:
    drill = Drill().seen(3.1, "bad").act(5, "scale", "Deployment/payment-service", verdict=Verdict.FAILED)
    assert drill.score().path[4].at is None
    assert drill.seen(9, "good").score().path[4].at is not None
    other = Drill().seen(3.1, "bad").act(5, "scale", "Deployment/payment-service", verdict=Verdict.FAILED)
    assert other.act(7, "rollback", "Release/shop").seen(9, "good").score().path[4].at is None


@pytest.mark.parametrize(
    ("kept", "changed", "got"),
    [(5, 7, 10), (9, 7, 0), (None, 7, 0), (5, None, 10), (None, None, None)],
)
def test_evidence_counts_only_before_anything_is_changed(
    kept: float | None, changed: float | None, got: int | None
) -> None:
    drill = Drill(EVIDENCE_FIRST)
    for at in sorted(one for one in (kept, changed) if one is not None):
        what, target = ("evidence", "Pod/session-cache-0") if at == kept else ("delete-pod", "Pod/session-cache-0")
        drill.act(at, what, target)
    assert drill.row("evidence").got == got


def test_a_quarantine_that_takes_the_evidence_first_keeps_it() -> None:
    assert (
        Drill(EVIDENCE_FIRST)
        .act(5, "quarantine", "Pod/session-cache-0", choices={"evidence": "yes"})
        .row("evidence")
        .got
        == 10
    )
    assert (
        Drill(EVIDENCE_FIRST)
        .act(5, "quarantine", "Pod/session-cache-0", choices={"evidence": "no"})
        .row("evidence")
        .got
        == 0
    )


def test_what_is_open_on_the_checklist_when_it_is_resolved_costs_its_share() -> None:
    row = Drill().ticked(5, "flow").resolved(6).ticked(7, "alerts").row("checklist")  # that is too late
    assert (row.got, row.said) == (3, "open: Alerts cleared")
    assert Drill().ticked(5, "flow").row("checklist").got is None


def test_a_drill_that_was_left_is_unfinished_and_not_resolved() -> None:
    found = Drill().note(4).resolved(6, LEFT).score()
    assert (found.state, found.finished) == ("left unfinished", False)
    assert points(found)["checklist"] is None
    assert points(found)["resolution"] is None
    assert Drill().resolved(6, LEFT).row("response").got is None  # leaving is no answer


def test_only_a_drill_that_says_what_is_good_has_a_score() -> None:
    assert scoring.score(Drill(None).dossier) is None
    real = Drill()
    found = real.dossier
    assert scoring.score(replace(found, incident=replace(found.incident, drill=False))) is None


def test_what_is_good_is_kept_out_of_sight_and_read_back_and_nonsense_is_nothing() -> None:
    entries = Drill().entries
    kept = practice_of(entries)
    assert kept is not None
    assert kept.good == GOOD
    assert "Scale" not in str(entries[0].evidence)
    others: tuple[Any, ...] = ("", "zz", "00", sealed(kept)[DRILL][SEALED][:80], 7, None, {})
    for nonsense in others:
        evidence: dict[str, Any] = {"drill": {"sealed": nonsense}}
        assert practice_of([replace_evidence(entries[0], evidence)]) is None
    assert practice_of([replace_evidence(entries[0], {"drill": 4})]) is None
    with pytest.raises(NotGood, match=r"`\$.severity`"):
        read_good({"severity": "high", "path": []})


@pytest.mark.parametrize(
    "wrong",
    [
        {"opened_at": 10**30},
        {"opened_at": True},
        {"good": {"severity": 9, "path": [{"id": "a", "say": "b"}]}},
        {"good": {"severity": 2, "path": []}},
        {"good": {"severity": 2, "path": [{"id": "a", "say": "b", "update": "team", "times": 0}]}},
        {"good": {"severity": 2, "path": [{"id": "a", "say": "b"}], "mitigate_within": float("inf")}},
        {"good": {"severity": 2, "path": [{"id": "a", "say": "b"}], "mitigate_within": float("nan")}},
        {"good": [[]] * 2_000_000},
    ],
)
def test_what_another_machine_says_is_good_is_taken_only_if_it_can_be_scored(wrong: dict[str, Any]) -> None:
    told = {"scenario": "x", "opened_at": BEGAN, "declared": False} | wrong
    packed = zlib.compress(json.dumps(told).encode()).hex()
    entries = Drill().entries
    entries[0] = replace_evidence(entries[0], {**(entries[0].evidence or {}), DRILL: {SEALED: packed}})

    assert practice_of(entries) is None


def replace_evidence(entry: Any, evidence: dict[str, Any]) -> Any:
    return replace(entry, evidence=evidence)


def test_every_export_has_the_score_and_says_that_it_is_a_drill() -> None:
    drill = played_right().act(11, "restart", "Deployment/<b>pay</b>")
    texts = {form: make(drill.dossier) for form, make in TEXTS.items()}

    assert all("DRILL" in texts[form] for form in ("markdown", "html", "csv"))
    assert "## Drill Score\n**" in texts["markdown"]
    assert "| 5 | Scale it | scale Deployment/payment\\-service |" in texts["markdown"].replace(
        "payment-", "payment\\-"
    )
    assert "<h2>Drill Score</h2>" in texts["html"]
    assert "<b>pay" not in texts["html"]
    document = json.loads(texts["json"])
    assert document["incident"]["drill"] is True
    assert document["score"] == to_json(drill.score())
    assert verify_json(texts["json"]).ok
    assert "score" not in json.loads(TEXTS["json"](Drill(None).dossier))


HAPPENINGS = st.one_of(
    st.tuples(st.just("note")),
    st.tuples(st.just("update")),
    st.tuples(st.just("missed")),
    st.tuples(st.just("role")),
    st.tuples(st.just("resolved")),
    st.tuples(st.just("severity"), st.integers(1, 4)),
    st.tuples(st.just("seen"), st.sampled_from(["bad", "warn", "good"])),
    st.tuples(st.just("ticked"), st.sampled_from(["flow", "alerts", "other"])),
    st.tuples(
        st.just("act"),
        st.sampled_from(["scale", "restart", "evidence", "quarantine"]),
        st.sampled_from(["Deployment/payment-service", "Pod/session-cache-0"]),
    ),
)


@settings(deadline=None, max_examples=60)
@given(
    st.booleans(),
    st.sampled_from([None, 1, 2, 3]),
    st.lists(st.tuples(st.floats(0, 60), HAPPENINGS), max_size=25),
    st.booleans(),
)
def test_whatever_was_done_the_points_are_sound(
    declared: bool, severity: int | None, course: list[tuple[float, tuple[Any, ...]]], evidence: bool
) -> None:
    drill = Drill(EVIDENCE_FIRST if evidence else GOOD, declared=declared, severity=severity)
    at = 3.0
    for wait, (what, *how) in course:
        at += wait
        getattr(drill, what)(at, *how)
    found = drill.score(at)

    assert all(one.got is None or 0 <= one.got <= one.of for one in found.judged)
    assert [one.of for one in found.judged] == [of for _, of in WEIGHTS.values()]
    assert found.points is None or 0 <= found.points <= 100
    assert all(one.said for one in found.judged)
    assert (found.points == 100) == (found.got == found.of and found.of > 0)
    assert found.finished == (found.state == "finished")
    # Once more a harmful act never wins anything.
    worse = drill.act(at + 1, "restart", "Deployment/payment-service").row("harm").got
    assert worse is not None
    assert worse <= (points(found)["harm"] or 12)
    json.dumps(to_json(found))


def test_the_points_are_those_of_what_could_be_judged() -> None:
    nothing, left = Drill(declared=True).score(now=4), Drill(declared=True).resolved(4, LEFT).score()
    assert [one.id for one in nothing.judged if one.got is not None] == []
    assert (nothing.points, nothing.judged[-1].said) == (None, "0 of 5 steps so far")
    assert [step.what for step in nothing.path if step.given] == ["the drill did it itself"] * 2
    assert [one.id for one in left.judged if one.got is not None] == ["path"]
    assert (left.got, left.of, left.points) == (0, 18, 0)
