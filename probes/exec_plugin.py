"""Runs a kubeconfig's credential plugin (kubelogin, aws, gke-gcloud-auth-plugin …) and never lets it fail silently.

The client library's own runner swallows a failing plugin, after which requests go out anonymous, gives it our
terminal to prompt on, and waits for ever. This one raises `CredentialFailed`, takes the terminal away, and has a limit.
Protocol: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from probes.errors import CredentialFailed
from probes.redaction import one_line

PLUGIN_LIMIT = 30.0  # seconds; a plugin that is still waiting then waits for a person

_LOGIN_WITH = {
    "kubelogin": "az login",
    "az": "az login",
    "aws": "aws sso login",
    "aws-iam-authenticator": "aws sso login",
    "gke-gcloud-auth-plugin": "gcloud auth login",
    "gcloud": "gcloud auth login",
    "doctl": "doctl auth init",
    "oci": "oci session authenticate",
}


class PluginAnswer(Struct, frozen=True):
    """``expires_at`` in epoch seconds, None if it does not expire. Either a token or a certificate with its key."""

    token: str
    certificate: str
    key: str
    expires_at: float | None


def login_command(plugin: Mapping[str, Any]) -> str:
    """What a person types to log in again."""
    command = str(plugin.get("command") or "")
    return _LOGIN_WITH.get(Path(command).name.removesuffix(".exe"), command)


async def run_plugin(
    plugin: Mapping[str, Any], cluster: Mapping[str, Any], directory: str, *, limit: float = PLUGIN_LIMIT
) -> PluginAnswer:
    """Run it without a terminal. Raises `CredentialFailed` with what it said, redacted, on one line."""
    command = str(plugin.get("command") or "")
    if not command:
        raise CredentialFailed("the kubeconfig's credential plugin names no command")
    name, again = Path(command).name, f"run `{login_command(plugin)}`, then try again"
    if plugin.get("interactiveMode") == "Always":
        raise CredentialFailed(
            f"the credential plugin {name} insists on a terminal (interactiveMode: Always)", hint=again
        )
    if "/" in command:
        command = str(Path(directory) / command)
    arguments = [str(argument) for argument in plugin.get("args") or []]
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            env=_environment(plugin, cluster),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A session of its own has no controlling terminal: it cannot prompt through /dev/tty either.
            start_new_session=True,
        )
    except OSError as error:
        install = " ".join(str(plugin.get("installHint") or "").split())
        raise CredentialFailed(
            f"the credential plugin {name} cannot be started: {error.strerror or error}",
            hint=install or f"install {name}",
        ) from error
    try:
        async with asyncio.timeout(limit):
            out, err = await process.communicate()
    except TimeoutError:
        raise CredentialFailed(
            f"the credential plugin {name} did not answer within {limit:g} s", hint=f"it may wait for a person: {again}"
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            # Its pipes are ours to close: a grandchild may hold the other ends.
            process._transport.close()  # type: ignore[attr-defined]
    if process.returncode != 0:
        said = one_line(err.decode("utf-8", "replace"))
        raise CredentialFailed(
            f"the credential plugin {name} failed (exit status {process.returncode})" + (f": {said}" if said else ""),
            hint=again,
        )
    return _answer(out, str(plugin.get("apiVersion") or ""), name, again)


def _environment(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        known = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
        spec["cluster"] = {key: cluster[key] for key in known if key in cluster}
        for extension in cluster.get("extensions") or []:
            if extension.get("name") == "client.authentication.k8s.io/exec":
                spec["cluster"]["config"] = extension.get("extension")
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
    added = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or []}
    return os.environ | added | {"KUBERNETES_EXEC_INFO": json.dumps(info)}


def _answer(out: bytes, api_version: str, name: str, again: str) -> PluginAnswer:
    try:
        credential = json.loads(out)
        status = credential["status"]
        answered = str(credential["apiVersion"])
        token = str(status.get("token") or "")
        certificate = str(status.get("clientCertificateData") or "")
        key = str(status.get("clientKeyData") or "")
        expiry = status.get("expirationTimestamp")
        expires_at = datetime.fromisoformat(expiry).timestamp() if expiry else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialFailed(f"the credential plugin {name} did not answer an ExecCredential", hint=again) from error
    if api_version and answered != api_version:
        raise CredentialFailed(
            f"the credential plugin {name} answered {answered}, the kubeconfig asks for {api_version}"
        )
    if not token and not (certificate and key):
        raise CredentialFailed(f"the credential plugin {name} gave neither a token nor a certificate", hint=again)
    return PluginAnswer(token, certificate, key, expires_at)
