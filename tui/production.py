"""Which environment this is, in one word: the banner must tell production from the rest.

The settings' globs decide what is production. The other words are read off the names themselves, and a
name that says nothing is UNCLASSIFIED, never called safe.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Environment(StrEnum):
    """What the banner says. The word goes with a colour, never the colour alone."""

    PRODUCTION = "PRODUCTION"
    STAGING = "STAGING"
    TEST = "TEST"
    DEVELOPMENT = "DEVELOPMENT"
    DRILL = "DRILL"
    UNCLASSIFIED = "UNCLASSIFIED"


# The more careful word first: a name that says both "staging" and "dev" is staging.
_WORDS = (
    (Environment.STAGING, frozenset({"staging", "stage", "stg", "preprod", "uat"})),
    (Environment.TEST, frozenset({"test", "testing", "tst", "qa", "ci"})),
    (Environment.DEVELOPMENT, frozenset({"dev", "develop", "development", "local", "kind", "minikube", "sandbox"})),
)


def environment(
    globs: Sequence[str], *, context: str, namespaces: Sequence[str] = (), server: str = "", drill: bool = False
) -> Environment:
    """Classify what is looked at.

    ``globs`` are matched, ignoring case, against the context's name, the namespaces and the server's host; one
    match makes everything production, because one wrong key in it would be. A drill is a drill whatever
    its context is called.
    """
    if drill:
        return Environment.DRILL
    names = [name.lower() for name in (context, *namespaces, server) if name]
    patterns = [glob.lower() for glob in globs]
    if any(fnmatchcase(name, pattern) for name in names for pattern in patterns):
        return Environment.PRODUCTION
    words = {word for name in names for word in re.split(r"[^a-z]+", name)}
    return next((found for found, vocabulary in _WORDS if words & vocabulary), Environment.UNCLASSIFIED)
