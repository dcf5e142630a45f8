"""Delivering status updates to servers that refuse, fail, hang or repeat secrets; and drills, where nothing leaves."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from drill.certificate import self_signed
from incident.channels.deliver import deliver
from incident.channels.message import WATERMARK
from incident.channels.secrets import Secrets
from incident.channels.wire import Wire, loopback
from incident.redact import REDACTED
from tests.unit.channel_desk import ANSWERS, IMPATIENT, QUICK, WEB, channel, desk, environment, sent
from tests.unit.channel_servers import MESSAGE, TOKEN, receiver

# apprise imports it for one of its hundred plugins, where Python still has it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

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
    assume(value == value.strip())  # what stands around it in the environment is not part of it, and does not travel
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
