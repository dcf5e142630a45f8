"""Turns one kubeconfig context into what a request needs: TLS settings, proxy and an Authorization header.

Tokens, passwords, certificates and plugins (`probes.exec_plugin`) are read here; only a legacy ``auth-provider``,
whose tokens have to be refreshed, is left to the official client's loader. Importing that takes 200 ms more.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from probes.errors import ConfigError, CredentialFailed
from probes.exec_plugin import login_command, run_plugin
from probes.http11 import Origin, basic
from probes.kubeconfig import Selection, select
from probes.proxy import proxy_for
from probes.redaction import one_line

# A service account's token file is replaced by the kubelet well before it expires; client-go reads it every minute.
_TOKEN_FILE_LIFE = 60.0
_RENEW_EARLY = 30.0


class Material(Struct, frozen=True):
    """What requests are made with. ``origin`` says where they go (TLS, proxy), ``path`` what every path begins with.

    ``renew_at`` epoch seconds after which it must be loaded again, None if only a 401 tells.
    ``fingerprint`` of server and TLS material: while it is the same, open connections stay good.
    ``login_hint`` what a person does when the server no longer accepts it.
    """

    selection: Selection
    origin: Origin
    path: str
    authorization: str
    renew_at: float | None
    fingerprint: str
    login_hint: str


async def load(kubeconfig: str | None, context: str | None) -> Material:
    """Read the files, run the plugin if there is one; contacts no server. Raises `ConfigError`, `CredentialFailed`."""
    selection = await asyncio.to_thread(select, kubeconfig, context)
    user = dict(selection.user)
    renew_at: float | None = None
    plugin = user.pop("exec", None)
    # kubectl asks the plugin only where the entry itself holds no credential.
    if isinstance(plugin, Mapping) and not (user.get("token") or user.get("tokenFile")):
        answer = await run_plugin(plugin, selection.cluster, selection.directory)
        if answer.token:
            user["token"] = answer.token
        if answer.certificate:
            user["client-certificate-data"] = _base64(answer.certificate)
            user["client-key-data"] = _base64(answer.key)
        if answer.expires_at is not None:
            renew_at = answer.expires_at - _RENEW_EARLY
    elif user.get("tokenFile"):
        user["token"] = await asyncio.to_thread(_token_from, Path(str(user.pop("tokenFile"))))
        renew_at = time.time() + _TOKEN_FILE_LIFE
    return await _build(selection, user, renew_at)


async def _build(selection: Selection, user: dict[str, Any], renew_at: float | None) -> Material:
    whose = f"the credential of user {selection.user_name!r}"
    try:
        authorization = await _authorization(user)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{whose} in {selection.source} cannot be used: {one_line(str(error))}") from error
    except OSError as error:
        hint = _login_hint(selection)
        raise CredentialFailed(f"{whose} cannot be renewed: {one_line(str(error))}", hint=hint) from error
    tls, fingerprint = await asyncio.to_thread(_tls, selection, user)
    cluster = selection.cluster
    parts = urlsplit(selection.server)
    origin = Origin(
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        tls=tls,
        server_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or "") or proxy_for(parts.scheme, parts.hostname or ""),
    )
    return Material(selection, origin, parts.path, authorization, renew_at, fingerprint, _login_hint(selection))


async def _authorization(user: Mapping[str, Any]) -> str:
    """The header's value, "" for none. The order of the entries is kubectl's."""
    if isinstance(user.get("auth-provider"), Mapping):
        from probes.auth_provider import token_of

        return await token_of(user)
    if user.get("token"):
        return f"Bearer {user['token']}"
    if "username" in user and "password" in user:
        return basic(str(user["username"]), str(user["password"]))
    return ""


def _tls(selection: Selection, user: dict[str, Any]) -> tuple[ssl.SSLContext | None, str]:
    """What to trust and how to prove who we are, and the digest of it. Raises `ConfigError`."""
    cluster = dict(selection.cluster)
    # The TLS library reads client certificates from files only; these live as long as it takes to read them.
    with tempfile.TemporaryDirectory(prefix="warroom-") as private:
        fingerprint = _as_files(cluster, user, Path(private))
        if not selection.server.startswith("https:"):
            return None, fingerprint
        what = "certificate authority"
        try:
            context = ssl.create_default_context(cafile=cluster.get("certificate-authority"))
            # Go's TLS, and so kubectl, accepts authorities without RFC 5280 key identifiers; there are many.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if user.get("client-certificate"):
                what = "client certificate or its key"
                context.load_cert_chain(user["client-certificate"], user.get("client-key"))
        except ssl.SSLError as error:
            raise ConfigError(
                f"the {what} of context {selection.context!r} in {selection.source} is not valid PEM or does not match"
                f" ({error.reason or error})"
            ) from error
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context, fingerprint


def _as_files(cluster: dict[str, Any], user: dict[str, Any], private: Path) -> str:
    """Replace inline ``…-data`` with paths to private files; returns a digest of server and TLS material."""
    digest = hashlib.sha256(repr(sorted((k, str(v)) for k, v in cluster.items())).encode())
    for entry, key in (
        (cluster, "certificate-authority"),
        (user, "client-certificate"),
        (user, "client-key"),
    ):
        inline = entry.pop(f"{key}-data", None)
        if inline:
            try:
                content = base64.b64decode("".join(str(inline).split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise ConfigError(f"{key}-data in the kubeconfig is not base64") from error
            path = private / key
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            entry[key] = str(path)
        elif entry.get(key):
            try:
                content = Path(str(entry[key])).read_bytes()
            except OSError as error:
                raise ConfigError(
                    f"the {key} file {entry[key]} named by the kubeconfig cannot be read: {error.strerror}"
                ) from error
        else:
            continue
        digest.update(key.encode() + b"\0" + content)
    return digest.hexdigest()


def _token_from(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialFailed(f"the token file {path} cannot be read: {error}") from error
    if not token:
        raise CredentialFailed(f"the token file {path} is empty")
    return token


def _login_hint(selection: Selection) -> str:
    plugin = selection.user.get("exec")
    if isinstance(plugin, Mapping):
        return f"log in again with `{login_command(plugin)}`"
    if selection.user.get("tokenFile"):
        return f"renew the token in {selection.user['tokenFile']}"
    return f"renew the credential of user {selection.user_name!r} in {selection.source}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
