"""Who asks Azure: one credential that everything shares, with one cache of its tokens, and no token in any text.

Only imported by `probes.azure.account`, in its thread.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import time
from pathlib import Path
from typing import Any, Protocol

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError

from probes.errors import CredentialFailed, LoginExpired, ProbeError

log = logging.getLogger(__name__)

EARLY = 300.0  # seconds before its end from which a token is replaced
LIMIT = 25.0  # seconds that a login may take; the Azure CLI needs one or two
_ASK_AGAIN = 60  # seconds that the SDK's policy believes a token: it asks us before each request, so there is one cache
_MOST_TOKEN = 64 * 1024  # bytes
_LOGIN = "az login"


class Source(Protocol):
    """Where tokens come from. Raises `ProbeError`."""

    async def token(self, scope: str, claims: str = "") -> AccessTokenInfo: ...

    async def close(self) -> None: ...


class Credential:
    """The SDK's ``AsyncTokenCredential``. Concurrent needs of a token are one login, and so are concurrent failures."""

    def __init__(self, source: Source, patience: float) -> None:
        self._source = source
        self._patience = patience
        self._tokens: dict[str, AccessTokenInfo] = {}
        self._failed: tuple[float, ProbeError] | None = None
        self._lock = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token that is good for minutes. Raises `ProbeError`."""
        scope, claims = scopes[0], str((options or {}).get("claims") or "")
        async with self._lock:
            held = self._tokens.get(scope)
            if claims or held is None or held.expires_on - time.time() < EARLY:
                held = await self._fresh(scope, claims)
        return AccessTokenInfo(held.token, min(held.expires_on, int(time.time()) + _ASK_AGAIN))

    async def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **_options: Any
    ) -> AccessToken:
        """As `get_token_info`, for what knows only this."""
        info = await self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(info.token, info.expires_on)

    def forget(self) -> None:
        """The server does not accept what is held: ask the source anew."""
        self._tokens.clear()

    async def close(self) -> None:
        await self._source.close()

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _fresh(self, scope: str, claims: str) -> AccessTokenInfo:
        if self._failed is not None and time.monotonic() - self._failed[0] < self._patience:
            raise self._failed[1]
        try:
            async with asyncio.timeout(LIMIT):
                token = await self._source.token(scope, claims)
        except TimeoutError:
            error: ProbeError = CredentialFailed(f"Azure's login did not answer within {LIMIT:g} s", hint=_LOGIN)
        except (ValueError, OSError) as failure:  # the environment names an authority or a file that cannot be
            error = CredentialFailed(f"no login to Azure: {_one_line(str(failure))}", hint=_LOGIN)
        except ProbeError as failure:
            error = failure
        else:
            self._failed = None
            self._tokens[scope] = token
            return token
        self._failed = (time.monotonic(), error)
        raise error


class TokenFile:
    """A bearer token in a file that somebody else keeps fresh: read anew for each need, never held."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    async def token(self, scope: str, claims: str = "") -> AccessTokenInfo:
        text = await asyncio.to_thread(self._read)
        return AccessTokenInfo(text, int(time.time()) + _ASK_AGAIN)

    async def close(self) -> None:
        """Nothing is open."""

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                text = file.read(_MOST_TOKEN).decode("ascii").strip()
        except OSError as error:
            raise CredentialFailed(f"cannot read the Azure token in {self._path}: {error.strerror}") from None
        except UnicodeDecodeError:
            text = ""
        if not text or not text.isprintable() or " " in text:
            # Not shown: it may be most of a token.
            raise CredentialFailed(f"there is no token in {self._path}", hint="azure.token_file in the settings")
        return text


