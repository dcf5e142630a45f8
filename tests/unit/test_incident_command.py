"""Status, roles, facts and times of an incident: each change is an entry, and nonsense is refused in words."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident import chain, ledger
from incident.database import immediate
from incident.entry import MARKS, Incident, Kind, Status
from incident.errors import Refused
from incident.export import to_json
from incident.recorder import Recorder
from incident.rows import fetch_incident
from incident.schema import migrate
from incident.standing import after, declaration_draft, declared, status_draft, time_draft
from incident.store import Store
from incident.verify import parse_incident, verify_json
from tests.unit.incident_entries import incident_with, note
from tests.unit.incident_store import NOW, Clock, path, store
from tests.unit.incident_store import declared as declare

__all__ = ["path", "store"]

MINUTE = 60_000


async def texts(store: Store, incident: str) -> list[str]:
    """What the incident's entries say after the declaration."""
    return [entry.text for entry in (await store.entries(incident))[1:]]


async def sound(store: Store, incident: str) -> Incident:
    """The incident, which says what its entries say, here and in an export."""
    verdict = await store.verify(incident)
    assert verdict.ok, verdict.reason
    found = await store.incident(incident)
    exported = to_json(found, await store.entries(incident))
    assert verify_json(exported).ok
    return found


# Roles


async def test_a_role_is_taken_handed_over_and_left_each_with_an_entry(store: Store) -> None:
    incident = await declare(store)
    await store.set_role(incident, "technical-lead", "Ada", "Ada", name="Technical lead")
    await store.set_role(incident, "technical-lead", "Grace", "Ada", name="Technical lead")
    await store.set_role(incident, "scribe", "Linus", "Linus")
    assert (await store.incident(incident)).roles == {"technical-lead": "Grace", "scribe": "Linus"}
    await store.set_role(incident, "technical-lead", None, "Grace", name="Technical lead")
    assert await texts(store, incident) == [
        "Technical lead: Ada",
        "Technical lead: Ada → Grace",
        "Scribe: Linus",
        "Technical lead: Grace → nobody",
    ]
    assert (await sound(store, incident)).roles == {"scribe": "Linus"}


async def test_two_consoles_that_hand_over_at_once_tell_whom_the_role_really_passed_from(path: Path) -> None:
    async with await Recorder.open(path) as one, await Recorder.open(path) as other:
        incident = await declare(one.store)
        await one.set_role(incident, "scribe", "Ada", "Ada")
        await other.set_role(incident, "scribe", "Grace", "Grace")
        await one.set_role(incident, "scribe", "Linus", "Linus")
        assert await texts(one.store, incident) == ["Scribe: Ada", "Scribe: Ada → Grace", "Scribe: Grace → Linus"]


async def test_a_role_is_not_taken_twice_nor_left_by_nobody(store: Store) -> None:
    incident = await declare(store)
    with pytest.raises(Refused, match=r"^Nobody is technical lead\. Nothing was recorded\.$"):
        await store.set_role(incident, "technical-lead", None, "Ada")
    await store.set_role(incident, "technical-lead", "Ada", "Ada")
    with pytest.raises(Refused, match=r"^Ada is technical lead already\."):
        await store.set_role(incident, "technical-lead", "Ada", "Ada")
    for person in ("", "  \n", "x" * 2000):
        with pytest.raises(Refused, match="name"):
            await store.set_role(incident, "scribe", person, "Ada")
    assert await texts(store, incident) == ["Technical lead: Ada"]


async def test_a_name_cannot_carry_escapes_or_secrets_into_the_record(store: Store) -> None:
    incident = await declare(store)
    await store.set_role(incident, "scribe", "Eve\x1b[2J\npassword=hunter2", "Ada")
    held = (await sound(store, incident)).roles["scribe"]
    assert "\x1b" not in held
    assert "hunter2" not in held
    assert "\n" not in held


# What is affected


