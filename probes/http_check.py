"""One check of one HTTP health endpoint: a new connection, a hard time limit, and an outcome in words.

Every check connects anew, because a kept connection hides what a customer would meet: a dead resolver, an expired
certificate, a load balancer with nobody behind it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from msgspec import Struct, field

from probes.errors import ConfigError
from probes.http11 import HungUp, NotHttp, Origin, ProxyFailed, Wire, basic, target_of
from probes.lookup import Lookups
from probes.proxy import proxy_for

EXCERPT_LIMIT = 2048  # bytes of the body that are read
_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED, _UNKNOWN_ISSUER, _OTHER_HOST = 10, 9, (18, 19), (2, 20, 21), (62, 64)


class EndpointTarget(Struct, frozen=True):
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


class Outcome(Struct, frozen=True):
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
        self._origin: Origin | None = None
        self._secrets: tuple[str, ...] = ()

    async def check(self) -> Outcome:
        """Ask once. Never raises for anything the endpoint, the network or the settings do."""
        started = time.perf_counter()
        reached = _Reached()
        error = ""
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    error = await self._ask(started, reached)
                except ssl.SSLCertVerificationError as refused:
                    error = await self._untrusted(refused, reached)
        except TimeoutError:
            error = (
                f"timed out after {self._timeout:g} s"
                if reached.status is None
                else f"answered {reached.status}, but its body did not end within {self._timeout:g} s"
            )
        except ConfigError as mistaken:
            error = str(mistaken)
        except (OSError, HungUp, NotHttp, ProxyFailed, ValueError) as failed:
            error = _in_words(failed, self._parts)
        return Outcome(
            time.time(),
            reached.latency_ms,
            reached.status,
            error,
            self._hide(reached.excerpt),
            reached.tls_expires_at,
        )

    async def _ask(self, started: float, reached: _Reached) -> str:
        headers = {"User-Agent": "warroom", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
        headers |= self._resolved_headers()
        if self._parts.username:
            headers["Authorization"] = basic(unquote(self._parts.username), unquote(self._parts.password or ""))
        if self._origin is None:
            self._origin = await self._where()
        wire = await Wire.open(self._origin)
        try:
            answer = await wire.ask("GET", target_of(self._parts), headers)
            reached.latency_ms = (time.perf_counter() - started) * 1000
            reached.status = answer.status
            reached.tls_expires_at = _expiry(wire.certificate)
            try:
                body = await _start_of(answer.raw())
            except (HungUp, NotHttp, ConnectionError):
                return f"answered {answer.status}, then broke off in the middle of its body"
            reached.excerpt = _text(body, answer.headers.get("content-encoding", ""))
            if answer.status == self._target.expect_status:
                return ""
            if 300 <= answer.status < 400 and "location" in answer.headers:
                return f"{answer.status} redirects to {_shown_location(answer.headers['location'])}"
            return f"status {answer.status}, expected {self._target.expect_status}"
        finally:
            wire.close()

    async def _where(self) -> Origin:
        parts = self._parts
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("not an http or https URL")
        secure = parts.scheme == "https"
        return Origin(
            host=parts.hostname,
            port=parts.port or (443 if secure else 80),
            tls=await asyncio.to_thread(self._tls) if secure else None,
            proxy=proxy_for(parts.scheme, parts.hostname),
            find=self._lookups.find,
        )

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._target.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            said = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificates"
            raise ConfigError(f"cannot read ca_file {self._target.ca_file}: {said}") from error

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
        if self._origin is None or self._origin.proxy:
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


class _Reached(Struct):
    """How far a check came before it ended or was cut off."""

    latency_ms: float | None = None
    status: int | None = None
    excerpt: str = ""
    tls_expires_at: float | None = None


def _in_words(error: Exception, parts: SplitResult) -> str:
    """A failure as a person would tell it. Never the library's text: it can hold URLs with passwords."""
    if isinstance(error, socket.gaierror):
        return f"name not resolved: {parts.hostname}"
    if isinstance(error, ProxyFailed):
        refused = f"refused: status {error.status}" if error.status else "cannot be reached"
        return f"the proxy from the environment {refused}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'no reason given').replace('_', ' ').lower()}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionError):
        return "connection reset"
    if isinstance(error, HungUp):
        return "closed the connection without an answer"
    if isinstance(error, NotHttp):
        return "the answer is not HTTP"
    if isinstance(error, OSError):
        return f"cannot connect: {os.strerror(error.errno).lower() if error.errno else 'no address answered'}"
    return "not a valid URL"


async def _start_of(pieces: AsyncGenerator[bytes, None]) -> bytes:
    body = bytearray()
    async with aclosing(pieces):
        async for piece in pieces:
            body += piece
            if len(body) >= EXCERPT_LIMIT:
                break
    return bytes(body[:EXCERPT_LIMIT])


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


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # unbalanced brackets
        return SplitResult("", "", url, "", "")