class Logins:
    """The Azure CLI's login; without one what the place where we run offers: workload identity, managed identity,
    environment. Asked anew each time, so that a login that comes later is found.
    """

    def __init__(self, subscription: str, authority: str) -> None:
        self._subscription = subscription
        self._authority = authority
        self._identity: Any = None
        self._cli: Any = None
        self._place: Any = None

    async def token(self, scope: str, claims: str = "") -> AccessTokenInfo:
        if self._identity is None:
            self._identity = await asyncio.to_thread(importlib.import_module, "azure.identity.aio")
            # The CLI picks the tenant by the subscription: people have several.
            self._cli = self._identity.AzureCliCredential(subscription=self._subscription, process_timeout=15)
        options: TokenRequestOptions = {"claims": claims} if claims else {}
        try:
            info: AccessTokenInfo = await self._cli.get_token_info(scope, options=options)
            return info
        except ClientAuthenticationError as error:
            from azure.identity import CredentialUnavailableError

            cli = _cli_error(str(error.message), self._subscription)
            if not isinstance(error, CredentialUnavailableError):
                raise cli from None
        try:
            if self._place is None:
                self._place = await asyncio.to_thread(self._of_this_place)
            found: AccessToken = await self._place.get_token(scope, claims=claims or None)
        except ClientAuthenticationError as error:
            log.info("no login of this place: %s", _one_line(str(error.message)))
            raise (_place_error(str(error.message)) or cli) from None
        return AccessTokenInfo(found.token, found.expires_on)

    async def close(self) -> None:
        if self._place is not None:
            await self._place.close()

    def _of_this_place(self) -> Any:
        from azure.identity.aio import (
            ChainedTokenCredential,
            EnvironmentCredential,
            ManagedIdentityCredential,
            WorkloadIdentityCredential,
        )

        authority = {"authority": self._authority} if self._authority else {}
        chain: list[Any] = []
        if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
            try:
                chain.append(WorkloadIdentityCredential(**authority))
            except ValueError as error:
                log.warning("workload identity is not set up: %s", _one_line(str(error)))
        chain.append(ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID")))
        chain.append(EnvironmentCredential(**authority))
        return ChainedTokenCredential(*chain)


_NO_TENANT_OF_IT = re.compile(r"subscription of '?.*'? doesn't exist", re.IGNORECASE)


def _cli_error(message: str, subscription: str) -> ProbeError:
    """What the Azure CLI says, as a sentence and what to do."""
    if "not found on path" in message or "Failed to execute" in message:
        return LoginExpired("no login to Azure: the Azure CLI (az) is not installed here", hint=f"install it, {_LOGIN}")
    if _NO_TENANT_OF_IT.search(message):
        return LoginExpired(
            f"the Azure CLI's login does not know the subscription {subscription}",
            hint=f"{_LOGIN}, then az account list --refresh",
        )
    if "Timed out" in message:
        return CredentialFailed("the Azure CLI did not answer in time", hint="az account get-access-token")
    if "AADSTS" in message:
        code = re.search(r"AADSTS\d+", message)
        return LoginExpired(f"the login to Azure has expired ({code[0] if code else 'AADSTS'})", hint=_LOGIN)
    if "az login" in message or "az account set" in message:
        return LoginExpired("not logged in to Azure", hint=_LOGIN)
    return LoginExpired(f"the Azure CLI gives no token: {_one_line(message)}", hint=_LOGIN)


_OFFERS = ("AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_CLIENT_ID")
_ATTEMPT = re.compile(r"^\s*(\w+)Credential: (.+)", re.MULTILINE)


def _place_error(message: str) -> ProbeError | None:
    """Why the login that the environment promises did not come; None where it promises none."""
    promised = [name for name in _OFFERS if os.environ.get(name)]
    if not promised:
        return None
    attempts = _ATTEMPT.findall(message)
    refused = [attempt for attempt in attempts if "AADSTS" in attempt[1]]  # which says more than who was not there
    tried = "; ".join(f"{name}: {told.strip()}" for name, told in refused or attempts)
    return CredentialFailed(
        f"no login to Azure: {_one_line(tried or message)}",
        hint=f"{', '.join(promised)} in the environment, or {_LOGIN}",
    )


def _one_line(text: str) -> str:
    text = " ".join(text[:2000].split())
    return text if len(text) <= 200 else text[:199] + "…"
