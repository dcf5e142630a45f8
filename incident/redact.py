"""Taking secrets out of texts and JSON before they are stored. What is taken out is gone: ``«redacted»`` stands there.

It errs towards taking out: a word lost from a note can be typed again, a password in an export cannot be called back.
Every pattern is linear in the text (possessive or bounded repeats, anchored starts).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

REDACTED = "«redacted»"

# A name smells of a secret if one of these words is in it and none of the harmless words ends it:
# DB_PASSWORD does, passwordPolicy and secretName do not. Compared in lower case, without separators.
_SMELLS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "accountkey", "privatekey",
    "signingkey", "encryptionkey", "masterkey", "credential", "connectionstring", "authorization", "cookie",
    "clientassertion",
)  # fmt: skip
_SMELLS_AS_LAST_WORD = ("pass", "sas", "sig", "signature", "jwt", "dsn", "auth", "connstr")
_HARMLESS_ENDS = (
    "name", "names", "ref", "refs", "count", "seconds", "expiration", "expires", "expiry", "ttl", "type", "file",
    "path", "paths", "url", "uri", "endpoint", "length", "size", "version", "policy", "mount", "provider", "enabled",
    "required", "namespace", "class", "store", "kind", "review", "audience", "audiences", "issuer", "projected",
    "account", "at", "bucket", "limit", "requests", "pullsecrets",
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def smells(name: str) -> bool:
    """Whether a variable, header, option or JSON key of this name holds a secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _HARMLESS_ENDS:
        return False
    if words[-1] in _SMELLS_AS_LAST_WORD:
        return True
    joined = "".join(words)
    return any(word in joined for word in _SMELLS)


# What a text must contain (in lower case) before a pattern is worth its time; then the pattern and what replaces it.
_Rule = tuple[tuple[str, ...], "Callable[[], re.Pattern[str]]", "str | Callable[[re.Match[str]], str]"]

_VALUE = r"""(?:"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|\\"(?:[^"\\\n]|\\(?!"))*+(?:\\")?|[^\s;&"'<>`\\]++)"""


def _assigned(match: re.Match[str]) -> str:
    name, between, value = match.groups()
    if not smells(name):
        return match.group()
    for quote in ('\\"', '"', "'"):
        if value.startswith(quote):
            return f"{name}{between}{quote}{REDACTED}{quote if value.endswith(quote) and value != quote else ''}"
    return f"{name}{between}{REDACTED}"


