"""The endpoints probe against real HTTP and TLS servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probes.endpoints import HISTORY, SAMPLES, EndpointsProbe, EndpointTarget, Record
from probes.freshness import Snapshot, State
from probes.http_check import Checker, Outcome
from probes.lookup import Lookups
from probes.rows import Endpoint, Health

BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbroken"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw(answer: bytes, *, hold: bool = False) -> AsyncIterator[str]:
    """A server that says `answer` whatever it is asked, then hangs up, or holds the line."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if hold:
            await ended.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


async def check(url: str, *, timeout: float = 60.0, **details: object) -> Outcome:
    checker = Checker(EndpointTarget("api", url, **details), Lookups(), timeout)  # type: ignore[arg-type]
    async with asyncio.timeout(90):
        return await checker.check()


def issue(
    directory: Path, *, begins: timedelta, ends: timedelta, name: str = "127.0.0.1"
) -> tuple[ssl.SSLContext, str]:
    """A server context with a self-signed certificate of that validity, and the path of its PEM to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "warroom test")])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(IPv4Address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = directory / "cert.pem", directory / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert_path, key_path)
    return context, str(cert_path)


def last_day(ca_file: str) -> str:
    """Of a certificate's validity, as a date in UTC."""
    return f"{x509.load_pem_x509_certificate(Path(ca_file).read_bytes()).not_valid_after_utc:%Y-%m-%d}"


async def fine(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


# One check


async def test_an_answer_as_expected_has_status_latency_and_excerpt() -> None:
    async with serving(fine) as url:
        outcome = await check(url + "/health")
    assert (outcome.status, outcome.error, outcome.excerpt) == (200, "", '{"status": "ok"}')
    assert outcome.latency_ms is not None
    assert outcome.latency_ms > 0


async def test_another_status_than_expected_is_an_error_that_names_both() -> None:
    async def unwell(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=503, text="payments: down")

    async with serving(unwell) as url:
        outcome = await check(url)
        expected = await check(url, expect_status=503)
    assert (outcome.status, outcome.error, outcome.excerpt) == (503, "status 503, expected 200", "payments: down")
    assert expected.error == ""


async def test_a_redirect_is_shown_without_its_secrets_and_not_followed() -> None:
    asked: list[str] = []

    async def moved(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "https://u:pw@login.example/start?token=s3cret#x"})

    async with serving(moved) as url:
        outcome = await check(url + "/health")
    assert outcome.error == "302 redirects to https://login.example/start"
    assert asked == ["/health"]


async def test_only_the_beginning_of_a_big_or_endless_body_is_read() -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionError:
            return response

    async with serving(endless) as url:
        outcome = await check(url)
    assert (outcome.error, outcome.excerpt) == ("", "x" * 2048)


async def test_a_compressed_body_is_not_unpacked() -> None:
    async def bomb(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"0" * 10_000_000), headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url:
        outcome = await check(url)
    assert outcome.excerpt == "(2048 bytes, compressed)"


async def test_silence_times_out_in_the_words_of_the_limit() -> None:
    async with raw(b"", hold=True) as url:
        outcome = await check(url, timeout=0.3)
    assert (outcome.status, outcome.error) == (None, "timed out after 0.3 s")


async def test_a_body_that_never_ends_is_told_with_the_status_that_came() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow", hold=True) as url:
        limit = 0.3
        while (outcome := await check(url, timeout=limit)).status is None:
            limit *= 2  # on a slow machine not even the status comes in so short a time
    assert (outcome.status, outcome.error) == (200, f"answered 200, but its body did not end within {limit:g} s")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the answer is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken",
            "answered 200, then broke off in the middle of its body",
        ),
    ],
)
async def test_answers_that_are_none_are_told_apart(answer: bytes, error: str) -> None:
    async with raw(answer) as url:
        assert (await check(url)).error == error


async def test_nobody_listening_is_connection_refused() -> None:
    async with serving(fine) as url:
        gone = url
    assert (await check(gone)).error == "connection refused"


@pytest.mark.parametrize(
    "url", ["ftp://x/", "nonsense", "http://", "http://[::1", "http://127.0.0.1:99999/", "https://a b/"]
)
async def test_a_url_that_is_none_is_an_error_and_no_exception(url: str) -> None:
    assert (await check(url)).error != ""


async def test_a_name_that_does_not_exist_is_not_resolved() -> None:
    # RFC 6761 reserves .invalid; a label of 64 characters never leaves the machine.
    name = "x" * 64 + ".invalid"
    assert (await check(f"http://{name}/")).error == f"name not resolved: {name}"


# TLS


