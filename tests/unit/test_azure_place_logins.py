"""Who signs in without an Azure CLI: workload identity and the environment, at a token endpoint that is Entra ID's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import connector, web

from drill.certificate import self_signed
from probes.azure import account as account_module
from probes.azure.account import Account
from probes.errors import CredentialFailed, ProbeError
from tests.arm_server import GROUP, SUBSCRIPTION, TOKEN, ArmServer, Json, arm_server, refusal

TENANT = "c0ffee00-1111-2222-3333-444444444444"
CLIENT = "e0e0e0e0-1111-2222-3333-444444444444"
SECRET = "correct-horse-battery"
SERVERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers"


@asynccontextmanager
async def entra() -> AsyncIterator[tuple[str, list[Json]]]:
    """Entra ID's token endpoint over TLS: its address, and the forms that it got. It knows our client and nobody else.

    learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """
    asked: list[Json] = []

    async def token(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        asked.append({"tenant": request.match_info["tenant"], **form})
        if form["client_id"] != CLIENT or form.get("client_secret", SECRET) != SECRET:
            told = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return web.json_response(told, status=401)
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN})

    app = web.Application()
    app.router.add_post("/{tenant}/oauth2/v2.0/token", token)
    certificate = self_signed()
    # As SSL_CERT_FILE does for a process that starts with it: aiohttp, by which the SDK asks, has its context already.
    connector._SSL_CONTEXT_VERIFIED.load_verify_locations(cadata=certificate.pem.decode())
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_context())
        await site.start()
        yield f"https://localhost:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ArmServer]:
    async with arm_server() as running:
        running.answers |= {
            "/servers": {"value": []},
            "/oauth2/token": [refusal(400, "invalid_request", "Identity not found")],
        }
        running.accepts.add("")
        # Who would hand out managed identities has none for us.
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", running.url)
        yield running


@pytest.fixture(autouse=True)
def nothing_but(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Azure CLI; one tenant, one client."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)


async def ask(opened: Account, times: int = 1) -> None:
    query = {"api-version": account_module.SQL_VERSION}
    await asyncio.gather(*(opened.get(SERVERS, query, asked="the SQL servers") for _ in range(times)))


@pytest.mark.parametrize("setting", [False, True], ids=["by the environment", "by the settings"])
async def test_workload_identity_signs_in_with_the_token_of_its_file(
    server: ArmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: bool
) -> None:
    federated = tmp_path / "federated"
    federated.write_text("eyJ.of-the-cluster")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(federated))
    async with entra() as (authority, asked):
        if not setting:
            monkeypatch.setenv("AZURE_AUTHORITY_HOST", authority)
        opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url, authority=authority if setting else "")
        try:
            await ask(opened, times=3)
        finally:
            await opened.close()
    (form,) = asked
    assert (form["tenant"], form["client_id"], form["grant_type"]) == (TENANT, CLIENT, "client_credentials")
    assert form["client_assertion"] == "eyJ.of-the-cluster"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["scope"] == f"{server.url}/.default"
    assert server.tokens == [TOKEN] * 3


async def test_the_environment_signs_in_with_its_secret_and_a_wrong_one_is_named_and_not_shown(
    server: ArmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with entra() as (authority, asked):
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", authority)
        monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
        opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
        try:
            await ask(opened, times=3)
        finally:
            await opened.close()
        (form,) = asked
        assert (form["tenant"], form["client_id"], form["client_secret"]) == (TENANT, CLIENT, SECRET)
        assert form["scope"] == f"{server.url}/.default"

        monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong-horse")
        opened = Account(SUBSCRIPTION, (GROUP,), endpoint=server.url)
        try:
            with pytest.raises(ProbeError) as caught:
                await ask(opened)
        finally:
            await opened.close()
    error = caught.value
    assert isinstance(error, CredentialFailed)
    assert "AADSTS7000215" in str(error)
    assert "wrong-horse" not in f"{error} {error.hint} {error.__context__!r}"
    assert error.hint == "AZURE_CLIENT_ID in the environment, or az login"
