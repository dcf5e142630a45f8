"""What status updates are sent to, on loopback: a web server with scripted answers, and an SMTP server."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from incident.channels.message import Message

TOKEN = "tok-4e1c9a7be02d"

MESSAGE = Message(
    text="🚨 INCIDENT UPDATE - INC-20261123-1402-ab3f\nImpact: *some* <!channel> payments & refunds fail\n\nIC: Ada",
    title="Payments failing for web",
    incident="INC-20261123-1402-ab3f",
    severity=1,
    status="MITIGATING",
    drill=False,
    source="aks-prod · banking-platform-prod",
)


@dataclass
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Receiver:
    """A web server that answers what it is told to, in order; the last answer stays.

    An answer is a status, or (status, body), or (status, body, headers); None never answers.
    """

    answers: list[Any] = field(default_factory=lambda: [200])
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.text()
        body = json.loads(raw) if raw.startswith(("{", "[")) else raw
        self.asked.append(Asked(request.method, request.path, request.query, request.headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            self.waiting.set()
            await self.over.wait()
            return web.Response()
        status, said, headers = answer if isinstance(answer, tuple) and len(answer) == 3 else (*_pair(answer), {})
        text = said if isinstance(said, str) else json.dumps(said)
        return web.Response(status=status, text=text, headers=headers)


def _pair(answer: Any) -> tuple[int, Any]:
    return answer if isinstance(answer, tuple) else (answer, "ok")


@asynccontextmanager
async def receiver(*answers: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    found = Receiver(list(answers) or [200], scheme="https" if tls else "http")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    found.port = int(runner.addresses[0][1])
    try:
        yield found
    finally:
        found.over.set()
        await runner.cleanup()


@dataclass
class Mailbox:
    """An SMTP server; ``refusals`` answers by recipient or, for ``DATA``, for every mail."""

    mails: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    password: str = ""
    port: int = 0

    # aiosmtpd calls these names.
    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.refusals:
            return self.refusals.pop("DATA")
        self.mails.append(envelope)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        self.logins.append((user, password))
        return AuthResult(success=password == self.password, handled=password == self.password)


@asynccontextmanager
async def mailbox(tls: ssl.SSLContext | None = None, **details: Any) -> AsyncIterator[Mailbox]:
    found = Mailbox(**details)

    def session() -> SMTP:
        return SMTP(
            found,
            hostname="mail.test",
            tls_context=tls,
            authenticator=found.authenticate if found.password else None,
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()