async def test_a_trusted_certificate_tells_until_when_it_is_valid(tmp_path: Path) -> None:
    tls, ca_file = issue(tmp_path, begins=timedelta(days=-1), ends=timedelta(days=30))
    async with serving(fine, tls) as url:
        outcome = await check(url, ca_file=ca_file)
    assert outcome.error == ""
    assert outcome.tls_expires_at == pytest.approx(time.time() + 30 * 86400, abs=120)


async def test_an_expired_certificate_is_told_with_its_date_and_nothing_is_sent(tmp_path: Path) -> None:
    asked: list[str] = []

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    tls, ca_file = issue(tmp_path, begins=timedelta(days=-30), ends=timedelta(days=-2))
    async with serving(count, tls) as url:
        outcome = await check(url, ca_file=ca_file)
    assert outcome.error.startswith(f"TLS certificate expired on {last_day(ca_file)}")
    assert outcome.tls_expires_at == pytest.approx(time.time() - 2 * 86400, abs=120)
    assert asked == []


async def test_a_certificate_of_tomorrow_is_told_with_its_date(tmp_path: Path) -> None:
    tls, ca_file = issue(tmp_path, begins=timedelta(days=1), ends=timedelta(days=2))
    async with serving(fine, tls) as url:
        outcome = await check(url, ca_file=ca_file)
    assert outcome.error.startswith("TLS certificate is not valid before 20")


async def test_an_untrusted_certificate_names_the_setting(tmp_path: Path) -> None:
    tls, _ = issue(tmp_path, begins=timedelta(days=-1), ends=timedelta(days=30))
    async with serving(fine, tls) as url:
        outcome = await check(url)
    assert outcome.error == "TLS certificate is not trusted: self-signed; name its authority as ca_file"


async def test_a_certificate_for_another_name_is_told(tmp_path: Path) -> None:
    tls, ca_file = issue(tmp_path, begins=timedelta(days=-1), ends=timedelta(days=30), name="bank.example")
    async with serving(fine, tls) as url:
        outcome = await check(url, ca_file=ca_file)
    assert outcome.error == "TLS certificate is for another name than 127.0.0.1"


async def test_a_missing_or_wrong_ca_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    assert (await check("https://127.0.0.1:1/", ca_file=str(missing))).error == (
        f"cannot read ca_file {missing}: No such file or directory"
    )
    missing.write_text("hello")
    assert (await check("https://127.0.0.1:1/", ca_file=str(missing))).error == (
        f"cannot read ca_file {missing}: no PEM certificates"
    )


# Secrets


async def test_headers_come_from_the_environment_and_an_echo_of_them_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        return web.Response(text=f"who is {request.headers['Authorization']}?", status=401)

    monkeypatch.setenv("API_TOKEN", "Bearer s3cret-value\n")
    async with serving(echo) as url:
        outcome = await check(url, headers={"Authorization": "env:API_TOKEN"})
    assert seen == ["Bearer s3cret-value"]
    assert "s3cret" not in outcome.error + outcome.excerpt
    assert outcome.excerpt == "who is •••?"


async def test_a_missing_variable_is_named_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    monkeypatch.delenv("API_TOKEN", raising=False)
    async with serving(count) as url:
        outcome = await check(url, headers={"Authorization": "env:API_TOKEN"})
    assert outcome.error == "header Authorization needs the environment variable API_TOKEN, which is not set"
    assert asked == []


async def test_a_password_in_the_url_is_sent_but_never_shown() -> None:
    seen: list[str] = []

    async def guarded(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=500, text="no, hunter2 is wrong")

    async with serving(guarded) as url:
        probe = EndpointsProbe([EndpointTarget("api", url.replace("://", "://lead:hunter2@"))])
        row = await checked(probe)
    assert seen == ["Basic bGVhZDpodW50ZXIy"]
    assert "hunter2" not in str(row)
    assert row.url == url


# The probe


async def until(probe: EndpointsProbe, wanted: Callable[[Snapshot[Endpoint]], bool]) -> Snapshot[Endpoint]:
    async with asyncio.timeout(60):
        snapshots = probe.watch()
        try:
            async for snapshot in snapshots:
                if wanted(snapshot):
                    return snapshot
        finally:
            await snapshots.aclose()
    raise AssertionError("the probe ended")


async def checked(probe: EndpointsProbe) -> Endpoint:
    snapshot = await until(probe, lambda snapshot: all(row.ok is not None for row in snapshot.rows.values()))
    return next(iter(snapshot.rows.values()))