async def test_what_is_affected_is_declared_and_changed_later(store: Store) -> None:
    begun = await store.declare(
        title="Payments failing",
        author="Ada",
        severity=1,
        services=["payment-service", "core-api", "payment-service"],
        impact="No card payments",
        facts={"service_down": True, "complaints": False},
    )
    assert begun.services == ("payment-service", "core-api")
    assert begun.impact == "No card payments"
    (first,) = await store.entries(begun.id)
    assert first.text == (
        "Declared SEV 1: Payments failing\nServices affected: payment-service, core-api\n"
        "Customer impact: No card payments\nService down: yes; complaints: no"
    )
    assert await store.incident(begun.id) == begun
    await store.set_facts(begun.id, "Ada", services=["core-api"])
    await store.set_facts(begun.id, "Ada", impact="", facts={"complaints": True, "service_down": None})
    now = await sound(store, begun.id)
    assert (now.services, now.impact, now.facts) == (("core-api",), "", {"complaints": True})
    assert await texts(store, begun.id) == [
        "Services affected: core-api",
        "Customer impact: none\nComplaints: yes; service down: not known",
    ]


async def test_saying_nothing_or_naming_nothing_is_refused(store: Store) -> None:
    incident = await declare(store)
    with pytest.raises(Refused, match="nothing to record"):
        await store.set_facts(incident, "Ada")
    with pytest.raises(Refused, match="name of a service is empty"):
        await store.set_facts(incident, "Ada", services=["core-api", " "])
    with pytest.raises(Refused, match="at most 500"):
        await store.set_facts(incident, "Ada", services=[str(n) for n in range(501)])
    with pytest.raises(Refused, match="name of a service"):
        await store.declare(title="x", author="Ada", services=[""])
    assert await texts(store, incident) == []


async def test_another_title_is_an_entry_too(store: Store) -> None:
    incident = await declare(store)
    await store.set_title(incident, "Card payments failing\n", "Ada")
    assert (await sound(store, incident)).title == "Card payments failing"
    with pytest.raises(Refused, match="title is empty"):
        await store.set_title(incident, " ", "Ada")


# Status

LEGAL = {
    (Status.INVESTIGATING, Status.MITIGATING),
    (Status.INVESTIGATING, Status.RESOLVED),
    (Status.MITIGATING, Status.INVESTIGATING),
    (Status.MITIGATING, Status.RESOLVED),
    (Status.RESOLVED, Status.REVIEWED),
    (Status.RESOLVED, Status.INVESTIGATING),
    (Status.REVIEWED, Status.INVESTIGATING),
}
WAY = {
    Status.INVESTIGATING: (),
    Status.MITIGATING: (Status.MITIGATING,),
    Status.RESOLVED: (Status.RESOLVED,),
    Status.REVIEWED: (Status.RESOLVED, Status.REVIEWED),
}


@pytest.mark.parametrize("start", Status)
async def test_a_status_follows_only_where_the_runbook_leads(store: Store, start: Status) -> None:
    for status in Status:
        incident = await declare(store)
        for step in WAY[start]:
            await store.set_status(incident, step, "Ada")
        before = await store.entries(incident)
        if (start, status) in LEGAL:
            await store.set_status(incident, status, "Ada")
            assert (await sound(store, incident)).status is status
        else:
            why = "is .* already" if start is status else "cannot become"
            with pytest.raises(Refused, match=why):
                await store.set_status(incident, status, "Ada")
            assert await store.entries(incident) == before


async def test_reopening_forgets_that_it_was_mitigated_and_resolved(store: Store) -> None:
    incident = await declare(store)
    await store.set_time(incident, "detected", NOW - MINUTE, "Ada")
    await store.set_time(incident, "mitigated", NOW, "Ada")
    await store.set_status(incident, Status.RESOLVED, "Ada")
    await store.set_status(incident, Status.INVESTIGATING, "Ada", text="It is back.")
    now = await sound(store, incident)
    assert (now.resolved_at, now.times) == (None, {"detected": NOW - MINUTE})


