"""The way to Azure: what is sent, who signs in, and the sentence for every refusal."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from probes.azure import account as account_module
from probes.azure.account import Account
from probes.errors import BadAnswer, CredentialFailed, Forbidden, LoginExpired, NotFound, ProbeError, Unreachable
from tests.arm_server import (
    GROUP,
    SUBSCRIPTION,
    TOKEN,
    ArmServer,
    Json,
    account,
    arm_server,
    forbidden,
    put_token,
    refusal,
)
from tui.azure_probes import account_of
from tui.azure_settings import AzureSettings
from tui.outside import outside_of
from tui.settings import Settings

ROOT = Path(__file__).parents[2]
SERVERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers"


@pytest.fixture
async def server() -> AsyncIterator[ArmServer]:
    async with arm_server() as running:
        yield running


async def ask(opened: Account, **settings: Any) -> bytes:
    query = {"api-version": account_module.SQL_VERSION}
    return (await opened.get(SERVERS, query, asked="the SQL servers", **settings)).body


async def refused(opened: Account) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await ask(opened)
    return caught.value


async def test_it_asks_as_the_sdk_does_with_the_token_of_the_file(server: ArmServer, tmp_path: Path) -> None:
    server.answers["/servers"] = {"value": []}

    async with account(server, tmp_path) as opened:
        assert json.loads(await ask(opened)) == {"value": []}
        await ask(opened, service="monitor")

    assert server.asked == [f"{SERVERS}?api-version=2025-01-01"] * 2
    assert server.tokens == [TOKEN] * 2
    assert [agent.partition("/")[0] for agent in server.agents] == [
        "azsdk-python-mgmt-sql",
        "azsdk-python-mgmt-monitor",
    ]


OPEN = """
import asyncio, sys
from probes.azure.account import Account
from probes.errors import CredentialFailed
assert not [name for name in sys.modules if name.startswith("azure")]
account = Account("s", ("g",), endpoint="http://127.0.0.1:9", token_file="t")
try:
    asyncio.run(account.get("/subscriptions/s", asked="it"))
except CredentialFailed:
    pass
