"""What a Kubernetes API server's refusals mean: its Status bodies and HTTP codes as the errors of `probes.errors`."""

from __future__ import annotations

import re

import msgspec

from probes.errors import BadAnswer, Forbidden, Gone, LoginExpired, NotFound, ProbeError, Unreachable

_MOST_TEXT = 300

# pkg/registry/authorization … apiserver/pkg/endpoints/handlers/responsewriters/errors.go: the same words since 1.12.
_FORBIDDEN = (
    r'User "(?P<user>.*?)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r' (?:in the namespace "(?P<namespace>[^"]*)"|at the cluster scope)'
)
_FORBIDDEN_PATH = r'User "(?P<user>.*?)" cannot (?P<verb>\S+) path "(?P<path>[^"]*)"'


class Status(msgspec.Struct, gc=False):
    """``meta.k8s.io/v1 Status``: the body of a refusal, or the object of a watch's ERROR event."""

    message: str | None = ""
    reason: str | None = ""
    code: int | None = None


_decoder = msgspec.json.Decoder(Status)


def status_of(body: bytes) -> Status:
    """The Status in a body; proxies and load balancers answer plain text or HTML, which becomes the message."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        text = body[:2000].decode("utf-8", "replace")
        if text.lstrip().startswith("<"):
            text = re.sub(r"<[^>]*>", " ", text)
        return Status(message=text)


def error_for(code: int, status: Status, *, retry_after: str | None = None, login_hint: str = "") -> ProbeError:
    """The error for a refusal. ``retry_after`` is the header's text."""
    message = " ".join((status.message or "").split())
    if len(message) > _MOST_TEXT:
        message = message[:_MOST_TEXT] + "…"
    if code == 401:
        return LoginExpired(
            f"the server does not accept the credential (401): {login_hint}"
            if login_hint
            else "the server does not accept the credential (401)",
            hint=login_hint,
            status=code,
        )
    if code == 403:
        return _forbidden(message)
    if code == 404:
        return NotFound(message or "not found", status=code)
    if code == 410:
        return Gone(message or "the resource version is too old", status=code)
    if code in (429, 502, 503, 504):
        return Unreachable(
            f"the server cannot answer now ({code}): {message}".rstrip(": "),
            status=code,
            retry_after=seconds(retry_after),
        )
    return BadAnswer(f"the server answered {code}: {message}".rstrip(": "), status=code)


def seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header; Kubernetes sends no dates there."""
    if retry_after is None or not retry_after.strip().isdigit():
        return None
    return min(float(retry_after), 300.0)


def _forbidden(message: str) -> Forbidden:
    match = re.search(_FORBIDDEN, message)
    if match:
        resource = match["resource"] + (f".{match['group']}" if match["group"] else "")
        namespace = match["namespace"]
        where = "at the cluster scope" if namespace is None else f"in namespace {namespace}"
        scope = "--all-namespaces" if namespace is None else f"-n {namespace}"
        return Forbidden(
            f"cannot {match['verb']} {resource} {where}: forbidden for {match['user']}",
            hint=f"kubectl auth can-i {match['verb']} {resource} {scope}",
            status=403,
        )
    match = re.search(_FORBIDDEN_PATH, message)
    if match:
        return Forbidden(f"cannot {match['verb']} {match['path']}: forbidden for {match['user']}", status=403)
    return Forbidden(message or "forbidden", status=403)