async def test_without_endpoints_nothing_is_wrong_and_the_setting_that_names_them_is_said() -> None:
    snapshot = await until(EndpointsProbe([]), lambda snapshot: True)
    assert (snapshot.freshness.state, snapshot.freshness.detail) == (State.LIVE, "no endpoints configured")
    assert "[[endpoints]]" in snapshot.freshness.hint


async def test_before_the_first_check_the_rows_are_there_and_do_not_look_healthy() -> None:
    snapshot = await until(EndpointsProbe([EndpointTarget("api", "http://127.0.0.1:1/")]), lambda snapshot: True)
    assert snapshot.freshness.state is State.LOADING
    row = snapshot.rows["http://127.0.0.1:1/"]
    assert (row.ok, row.health, row.checked_at) == (None, Health.DORMANT, None)


async def test_going_down_and_up_again_moves_changed_at_and_names_the_changed_row() -> None:
    well = True

    async def sometimes(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=200 if well else 503)

    async with serving(sometimes) as url, asyncio.timeout(60):
        snapshots = EndpointsProbe([EndpointTarget("api", url)], interval=0.05).watch()
        async for snapshot in snapshots:
            if snapshot.rows[url].ok:
                break
        assert snapshot.freshness.state is State.LIVE
        assert snapshot.rows[url].changed_at is None
        well, before = False, time.time()
        async for snapshot in snapshots:
            assert snapshot.changed == frozenset({url})
            if snapshot.rows[url].ok is False:
                break
        row = snapshot.rows[url]
        assert (row.health, row.status) == (Health.FAILING, 503)
        assert row.changed_at is not None
        assert row.changed_at >= before
        assert row.history[-1][1] == -1
        await snapshots.aclose()


async def test_a_hanging_endpoint_does_not_delay_the_others() -> None:
    async with serving(fine) as good, raw(b"", hold=True) as hanging:
        probe = EndpointsProbe([EndpointTarget("a", hanging), EndpointTarget("b", good)], interval=0.05, timeout=30)
        snapshot = await until(probe, lambda snapshot: len(snapshot.rows[good].history) > 0 and snapshot.version > 4)
    assert snapshot.rows[good].ok is True
    assert snapshot.rows[hanging].ok is None


async def test_results_that_come_together_make_few_snapshots() -> None:
    asked, all_asked = 0, asyncio.Event()

    async def together(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked == 20:
            all_asked.set()
        await all_asked.wait()
        return web.Response()

    async with serving(together) as url:
        targets = [EndpointTarget(str(number), f"{url}/{number}") for number in range(20)]
        snapshot = await until(EndpointsProbe(targets), lambda snapshot: all(row.ok for row in snapshot.rows.values()))
    assert snapshot.version <= 10


async def test_one_url_twice_makes_two_rows() -> None:
    async with serving(fine) as url:
        probe = EndpointsProbe([EndpointTarget("a", url), EndpointTarget("b", url, expect_status=204)])
        snapshot = await until(probe, lambda snapshot: all(row.ok is not None for row in snapshot.rows.values()))
    assert {key: row.ok for key, row in snapshot.rows.items()} == {url: True, f"{url}#2": False}


async def test_a_certificate_that_ends_within_a_week_is_degraded(tmp_path: Path) -> None:
    tls, ca_file = issue(tmp_path, begins=timedelta(days=-1), ends=timedelta(days=6))
    async with serving(fine, tls) as url:
        row = await checked(EndpointsProbe([EndpointTarget("api", url, ca_file=ca_file)]))
    assert (row.ok, row.health) == (True, Health.DEGRADED)


async def test_leaving_the_probe_ends_its_checks_at_once() -> None:
    async with raw(b"", hold=True) as hanging:
        await until(EndpointsProbe([EndpointTarget("a", hanging)], timeout=30), lambda snapshot: True)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("endpoint ")] == []


def test_history_keeps_half_an_hour_in_at_most_120_samples_and_the_worst_of_each() -> None:
    record = Record("u", EndpointTarget("a", "u"))
    start = 1_800_000_000.0
    for second in range(0, 7200, 5):
        failed = second == 7000
        record.note(Outcome(start + second, latency_ms=second / 10, status=200, error="refused" if failed else ""))
    history = record.row().history
    assert len(history) == SAMPLES
    assert history[0][0] > start + 7195 - HISTORY
    assert [latency for _, latency in history].count(-1.0) == 1
    assert history[-1] == (start + 7195, 719.5)


def test_a_refused_connection_keeps_what_was_known_of_the_certificate() -> None:
    record = Record("u", EndpointTarget("a", "u"))
    record.note(Outcome(1.0, status=200, tls_expires_at=9e9))
    record.note(Outcome(2.0, error="connection refused"))
    assert record.row().tls_expires_at == 9e9