def _later(expression: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """The pattern, compiled when a text first needs it and remembered by Python: all are 5 ms of a start."""
    return partial(re.compile, expression, flags)


_RULES: tuple[_Rule, ...] = (
    (
        ("private key-----",),
        _later(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        REDACTED,
    ),
    (
        ("authorization", "cookie"),
        # The rest of the line or of the quotes: AWS and Digest headers have commas and spaces in their credentials.
        _later(r"""(?i)((?:authorization|cookie)\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?)[^\s"'\\][^\n"'\\]*+"""),
        rf"\1{REDACTED}",
    ),
    (
        ("bearer",),
        _later(
            r"(?i)\b(bearer\s{1,8})(?!(?:auth\w*|token|tokens|error|realm|scheme|credentials?)\b)[\w.~+/-]{6,}+={0,2}"
        ),
        rf"\1{REDACTED}",
    ),
    (("basic",), _later(r"(?i)\b(basic\s{1,8})(?=[a-z+/]*+[\d=])[\w+/]{6,}+={0,2}"), rf"\1{REDACTED}"),
    (("eyj",), _later(r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+){0,3}", re.ASCII), REDACTED),
    (("://",), _later(r"(://[^\s/:@\"'<>]{0,128}+:)[^\s/\"'<>]{1,256}@"), rf"\1{REDACTED}@"),
    (
        (
            "akia",
            "asia",
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xox",
            "xapp-",
            "sk_live_",
            "rk_live_",
            "npm_",
            "aiza",
            "8q~",
            "/services/t",
            "dop_v1_",
            "sg.",
        ),
        _later(
            r"(?<!\w)(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)"
            r"|gh[pousr]_\w{20,}+|github_pat_\w{20,}+"
            r"|glpat-[\w-]{16,}+|xox[a-z]-[\w-]{10,}+|xapp-[\w-]{10,}+|[sr]k_live_\w{10,}+|npm_\w{30,}+"
            r"|AIza[\w-]{30,}+|dop_v1_\w{30,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+"
            r"|[\w.~-]{3}8Q~[\w.~-]{30,}+)"  # the client secret of an Azure application
            r"|(?<=/services/)T\w{4,}+/B\w{4,}+/\w{8,}+",  # a Slack webhook
            re.ASCII,
        ),
        REDACTED,
    ),
    (
        ("--",),
        _later(rf"(?<![\w-])(--[A-Za-z][\w-]{{1,60}})(\s{{1,8}})(?!-)({_VALUE})"),
        _assigned,
    ),
    (
        # Before the next: to it a URL's own colon is an assignment, whose value reaches into the query.
        ("?",),
        _later(r"(?<=[?&])([\w.-]{2,60})(=)([^\s&#\"'<>`\\;]++)"),
        _assigned,
    ),
    (
        (*_SMELLS, "pass", "key", "sas", "sig", "jwt", "dsn", "auth", "conn"),
        _later(rf"(?<![\w.-])(-{{0,8}}[A-Za-z_][\w.-]{{2,}}+)(\\?[\"']?\s{{0,8}}[:=]>?\s{{0,8}}|>)({_VALUE})"),
        _assigned,
    ),
    (
        # Names with spaces, as connection strings and people write them.
        ("access key", "account key", "user password", "api key", "private key"),
        _later(rf"(?i)\b((?:access|account|api|private) key|user password)(\s{{0,8}}[:=]\s{{0,8}})({_VALUE})"),
        _assigned,
    ),
)


def redact(text: str) -> str:
    """The text without the secrets that can be told by their form. Doing it twice changes nothing."""
    lowered = text.lower()
    for needles, pattern, replacement in _RULES:
        if any(needle in lowered for needle in needles):
            text = pattern().sub(replacement, text)
    return text


def redact_json(value: Any) -> Any:
    """JSON without secrets: Kubernetes Secrets' data, values of keys and variables whose names smell, and all texts.

    The value that came in is not changed.
    """
    if isinstance(value, str):
        return _redact_string(value)
    if isinstance(value, dict):
        return _redact_object(value)
    if isinstance(value, list):
        return _redact_list(value)
    return value


def _redact_object(value: dict[str, Any]) -> dict[str, Any]:
    secret = value.get("kind") == "Secret"
    # {"name": "DB_PASSWORD", "value": "…"}: a container's variable, a header, a parameter.
    named = any(isinstance(value.get(key), str) and smells(value[key]) for key in ("name", "key"))
    result: dict[str, Any] = {}
    for key, item in value.items():
        if (secret and key in ("data", "stringData")) or (named and key == "value") or smells(key):
            result[redact(key)] = _blank(item, deep=secret and key in ("data", "stringData"))
        else:
            result[redact(key)] = redact_json(item)
    return result


def _blank(value: Any, *, deep: bool) -> Any:
    """A value that is a secret. An object below a name that smells is judged by its own names, except in a Secret."""
    if isinstance(value, dict):
        return {key: _blank(item, deep=True) for key, item in value.items()} if deep else _redact_object(value)
    if isinstance(value, list):
        return [_blank(item, deep=deep) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return REDACTED


def _redact_list(values: list[Any]) -> list[Any]:
    """As in a command line, ``["--password", "hunter2"]`` gives the second away by the first."""
    result: list[Any] = []
    option = False
    for value in values:
        if option and isinstance(value, str) and not value.startswith("-"):
            result.append(REDACTED)
            option = False
            continue
        result.append(redact_json(value))
        option = isinstance(value, str) and value.startswith("-") and "=" not in value and smells(value)
    return result


def _redact_string(text: str) -> str:
    """A string that is JSON itself, like kubectl's last-applied-configuration, is redacted as JSON."""
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] in ("{}", "[]"):
        try:
            inner = json.loads(stripped)
        except (ValueError, RecursionError):
            return redact(text)
        cleaned = redact_json(inner)
        return text if cleaned == inner else json.dumps(cleaned, separators=(",", ":"), ensure_ascii=False)
    return redact(text)
