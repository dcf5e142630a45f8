"""One check of one HTTP health endpoint: a new connection, a hard time limit, and an outcome in words.

Every check connects anew, because a kept connection hides what a customer would meet: a dead resolver, an expired
certificate, a load balancer with nobody behind it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from probes.errors import ConfigError
from probes.lookup import Lookups, resolver_for

if TYPE_CHECKING:
    import aiohttp

EXCERPT_LIMIT = 2048  # bytes of the body that are read
_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED, _UNKNOWN_ISSUER, _OTHER_HOST = 10, 9, (18, 19), (2, 20, 21), (62, 64)


@dataclass(frozen=True, slots=True)
class EndpointTarget:
    """What to ask and what to expect.

    ``headers``  a value ``env:NAME`` is replaced by the environment variable, so that no secret is in a settings file.
    ``ca_file``  PEM file of the authorities to trust *instead of* the system's, as ``curl --cacert`` does.
    """

    name: str
    url: str
    expect_status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ca_file: str | None = None

    @property
    def public_url(self) -> str:
        """The URL without a user and password in it: what may be shown and stored."""
        parts = _split(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check saw. ``error`` is empty exactly when the endpoint is as expected."""

    at: float
    latency_ms: float | None = None  # until the answer's headers were there
    status: int | None = None
    error: str = ""
    excerpt: str = ""
    tls_expires_at: float | None = None