async def test_an_incident_never_ends_before_it_was_declared_though_the_clock_was_set_back(path: Path) -> None:
    clock = Clock()
    async with await Store.open(path, clock=clock) as store:
        incident = await declare(store)
        clock.pass_by(-3600)
        entry = await store.set_status(incident, Status.RESOLVED, "Ada")
        now = await sound(store, incident)
    assert now.resolved_at is not None
    assert now.resolved_at >= now.declared_at
    assert entry.recorded_at < now.declared_at  # the record says what the clock said


# Times


async def test_times_are_set_and_corrected_and_taken_back(store: Store) -> None:
    incident = await declare(store)
    await store.set_time(incident, "detected", NOW - 5 * MINUTE, "Ada")
    await store.set_time(incident, "detected", NOW - 4 * MINUTE, "Ada")
    await store.set_time(incident, "acknowledged", NOW - 2 * MINUTE, "Ada")
    assert (await store.incident(incident)).times == {"detected": NOW - 4 * MINUTE, "acknowledged": NOW - 2 * MINUTE}
    await store.set_time(incident, "acknowledged", None, "Ada")
    assert (await sound(store, incident)).times == {"detected": NOW - 4 * MINUTE}
    assert (await texts(store, incident))[0] == "Detected: 2026-11-23 14:01:00 UTC"
    assert (await texts(store, incident))[-1] == "Acknowledged: not known"


