"""Delivering status updates to real servers on loopback: what arrives, and what is told when it does not."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from drill.certificate import self_signed
from incident.channels.deliver import ADAPTERS, Patience, deliver
from incident.channels.kinds import KINDS, unusable, wrong_with
from incident.channels.message import WATERMARK, Channel, Delivery, Message
from incident.channels.secrets import Secrets
from incident.channels.wire import Wire, loopback
from incident.redact import REDACTED
from tests.unit.channel_servers import MESSAGE, TOKEN, Receiver, mailbox, receiver

# apprise imports it for one of its hundred plugins, where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

QUICK = Patience(limit=10.0, pause=0.001)
IMPATIENT = Patience(limit=0.15, pause=0.001)
INCIDENT = MESSAGE.incident


def channel(kind: str, *env: str, **options: str) -> Channel:
    """A channel whose environment variables are called OPS_ and what they are for."""
    names = {purpose: f"OPS_{purpose.upper()}" for purpose in env}
    return Channel(id=kind, name=kind, kind=kind, env=names, options=options)


def environment(**values: str) -> dict[str, str]:
    return {f"OPS_{purpose.upper()}": value for purpose, value in values.items()}


def desk(kind: str, server: str) -> tuple[Channel, dict[str, str]]:
    """A channel of this kind to that server, and the environment with its secret in it."""
    if kind in ("slack", "teams", "webhook"):
        return channel(kind, "url"), environment(url=f"{server}/services/T0/{TOKEN}")
    if kind == "apprise":
        return channel(kind, "url"), environment(url=f"{server.replace('http', 'json', 1)}/{TOKEN}")
    if kind == "pagerduty":
        return channel(kind, "routing_key", server=server), environment(routing_key=TOKEN)
    if kind == "statuspage":
        return channel(kind, "api_key", server=server, page="kctbh9vrtdwd"), environment(api_key=TOKEN)
    if kind == "servicenow":
        return channel(kind, "user", "password", server=server), environment(user="warroom", password=TOKEN)
    return channel("jira", "token", server=server, project="OPS"), environment(token=TOKEN)


WEB = ("slack", "teams", "webhook", "apprise", "pagerduty", "statuspage", "servicenow", "jira")
ANSWERS: Mapping[str, Any] = {
    "slack": (200, "ok"),
    "teams": (202, ""),
    "webhook": (204, ""),
    "apprise": (200, ""),
    "pagerduty": (202, {"status": "success", "dedup_key": INCIDENT}),
    "statuspage": (201, {"id": "p31zjtct2jer"}),
    "servicenow": (201, {"result": {"sys_id": "c537bae64f411200adf9f8e18110c76e", "number": "INC0010023"}}),
    "jira": (201, {"id": "10000", "key": "OPS-24"}),
}


async def sent(kind: str, at: Receiver, message: Message = MESSAGE, patience: Patience = QUICK) -> Delivery:
    where, values = desk(kind, at.url)
    return await deliver(where, message, values, patience=patience)


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


# ---------------------------------------------------------------- what does not


@pytest.mark.parametrize("kind", WEB)
async def test_a_token_that_is_refused_is_told_at_once_and_not_shown(kind: str) -> None:
    async with receiver((401, f"invalid token {TOKEN}")) as at:
        delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts, len(at.asked)) == (False, 1, 1)
    assert "401" in delivery.detail
    assert TOKEN not in delivery.detail


@pytest.mark.parametrize("kind", WEB)
async def test_a_server_in_trouble_is_tried_three_times(kind: str) -> None:
    async with receiver((500, f"oops {TOKEN}")) as at:
        delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts, len(at.asked)) == (False, 3, 3)
    assert "500" in delivery.detail
    assert TOKEN not in delivery.detail


@pytest.mark.parametrize("kind", WEB)
async def test_a_busy_server_is_tried_again_and_takes_it(kind: str) -> None:
    fine = ANSWERS[kind]
    answers = [
        (429, "slow down", {"Retry-After": "0"}),
        *([(200, {"result": []})] if kind == "servicenow" else []),
        fine,
    ]
    async with receiver(*answers) as at:
        delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts) == (True, 2)


@pytest.mark.parametrize("kind", [kind for kind in WEB if kind != "apprise"])
async def test_a_server_that_wants_an_hour_is_not_waited_for(kind: str) -> None:
    async with receiver((429, "slow down", {"Retry-After": "3600"})) as at:
        delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts) == (False, 1)
    assert "it asks to wait 3,600 s" in delivery.detail


@pytest.mark.parametrize("kind", WEB)
async def test_silence_ends_and_what_would_be_made_twice_is_not_sent_twice(kind: str) -> None:
    async with receiver(None) as at:
        delivery = await sent(kind, at, patience=IMPATIENT)
        makes = kind in ("statuspage", "jira")
        assert not delivery.ok
        assert delivery.attempts == (1 if makes else 3)
        assert "no answer" in delivery.detail
        assert ("it may have arrived" in delivery.detail) is makes


@pytest.mark.parametrize("kind", WEB)
async def test_nobody_there_is_told_with_the_systems_own_words(kind: str) -> None:
    async with receiver() as at:
        pass  # its port is free again
    delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts) == (False, 3)
    assert TOKEN not in delivery.detail
    if kind != "apprise":
        assert f"no connection to 127.0.0.1:{at.port}: " in delivery.detail


@pytest.mark.parametrize("kind", [kind for kind in WEB if kind != "apprise"])
async def test_a_certificate_nobody_vouches_for_is_refused(kind: str) -> None:
    async with receiver(tls=self_signed().server_context()) as at:
        delivery = await sent(kind, at)
    assert (delivery.ok, delivery.attempts, at.asked) == (False, 1, [])
    assert "is not trusted: self-signed certificate" in delivery.detail


async def test_an_own_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    certificate = self_signed()
    authority = tmp_path / "ca.pem"
    authority.write_bytes(certificate.pem)
    async with receiver(200, tls=certificate.server_context()) as at:
        values = environment(url=at.url)
        fine = await deliver(channel("webhook", "url", ca=str(authority)), MESSAGE, values, patience=QUICK)
        missing = await deliver(channel("webhook", "url", ca="/no/such.pem"), MESSAGE, values, patience=QUICK)
    assert fine.ok
    assert missing.detail == "the certificates in /no/such.pem cannot be used: No such file or directory"


async def test_a_redirect_is_not_followed_with_a_token_in_hand() -> None:
    async with receiver(200) as elsewhere, receiver((302, "", {"Location": "http://127.0.0.1:1/"})) as at:
        delivery = await sent("webhook", at)
    assert not delivery.ok
    assert "answered 302, a redirect" in delivery.detail
    assert elsewhere.asked == []


@pytest.mark.parametrize("kind", ["slack", "webhook", "pagerduty"])
@pytest.mark.parametrize(
    "address", ["", "hooks.slack.test", "ftp://x/y", "http://[::1", "https://", "http://x y/", "http://1.2.3.4:99999/"]
)
async def test_an_address_that_is_none_is_told(kind: str, address: str) -> None:
    where, values = desk(kind, "http://127.0.0.1:1")
    if kind == "pagerduty":
        if not address:
            return  # then it is PagerDuty's own
        where = replace(where, options={"server": address})
    else:
        values = environment(url=address)
    delivery = await deliver(where, MESSAGE, values, patience=QUICK)
    assert not delivery.ok
    assert "URL" in delivery.detail or "not set" in delivery.detail


async def test_nothing_is_sent_in_the_clear_to_another_machine() -> None:
    web = await deliver(channel("webhook", "url"), MESSAGE, environment(url="http://192.0.2.1/x"), patience=QUICK)
    options = {"host": "192.0.2.1", "to": "a@b.test", "from": "a@b.test", "security": "none"}
    mail = await deliver(channel("email", **options), MESSAGE, {}, patience=QUICK)
    assert "everybody between" in web.detail
    assert "everybody between" in mail.detail
    assert (web.attempts, mail.attempts) == (1, 1)


async def test_an_answer_without_an_end_is_not_read_to_it() -> None:
    async with receiver((400, "x" * 5_000_000)) as at:
        delivery = await sent("webhook", at)
    assert len(delivery.detail) < 400


async def test_an_answer_with_terminal_escapes_is_harmless() -> None:
    async with receiver((400, "\x1b]0;owned\x07\x1b[2J\n\nsecond")) as at:
        delivery = await sent("webhook", at)
    assert "\x1b" not in delivery.detail
    assert "\n" not in delivery.detail


# ---------------------------------------------------------------- drills


@pytest.mark.parametrize("kind", [*WEB, "email"])
async def test_a_drill_reaches_nobody_but_this_machine(kind: str) -> None:
    drilled = replace(MESSAGE, drill=True)
    if kind == "email":
        options = {"host": "mail.bank.test", "to": "a@bank.test", "from": "a@bank.test"}
        delivery = await deliver(channel("email", **options), drilled, {}, patience=QUICK)
    else:
        where, values = desk(kind, "https://hooks.bank.test")
        delivery = await deliver(where, drilled, values, patience=QUICK)
    assert (delivery.ok, delivery.attempts) == (False, 1)
    assert "this is a drill" in delivery.detail


async def test_a_drill_does_not_tell_a_proxy_or_a_service_whose_place_is_not_known() -> None:
    drilled = replace(MESSAGE, drill=True)
    service = await deliver(channel("apprise", "url"), drilled, environment(url="slack://a/b/c"), patience=QUICK)
    values = environment(url="json://127.0.0.1:1/") | {"HTTP_PROXY": "http://proxy.bank.test:3128"}
    proxied = await deliver(channel("apprise", "url"), drilled, values, patience=QUICK)
    assert "this is a drill, and slack:// is not this machine" in service.detail
    assert "this is a drill, and a proxy" in proxied.detail


@pytest.mark.parametrize("kind", WEB)
async def test_a_drill_on_loopback_is_marked_as_one(kind: str) -> None:
    answers = [(200, {"result": []}), ANSWERS[kind]] if kind == "servicenow" else [ANSWERS[kind]]
    async with receiver(*answers) as at:
        delivery = await sent(kind, at, replace(MESSAGE, drill=True))
    assert delivery.ok
    assert WATERMARK in str(at.asked[-1].body)


def test_loopback_is_told_without_looking_anything_up() -> None:
    assert all(map(loopback, ("localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]")))
    assert not any(
        map(loopback, ("", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.1", "0x7f.1", "example.com"))
    )


# ---------------------------------------------------------------- proxies


async def test_a_proxy_of_the_environment_is_used_and_its_password_not_shown() -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Who is p:s3cretp4ss?\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    values = environment(url="https://hooks.bank.test/x") | {"https_proxy": f"http://p:s3cretp4ss@127.0.0.1:{port}"}
    once = replace(QUICK, attempts=1)
    told = await deliver(channel("webhook", "url"), MESSAGE, values, patience=once)
    spared = await deliver(channel("webhook", "url"), MESSAGE, values | {"no_proxy": "bank.test"}, patience=once)
    server.close()
    await server.wait_closed()
    assert told.detail == "the proxy for hooks.bank.test answered 407"
    assert len(heard) == 1
    assert heard[0].startswith(b"CONNECT hooks.bank.test:443 ")
    assert "no connection to hooks.bank.test" in spared.detail


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


# ---------------------------------------------------------------- secrets


class Log(logging.Handler):
    """What the program's own log gets, at the level it has."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "aiohttp.access":  # that is the server's
            self.said.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Log]:
    handler, root = Log(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize("kind", WEB)
@pytest.mark.parametrize("status", [401, 404, 500])
async def test_no_outcome_log_or_progress_has_the_token_even_if_the_server_repeats_it(
    kind: str, status: int, log: Log
) -> None:
    pair = base64.b64encode(f"warroom:{TOKEN}".encode()).decode()
    echo = f"you sent {TOKEN} and {quote(TOKEN)}{f' and {pair}' if kind == 'servicenow' else ''}"
    tried: list[str] = []
    async with receiver((status, echo)) as at:
        where, values = desk(kind, at.url)
        delivery = await deliver(
            where, MESSAGE, values, patience=QUICK, trying=lambda attempt, reason: tried.append(reason)
        )
    told = "\n".join((repr(delivery), *tried, *log.said))
    assert str(status) in told
    assert TOKEN not in told
    assert pair not in told


@pytest.mark.parametrize("kind", WEB)
async def test_a_defect_of_an_adapter_is_an_outcome_without_the_words_of_the_defect(kind: str, log: Log) -> None:
    where, values = desk(kind, "http://127.0.0.1:1")
    values = {name: f"{value}\ud800\x00" for name, value in values.items()}  # nothing can encode that
    delivery = await deliver(where, MESSAGE, values, patience=QUICK)
    assert not delivery.ok
    assert TOKEN not in "\n".join((repr(delivery), *log.said))


@given(
    value=st.text(
        st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="«»"), min_size=4, max_size=60
    ),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_form_of_a_secret_is_left_in_a_text(value: str, before: str, after: str) -> None:
    assume(value not in REDACTED)
    secrets = Secrets(channel("webhook", "url", "token"), environment(url="https://x.test/", token=value))
    for form in (value, quote(value, safe=""), base64.b64encode(value.encode()).decode()):
        if form not in before + after:
            assert form not in secrets.without(before + form + after)


def test_what_holds_secrets_does_not_show_them() -> None:
    where, values = desk("servicenow", "https://x")
    wire = Wire(where, values, drill=False, limit=1.0)
    assert TOKEN not in f"{wire!r} {wire.secrets!r}"
    assert wire.secrets.within(f"my note says {TOKEN}")
    assert not wire.secrets.within("my note says nothing")
