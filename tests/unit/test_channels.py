"""Delivering status updates to real servers on loopback: what arrives, kind by kind."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from drill.certificate import self_signed
from incident.channels.deliver import ADAPTERS, deliver
from incident.channels.kinds import KINDS, unusable, wrong_with
from incident.channels.message import Channel, Delivery
from tests.unit.channel_desk import ANSWERS, INCIDENT, QUICK, channel, environment, sent
from tests.unit.channel_servers import MESSAGE, TOKEN, mailbox, receiver

# apprise imports it for one of its hundred plugins, where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

# ---------------------------------------------------------------- what arrives


async def test_slack_gets_the_words_as_they_were_written_and_nobody_is_called() -> None:
    async with receiver((200, "ok")) as at:
        delivery = await sent("slack", at)
    assert delivery == Delivery(ok=True, detail="delivered", attempts=1)
    (asked,) = at.asked
    assert (asked.method, asked.path) == ("POST", f"/services/T0/{TOKEN}")
    assert asked.body["mrkdwn"] is False
    assert "<" not in asked.body["text"]
    unescaped = asked.body["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert unescaped == MESSAGE.text


async def test_teams_gets_a_card_whose_lines_are_the_words() -> None:
    async with receiver((202, "")) as at:
        delivery = await sent("teams", at)
    assert delivery.ok
    assert delivery.detail == "accepted by the workflow"
    body = at.asked[0].body
    assert body["type"] == "message"
    card = body["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    runs = [block["inlines"][0] for block in card["content"]["body"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert [run["text"].strip() for run in runs] == MESSAGE.text.split("\n")


async def test_an_old_teams_connector_that_says_200_and_means_no_is_heard() -> None:
    said = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
    async with receiver((200, said), (200, "1")) as at:
        delivery = await sent("teams", at)
    assert (delivery.ok, delivery.attempts) == (True, 2)


async def test_a_webhook_gets_the_incident_as_json_and_its_token_in_a_header() -> None:
    async with receiver(200) as at:
        values = environment(url=f"{at.url}/hook", token=TOKEN)
        delivery = await deliver(channel("webhook", "url", "token"), MESSAGE, values, patience=QUICK)
    assert delivery.ok
    assert at.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert at.asked[0].body == {
        "incident": INCIDENT,
        "title": MESSAGE.title,
        "severity": 1,
        "status": "MITIGATING",
        "source": MESSAGE.source,
        "text": MESSAGE.text,
        "drill": False,
    }


async def test_apprise_delivers_to_what_it_knows() -> None:
    async with receiver(200) as at:
        delivery = await sent("apprise", at)
    assert delivery == Delivery(ok=True, detail="delivered", attempts=1)
    assert at.asked[0].body["message"] == MESSAGE.text
    assert at.asked[0].body["title"] == MESSAGE.title


@pytest.mark.parametrize(
    ("status", "event", "expected"),
    [
        ("MITIGATING", "", "trigger"),
        ("INVESTIGATING", "acknowledge", "acknowledge"),
        ("RESOLVED", "", "resolve"),
        ("MITIGATING", "resolve", "resolve"),
    ],
)
async def test_pagerduty_has_one_alert_whose_key_is_the_incident(status: str, event: Any, expected: str) -> None:
    async with receiver(ANSWERS["pagerduty"]) as at:
        delivery = await sent("pagerduty", at, replace(MESSAGE, status=status, event=event))
    assert delivery.ok
    assert delivery.ref == INCIDENT
    assert at.asked[0].path == "/v2/enqueue"
    body = at.asked[0].body
    assert (body["event_action"], body["dedup_key"], body["routing_key"]) == (expected, INCIDENT, TOKEN)
    if expected == "trigger":
        assert body["payload"]["severity"] == "critical"
        assert body["payload"]["summary"] == MESSAGE.title
        assert body["payload"]["custom_details"]["update"] == MESSAGE.text
    else:
        assert "payload" not in body


async def test_a_status_page_is_created_then_updated_then_resolved() -> None:
    async with receiver(ANSWERS["statuspage"]) as at:
        first = await sent("statuspage", at)
        await sent("statuspage", at, replace(MESSAGE, ref=first.ref, text="We found it."))
        last = await sent("statuspage", at, replace(MESSAGE, ref=first.ref, status="RESOLVED"))
    assert first.ref == last.ref == "p31zjtct2jer"
    assert [(asked.method, asked.path) for asked in at.asked] == [
        ("POST", "/v1/pages/kctbh9vrtdwd/incidents"),
        ("PATCH", "/v1/pages/kctbh9vrtdwd/incidents/p31zjtct2jer"),
        ("PATCH", "/v1/pages/kctbh9vrtdwd/incidents/p31zjtct2jer"),
    ]
    assert at.asked[0].headers["Authorization"] == f"OAuth {TOKEN}"
    told = [asked.body["incident"] for asked in at.asked]
    assert told[0] == {
        "name": MESSAGE.title,
        "status": "identified",
        "body": MESSAGE.text,
        "impact_override": "critical",
    }
    assert told[1] == {"status": "identified", "body": "We found it."}
    assert told[2]["status"] == "resolved"


async def test_a_servicenow_record_is_made_once_and_noted_after_that() -> None:
    nothing: dict[str, Any] = {"result": []}
    none, one = (200, nothing), (200, {"result": [{"sys_id": "c537", "number": "INC0010023"}]})
    async with receiver(none, ANSWERS["servicenow"], one, (200, {"result": {}})) as at:
        first = await sent("servicenow", at)
        second = await sent("servicenow", at)
    assert (first.ok, first.detail) == (True, "created INC0010023")
    assert (second.ok, second.detail, second.ref) == (True, "noted on INC0010023", "c537")
    look, make, again, note = at.asked
    assert look.query["sysparm_query"] == again.query["sysparm_query"] == f"correlation_id={INCIDENT}"
    assert make.path == "/api/now/table/incident"
    assert make.headers["Authorization"].startswith("Basic ")
    assert (make.body["short_description"], make.body["description"]) == (MESSAGE.title, MESSAGE.text)
    assert (make.body["impact"], make.body["urgency"], make.body["correlation_id"]) == ("1", "1", INCIDENT)
    assert (note.method, note.path) == ("PATCH", "/api/now/table/incident/c537")
    assert note.body == {"work_notes": MESSAGE.text}


async def test_a_servicenow_record_that_was_made_without_an_answer_is_found_by_the_next_try() -> None:
    nothing: dict[str, Any] = {"result": []}
    none, one = (200, nothing), (200, {"result": [{"sys_id": "c537", "number": "INC0010023"}]})
    async with receiver(none, (502, "proxy error"), one, (200, {"result": {}})) as at:
        delivery = await sent("servicenow", at)
    assert (delivery.ok, delivery.attempts, delivery.detail) == (True, 2, "noted on INC0010023")


async def test_jira_gets_an_issue_then_comments() -> None:
    async with receiver(ANSWERS["jira"]) as at:
        first = await sent("jira", at)
        second = await sent("jira", at, replace(MESSAGE, ref=first.ref))
    assert (first.detail, second.detail) == ("created OPS-24", "commented on OPS-24")
    make, comment = at.asked
    assert make.headers["Authorization"] == f"Bearer {TOKEN}"
    fields = make.body["fields"]
    assert (fields["project"], fields["issuetype"]) == ({"key": "OPS"}, {"name": "Incident"})
    assert fields["summary"] == MESSAGE.title
    assert fields["labels"] == [INCIDENT]
    assert fields["description"] == f"{{noformat}}\n{MESSAGE.text}\n{{noformat}}"
    assert comment.path == "/rest/api/2/issue/OPS-24/comment"
    assert MESSAGE.text in comment.body["body"]


def read_mail(raw: bytes | str | None) -> Any:
    assert isinstance(raw, bytes)
    return email.message_from_bytes(raw, policy=email.policy.default)


async def test_a_mail_arrives_word_for_word() -> None:
    async with mailbox() as at:
        where = channel(
            "email",
            host="127.0.0.1",
            port=str(at.port),
            to="cto@bank.test, legal@bank.test",
            **{"from": "ir@bank.test"},
        )
        delivery = await deliver(where, replace(MESSAGE, title="Payments\r\nBcc: evil@x.test"), {}, patience=QUICK)
    assert delivery == Delivery(ok=True, detail="delivered to 2 addresses", attempts=1)
    (envelope,) = at.mails
    assert envelope.rcpt_tos == ["cto@bank.test", "legal@bank.test"]
    mail = read_mail(envelope.content)
    assert mail["Subject"] == "Payments Bcc: evil@x.test"
    assert mail["Bcc"] is None
    assert mail["X-Warroom-Incident"] == INCIDENT
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == MESSAGE.text.split("\n")  # mail's own line ends


async def test_a_mail_server_is_logged_in_to_over_tls(tmp_path: Path) -> None:
    certificate = self_signed("mail.test")
    authority = tmp_path / "ca.pem"
    authority.write_bytes(certificate.pem)
    async with mailbox(certificate.server_context(), password=TOKEN) as at:
        where = channel(
            "email",
            "user",
            "password",
            **{"host": "localhost", "port": str(at.port), "to": "cto@bank.test", "from": "ir@bank.test"},
            security="starttls",
            ca=str(authority),
        )
        fine = await deliver(where, MESSAGE, environment(user="ir", password=TOKEN), patience=QUICK)
        wrong = await deliver(where, MESSAGE, environment(user="ir", password="wrong-password"), patience=QUICK)
        stranger = replace(where, options={name: value for name, value in where.options.items() if name != "ca"})
        untrusted = await deliver(stranger, MESSAGE, environment(user="ir", password=TOKEN), patience=QUICK)
    assert fine.ok
    assert at.logins[0] == ("ir", TOKEN)
    assert (wrong.ok, wrong.attempts) == (False, 1)
    assert "535" in wrong.detail
    assert (untrusted.ok, untrusted.attempts) == (False, 1)
    assert "is not trusted" in untrusted.detail


async def test_who_is_refused_by_the_mail_server_is_named() -> None:
    refusals = {"gone@bank.test": "550 no such user", "DATA": "451 try again later"}
    async with mailbox(refusals=refusals) as at:
        options = {"host": "127.0.0.1", "port": str(at.port), "from": "ir@bank.test"}
        some = await deliver(
            channel("email", to="cto@bank.test,gone@bank.test", **options), MESSAGE, {}, patience=QUICK
        )
        none = await deliver(channel("email", to="gone@bank.test", **options), MESSAGE, {}, patience=QUICK)
    # The first mail was put off once, then taken for one of the two.
    assert (some.ok, some.attempts) == (False, 2)
    assert "delivered, but" in some.detail
    assert "gone@bank.test (550 no such user)" in some.detail
    assert (none.ok, none.attempts) == (False, 1)
    assert len(at.mails) == 1


# ---------------------------------------------------------------- descriptions


def test_every_kind_has_an_adapter_and_a_description() -> None:
    assert set(KINDS) == set(ADAPTERS)


def test_a_channel_says_what_it_lacks() -> None:
    assert unusable(channel("slack", "url"), {}) == "OPS_URL not set"
    assert unusable(channel("slack", "url"), {"OPS_URL": "  "}) == "OPS_URL not set"
    assert unusable(channel("slack", "url"), {"OPS_URL": "https://x"}) == ""
    assert unusable(channel("servicenow", "user", "password", server="https://x"), {}) == (
        "OPS_USER and OPS_PASSWORD not set"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (channel("fax"), "there is no kind of channel 'fax'"),
        (channel("slack"), "env.url does not name an environment variable"),
        (channel("slack", "url", "token"), "slack has no use for an environment variable 'token'"),
        (channel("slack", "url", chanel="x"), "slack has no option 'chanel' (it knows: ca)"),
        (channel("email", host="x", to="a@b.test"), "the option 'from' is missing"),
        (channel("servicenow", "user", server="x"), "env needs either token, or user and password"),
    ],
)
async def test_a_wrong_description_is_told_and_nothing_is_tried(wrong: Channel, said: str) -> None:
    assert said in wrong_with(wrong)
    delivery = await deliver(wrong, MESSAGE, environment(url="x", user="y", token="z"))
    assert said in delivery.detail
    assert delivery.attempts == 0


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("pagerduty", ("payload", "summary")),
        ("statuspage", ("incident", "name")),
        ("jira", ("fields", "summary")),
    ],
)
async def test_what_is_often_all_that_is_read_says_that_it_is_a_drill(kind: str, where: tuple[str, str]) -> None:
    async with receiver(ANSWERS[kind]) as at:
        delivery = await sent(kind, at, replace(MESSAGE, drill=True))
    assert delivery.ok
    outer, inner = where
    assert at.asked[0].body[outer][inner] == f"DRILL: {MESSAGE.title}"
