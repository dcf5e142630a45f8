"""Ticks, updates and deliveries are entries: what is read back from them is what was written, last word first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.checks import check_draft, ticks
from incident.entry import Draft, Kind, Source
from incident.errors import Refused
from incident.store import Store
from incident.timeline import Timeline
from incident.updates import delivery_draft, delivery_of, missed_draft, missed_due_of, update_draft, update_of
from tests.unit.incident_entries import incident_with, note, retraction
from tests.unit.incident_store import NOW, declared, path, store

__all__ = ["path", "store"]

HEALTHY = ("resolve", "healthy")


def tick(state: Any, author: str = "Ada", **fields: Any) -> Draft:
    return check_draft(*HEALTHY, state, author, text="All endpoints healthy", **fields)


def standing(*drafts: Draft) -> dict[tuple[str, str], tuple[str, str, str]]:
    """How each item stands: state, who said so, and the note."""
    _, entries = incident_with(drafts)
    return {key: (one.state, one.author, one.note) for key, one in ticks(Timeline(entries).lines).items()}


def test_the_last_tick_counts_and_one_that_was_retracted_does_not() -> None:
    assert standing() == {}
    assert standing(tick("done")) == {HEALTHY: ("done", "Ada", "")}
    assert standing(tick("done"), tick("open", "Grace", note="two fail again")) == {
        HEALTHY: ("open", "Grace", "two fail again")
    }
    assert standing(tick("done"), tick("open", "Grace"), retraction("e3", "wrong pane")) == {
        HEALTHY: ("done", "Ada", "")
    }
    assert standing(tick("not-needed", by="probe")) == {HEALTHY: ("not-needed", "Ada", "")}


def test_what_was_written_last_counts_whatever_the_clocks_said() -> None:
    later, earlier = tick("done"), tick("open", "Grace")
    _, entries = incident_with([later])
    at = entries[1].happened_at
    drafts = [
        later,
        Draft(**{name: getattr(earlier, name) for name in Draft.__struct_fields__} | {"happened_at": at - 9}),
    ]
    assert standing(*drafts) == {HEALTHY: ("open", "Grace", "")}


def test_items_of_several_lists_do_not_mix() -> None:
    other = check_draft("after", "healthy", "done", "Ada", text="x")
    assert set(standing(tick("done"), other)) == {HEALTHY, ("after", "healthy")}


async def test_ticks_are_there_when_a_timeline_is_opened_fast(store: Store) -> None:
    incident = await declared(store)
    await store.append(incident, tick("done", note="password=hunter2 worked", by="probe"))
    await store.append(incident, note("pin", evidence={"big": "object"}))
    lines = Timeline(await store.entries(incident, evidence=False)).lines
    (one,) = ticks(lines).values()
    assert (one.state, one.by, one.author, one.at) == ("done", "probe", "Ada", lines[1].happened_at)
    assert "hunter2" not in one.note
    assert lines[1].entry.source is Source.PROBE
    assert lines[2].entry.evidence is None
    assert lines[1].text.startswith("Done: All endpoints healthy\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["list", "item", "state", "by", "note", "next_due", "channels", "fields", "ok", "attempts", "due"]
)


@settings(deadline=None)
@given(
    st.none()
    | st.dictionaries(st.sampled_from(["check", "update", "delivery", "missed"]), JSON | st.dictionaries(NAMES, JSON))
)
def test_whatever_the_evidence_holds_reading_it_does_not_fail(evidence: dict[str, Any] | None) -> None:
    kinds = (Kind.CHECK, Kind.UPDATE, Kind.DELIVERY, Kind.MISSED)
    _, entries = incident_with([note("x", kind=kind, evidence=evidence, refers_to="e1") for kind in kinds])
    ticks(Timeline(entries).lines)
    for entry in entries:
        update_of(entry)
        delivery_of(entry)
        missed_due_of(entry)


async def test_an_update_is_kept_word_for_word_with_how_it_fared(store: Store) -> None:
    incident = await declared(store)
    words = "**SEV 2** Payments failing.\n\nNext update 14:36 UTC."
    draft = update_draft(words, "Ada", next_due=NOW, channels=["slack", "mail"], fields={"impact": "cards"})
    sent = await store.append(incident, draft)
    fared = delivery_draft(sent.id, "slack", kind="slack", ok=False, detail="HTTP 500", attempts=3, text="Slack: no")
    await store.append(incident, fared)
    await store.append(incident, missed_draft(NOW - 1, text="The update due 14:06 was not sent"))
    light = await store.entries(incident, evidence=False)
    update = update_of(light[1])
    assert update is not None
    assert (update.text, update.next_due, update.channels) == (words, NOW, ("slack", "mail"))
    assert update.fields == {"impact": "cards"}
    delivery = delivery_of(light[2])
    assert delivery is not None
    assert (delivery.update, delivery.channel, delivery.ok, delivery.attempts) == (sent.id, "slack", False, 3)
    assert missed_due_of(light[3]) == NOW - 1
    assert [line.level for line in Timeline(light).lines][2:] == ["bad", "bad"]
    assert (await store.verify(incident)).ok


async def test_what_was_told_to_others_cannot_be_taken_back(store: Store) -> None:
    incident = await declared(store)
    sent = await store.append(incident, update_draft("x", "Ada", next_due=None, channels=[]))
    missed = await store.append(incident, missed_draft(NOW, text="x"))
    for entry in (sent, missed):
        with pytest.raises(Refused, match="told to others"):
            await store.amend(incident, entry.id, author="Ada", text="y")
        with pytest.raises(Refused, match="told to others"):
            await store.retract(incident, entry.id, author="Ada", reason="y")


async def test_only_an_update_is_delivered(store: Store) -> None:
    incident = await declared(store)
    written = await store.append(incident, note("x"))
    draft = delivery_draft(written.id, "slack", kind="slack", ok=True, detail="", attempts=1, text="x")
    with pytest.raises(Refused, match="is no update"):
        await store.append(incident, draft)