print(*({"azure.mgmt.core", "azure.mgmt.sql", "azure.mgmt.monitor", "azure.identity", "aiohttp"} & set(sys.modules)))
import azure.mgmt.monitor
print(azure.mgmt.monitor.MonitorManagementClient.__name__)
"""


def test_only_what_is_needed_of_the_sdk_is_imported_and_only_when_it_is() -> None:
    """Its generated operations alone would be 22 MB, and a quarter of a second in which no key is answered."""
    done = subprocess.run([sys.executable, "-c", OPEN], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["azure.mgmt.core", "MonitorManagementClient"]


async def test_a_token_that_ends_in_the_middle_is_read_anew(server: ArmServer, tmp_path: Path) -> None:
    server.answers["/servers"] = {"value": []}
    async with account(server, tmp_path) as opened:
        await ask(opened)
        server.accepts = {"a.second.token"}
        expired = await refused(opened)
        put_token(tmp_path, "a.second.token")
        await ask(opened)

    assert isinstance(expired, LoginExpired)
    assert str(expired) == "the login to Azure has expired (ExpiredAuthenticationToken)"
    assert expired.hint == f"write a new token into {tmp_path / 'token'}"
    assert TOKEN not in str(expired)


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe"])
async def test_a_token_file_without_a_token_is_named_and_never_shown(
    server: ArmServer, tmp_path: Path, content: bytes | None
) -> None:
    async with account(server, tmp_path) as opened:
        path = tmp_path / "token"
        path.unlink() if content is None else path.write_bytes(content)
        error = await refused(opened)

    assert isinstance(error, CredentialFailed)
    assert str(path) in str(error)
    assert "two words" not in str(error)
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "kind", "sentence", "hint"),
    [
        (
            forbidden("Microsoft.Sql/servers/read", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"),
            Forbidden,
            "may not see the SQL servers: Microsoft.Sql/servers/read is missing for tech-lead@contoso.com",
            'az role assignment create --role "Reader" --assignee 2468adf0-8211-44e3-95ab-85137af64708 '
            f"--scope /subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}",
        ),
        (
            forbidden("Microsoft.Sql/servers/read", "/subscriptions/x; rm -rf ~", "$(reboot)"),
            Forbidden,
            "may not see the SQL servers: Microsoft.Sql/servers/read is missing for $(reboot)",
            'az role assignment create --role "Reader" …',
        ),
        (
            refusal(404, "SubscriptionNotFound", f"The subscription '{SUBSCRIPTION}' could not be found."),
            NotFound,
            f"The subscription '{SUBSCRIPTION}' could not be found. (azure.subscription)",
            "az account list --output table",
        ),
        (
            refusal(404, "ResourceGroupNotFound", f"Resource group '{GROUP}' could not be found."),
            NotFound,
            f"Resource group '{GROUP}' could not be found. (azure.resource_groups)",
            "az group list --output table",
        ),
        (
            refusal(429, "TooManyRequests", "The request is being throttled.", Retry_After="17"),
            Unreachable,
            "Azure throttles us (429), and asks to wait 17 s",
            "",
        ),
        (
            refusal(503, "ServerTimeout", "The server is busy."),
            Unreachable,
            "Azure cannot answer the SQL servers now (503): The server is busy.",
            "",
        ),
        (
            refusal(400, "BadRequest", "no\x1b[31m such\nthing"),
            BadAnswer,
            "Azure answered 400 to the SQL servers: BadRequest no\x1b[31m such thing",
            "",
        ),
    ],
    ids=["role", "hostile role", "subscription", "group", "throttled", "busy", "bad"],
)
async def test_every_refusal_is_one_sentence_with_what_to_do(
    server: ArmServer, tmp_path: Path, answer: Any, kind: type[ProbeError], sentence: str, hint: str
) -> None:
    server.answers["/servers"] = [answer]
    async with account(server, tmp_path) as opened:
        error = await refused(opened)

    assert isinstance(error, kind)
    assert (str(error), error.hint) == (sentence, hint)
    assert error.retry_after == (17.0 if "17 s" in sentence else None)


async def test_a_token_of_another_tenant_says_which_one_to_log_in_to(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    az(tmp_path, logged_in(TOKEN))
    tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
    server.answers["/servers"] = [
        refusal(
            401,
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer "
            "'https://sts.windows.net/1e8d8218-c5e7-4578-9acc-9abbd5d23315/'. It must match "
            f"the tenant 'https://sts.windows.net/{tenant}/' associated with this subscription.",
        )
    ]
    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
    try:
        error = await refused(opened)
    finally:
        await opened.close()

    assert str(error) == (
        "the login to Azure is of another tenant than the subscription (InvalidAuthenticationTokenTenant)"
    )
    assert error.hint == f"az login --tenant {tenant}"


async def test_nobody_answers_or_never_ends_and_the_limit_holds(server: ArmServer, tmp_path: Path) -> None:
    server.delay = 60.0
    async with account(server, tmp_path, limit=0.3) as opened:
        slow = await refused(opened)
    dead = Account(SUBSCRIPTION, (GROUP,), endpoint="http://127.0.0.1:9", token_file=str(tmp_path / "token"))
    nobody = await refused(dead)
    await dead.close()

    assert str(slow) == f"{server.url.removeprefix('http://')} did not answer the SQL servers within 0.3 s"
    assert str(nobody).startswith("cannot reach 127.0.0.1:9: ")


async def test_a_service_that_throttles_is_left_alone_by_everybody_and_the_other_is_not(
    server: ArmServer, tmp_path: Path
) -> None:
    server.answers["/servers"] = [refusal(429, "TooManyRequests", "Wait.", Retry_After="3600"), {"value": []}]
    async with account(server, tmp_path) as opened:
        errors = [await refused(opened) for _ in range(3)]
        await ask(opened, service="monitor")

    assert [error.status for error in errors] == [429] * 3
    assert all(error.retry_after and 290 < error.retry_after <= 300 for error in errors), "five minutes are the most"
    assert len(server.asked) == 2


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"value": [7', b"\xff", b"", b"7", b'{"value": {}}'])
async def test_an_answer_that_is_no_list_is_said_to_be_none(server: ArmServer, tmp_path: Path, body: bytes) -> None:
    server.answers["/servers"] = [web.Response(body=body, content_type="application/json")]
    async with account(server, tmp_path) as opened:
        with pytest.raises(BadAnswer, match="Azure's answer to the SQL servers cannot be read"):
            _ = [page async for page in opened.pages(SERVERS, asked="the SQL servers")]


@pytest.mark.parametrize(
    ("link", "ours"),
    [
        ("https://management.azure.com:443/subscriptions/s?$skiptoken=x", True),
        ("https://westeurope.management.azure.com/subscriptions/s", True),
        ("https://MANAGEMENT.azure.com/subscriptions/s", True),
        ("http://management.azure.com/subscriptions/s", False),
        ("https://management.azure.com:8443/subscriptions/s", False),
        ("https://management.azure.com.evil.example/subscriptions/s", False),
        ("https://evilmanagement.azure.com/subscriptions/s", False),
        ("https://management.azure.com:port/subscriptions/s", False),
        ("file:///etc/passwd", False),
    ],
)
async def test_which_links_of_azure_are_followed(tmp_path: Path, link: str, ours: bool) -> None:
    """Nobody is asked here: without a token the first look ends, and a link that is not Azure's before that."""
    opened = Account(SUBSCRIPTION, (GROUP,), token_file=str(tmp_path / "none"))
    try:
        with pytest.raises(CredentialFailed if ours else BadAnswer):
            await opened.get(link, asked="the next page")
    finally:
        await opened.close()


async def test_a_link_to_another_place_is_not_followed_with_our_token(server: ArmServer, tmp_path: Path) -> None:
    async with arm_server() as thief:
        server.answers["/servers"] = {"value": [], "nextLink": f"{thief.url}/subscriptions/x/steal"}
        async with account(server, tmp_path) as opened:
            with pytest.raises(BadAnswer, match="leads to another place"):
                _ = [page async for page in opened.pages(SERVERS, asked="the SQL servers")]
        assert thief.asked == []


