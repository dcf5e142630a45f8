"""The way to Azure Resource Manager: one login, one pipeline for each service, and a hard limit on everything.

Only reading is done here; the transport sends nothing else. The gate's hands write, over connections of their own.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from os import environ
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from probes.azure import sdk
from probes.azure.refusals import date, error_for, throttled
from probes.errors import BadAnswer, LoginExpired, ProbeError, Unreachable

if TYPE_CHECKING:
    from probes.azure.credential import Credential

PUBLIC_CLOUD = "https://management.azure.com"
LIMIT = 30.0  # seconds for one answer, its second try and a new token included; a full page takes Azure five to ten
MOST_PAGES = 100

Service = Literal["monitor", "sql"]

MONITOR_ACTIVITY = "2015-04-01"
MONITOR_CATEGORIES = "2017-03-01-preview"  # of the same log: the older one knows no filter by category
MONITOR_METRICS = "2024-02-01"
MONITOR_ALERTS = "2018-03-01"
SQL_VERSION = "2025-01-01"  # what the SDK's configuration names; see tests/unit/test_azure_account.py
RESOURCES_VERSION = "2021-04-01"


class Reply(Struct, frozen=True):
    """What was answered, and ``at``: when, by Azure's own clock (epoch seconds), ours where it did not say."""

    body: bytes
    headers: Mapping[str, str]
    at: float


class _Open(Struct):
    kit: sdk.Sdk
    credential: Credential
    pipelines: dict[str, Any]
    transport: Any


