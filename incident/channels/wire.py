"""HTTP for the adapters: one request, a hard limit, no redirect followed, and nothing but loopback in a drill.

aiohttp is imported in a thread when the first message is sent.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # documented in its source only

from msgspec import Struct

from incident.channels.message import Channel, Failed
from incident.channels.secrets import Secrets

BODY_LIMIT = 64 * 1024  # bytes of an answer that are read
SAID_LIMIT = 200  # characters of an answer that are told

ResultT = TypeVar("ResultT")


class Answer(Struct, frozen=True):
    """What a server said when it took the message."""

    status: int
    body: str

    def get(self, *path: str) -> str:
        """The text at this path of the JSON body; empty if there is none."""
        try:
            value: Any = json.loads(self.body)
            for name in path:
                value = value[int(name)] if isinstance(value, list) else value[name]
        except (ValueError, LookupError, TypeError):
            return ""
        return str(value) if isinstance(value, str | int) else ""


class Wire:
    """What an adapter sends through. Its ``repr`` has no secret."""

    def __init__(self, channel: Channel, environment: Mapping[str, str], *, drill: bool, limit: float) -> None:
        self.options = channel.options
        self.secrets = Secrets(channel, environment)
        self.limit = limit
        self._environment = environment
        self._drill = drill

    def __repr__(self) -> str:
        return f"Wire({self.secrets!r})"

    def option(self, name: str, default: str = "") -> str:
        return self.options.get(name, "").strip() or default

    def check_host(self, host: str) -> None:
        """Raises Failed: a drill's message would leave this machine."""
        if self._drill and not loopback(host):
            raise Failed(f"not sent: this is a drill, and {host or 'that address'} is not this machine")

    def tls(self) -> ssl.SSLContext:
        """Certificates are always checked; the option ``ca`` names a file with the authority of an own one.

        Raises:
            Failed: the file cannot be used.
        """
        authority = self.option("ca")
        try:
            return ssl.create_default_context(cafile=authority or None)
        except (OSError, ValueError) as error:
            raise Failed(f"the certificates in {authority} cannot be used: {_reason(error)}") from None

    async def call(
        self,
        method: str,
        url: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        makes: bool = False,
    ) -> Answer:
        """One request with a JSON body. ``makes``: sent twice it would make two things, so silence is not retried.

        Raises:
            Failed: with whether another try may help.
        """
        try:
            parts = urlsplit(url)
            host, scheme, port = parts.hostname or "", parts.scheme, parts.port
        except ValueError:
            raise Failed("the address is not a URL") from None
        if scheme not in ("http", "https") or not host or any(character <= " " for character in url):
            raise Failed("the address is not a http:// or https:// URL")
        self.check_host(host)
        if scheme == "http" and not loopback(host):
            raise Failed(f"not sent: http:// to {host} would show the message and its token to everybody between")
        where = host if port is None else f"{host}:{port}"
        aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
        session_of = aiohttp.ClientSession
        context: ssl.SSLContext | bool = True
        if scheme == "https":
            context = await asyncio.to_thread(self.tls)
        unsure = "; it may have arrived: look there before sending again" if makes else ""
        try:
            async with (
                asyncio.timeout(self.limit),
                session_of(timeout=aiohttp.ClientTimeout(total=None)) as session,
                session.request(
                    method,
                    url,
                    data=None if body is None else json.dumps(body).encode(),
                    headers={"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
                    allow_redirects=False,
                    ssl=context,
                    proxy=self._proxy(scheme, host),
                    skip_auto_headers=("User-Agent",),
                ) as response,
            ):
                said = await _beginning(response.content)
                return self._judged(response.status, response.headers, said, where)
        except TimeoutError:
            raise Failed(f"no answer from {where} within {self.limit:g} s{unsure}", again=not makes) from None
        except aiohttp.ClientSSLError as error:
            raise Failed(f"the certificate of {where} is not trusted: {_reason(error)}") from None
        except aiohttp.ClientConnectorError as error:
            raise Failed(f"no connection to {where}: {_reason(error)}", again=True) from None
        except aiohttp.ClientHttpProxyError as error:
            raise Failed(f"the proxy for {where} answered {error.status}", again=error.status >= 500) from None
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            raise Failed(f"{where} broke off: {_reason(error)}{unsure}", again=not makes) from None
        except ValueError:
            raise Failed("the request cannot be made: the address or a header has characters it cannot have") from None

    def _judged(self, status: int, headers: Mapping[str, str], body: str, where: str) -> Answer:
        if 200 <= status < 300:
            return Answer(status, body)
        said = " ".join(self.secrets.clean(body).split())[:SAID_LIMIT]
        text = f"{where} answered {status}{f': {said}' if said else ''}"
        if 300 <= status < 400:
            raise Failed(f"{where} answered {status}, a redirect, which is not followed: check the address")
        raise Failed(
            text, again=status in (408, 425, 429) or status >= 500, after=_after(headers.get("Retry-After", ""))
        )

    @property
    def proxied(self) -> bool:
        """Whether the environment names a proxy for anything."""
        names = ("http_proxy", "https_proxy", "all_proxy")
        return any(self._environment.get(name) or self._environment.get(name.upper()) for name in names)

    def _proxy(self, scheme: str, host: str) -> str | None:
        """The proxy that the environment names for this host, as curl would take it; never for loopback."""
        if loopback(host):
            return None
        read = self._environment.get
        proxy = read(f"{scheme}_proxy") or read(f"{scheme.upper()}_PROXY") or read("all_proxy") or read("ALL_PROXY")
        if not proxy or proxy_bypass_environment(host, {"no": read("no_proxy") or read("NO_PROXY") or ""}):
            return None
        self.secrets.also(proxy)
        return proxy


async def _beginning(stream: Any) -> str:
    """At most `BODY_LIMIT` bytes of an answer."""
    read = bytearray()
    while len(read) < BODY_LIMIT and (chunk := await stream.read(BODY_LIMIT - len(read))):
        read += chunk
    return read.decode(errors="replace")


def loopback(host: str) -> bool:
    """Whether this host is surely this machine: by address or as localhost. No name is looked up."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _after(value: str) -> float | None:
    """Seconds of a Retry-After header, which has either seconds or a date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)


def _reason(error: BaseException) -> str:
    """The system's own words, without what a library put around them: there may be a URL in it."""
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    said = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None) or type(cause).__name__
    return str(said)


async def in_thread(work: Callable[[], ResultT], limit: float) -> ResultT:
    """The result of blocking work in a thread of its own: what hangs starves nobody else and keeps no console open.

    Raises:
        TimeoutError: after ``limit`` seconds; the thread is left to its own timeouts.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ResultT] = loop.create_future()

    def settle(result: ResultT | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, trouble = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  # raised where it is awaited
            trouble = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, trouble)

    threading.Thread(target=run, daemon=True, name="delivery").start()
    async with asyncio.timeout(limit):
        return await done
