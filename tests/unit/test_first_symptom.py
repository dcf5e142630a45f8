"""The first symptom by an incident's record: of what is ill now, and since all was well the last time."""

from __future__ import annotations

import pytest

from incident.entry import Draft, Kind, Source
from incident.review import DAY, first_symptom, marks, onset
from incident.timeline import Timeline
from tests.unit.incident_entries import BEGAN, incident_with

PAY, API, NODE = "workload/prod/Deployment/pay/", "endpoint/https://api/", "node/aks-1/"
DATABASE = "database/sql/accounts/"


def seen(minute: float, key: str, level: str = "bad") -> Draft:
    """``minute`` after the declaration."""
    return Draft(
        text=f"{key} at {minute:g}",
        author="probe",
        source=Source.PROBE,
        kind=Kind.OBSERVATION,
        level=level,
        fold=key + ("ill" if level in ("bad", "warn") else "well"),
        happened_at=BEGAN + round(minute * 60_000),
    )


@pytest.mark.parametrize(
    ("drafts", "text"),
    [
        ((), None),
        ((seen(-30, PAY), seen(-5, API)), f"{PAY} at -30"),
        # One of them is well again, the other is not: it is still the same trouble.
        ((seen(-30, PAY), seen(-5, API), seen(1, PAY, "good")), f"{PAY} at -30"),
        ((seen(-30, PAY), seen(1, PAY, "good")), None),
        ((seen(-30, PAY), seen(1, PAY, "good"), seen(9, API)), f"{API} at 9"),
        # A node is what may have caused it, and is no symptom.
        ((seen(-30, NODE, "warn"), seen(-5, API)), f"{API} at -5"),
        ((seen(-30, PAY), seen(0.5, NODE, "warn"), seen(1, PAY, "good")), None),
        # What has been ill for days is not what this is about.
        ((seen(-DAY / 60_000 - 1, PAY), seen(-5, API)), f"{API} at -5"),
    ],
)
def test_the_first_symptom_is_that_of_the_present_trouble(drafts: tuple[Draft, ...], text: str | None) -> None:
    incident, entries = incident_with(drafts)
    found = first_symptom(Timeline(entries).lines, incident.declared_at)
    assert (None if found is None else found.text) == text


@pytest.mark.parametrize(
    ("drafts", "minute"),
    [
        ((), None),
        ((seen(-30, PAY), seen(-5, API)), -30),
        # It began when it began, though all of it is well by now.
        ((seen(-30, PAY), seen(1, PAY, "good"), seen(9, API)), -30),
        ((seen(-25, DATABASE), seen(-20, PAY, "warn"), seen(2, DATABASE, "good"), seen(3, PAY, "good")), -25),
        # What was over before the declaration was another trouble.
        ((seen(-300, PAY), seen(-290, PAY, "good"), seen(-5, API)), -5),
        ((seen(9, API),), None),
        ((seen(-30, NODE, "warn"), seen(-5, API)), -5),
        ((seen(-DAY / 60_000 - 1, PAY), seen(-5, API)), -5),
    ],
)
def test_the_onset_is_that_of_what_the_incident_was_declared_for(
    drafts: tuple[Draft, ...], minute: float | None
) -> None:
    incident, entries = incident_with(drafts)
    found = onset(Timeline(entries).lines, incident.declared_at)
    assert found == (None if minute is None else BEGAN + round(minute * 60_000))


def test_what_azure_and_helm_report_is_what_changed_and_no_incident_begins_with_it() -> None:
    azure, release = (
        seen(-9, "azure/microsoft.servicehealth/events/4tk3/", "warn"),
        seen(-8, "release/prod/bank/12/", "warn"),
    )
    incident, entries = incident_with((azure, release, seen(-7, NODE), seen(-5, API)))
    began = marks(incident, Timeline(entries).lines)["began"]
    assert (began.at, began.why) == (BEGAN - 7 * 60_000, "the first symptom")
