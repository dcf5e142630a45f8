"""What a status update is drafted from, and whom the notification matrix wants told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from incident.entry import Kind, Status
from incident.timeline import Timeline
from runbook.playbook_file import SHIPPED
from runbook.response import Channel
from runbook.response_file import load_response
from tests.unit import act_drafts
from tests.unit.channel_servers import receiver
from tests.unit.incident_entries import entry
from tests.unit.update_desk import LEVELS, MINUTE, office, response, slack
from tui.update_draft import recipients, since

PAGERDUTY = {"id": "pager", "name": "PagerDuty", "kind": "pagerduty", "env": {"routing_key": "OPS_PAGER"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


async def test_the_draft_says_what_is_known(path: Path) -> None:
    async with office(path, response()) as desk:
        await desk.severity(2)
        text, trouble = await desk.updates.draft("team")
        incident = desk.journal.incident
    assert incident is not None
    assert trouble == ""
    assert text == (
        f"INCIDENT UPDATE - {incident.id}\nSeverity: 2\nStatus: INVESTIGATING\nImpact: under assessment\n"
        "Next Update: 08:30 UTC\nIC: nobody yet\n- 08:00 UTC Severity: SEV 2"
    )


async def test_the_draft_tells_what_happened_and_not_what_was_answered(path: Path) -> None:
    shipped = load_response(SHIPPED / "banking-platform.yaml").templates
    async with office(path, response(templates=shipped)) as desk:
        journal = desk.journal
        await journal.set_facts(services=["cards"], impact="cards fail", facts={"service_down": True})
        await journal.set_role("ic", "Ada", name="Incident Commander")
        await journal.set_severity(2, text="Severity: SEV 1 → SEV 2\ncards only")
        await desk.until(lambda: any("cards only" in line.text for line in journal.timeline.lines))
        text, trouble = await desk.updates.draft("team")
        assert trouble == ""
        assert text.split("Since the last update:\n")[1].split("\n") == [
            "- 08:00 UTC Services affected: cards",
            "- 08:00 UTC Severity: SEV 1 → SEV 2: cards only",
        ]
        assert "Impact: cards fail\nETA: not known yet\n" in text
        desk.at += MINUTE
        await desk.updates.send(text, [])
        desk.at += MINUTE
        open_items = "2 items were open on the resolution checklist: A; B"
        await journal.set_status(Status.RESOLVED, text=f"Status: RESOLVED\nrolled back\n{open_items}")
        await desk.until(lambda: any("rolled back" in line.text for line in journal.timeline.lines))
        text, _ = await desk.updates.draft("team")
        assert "ETA: resolved at 08:02 UTC\n" in text
        assert text.endswith("Since the last update:\n- 08:02 UTC Status: RESOLVED: rolled back")
        customers, _ = await desk.updates.draft("customers")
        assert "expect" not in customers


def test_the_draft_does_not_tell_where_on_this_machine_the_evidence_lies() -> None:
    ended = act_drafts.outcome("e1", text="15 files, as in the manifest; in /home/ada lee/evidence/x")
    (said,) = since(Timeline([entry(1, act_drafts.intent()), entry(2, ended)]).lines, 0, {})
    assert said.endswith(": worked after 12 s: 15 files, as in the manifest")


@pytest.mark.parametrize("runbook", ["banking-platform", "neutral", ""])
async def test_what_is_over_has_no_impact_under_assessment_any_more(path: Path, runbook: str) -> None:
    templates = load_response(SHIPPED / f"{runbook}.yaml").templates if runbook else {}
    async with office(path, response(templates=templates)) as desk:
        assert "Impact: under assessment\n" in (await desk.updates.draft("team"))[0]
        await desk.journal.set_status(Status.RESOLVED, text="Status: RESOLVED")
        assert "Impact: not recorded\n" in (await desk.updates.draft("team"))[0]


async def test_it_is_said_that_customers_must_be_told_until_they_were(path: Path) -> None:
    page = slack("page", severities=(), parties=("customers",))
    templates = {"status-update": "one", "customer-update": "two"}
    async with receiver(200) as at, office(path, response(page, templates=templates), {"OPS_PAGE": at.url}) as desk:
        await desk.until(lambda: desk.updates.customers_wait)
        await desk.severity(2)
        await desk.until(lambda: not desk.updates.customers_wait)  # the matrix leaves it to somebody's judgement
        await desk.severity(1)
        (one,) = desk.updates.recipients("customers")
        await desk.updates.send("we know", [one.channel], audience="customers")
        await desk.until(lambda: not desk.updates.customers_wait)
        desk.at += MINUTE
        await desk.journal.set_status(Status.RESOLVED, text="Status: RESOLVED")
        await desk.until(lambda: desk.updates.customers_wait)  # they were told that somebody works on it
        desk.at += MINUTE
        await desk.updates.send("it is over", [one.channel], audience="customers")
        await desk.until(lambda: not desk.updates.customers_wait)


@pytest.mark.parametrize("drill", [True, False])
async def test_in_a_drill_customers_must_be_told_also_where_nothing_can_be_sent(path: Path, drill: bool) -> None:
    page = slack("page", severities=(), parties=("customers",))
    told = response(page, templates={"status-update": "one", "customer-update": "two"})
    async with office(path, told, drill=drill) as desk:  # and no address of the page
        assert desk.updates.customers_wait is drill


async def test_a_template_that_is_wrong_is_told_and_a_plain_draft_made(path: Path) -> None:
    async with office(path, response(templates={"status-update": "one\n{{ nonsense }}"})) as desk:
        text, trouble = await desk.updates.draft("team")
    assert trouble == "The template status-update failed, line 2: 'nonsense' is undefined."
    assert text.startswith("INCIDENT UPDATE - INC-")


def reasons(
    severity: int | None, *channels: Channel, audience: str = "team", **more: Any
) -> dict[str, tuple[bool, str]]:
    found = recipients(response(*channels, **more), severity, {}, audience)
    return {one.channel.id: (one.wanted, one.why) for one in found}


def test_the_matrix_ticks_whom_it_demands_and_says_why() -> None:
    channels = (
        slack("all"),
        slack("worst", severities=(1,)),
        slack("bosses", severities=(), parties=("cto", "legal")),
        slack("page", severities=(), parties=("customers",)),
    )
    assert reasons(1, *channels) == {
        "all": (True, "severity 1"),
        "worst": (True, "severity 1"),
        "bosses": (True, "CTO, Legal: severity 1"),
        "page": (True, "Customers: severity 1"),
    }
    assert reasons(2, *channels) == {
        "all": (True, "severity 2"),
        "worst": (False, "not at severity 2"),
        "bosses": (True, "CTO: severity 2"),
        "page": (False, "Customers at severity 2: judge"),
    }
    assert reasons(4, *channels)["bosses"] == (False, "not at severity 4")
    assert reasons(None, *channels)["all"] == (True, "at every severity")
    assert reasons(None, *channels)["worst"] == (False, "not classified yet: judge")


def test_customers_have_words_and_channels_of_their_own() -> None:
    page = slack("page", severities=(), parties=("customers",))
    words = {"status-update": "x", "customer-update": "y"}
    assert set(reasons(1, slack("all"), page, templates=words)) == {"all"}
    assert set(reasons(1, slack("all"), page, templates=words, audience="customers")) == {"page"}


def test_a_channel_whose_variable_is_not_set_says_which() -> None:
    (found,) = recipients(response(slack("a")), 1, {}, "team")
    assert found.trouble == "OPS_A not set"


def test_a_drill_uses_what_stays_on_this_machine_and_says_so_of_the_rest() -> None:
    near, far = slack("near"), slack("far")
    service = slack("service", kind="apprise")
    mail = Channel(id="mail", name="Mail", kind="email", options={"host": "smtp.bank.test", "from": "a@b", "to": "c@d"})
    pager = Channel(**PAGERDUTY, severities=(1,))  # type: ignore[arg-type]
    values = {
        "OPS_NEAR": "http://127.0.0.1:1/x",
        "OPS_FAR": "https://hooks.slack.test/x",
        "OPS_SERVICE": "slack://a/b/c",
        "OPS_PAGER": "k3y-of-the-pager",
    }
    found = recipients(response(near, far, service, mail, pager), 1, values, "team", drill=True)
    elsewhere = "not in a drill: that is another machine"
    assert [one.trouble for one in found] == ["", elsewhere, elsewhere, elsewhere, elsewhere]
    assert not any(one.trouble for one in recipients(response(near, far, service, mail, pager), 1, values, "team"))


def test_levels_have_the_runbooks_frequencies() -> None:
    assert [replace(level).update_every for level in LEVELS] == [900, 1800, 3600, 86_400]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_what_the_timeline_says_after_the_updates_are_closed_begins_nothing(path: Path) -> None:
    async with office(path, response()) as desk:
        await desk.updates.close()
        desk.updates.hear(None)
        desk.at += 60 * MINUTE
        await desk.ticks()
        assert await desk.entries(Kind.MISSED) == []
