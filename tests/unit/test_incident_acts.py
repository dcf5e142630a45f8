"""An act is one entry that grows from intent to outcome; nothing of it is taken back, and nothing of it vanishes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.acts import acts, unfinished
from incident.entry import Draft, Entry, Kind, Line, Source, Status
from incident.errors import NoSuchEntry, Refused
from incident.export import to_json, to_markdown
from incident.review import milestones
from incident.standing import status_draft
from incident.store import Store
from incident.timeline import Timeline
from incident.updates import delivery_draft, missed_draft
from incident.verify import verify_json
from runbook.plan import Outcome, Verdict
from runbook.record import intent_of, outcome_draft
from tests.unit.act_drafts import COMMAND, TITLE, intent, outcome, plan, unsent
from tests.unit.incident_entries import BEGAN, amendment, entry, incident_with, note, retraction
from tests.unit.incident_store import declared, path, store

__all__ = ["path", "store"]


def act_line(timeline: Timeline) -> Line:
    """The only act of a timeline."""
    (line,) = [line for line in timeline.lines if line.entry.kind is Kind.MITIGATION]
    return line


# On the timeline


def test_an_act_is_one_line_that_grows_from_intent_to_outcome() -> None:
    timeline = Timeline([entry(1, intent())])
    line = act_line(timeline)
    assert (line.text, line.outcome, line.level) == (f"{TITLE}\n{COMMAND}", None, "info")
    assert line.unended
    assert [one.id for one in timeline.unended] == ["e1"]

    changed = timeline.add([entry(2, outcome("e1"))])
    assert changed == {"e1"}
    line = act_line(timeline)
    assert (line.text, line.outcome, line.level) == (
        f"{TITLE}\n{COMMAND}",
        "worked after 12 s: 5 of 5 ready",
        "good",
    )
    assert (line.ended_at, line.ended_by, line.sent) == (BEGAN + 2000, "tech-lead", True)
    assert not line.unended
    assert timeline.unended == []
    assert len(timeline) == 1
    assert timeline.counts[Source.MITIGATION] == 1


@pytest.mark.parametrize(
    ("verdict", "level", "sent"),
    [
        (Verdict.WORKED, "good", True),
        (Verdict.FAILED, "bad", True),
        (Verdict.UNKNOWN, "warn", None),
        (Verdict.REFUSED, "warn", False),
    ],
)
def test_a_line_is_as_loud_as_its_outcome(verdict: Verdict, level: str, sent: bool | None) -> None:
    line = act_line(Timeline([entry(1, intent()), entry(2, outcome("e1", verdict, sent=sent))]))
    assert (line.level, line.sent) == (level, sent)
    assert line.acted is (sent is not False)


def test_an_act_that_was_refused_or_cancelled_is_complete_by_itself() -> None:
    timeline = Timeline([entry(1, unsent()), entry(2, unsent(Verdict.CANCELLED, "nothing was sent"))])
    refused, cancelled = timeline.lines
    assert refused.outcome == "refused: blocked: allowed: may not patch deployments"
    assert (refused.level, refused.sent, refused.unended) == ("warn", False, False)
    assert (cancelled.outcome, cancelled.level) == ("cancelled: nothing was sent", "info")
    assert not refused.acted
    assert timeline.unended == []


def test_an_outcome_whose_intent_has_not_come_is_a_line_until_it_does() -> None:
    timeline = Timeline([entry(2, outcome("e1"))])
    assert [line.text for line in timeline.lines] == ["worked after 12 s: 5 of 5 ready"]
    assert timeline.add([entry(1, intent())]) == {"e1", "e2"}
    assert [(line.id, line.outcome) for line in timeline.lines] == [("e1", "worked after 12 s: 5 of 5 ready")]
    assert timeline.counts[Source.MITIGATION] == 1


def test_of_two_consoles_that_both_found_out_the_last_counts_and_the_first_is_still_told() -> None:
    first = entry(2, outcome("e1", Verdict.UNKNOWN, "it cannot be verified", by="bob", sent=None))
    second = entry(3, outcome("e1", Verdict.FAILED, "3 of 5 ready", by="ann"))
    timeline = Timeline([entry(1, intent()), second, first])
    line = act_line(timeline)
    assert line.outcome is not None
    assert line.outcome.startswith("did not work")
    assert (line.level, line.ended_by) == ("bad", "ann")
    assert [text.partition(" ")[0] for text in line.earlier] == ["unknown"]
    assert [one.id for one in timeline.outcomes("e1")] == ["e2", "e3"]
    assert timeline.history("e1") == ()


def test_an_outcome_of_what_is_no_act_stays_a_line_of_its_own() -> None:
    for entries in (
        [entry(1, note("a note")), entry(2, outcome("e1"))],
        [entry(2, outcome("e1")), entry(1, note("x"))],
    ):
        timeline = Timeline(entries)
        assert [(line.id, line.outcome) for line in timeline.lines] == [("e1", None), ("e2", None)]


def test_a_search_finds_the_outcome_and_a_choice_of_source_keeps_the_act() -> None:
    timeline = Timeline(
        [
            entry(1, intent()),
            entry(2, note("5 of 5 ready, says ann")),
            entry(3, outcome("e1", Verdict.UNKNOWN, "first look", by="bob")),
            entry(4, outcome("e1", by="ann")),
        ]
    )
    assert [line.id for line in timeline.filtered("5 of 5 READY")] == ["e1", "e2"]
    assert [line.id for line in timeline.filtered("first look")] == ["e1"]
    assert [line.id for line in timeline.filtered("ready", sources={Source.MITIGATION})] == ["e1"]
    assert [line.id for line in timeline.filtered("ann worked")] == ["e1"]
    assert timeline.filtered("", kinds={Kind.OUTCOME}) == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=12), st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_order_in_which_intents_and_outcomes_come_does_not_matter(
    kinds: list[int], chance: random.Random, portion: int
) -> None:
    drafts: list[Draft] = []
    for seq, kind in enumerate(kinds, 2):
        of = f"e{chance.randrange(1, seq)}"
        at = chance.randrange(1, 6) * 1000
        drafts.append([intent(f"a{seq}"), outcome(of, text=f"{seq}"), unsent(), amendment(of, f"x{seq}", at)][kind])
    entries = incident_with(drafts)[1]
    plain = {one.id for one in entries if one.refers_to is None}
    entries = [one for one in entries if one.refers_to is None or one.refers_to in plain]
    shuffled = entries[:]
    chance.shuffle(shuffled)
    pieces = Timeline()
    for start in range(0, len(shuffled), portion):
        pieces.add(shuffled[start : start + portion])
    whole = Timeline(entries)
    assert list(pieces.lines) == list(whole.lines)
    assert pieces.counts == whole.counts
    assert {line.id for line in pieces.unended} == {line.id for line in whole.lines if line.unended}


def test_acts_are_read_from_entries_in_any_order() -> None:
    entries = [entry(4, outcome("e1", Verdict.FAILED, seconds=90)), entry(3, unsent()), entry(1, intent(by="ann"))]
    done, refused = acts(entries)
    assert (done.title, done.commands, done.by) == (TITLE, (COMMAND,), "ann")
    assert done.ending is not None
    assert (done.ending.verdict, done.ending.sent, done.ending.seconds) == ("did not work", True, 90)
    assert done.undo == "scale it back to 3"
    assert refused.outcome is refused.intent
    assert (refused.undo, refused.by, refused.commands) == ("", "tech-lead", (COMMAND,))
    assert unfinished(entries) == []
    assert [one.id for one in unfinished(entries[1:])] == ["e1"]


@pytest.mark.parametrize(
    "evidence",
    [None, {}, {"act": 1, "outcome": 2}, {"act": {"plan": 1, "confirmed_by": []}, "outcome": {"sent": "x"}},
     {"act": {"plan": {"commands": "x", "undo": 3}}, "outcome": {"seconds": True, "undo": {"words": 5}}}],
)  # fmt: skip
def test_evidence_of_any_shape_is_read_without_harm(evidence: dict[str, object] | None) -> None:
    draft = note("Restart\nkubectl", kind=Kind.MITIGATION, source=Source.MITIGATION, evidence=evidence)
    incident, entries = incident_with([draft, note("ok", kind=Kind.OUTCOME, refers_to="e2", evidence=evidence)])
    assert [act.title for act in acts(entries)] == ["Restart"]
    assert act_line(Timeline(entries)).outcome == "ok"
    assert "Restart" in to_markdown(incident, entries)


# In the store


async def begun(store: Store) -> tuple[str, Entry]:
    incident = await declared(store)
    return incident, await store.append(incident, intent())


async def test_the_store_takes_an_intent_and_its_outcome_and_the_chain_holds(store: Store) -> None:
    incident, begun_by = await begun(store)
    ended = await store.append(incident, outcome(begun_by.id))
    assert ended.refers_to == begun_by.id
    assert (await store.verify(incident)).ok
    entries = await store.entries(incident)
    found = intent_of(entries[1].evidence)
    assert found is not None
    assert found.plan == plan()
    assert verify_json(to_json(await store.incident(incident), entries)).ok


async def test_an_act_can_be_neither_amended_nor_retracted(store: Store) -> None:
    incident, intended = await begun(store)
    ended = await store.append(incident, outcome(intended.id))
    refused = await store.append(incident, unsent())
    for one in (intended, ended, refused):
        with pytest.raises(Refused, match="stands as it is"):
            await store.retract(incident, one.id, author="bob", reason="it was not me")
        with pytest.raises(Refused, match="write a note beside it"):
            await store.amend(incident, one.id, author="bob", text="nothing was done")
    await store.append(incident, note("it was the wrong service"))
    assert len(await store.entries(incident)) == 5


async def test_only_an_act_of_the_same_incident_that_was_begun_has_an_outcome(store: Store) -> None:
    incident, intended = await begun(store)
    other = await declared(store, "Another")
    a_note = await store.append(incident, note("a note"))
    refused = await store.append(incident, unsent())
    ended = await store.append(incident, outcome(intended.id))
    with pytest.raises(Refused, match="is no act, so it has no outcome"):
        await store.append(incident, outcome(a_note.id))
    with pytest.raises(Refused, match="is no act"):
        await store.append(incident, outcome(ended.id))
    with pytest.raises(Refused, match="never sent"):
        await store.append(incident, outcome(refused.id))
    with pytest.raises(NoSuchEntry):
        await store.append(other, outcome(intended.id))
    with pytest.raises(Refused, match="does not say which entry"):
        await store.append(incident, note("ended", kind=Kind.OUTCOME))
    await store.append(incident, outcome(intended.id, Verdict.FAILED, by="bob"))
    assert (await store.verify(incident)).ok


async def test_a_timeline_that_was_opened_fast_says_the_same_of_acts(store: Store) -> None:
    incident, intended = await begun(store)
    await store.append(incident, outcome(intended.id, Verdict.FAILED, sent=False))
    await store.append(incident, unsent())
    await store.append(incident, intent("a2"))
    light = await store.entries(incident, evidence=False)
    assert all(one.evidence is None for one in light)
    told = [
        [(line.outcome, line.level, line.sent, line.unended, line.acted) for line in Timeline(entries).lines]
        for entries in (light, await store.entries(incident))
    ]
    assert told[0] == told[1]
    assert [line.text.partition("\n")[0] for line in Timeline(light).unended] == [TITLE]


async def test_the_acts_of_an_incident_are_read_with_their_evidence(store: Store) -> None:
    incident, intended = await begun(store)
    other = await declared(store, "Another")
    await store.append(other, intent("a2"))
    await store.append(incident, note("between", evidence={"large": "x"}))
    ended = await store.append(incident, outcome(intended.id, generated="np-1"))
    found = await store.acts(incident)
    assert [one.id for one in found] == [intended.id, ended.id]
    assert found[1].evidence is not None
    assert found[1].evidence["outcome"]["found"] == {"generated": "np-1"}


# In the review


def reviewed(drafts: Sequence[Draft]) -> str:
    return to_markdown(*incident_with(drafts))


def row_of(review: str, part: str, section: str = "Timeline") -> list[str]:
    """The cells of the row with this part, in that section."""
    text = review.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    (row,) = [row for row in text.splitlines() if part in row]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


TRIED = "What Was Tried and Whether It Worked"


def test_the_review_tells_what_was_done_with_its_command_and_how_it_ended() -> None:
    review = reviewed([intent(), outcome("e2")])
    _, event, action, by = row_of(review, "Scale deployment")
    assert event == ""
    assert action == (f"{TITLE}<br>{COMMAND}<br>— worked after 12 s: 5 of 5 ready<br>— evidence E1, E2")
    assert by == "tech-lead (mitigation)"
    assert row_of(review, "Scale deployment", TRIED)[1:] == [
        f"{TITLE}<br>{COMMAND}", "tech-lead", "worked after 12 s: 5 of 5 ready", "12.0 s", "scale it back to 3",
    ]  # fmt: skip


def test_the_review_tells_refused_and_cancelled_acts_and_that_nothing_was_sent() -> None:
    review = reviewed([unsent(), unsent(Verdict.CANCELLED, "nothing was sent")])
    action = row_of(review, "refused")[2]
    assert action.startswith(f"{TITLE}<br>{COMMAND}<br>— refused: blocked: allowed: may not patch deployments")
    assert row_of(review, "cancelled", TRIED)[3:] == ["cancelled: nothing was sent", "", "nothing was sent"]


def test_the_review_says_so_when_nobody_knows_how_an_act_ended() -> None:
    review = reviewed([intent()])
    assert "— outcome unknown" in row_of(review, TITLE)[2]
    assert row_of(review, TITLE, TRIED)[3:] == ["outcome unknown", "", "scale it back to 3"]


def test_the_review_keeps_what_two_consoles_found_out() -> None:
    review = reviewed(
        [intent(), outcome("e2", Verdict.UNKNOWN, "left", sent=None), outcome("e2", by="ann", seconds=125)]
    )
    action = row_of(review, "Scale deployment")[2]
    assert "— before that: unknown after 12 s: left<br>" in action
    assert "— worked after 2 min 05 s: 5 of 5 ready (found out by ann)" in action
    assert row_of(review, "Scale deployment", TRIED)[4] == "00:02:05"


def test_a_review_without_acts_has_no_section_about_them() -> None:
    assert TRIED not in reviewed([note("nothing was done")])


def test_the_first_mitigation_is_the_first_that_was_sent() -> None:
    minute = 60_000
    drafts = [
        unsent(),
        intent("a2"),
        outcome("e3", Verdict.REFUSED, "the server said no", sent=False),
        intent("a3"),
        status_draft(Status.MITIGATING, "tech-lead"),
    ]
    incident, entries = incident_with(drafts)
    assert milestones(incident, Timeline(entries).lines).first_action == BEGAN + 5000  # not known to have failed
    assert milestones(incident, Timeline(entries[:4]).lines).first_action is None
    at = BEGAN + 10 * minute
    incident, entries = incident_with(
        [note("by hand", source=Source.MITIGATION, happened_at=at), retraction("e2", "-")]
    )
    assert milestones(incident, Timeline(entries).lines).first_action is None


def test_what_only_looks_is_not_the_first_mitigation_while_it_runs_nor_when_it_worked() -> None:
    worked = Outcome(verdict=Verdict.WORKED, text="captured")
    ended = outcome_draft("e2", plan(looks_only=True), worked, "tech-lead", 2.0)
    incident, entries = incident_with([intent(looks_only=True), ended, intent("a2"), outcome("e4")])

    assert milestones(incident, Timeline(entries[:2]).lines).first_action is None
    assert milestones(incident, Timeline(entries[:3]).lines).first_action is None
    assert milestones(incident, Timeline(entries).lines).first_action == entries[3].happened_at


def test_the_json_has_acts_as_they_are() -> None:
    incident, entries = incident_with([intent(), outcome("e2")])
    document = json.loads(to_json(incident, entries))
    _, intended, ended = document["entries"]
    assert (intended["kind"], ended["kind"], ended["refers_to"]) == ("mitigation", "outcome", "e2")
    assert intended["evidence"]["act"]["plan"]["commands"] == [COMMAND]
    assert ended["evidence"]["outcome"]["verdict"] == "worked"


def test_an_update_that_nobody_sent_is_nobodys_first_answer() -> None:
    silence = missed_draft(BEGAN + 1000, text="an update was due")
    refused = delivery_draft("e3", "ops", kind="slack", ok=False, detail="-", attempts=3, text="not delivered")
    incident, entries = incident_with([silence, refused, note("on it")])

    assert milestones(incident, Timeline(entries[:3]).lines).first_answer is None
    assert milestones(incident, Timeline(entries).lines).first_answer == entries[3].recorded_at