class Account:
    """A subscription and the groups in it that are looked at. Nothing is imported or asked before the first need.

    ``server`` is where it is asked, for people and for a plan's target. ``limit`` is the seconds that one answer may
    take, ``patience`` those that a failed login is believed, because several sources ask at the same moment.
    """

    def __init__(
        self,
        subscription: str,
        groups: Sequence[str],
        *,
        endpoint: str = PUBLIC_CLOUD,
        authority: str = "",
        token_file: str = "",
        limit: float = LIMIT,
        patience: float = 5.0,
    ) -> None:
        self.subscription = subscription
        self.groups = tuple(groups)
        self.server = endpoint.rstrip("/")
        self.limit = limit
        self._authority = authority
        self._token_file = token_file
        self._patience = patience
        self._lender: Account | None = None  # whose login it is, if it is not its own
        self._opening: asyncio.Task[_Open] | None = None
        self._quiet: dict[Service, float] = {}  # until when a service is left alone, on the monotonic clock

    @property
    def scope(self) -> str:
        """The scope of its tokens: another cloud's management is another audience."""
        return f"{self.server}/.default"

    @property
    def login_hint(self) -> str:
        return f"write a new token into {self._token_file}" if self._token_file else "az login"

    def beside(self) -> Account:
        """Another way to the same subscription, by the login of this one, which is to be closed after it.

        It has connections of its own, and is not left alone because this one was throttled.
        """
        other = Account(
            self.subscription,
            self.groups,
            endpoint=self.server,
            authority=self._authority,
            token_file=self._token_file,
            limit=self.limit,
            patience=self._patience,
        )
        other._lender = self
        return other

    def group_id(self, group: str) -> str:
        return f"/subscriptions/{quote(self.subscription)}/resourceGroups/{quote(group)}"

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, asked: str, service: Service = "sql"
    ) -> Reply:
        """GET a path of this subscription, or a link that Azure gave. ``asked`` names it in errors: "the databases".

        Raises `ProbeError`: LoginExpired, CredentialFailed, Forbidden, NotFound, Unreachable (429 and 5xx, with
        ``retry_after``), BadAnswer.
        """
        url = self._url(path, query or {})
        if (quiet := self._quiet.get(service, 0.0) - time.monotonic()) > 0:
            # Azure throttles a whole service: who asks on meanwhile prolongs it for everybody.
            raise throttled(quiet)
        try:
            async with asyncio.timeout(self.limit):
                opened = await self._opened()
                answer = await self._ask(opened, service, url)
                if answer.status_code == 401:  # it may have ended a moment ago
                    opened.credential.forget()
                    answer = await self._ask(opened, service, url)
        except TimeoutError:
            raise Unreachable(f"{self._host} did not answer {asked} within {self.limit:g} s") from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status_code != 200:
            error = error_for(answer.status_code, headers, answer.content, asked, self.login_hint)
            if answer.status_code == 429 and error.retry_after:
                self._quiet[service] = time.monotonic() + error.retry_after
            raise error
        return Reply(answer.content, headers, date(headers.get("date", "")) or time.time())

    async def pages(
        self, path: str, query: Mapping[str, str] | None = None, *, asked: str, service: Service = "sql"
    ) -> AsyncIterator[Page]:
        """The pages of a list. Raises as `get`, and BadAnswer when they lead in a circle."""
        trail = Trail(asked)
        link, arguments = path, query
        while True:
            reply = await self.get(link, arguments, asked=asked, service=service)
            page = read_page(reply, asked)
            yield page
            if not page.next_link:
                return
            trail.follow(page.next_link)
            link, arguments = page.next_link, None

    async def token(self, scope: str = "") -> str:
        """A bearer token, for what does not go through the pipelines. Raises `ProbeError`. Never log it."""
        opened = await self._opened()
        return (await opened.credential.get_token_info(scope or self.scope)).token

    async def close(self) -> None:
        if self._opening is None:
            return
        self._opening.cancel()
        outcome = (await asyncio.gather(self._opening, return_exceptions=True))[0]
        self._opening = None
        if isinstance(outcome, _Open):
            await outcome.transport.close()
            if self._lender is None:
                await outcome.credential.close()

    @property
    def _host(self) -> str:
        return urlsplit(self.server).netloc

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        if not path.startswith("/"):
            parts = urlsplit(path)
            if not self._is_ours(parts):
                raise BadAnswer(f"Azure's answer leads to another place than {self._host}; it is not followed")
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        url = f"{self.server}{path}"
        return f"{url}?{urlencode(query, quote_via=quote)}" if query else url

    def _is_ours(self, link: SplitResult) -> bool:
        """Links have a port at times (``:443``), or lead to a region's own name. They are asked of our host anyway."""
        ours = urlsplit(self.server)
        try:
            port, expected = link.port, ours.port
        except ValueError:
            return False
        usual = 443 if ours.scheme == "https" else 80
        host, name = link.hostname or "", ours.hostname or ""
        same_host = host == name or host.endswith(f".{name}")
        return same_host and link.scheme == ours.scheme and (port or usual) == (expected or usual)

    async def _ask(self, opened: _Open, service: Service, url: str) -> Any:
        request = opened.kit.request("GET", url, headers={"Accept": "application/json"})
        # Twice where nothing came back; what the server did answer is ours to judge, Retry-After included.
        tries = {"retry_total": 1, "retry_connect": 1, "retry_read": 1, "retry_status": 0}
        try:
            return await opened.pipelines[service].send_request(
                request, enforce_https=self.server.startswith("https"), **tries
            )
        except opened.kit.no_answer as error:
            raise Unreachable(f"cannot reach {self._host}: {_short(str(error))}") from None

    async def _opened(self) -> _Open:
        if self._opening is None or (self._opening.done() and (self._opening.cancelled() or self._opening.exception())):
            self._opening = asyncio.create_task(self._open(), name="azure account")
        return await asyncio.shield(self._opening)

    async def _open(self) -> _Open:
        kit, tls, modules = await asyncio.to_thread(self._load)
        credential = await self._login(modules)
        transport = modules.transport.Transport(self.server, tls)
        pipelines: dict[str, Any] = {}
        configurations: tuple[tuple[Service, Any], ...] = (("monitor", kit.monitor), ("sql", kit.sql))
        for service, configuration in configurations:
            settings = configuration(
                credential, self.subscription, credential_scopes=[self.scope], retry_total=0, base_url=self.server
            )
            pipelines[service] = sdk.pipeline(kit, settings, self.server, transport)
        return _Open(kit, credential, pipelines, transport)

    async def _login(self, modules: _Modules) -> Credential:
        if self._lender is not None:
            return (await self._lender._opened()).credential
        if self._token_file:
            source = modules.credential.TokenFile(self._token_file)
        else:
            source = modules.credential.Logins(self.subscription, self._authority)
        credential: Credential = modules.credential.Credential(source, self._patience)
        return credential

    def _load(self) -> tuple[sdk.Sdk, ssl.SSLContext | None, Any]:
        """In a thread: imports, and the authorities that TLS trusts (the Azure CLI's variable counts here, too)."""
        try:
            kit = sdk.load()
            from probes.azure import credential, transport
        except ModuleNotFoundError as error:
            raise LoginExpired(f"Azure cannot be asked: {error}", hint="pip install --upgrade warroom") from None
        tls = None
        if self.server.startswith("https"):
            try:
                tls = ssl.create_default_context(cafile=environ.get("REQUESTS_CA_BUNDLE") or None)
            except OSError as error:
                raise ProbeError(f"cannot read REQUESTS_CA_BUNDLE: {error.strerror or error}") from None
        return kit, tls, _Modules(credential, transport)


class Trail:
    """The links that were followed in one list: a page that comes twice is forgiven, a circle is not."""

    def __init__(self, asked: str, most: int = MOST_PAGES) -> None:
        self._asked = asked
        self._most = most
        self._followed: dict[str, int] = {}

    def follow(self, link: str) -> None:
        """Raises BadAnswer when following it leads nowhere new."""
        self._followed[link] = self._followed.get(link, 0) + 1
        if self._followed[link] > 2 or len(self._followed) > self._most:
            raise BadAnswer(f"the pages of {self._asked} do not end: Azure answers one of them again and again")


class _Modules(Struct, frozen=True):
    credential: Any
    transport: Any


class Page(Struct, frozen=True):
    """One page of a list: its items not decoded yet, the link to the next, and when it was answered."""

    items: list[msgspec.Raw]
    next_link: str
    at: float


class _WirePage(Struct, rename="camel"):
    value: list[msgspec.Raw] | None = None
    next_link: str | None = None


_pages = msgspec.json.Decoder(_WirePage)


def read_page(reply: Reply, asked: str) -> Page:
    """The page in a reply. Raises BadAnswer when it is none."""
    try:
        page = _pages.decode(reply.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer(f"Azure's answer to {asked} cannot be read: {_short(str(error))}") from None
    return Page(page.value or [], page.next_link or "", reply.at)


def _short(text: str) -> str:
    text = " ".join(text[:800].split())
    return text if len(text) <= 200 else text[:199] + "…"