async def test_pages_are_followed_and_a_circle_of_them_ends(server: ArmServer, tmp_path: Path) -> None:
    server.answers["/servers"] = lambda request: {
        "value": [{"name": request.query.get("page", "1")}],
        "nextLink": f"{server.url}{SERVERS}?page=2",
    }
    seen: list[Any] = []

    async def read(opened: Account) -> None:
        async for page in opened.pages(SERVERS, asked="the SQL servers"):
            seen.extend(msgspec.json.decode(item)["name"] for item in page.items)

    async with account(server, tmp_path) as opened:
        with pytest.raises(BadAnswer, match="do not end"):
            await read(opened)

    assert seen == ["1", "2", "2"]


def az(directory: Path, *lines: str) -> None:
    """An Azure CLI on PATH that does what the lines of shell say."""
    program = directory / "az"
    program.write_text("\n".join(("#!/bin/sh", f'echo "$@" >> {directory}/calls', *lines)))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)


def logged_in(token: str, lasts: float = 3600.0) -> str:
    answer = json.dumps({"accessToken": token, "expires_on": int(time.time() + lasts), "tokenType": "Bearer"})
    return f"echo '{answer}'"


async def test_the_cli_signs_in_once_for_everybody_and_comes_back_after_az_login(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    az(tmp_path, 'echo "ERROR: AADSTS700082: The refresh token has expired due to inactivity." >&2', "exit 1")
    server.answers["/servers"] = {"value": []}
    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url, patience=60.0)
    try:
        failures = await asyncio.gather(*(ask(opened) for _ in range(3)), return_exceptions=True)
        assert [str(failure) for failure in failures] == ["the login to Azure has expired (AADSTS700082)"] * 3
        assert {failure.hint for failure in failures if isinstance(failure, LoginExpired)} == {"az login"}
        assert len((tmp_path / "calls").read_text().splitlines()) == 1
    finally:
        await opened.close()

    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url, patience=0.0)
    try:
        assert isinstance(await refused(opened), LoginExpired)
        az(tmp_path, logged_in(TOKEN))
        await asyncio.gather(*(ask(opened) for _ in range(3)))
    finally:
        await opened.close()

    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[2:] == [
        f"account get-access-token --output json --resource {server.url} --subscription {SUBSCRIPTION}"
    ]
    assert set(server.tokens) == {TOKEN}


async def test_what_acts_signs_in_by_the_login_of_what_looks_and_is_not_throttled_along(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    az(tmp_path, logged_in(TOKEN))
    server.answers["/servers"] = [refusal(429, "TooManyRequests", "Wait.", Retry_After="60"), {"value": []}]
    settings = Settings(azure=AzureSettings(subscription=SUBSCRIPTION, resource_groups=(GROUP,), endpoint=server.url))
    looks = account_of(settings.azure)
    acts = outside_of(settings, lender=lambda: looks).account
    assert acts is not None
    try:
        assert await acts.token() == TOKEN
        assert isinstance(await refused(looks), Unreachable)
        assert json.loads(await ask(acts)) == {"value": []}
    finally:
        await acts.close()
        assert await looks.token() == TOKEN  # it is still open
        await looks.close()
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("says", "sentence", "hint"),
    [
        (
            f"The subscription of '{SUBSCRIPTION}' doesn't exist in cloud 'AzureCloud'.",
            f"the Azure CLI's login does not know the subscription {SUBSCRIPTION}",
            "az login, then az account list --refresh",
        ),
        ("something else\n  entirely", "the Azure CLI gives no token: ERROR: something else entirely", "az login"),
    ],
)
async def test_what_the_cli_says_is_told_with_what_to_do(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, sentence: str, hint: str
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    az(tmp_path, f'echo "ERROR: {says}" >&2', "exit 1")
    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
    try:
        error = await refused(opened)
    finally:
        await opened.close()

    assert (str(error), error.hint) == (sentence, hint)


async def test_without_the_cli_a_managed_identity_signs_in(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As App Service and Container Apps offer it: an endpoint on loopback, and a header that proves who asks."""
    given: Json = {"access_token": TOKEN, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    given |= {"resource": server.url, "client_id": "e0e0e0e0-1111-2222-3333-444444444444"}
    server.answers |= {"/servers": {"value": []}, "/msi/token": given}
    server.accepts.add("")  # who asks for a token has none
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "proof")
    for name in ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
    try:
        await asyncio.gather(*(ask(opened) for _ in range(3)))
    finally:
        await opened.close()

    assert server.count("/msi/token") == 1
    assert server.tokens == ["", TOKEN, TOKEN, TOKEN]


async def test_an_identity_that_the_environment_promises_and_does_not_give_is_named(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/msi/token"] = [refusal(400, "invalid_request", "Identity not found")]
    server.accepts.add("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "proof")
    for name in ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
    try:
        error = await refused(opened)
    finally:
        await opened.close()

    assert isinstance(error, CredentialFailed)
    assert str(error).startswith("no login to Azure: ManagedIdentity: ")
    assert error.hint == "IDENTITY_ENDPOINT in the environment, or az login"
