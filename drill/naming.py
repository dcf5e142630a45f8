"""What names, labels and keys may look like, and how a refusal words it: k8s.io/apimachinery/pkg/util/validation."""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = f"({_QUALIFIED})?"
_SERVICE: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"

_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SERVICE_RULE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_SERVICE}')"
)
_QUALIFIED_RULE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
_KEY_RULE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def _checked(text: str, limit: int, pattern: str, rule: str, prefix: str = "") -> list[str]:
    found = [f"{prefix}must be no more than {limit} characters"] if len(text) > limit else []
    return found if re.fullmatch(pattern, text) else [*found, prefix + rule]


def subdomain(text: str) -> list[str]:
    """Why this is no DNS-1123 subdomain, which most names are; nothing if it is one."""
    return _checked(text, 253, _SUBDOMAIN, _SUBDOMAIN_RULE)


def label(text: str) -> list[str]:
    """Why this is no DNS-1123 label, which the names of containers and namespaces are."""
    return _checked(text, 63, _LABEL, _LABEL_RULE)


def service(text: str) -> list[str]:
    """Why this cannot be the name of a Service."""
    return _checked(text, 63, _SERVICE, _SERVICE_RULE)


def port_name(text: str) -> list[str]:
    """Why this cannot be the name of a port."""
    found = []
    if len(text) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", text):
        found.append("must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def path_segment(text: str) -> list[str]:
    """Why this cannot be the name of an RBAC object, which may be nearly anything."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in text]


def qualified(text: str) -> list[str]:
    """Why this cannot be the key of a label or an annotation: ``example.com/name``, the prefix optional."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return [
            f"a qualified name {_QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    found: list[str] = []
    if slash:
        found = ["prefix part must be non-empty"] if not prefix else [f"prefix part {why}" for why in subdomain(prefix)]
    if not name:
        return [*found, "name part must be non-empty", f"name part {_QUALIFIED_RULE}"]
    return found + _checked(name, 63, _QUALIFIED, _QUALIFIED_RULE, "name part ")


def label_value(text: str) -> list[str]:
    """Why this cannot be the value of a label."""
    return _checked(text, 63, _VALUE, _VALUE_RULE)


def config_key(text: str) -> list[str]:
    """Why this cannot be a key of a ConfigMap or a Secret."""
    if len(text) > 253:
        return ["must be no more than 253 characters"]
    if not re.fullmatch("[-._a-zA-Z0-9]+", text):
        return [_KEY_RULE]
    return [f"must not be '{text}'"] if text in (".", "..") else []