@pytest.mark.parametrize(
    ("mark", "at", "why"),
    [
        (
            "detected",
            NOW - 1 * MINUTE,
            "Acknowledged at 2026-11-23 14:04:00 UTC would be before detected at .* 14:05:00",
        ),
        ("mitigated", NOW - 3 * MINUTE, "Mitigated at .* would be before acknowledged"),
        ("resolved", NOW - 9 * MINUTE, "Resolved at .* would be before acknowledged"),
        ("mitigated", NOW + 60 * MINUTE, "still to come"),
        ("mitigated", -1, "between the years"),
        ("lunch", NOW, "not a time of an incident"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_in_one_sentence(
    store: Store, mark: str, at: int, why: str
) -> None:
    incident = await declare(store)
    await store.set_time(incident, "detected", NOW - 5 * MINUTE, "Ada")
    await store.set_time(incident, "acknowledged", NOW - 2 * MINUTE, "Ada")
    with pytest.raises(Refused, match=why):
        await store.set_time(incident, mark, at, "Ada")
    assert (await sound(store, incident)).times == {"detected": NOW - 5 * MINUTE, "acknowledged": NOW - 2 * MINUTE}


@pytest.mark.parametrize("mark", ["acknowledged", "mitigated", "resolved"])
async def test_what_follows_detection_cannot_be_before_the_declaration_unless_detection_is(
    store: Store, mark: str
) -> None:
    incident = await declare(store)
    await store.set_status(incident, Status.RESOLVED, "Ada")
    early = NOW - 3 * MINUTE
    with pytest.raises(Refused, match=f"{mark.capitalize()} at .* would be before detected .* when it was declared"):
        await store.set_time(incident, mark, early, "Ada")
    await store.set_time(incident, "detected", NOW - 5 * MINUTE, "Ada")
    await store.set_time(incident, mark, early, "Ada")
    assert (await sound(store, incident)).times[mark] == early


async def test_an_incident_does_not_begin_after_it_was_declared(store: Store) -> None:
    incident = await declare(store)
    with pytest.raises(Refused, match=r"Detected at .* would be before began at .* when it was declared"):
        await store.set_time(incident, "began", NOW + 30_000, "Ada")
    await store.set_time(incident, "began", NOW - 30 * MINUTE, "Ada")


async def test_the_time_of_resolution_can_be_corrected_but_not_unknown(store: Store) -> None:
    incident = await declare(store)
    await store.set_status(incident, Status.RESOLVED, "Ada")
    await store.set_time(incident, "resolved", NOW, "Ada")
    assert (await sound(store, incident)).resolved_at == NOW
    with pytest.raises(Refused, match="correct it, or reopen"):
        await store.set_time(incident, "resolved", None, "Ada")
    with pytest.raises(Refused, match="would be before mitigated"):
        await store.set_time(incident, "mitigated", NOW + 1, "Ada")
    await store.set_status(incident, Status.REVIEWED, "Ada")
    assert (await sound(store, incident)).resolved_at == NOW


CHANGES = st.one_of(
    st.tuples(st.sampled_from(MARKS), st.none() | st.integers(NOW - 10 * MINUTE, NOW + 10 * MINUTE)),
    st.sampled_from(Status),
)


@settings(deadline=None)
@given(st.lists(CHANGES, max_size=12))
def test_whatever_is_tried_in_whatever_order_no_duration_is_negative(
    changes: list[Status | tuple[str, int | None]],
) -> None:
    connection, clock = sqlite3.connect(":memory:", isolation_level=None), Clock()
    migrate(connection, Path(":memory:"))
    draft = declaration_draft(
        title="x", author="Ada", severity=None, drill=False, cluster="", namespace="", happened_at=None
    )
    incident = ledger.declare(connection, draft, ledger.Stamp.at(clock())).id
    for change in changes:
        made = status_draft(change, "Ada") if isinstance(change, Status) else time_draft(*change, "Ada")
        with contextlib.suppress(Refused), immediate(connection):
            ledger.append(connection, incident, made, ledger.Stamp.at(clock()))
    now = fetch_incident(connection, incident)
    connection.close()
    assert now is not None
    times = dict(now.times)
    if now.resolved_at is not None:
        assert times.get("resolved", now.resolved_at) == now.resolved_at
        times["resolved"] = now.resolved_at
    known = [times[mark] for mark in MARKS if mark in times]
    assert known == sorted(known)
    assert now.open is (now.resolved_at is None)


# Kept aside


async def test_a_change_that_waited_for_the_store_and_makes_no_sense_by_then_is_a_note(path: Path) -> None:
    async with await Recorder.open(path, busy_timeout=0.05) as one, await Store.open(path) as other:
        incident = await declare(one.store)
        connection = other._database
        await connection.run(lambda plain: plain.execute("BEGIN IMMEDIATE").fetchall())
        assert (await one.set_status(incident, Status.RESOLVED, "Ada")).spilled
        assert (await one.set_role(incident, "scribe", "Ada", "Ada")).spilled
        await connection.run(lambda plain: plain.execute("ROLLBACK").fetchall())
        await other.set_status(incident, Status.RESOLVED, "Grace")
        assert await one.flush() == 0
        kinds = [(entry.kind, entry.author) for entry in await other.entries(incident)][1:]
        assert kinds == [(Kind.STATUS, "Grace"), (Kind.NOTE, "Ada"), (Kind.STATUS, "Ada")]
        assert (await sound(other, incident)).roles == {"scribe": "Ada"}


# Older exports


def test_an_incident_that_knows_nothing_of_all_this_still_verifies_and_reads() -> None:
    incident, entries = incident_with([note("a"), status_draft(Status.RESOLVED, "Ada")])
    document = json.loads(to_json(after(incident, entries[2]), entries))
    previous = chain.GENESIS
    for new in ("services", "impact", "facts"):
        del document["entries"][0]["evidence"]["incident"][new]
    for new in ("services", "impact", "facts", "roles", "times"):
        del document["incident"][new]
    for entry in document["entries"]:
        entry["previous_hash"] = previous
        entry["hash"] = previous = chain.digest(entry)
    document["head"]["hash"] = previous
    verdict = verify_json(json.dumps(document))
    assert verdict.ok, verdict.reason
    assert parse_incident(document["incident"]).services == ()


def test_a_chain_that_was_written_elsewhere_is_played_without_being_judged() -> None:
    """A later warroom may allow what this one refuses; whether a chain is whole does not depend on that."""
    incident, entries = incident_with([time_draft("resolved", 5, "Ada"), status_draft(Status.REVIEWED, "Ada")])
    incident = declared(entries[0])
    for entry in entries[1:]:
        incident = after(incident, entry)
    assert (incident.status, incident.resolved_at) == (Status.REVIEWED, 5)
    assert verify_json(to_json(incident, entries)).ok
