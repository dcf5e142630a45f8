"""What a row is about: its title, its own time, its words on the timeline, and whose logs are its logs."""

from __future__ import annotations

import msgspec

from incident.timeline import Timeline
from probes.rows import Commit, Endpoint, Health, Owner, Release, Revision, Workload
from tests.pilot.pane_harness import NOW, PROD, pod, snapshot
from tests.unit.incident_entries import amendment, entry, note
from tests.unit.test_vital_signs import endpoint, event, node
from tui.looking import pods_of
from tui.subjects import Subject, subject_of
from widgets.changes import Change
from widgets.pod_groups import PodRow, summarise


def subject(row: object) -> Subject:
    found = subject_of(row)
    assert found is not None
    return found


def test_a_crashing_pod_says_how_and_since_when() -> None:
    row = pod("pay-1", "pay", "CrashLoopBackOff", restarts=7, exit_code=137, unready_for=300)
    found = subject(row)

    assert (found.title, found.kind, found.namespace, found.name) == ("pod/pay-1", "Pod", PROD, "pay-1")
    assert found.text == "pod pay-1: CrashLoopBackOff, exit 137, 0 of 1 ready, 7 restarts"
    assert (found.at, found.level) == (NOW - 300, "bad")
    assert found.pods == ((PROD, "pay-1", ("app",)),)
    assert subject(PodRow(row, "group")) == found


def test_what_is_well_has_no_time_of_its_own() -> None:
    assert subject(pod("a")).at is None
    assert subject(node("n")).at is None


def test_a_workload_has_the_logs_of_all_its_pods() -> None:
    pods = [pod(f"pay-{number}", "pay", "CrashLoopBackOff", unready_for=60 * number) for number in (1, 2)]
    found = subject(summarise("group", pods))

    assert found.title == "deployment/pay"
    assert [name for _, name, _ in found.pods] == ["pay-1", "pay-2"]
    assert found.text == "pay: 0 of 2 ready, 2 × CrashLoopBackOff"
    assert found.level == "bad"


def test_a_sick_node_says_its_pressure_and_since_when() -> None:
    found = subject(node("n", pressures=("MemoryPressure",)))

    assert (found.title, found.text, found.at) == ("node/n", "node n: Ready, MemoryPressure", NOW - 60)


def test_an_event_keeps_its_time_and_count_and_its_logs_are_its_pods() -> None:
    found = subject(event("e", 5, last=7))

    assert (found.at, found.level) == (NOW - 7, "warn")
    assert found.text == "BackOff pod/p: m (× 5)"
    about = msgspec.structs.replace(event("e"), namespace=PROD, object_name="pay-1")
    latest = {"pods": snapshot("pods", [pod("pay-1", "pay"), pod("pay-2", "pay")])}
    assert pods_of(subject(about), latest) == ((PROD, "pay-1", ("app",)),)


def test_the_pods_of_a_workload_row_are_found_by_owner_and_namespace() -> None:
    row = Workload(
        uid="w",
        kind="Deployment",
        namespace=PROD,
        name="pay",
        resource_version="1",
        health=Health.DEGRADED,
        desired=3,
        updated=3,
        ready=1,
        available=1,
        condition="progressing",
        message="",
        changed_at=NOW - 20,
        created_at=NOW - 9000,
        revision="4",
        images=(),
        release="",
    )
    others = [
        pod("x", "pay", namespace="elsewhere"),
        pod("y", "payments"),
        pod("z", "pay", kind="StatefulSet"),
        pod("l"),
    ]
    latest = {"pods": snapshot("pods", [pod("pay-1", "pay"), *others])}

    assert subject(row).text == "deployment pay: 1 of 3 ready, progressing"
    assert pods_of(subject(row), latest) == ((PROD, "pay-1", ("app",)),)
    assert pods_of(subject(row), {}) == ()
    assert pods_of(subject(node("n")), latest) == ()


def test_an_endpoint_says_what_it_answered() -> None:
    assert subject(endpoint(ok=False, changed_at=NOW)).text == "api: 503 in 1 ms"
    silent = msgspec.structs.replace(endpoint(ok=False, changed_at=NOW), status=None, latency_ms=None, error="refused")
    assert subject(silent).text == "api: refused"
    assert isinstance(silent, Endpoint)


def test_a_commit_and_a_release_are_dated_by_themselves() -> None:
    commit = Commit(commit="0123456789abcdef", author="Mara", subject="fix", at=NOW - 99)
    assert (subject(commit).title, subject(commit).at) == ("commit 01234567", NOW - 99)

    release = Release(
        namespace=PROD,
        name="bank",
        health=Health.FAILING,
        revision=3,
        status="failed",
        updated=NOW - 5,
        chart="bank",
        chart_version="1.5.0",
        app_version="1",
        description="",
        history=(),
    )
    change = Change("k", NOW - 5, "releases", "helm", "rev 3 failed", "bank 1.5.0", "", True, release, 3)
    found = subject(change)
    assert (found.kind, found.at, found.level) == ("Release", NOW - 5, "bad")
    assert found.text == "helm bank rev 3 failed: bank 1.5.0"
    older = Revision(number=2, status="superseded", updated=NOW - 99, secret="sh.helm.release.v1.bank.v2")
    row = Change("j", NOW - 99, "releases", "helm", "rev 2 superseded", "", "", False, release, 2)
    facts = subject(row._replace(item=msgspec.structs.replace(release, history=(older,)))).facts
    assert next(iter(facts)) == "selected"
    assert (facts["selected"]["number"], facts["revision"]) == (2, 3)


def test_an_amended_entry_reads_as_amended_and_keeps_what_was_written() -> None:
    first = entry(1, note("first"))
    (line,) = Timeline([first, entry(2, amendment(first.id, "second", first.happened_at))]).lines
    found = subject(line)

    assert found.text == "second"
    assert found.facts["text"] == "first"
    assert found.facts["amended"]["text"] == "second"
    assert found.facts["recorded_at"].endswith("Z")


def test_what_is_no_row_is_no_subject() -> None:
    assert subject_of(None) is None
    assert subject_of(Owner("Deployment", "x")) is None


def test_what_is_known_of_a_row_leaves_the_program_with_dates_and_words() -> None:
    row = Endpoint(
        name="api", url="https://api", health=Health.FAILING, ok=False, status=503, latency_ms=2584.5483490011247,
        error="", excerpt="", tls_expires_at=None, checked_at=1_795_620_335.124, changed_at=1_795_620_000.0,
        history=((1_795_620_335.124, 12.345),),
    )  # fmt: skip
    facts = subject(row).facts
    assert (facts["health"], facts["latency_ms"], facts["tls_expires_at"]) == ("failing", 2584.548, None)
    assert facts["checked_at"] == "2026-11-25T15:25:35.124Z"
    assert facts["history"] == [["2026-11-25T15:25:35.124Z", 12.3]]
