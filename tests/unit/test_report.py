"""The report over a period: mean times, targets, repeats and follow-ups, of incidents and never of drills."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from incident.entry import Incident, Kind, Status
from incident.report import DAY, Case, Report, case_of, counts, report, to_json
from incident.review import marks, steps
from incident.standard import NEUTRAL
from incident.timeline import Timeline
from tests.unit.incident_entries import BEGAN, amendment, incident_with, note, retraction

MINUTE = 60_000


def case(number: int = 1, *drafts: Any, days: float = 0, took: int | None = 60, **fields: Any) -> Case:
    """An incident declared ``days`` after the first, detected in 5, answered in 2, resolved in ``took`` minutes."""
    incident, entries = incident_with(list(drafts))
    declared = incident.declared_at + int(days * DAY)
    times = {"began": declared - 5 * MINUTE, "detected": declared, "acknowledged": declared + 2 * MINUTE}
    resolved = None if took is None else declared + took * MINUTE
    known: dict[str, Any] = {
        "id": f"INC-{number}",
        "declared_at": declared,
        "resolved_at": resolved,
        "status": Status.INVESTIGATING if resolved is None else Status.RESOLVED,
        "times": times,
    }
    return case_of(replace(incident, **(known | fields)), entries, NEUTRAL)


def of(*cases: Case, **how: Any) -> Report:
    asked: dict[str, Any] = {"since": None, "until": BEGAN + 1000 * DAY, "now": BEGAN + 30 * DAY}
    return report(cases, [one.incident for one in cases], NEUTRAL, **(asked | how))


def test_means_are_of_what_is_known_and_targets_are_of_the_severity() -> None:
    found = of(case(1, took=60), case(2, took=600), case(3, took=None), case(4, severity=1, took=180))
    two = next(group for group in found.groups if group.severity == 2)

    assert (two.incidents, two.open) == (3, 1)
    assert two.means["mttd"] == (5 * MINUTE, 3)
    assert two.means["mtta"] == (2 * MINUTE, 3)
    assert two.means["mttr"] == (330 * MINUTE, 2)
    assert two.targets == {"detection": (3, 0), "response": (3, 0), "resolution": (1, 1)}
    assert found.overall.targets["resolution"] == (1, 2)
    # Under five minutes is the target: five are not.
    assert next(group for group in found.groups if group.severity == 1).targets["detection"] == (0, 1)


def test_drills_never_count_unless_only_they_do() -> None:
    real, drill = case(1), case(2, drill=True)

    assert [one.incident.id for one in of(real, drill).cases] == ["INC-1"]
    assert [one.incident.id for one in of(real, drill, drills=True).cases] == ["INC-2"]
    assert of(real, case(3, days=1, drill=True)).repeats == []


def test_the_period_is_of_declarations() -> None:
    first, second = case(1), case(2, days=10)

    assert [c.incident.id for c in of(first, second, since=BEGAN + 5 * DAY).cases] == ["INC-2"]
    assert [c.incident.id for c in of(first, second, until=BEGAN + 5 * DAY).cases] == ["INC-1"]
    assert counts(first.incident, first.incident.declared_at, first.incident.declared_at + 1, drills=False)


def test_an_incident_repeats_the_nearest_one_with_a_service_or_title_in_common() -> None:
    found = of(
        case(1, services=("pay", "web"), title="Payments down"),
        case(2, days=3, services=("web",), title="Slow pages"),
        case(3, days=5, title="PAYMENTS  down (2)!"),
        case(4, days=60, title="Payments down"),
        case(5, days=61, title="Something else"),
    )

    assert [(one.incident, one.of, one.days) for one in found.repeats] == [
        ("INC-2", "INC-1", 3.0),
        ("INC-3", "INC-1", 5.0),
    ]
    assert found.repeats[0].why == "web"


def test_what_repeats_an_incident_before_the_period_counts() -> None:
    before, after = case(1), case(2, days=10)
    found = of(before, after, since=BEGAN + 5 * DAY)

    assert [(one.incident, one.of) for one in found.repeats] == [("INC-2", "INC-1")]


def test_follow_ups_are_open_done_or_overdue_and_retracted_ones_are_none() -> None:
    found = of(
        case(
            1,
            note("late due 2026-12-01 @ada", kind=Kind.FOLLOWUP),
            note("soon due 2027-12-01", kind=Kind.FOLLOWUP),
            note("never mind", kind=Kind.FOLLOWUP),
            note("done due 2026-12-01", kind=Kind.FOLLOWUP),
            retraction("e4", "-"),
            amendment("e5", "DONE done due 2026-12-01", BEGAN),
        )
    )
    exported = to_json(found)["followups"]

    assert (exported["total"], exported["done"], exported["open"], exported["overdue"]) == (3, 1, 2, 1)
    assert [item.text for _, item in found.overdue] == ["late"]


def test_the_json_has_null_where_nothing_is_known() -> None:
    exported = to_json(of(case(1, took=None)))

    assert exported["schema"] == "warroom/report/1"
    assert exported["overall"]["mttr_seconds"] is None
    assert exported["incidents"][0]["targets"] == {"detection": True, "response": True, "resolution": None}
    assert to_json(of())["overall"]["incidents"] == 0


INSTANTS = st.integers(min_value=BEGAN - 30 * DAY, max_value=BEGAN + 30 * DAY)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["began", "detected", "acknowledged", "mitigated", "resolved"]), INSTANTS),
    st.none() | INSTANTS,
)
def test_whatever_times_people_set_no_duration_is_negative(times: dict[str, int], resolved: int | None) -> None:
    plain, entries = incident_with([])
    incident: Incident = replace(plain, times=times, resolved_at=resolved)
    judged = steps(marks(incident, Timeline(entries).lines), NEUTRAL.level(2))

    assert all(step.took is None or step.took >= 0 for step in judged)
    assert [step.mark.at for step in judged if step.mark.corrected] == [
        times[name] for name in ("began", "detected", "acknowledged", "mitigated", "resolved") if name in times
    ]