class Checker:
    """Checks one target, as often as `check` is called; one at a time."""

    def __init__(self, target: EndpointTarget, lookups: Lookups, timeout: float) -> None:
        self._target = target
        self._lookups = lookups
        self._timeout = timeout
        self._parts = _split(target.url)
        self._session: aiohttp.ClientSession | None = None
        self._secrets: tuple[str, ...] = ()
        self._certificate: dict[str, Any] = {}

    async def check(self) -> Outcome:
        """Ask once. Never raises for anything the endpoint, the network or the settings do."""
        import aiohttp

        started = time.perf_counter()
        reached = _Reached()
        error = ""
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    error = await self._ask(started, reached)
                except aiohttp.ClientConnectorCertificateError as refused:
                    error = await self._untrusted(refused.certificate_error, reached)
        except TimeoutError:
            error = (
                f"timed out after {self._timeout:g} s"
                if reached.status is None
                else f"answered {reached.status}, but its body did not end within {self._timeout:g} s"
            )
        except ConfigError as mistaken:
            error = str(mistaken)
        except aiohttp.ClientError as failed:
            error = _in_words(failed, self._parts)
        except (OSError, ValueError) as failed:
            error = f"could not be asked: {type(failed).__name__}"
        return Outcome(
            time.time(),
            reached.latency_ms,
            reached.status,
            error,
            self._hide(reached.excerpt),
            reached.tls_expires_at,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask(self, started: float, reached: _Reached) -> str:
        import aiohttp

        headers = {"User-Agent": "warroom", "Accept": "*/*", "Accept-Encoding": "identity"}
        headers |= self._resolved_headers()
        if self._session is None:
            self._session = await self._open()
        self._certificate = {}
        # aiohttp takes user:password@ out of the URL and sends it as basic authentication.
        async with self._session.get(
            self._target.url, headers=headers, allow_redirects=False, proxy=_proxy_for(self._parts)
        ) as response:
            reached.latency_ms = (time.perf_counter() - started) * 1000
            reached.status = response.status
            reached.tls_expires_at = _expiry(self._certificate)
            try:
                body = await _start_of(response.content)
            except aiohttp.ClientError:
                return f"answered {response.status}, then broke off in the middle of its body"
            reached.excerpt = _text(body, response.headers.get("Content-Encoding", ""))
            if response.status == self._target.expect_status:
                return ""
            if 300 <= response.status < 400 and "Location" in response.headers:
                return f"{response.status} redirects to {_shown_location(response.headers['Location'])}"
            return f"status {response.status}, expected {self._target.expect_status}"

    async def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise ConfigError("not an http or https URL")
        context = await asyncio.to_thread(self._tls) if self._parts.scheme == "https" else None
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver_for(self._lookups), force_close=True, use_dns_cache=False, ssl=context or True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # 2 KiB of a gzip bomb stay 2 KiB
            max_line_size=16 * 1024,
        )

    def _tls(self) -> ssl.SSLContext:
        """Trust settings that note the peer's certificate, which aiohttp gives away only while a body is unread."""
        try:
            context = ssl.create_default_context(cafile=self._target.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            said = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificates"
            raise ConfigError(f"cannot read ca_file {self._target.ca_file}: {said}") from error

        def note(certificate: dict[str, Any]) -> None:
            self._certificate = certificate

        class NotingSSLObject(ssl.SSLObject):
            def do_handshake(self) -> None:
                super().do_handshake()
                note(self.getpeercert() or {})

        context.sslobject_class = NotingSSLObject
        return context

    def _resolved_headers(self) -> dict[str, str]:
        resolved: dict[str, str] = {}
        secrets = [self._parts.password] if self._parts.password else []
        for name, value in self._target.headers.items():
            if value.startswith("env:"):
                variable = value.removeprefix("env:")
                found = os.environ.get(variable, "").strip()
                if not found:
                    raise ConfigError(f"header {name} needs the environment variable {variable}, which is not set")
                if not found.isprintable():
                    raise ConfigError(f"the environment variable {variable} for header {name} holds control characters")
                # "Bearer abc": an endpoint that echoes may echo only the last word.
                secrets += [found, found.split()[-1]]
                value = found
            resolved[name] = value
        self._secrets = tuple(sorted(set(secrets), key=len, reverse=True))
        return resolved

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return text

    async def _untrusted(self, error: Exception, reached: _Reached) -> str:
        """Say what is wrong with the certificate; for a wrong date, fetch it once more to name the date."""
        code = getattr(error, "verify_code", None)
        if code in (_EXPIRED, _NOT_YET_VALID):
            dates = await self._dates()
            if dates is not None and code == _EXPIRED:
                reached.tls_expires_at = dates[1]
                return f"TLS certificate expired on {_day(dates[1])}"
            if dates is not None:
                reached.tls_expires_at = dates[1]
                return f"TLS certificate is not valid before {_day(dates[0])}"
            return "TLS certificate expired" if code == _EXPIRED else "TLS certificate is not valid yet"
        if code in _SELF_SIGNED:
            return "TLS certificate is not trusted: self-signed; name its authority as ca_file"
        if code in _UNKNOWN_ISSUER:
            return "TLS certificate is not trusted: unknown authority; name it as ca_file"
        if code in _OTHER_HOST:
            return f"TLS certificate is for another name than {self._parts.hostname}"
        return f"TLS certificate is not trusted: {getattr(error, 'verify_message', None) or 'no reason given'}"

    async def _dates(self) -> tuple[float, float] | None:
        """From and until when the certificate is valid, over a connection that sends nothing; None if unknown."""
        if _proxy_for(self._parts) is not None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # only the date is read; not a byte of the request goes this way
        host, port = self._parts.hostname or "", self._parts.port or 443
        try:
            found = await self._lookups.find(host, port)
            _, writer = await asyncio.open_connection(found[0][4][0], port, ssl=context, server_hostname=host)
        except OSError:
            return None
        try:
            encoded = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.transport.abort()
        return await asyncio.to_thread(_validity, encoded) if encoded else None


@dataclass(slots=True)
class _Reached:
    """How far a check came before it ended or was cut off."""

    latency_ms: float | None = None
    status: int | None = None
    excerpt: str = ""
    tls_expires_at: float | None = None


def _in_words(error: aiohttp.ClientError, parts: SplitResult) -> str:
    """A failure as a person would tell it. Never the library's text: it can hold URLs with passwords."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"name not resolved: {parts.hostname}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy from the environment cannot be reached"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy from the environment refused: status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
        # asyncio sums several addresses up in one OSError without errno.
        if "refused" in str(cause).lower():
            return "connection refused"
        return f"cannot connect: {os.strerror(cause.errno).lower() if cause.errno else 'no address answered'}"
    if isinstance(error, aiohttp.ClientOSError) and isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed the connection without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    if isinstance(error, aiohttp.InvalidURL):
        return "not a valid URL"
    return f"the connection failed: {type(error).__name__}"


async def _start_of(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    while len(body) < EXCERPT_LIMIT:
        chunk = await content.read(EXCERPT_LIMIT - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def _text(body: bytes, encoding: str) -> str:
    if encoding.lower() not in ("", "identity"):
        return f"({len(body)} bytes, compressed)" if body else ""
    return body.decode("utf-8", errors="replace")


def _shown_location(location: str) -> str:
    # Query and fragment of a login redirect carry tokens and state.
    parts = urlsplit(location[:EXCERPT_LIMIT])
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return shown[:200] or "nowhere"


def _expiry(certificate: Mapping[str, Any]) -> float | None:
    until = certificate.get("notAfter")
    return float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else None


def _validity(encoded: bytes) -> tuple[float, float] | None:
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(encoded)
        return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    except ValueError:
        return None


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _proxy_for(parts: SplitResult) -> str | None:
    """The proxy that the environment asks for, by the rules of Go's net/http (so of kubectl): loopback is direct."""
    from urllib.request import getproxies_environment, proxy_bypass  # aiohttp has imported it already

    host = parts.hostname or ""
    if host == "localhost" or _is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies_environment().get(parts.scheme)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # unbalanced brackets
        return SplitResult("", "", url, "", "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
