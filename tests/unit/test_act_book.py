"""The journal as the gate writes to it: an intent is on disk before anything is sent, and its outcome always told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from incident.entry import Draft, Kind, Status
from incident.store import Store
from incident.timeline import Timeline
from runbook.errors import NotRecorded
from runbook.plan import Diff, Hunk, Verdict
from runbook.record import intent_of, undo_of
from tests.unit.act_drafts import BACK, TITLE, intent, outcome, plan, unsent
from tests.unit.incident_entries import note
from tests.unit.test_journal import journal
from tui.act_book import ActBook
from tui.journal import Journal


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal without an incident yet."""
    opened = journal(tmp_path / "w.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def book(shown: Journal) -> ActBook:
    return ActBook(shown)


async def declared(shown: Journal, title: str = "Payments failing") -> str:
    return (await shown.declare(title, 2, cluster="", namespace="")).id


async def timeline(shown: Journal, incident: str) -> Timeline:
    """What is in the store by now."""
    assert shown._recorder is not None
    return Timeline(await shown._recorder.store.entries(incident))


async def test_the_incident_is_the_open_one_that_is_recorded_to(shown: Journal, book: ActBook) -> None:
    assert book.incident == ""
    incident = await declared(shown)
    assert (book.incident, book.author) == (incident, "tech-lead")


async def test_nothing_is_recorded_to_a_closed_incident_or_to_one_of_a_drill(shown: Journal, book: ActBook) -> None:
    incident = await declared(shown)
    async with await Store.open(shown.path) as other:
        await other.set_status(incident, Status.RESOLVED, "somebody")
        drill = await other.declare(title="An exercise", author="somebody", drill=True)
        closed = await other.incident(incident)
    for shown_now in (closed, drill):
        await shown.show(shown_now)
        assert book.incident == ""
        with pytest.raises(NotRecorded, match="no open incident") as refused:
            await book.intend(intent())
        assert refused.value.hint == "press I to declare one"
        assert await book.unfinished() == []


async def test_an_intent_is_in_the_store_when_the_gate_hears_of_it(shown: Journal, book: ActBook) -> None:
    incident = await declared(shown)
    where, entry = await book.intend(intent())
    assert where == incident
    async with await Store.open(shown.path) as other:
        evidence = await other.evidence(entry)
    found = intent_of(evidence)
    assert found is not None
    assert found.plan == plan()


async def test_an_outcome_goes_to_the_incident_of_its_intent_whichever_is_shown(shown: Journal, book: ActBook) -> None:
    first = await declared(shown)
    _, entry = await book.intend(intent())
    second = await declared(shown, "Another")
    assert book.incident == second
    await book.conclude(first, outcome(entry))
    line = (await timeline(shown, first)).get(entry)
    assert line is not None
    assert line.outcome == "worked after 12 s: 5 of 5 ready"
    assert len(await timeline(shown, second)) == 1


async def test_what_was_left_without_an_outcome_is_found_with_all_that_it_takes_to_look(
    shown: Journal, book: ActBook
) -> None:
    incident = await declared(shown)
    _, done = await book.intend(intent("a1"))
    _, left = await book.intend(intent("a2"))
    await book.conclude(incident, outcome(done))
    await book.conclude(incident, unsent())
    (entry,) = await book.unfinished()
    assert (entry.id, entry.incident) == (left, incident)
    found = intent_of(entry.evidence)
    assert found is not None
    assert found.plan.id == "a2"
    assert found.ours


async def test_past_acts_come_newest_first_with_how_to_take_them_back(shown: Journal, book: ActBook) -> None:
    incident = await declared(shown)
    assert await book.acts() == []
    _, first = await book.intend(intent("a1"))
    await book.conclude(incident, outcome(first))
    _, second = await book.intend(intent("a2"))
    await book.conclude(incident, outcome(second, Verdict.REFUSED, "the server said no", sent=False))
    await book.conclude(incident, unsent())
    _, third = await book.intend(intent("a3"))
    unknown, worked = await book.acts()
    assert [unknown.id, worked.id] == [third, first]
    assert unknown.ending is None
    assert worked.outcome is not None
    assert undo_of(worked.outcome.evidence) == BACK


async def test_acts_of_another_living_console_are_told_from_those_that_nobody_is_at(
    shown: Journal, book: ActBook
) -> None:
    incident = await declared(shown)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    async with await Store.open(shown.path) as store:
        living = await store.append(incident, by_process(other.pid))
        gone = await store.append(incident, by_process(2**22 + 1))
    assert shown.incident is not None
    await shown.show(shown.incident)
    assert book.elsewhere() == set()  # nothing was read yet
    assert {entry.id for entry in await book.unfinished()} == {living.id, gone.id}
    assert book.elsewhere() == {living.id}
    await other.communicate(b"")
    assert book.elsewhere() == set()


def by_process(pid: int) -> Draft:
    draft = intent(f"a{pid}")
    assert draft.evidence is not None
    return replace(draft, evidence={"act": draft.evidence["act"] | {"pid": pid}})


async def test_a_diff_that_is_too_large_is_left_out_and_the_act_goes_on(shown: Journal, book: ActBook) -> None:
    incident = await declared(shown)
    large = Diff(hunks=(Hunk("ConfigMap/x", ("+ " + "x" * 5_000_000,)),))
    _, entry = await book.intend(intent(diff=large))
    (found,) = await book.unfinished()
    assert found.id == entry
    kept = intent_of(found.evidence)
    assert kept is not None
    assert kept.plan == plan(diff=Diff(source="left out: it was too large"))

    await book.conclude(incident, outcome(entry, log="x" * 5_000_000))
    assert shown.trouble == ""
    (act,) = await book.acts()
    assert act.outcome is not None
    assert act.outcome.evidence is not None
    assert act.outcome.evidence["outcome"]["found"] == {"left_out": "it was too large"}
    assert undo_of(act.outcome.evidence) == BACK


async def test_a_command_of_any_length_is_recorded(shown: Journal, book: ActBook) -> None:
    await declared(shown)
    command = "kubectl apply -f - <<EOF\n" + "x: y\n" * 30_000 + "EOF"
    await book.intend(intent(commands=(command,)))
    (entry,) = await book.unfinished()
    assert entry.text.startswith(f"{TITLE}\nkubectl apply")
    assert "more characters" in entry.text
    found = intent_of(entry.evidence)
    assert found is not None
    assert found.plan.commands == (command,)


async def test_an_outcome_that_the_store_refuses_is_on_the_record_all_the_same(shown: Journal, book: ActBook) -> None:
    incident = await declared(shown)
    await book.conclude(incident, outcome("no-such-entry"))
    lines = (await timeline(shown, incident)).lines
    assert lines[-1].entry.kind is Kind.NOTE
    assert lines[-1].text.startswith("worked after 12 s: 5 of 5 ready (outcome of no-such-entry could not be applied")


async def test_an_outcome_that_cannot_be_recorded_at_all_is_told_and_raises_nothing(tmp_path: Path) -> None:
    never_opened = journal(tmp_path / "w.db")
    await ActBook(never_opened).conclude("INC-1", outcome("e1"))
    assert "how an act ended is not recorded (worked after 12 s" in never_opened.trouble
    shown = journal(tmp_path / "v.db")
    await shown.open()
    await ActBook(shown).conclude("INC-of-nowhere", outcome("e1"))
    assert "There is no incident INC-of-nowhere" in shown.trouble
    await shown.close()


async def test_an_empty_store_is_ready_and_has_no_acts(shown: Journal, book: ActBook) -> None:
    assert shown.ready
    assert (await book.acts(), await book.unfinished(), book.elsewhere()) == ([], [], set())
    await declared(shown)
    await shown.write(note("nothing was done"))
    assert (await book.acts(), await book.unfinished()) == ([], [])


async def test_an_incident_began_with_its_first_symptom_unless_a_person_says_otherwise(shown: Journal) -> None:
    assert ActBook(shown).began is None
    await shown.declare("Payments failing", 1, cluster="", namespace="")
    assert shown.incident is not None
    declared = shown.incident.declared_at / 1000
    assert ActBook(shown).began == declared
    assert ActBook(shown, lambda: declared - 900).began == declared - 900
    assert ActBook(shown, lambda: declared + 60).began == declared
    shown.incident = replace(shown.incident, times={"began": int((declared - 1200) * 1000)})
    assert ActBook(shown, lambda: declared - 900).began == declared - 1200
