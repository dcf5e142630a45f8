"""A drill for others: what each of them needs, as files that can be copied to another machine, and in words.

``drill.json`` stands for the platform: ``warroom drill --join DIRECTORY`` reads it. What a good response is, is packed
in it, because whoever practises has it before them.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

JOIN_FILE: Final = "drill.json"
CONTROL_FILE: Final = "control.json"
_SETTINGS: Final = "team.toml"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_TAKEN: Final = ("admin", "viewer", "nobody", "drill-prod")


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of participants, as users and contexts of a kubeconfig. Raises ValueError with a sentence."""
    for number, name in enumerate(names):
        if not _NAME.fullmatch(name):
            raise ValueError(f"expected a name of at most 40 lower-case letters, digits and dashes, found {name!r}")
        if name in _TAKEN:
            raise ValueError(f"{name} is the name of a user that every drill has; choose another")
        if name in names[:number]:
            raise ValueError(f"{name} is named twice")
    return tuple(names)


def files(directory: Path, settings: str, announced: dict[str, Any]) -> dict[str, str]:
    """The files for those who join, by name: with paths relative to themselves, so that a copy is as good.

    ``announced`` is what the platform says of its drill, packed.
    """
    here = json.dumps(str(directory))[:-1] + "/"
    told = {"kubeconfig": "kubeconfig", "config": _SETTINGS, **announced}
    return {_SETTINGS: settings.replace(here, '"'), JOIN_FILE: json.dumps(told)}


def ports(urls: dict[str, str]) -> list[int]:
    """Every port that a participant's programs connect to."""
    return sorted({port for url in urls.values() if (port := urlsplit(url).port) is not None})


def directions(
    directory: Path, urls: dict[str, str], people: Sequence[str], control: Path | None, program: str = "warroom"
) -> Iterator[str]:
    """What to tell people once the platform serves, line by line."""
    where, host = shlex.quote(str(directory)), socket.gethostname()
    whom = [f" --context {name}" for name in people] or [""]
    yield "The drill's platform serves. Everything is on 127.0.0.1 of this machine, and only there."
    yield ""
    yield "Who works on this machine, under your account:"
    for flag in whom:
        yield f"  console      {program} drill --join {where}{flag}"
    yield f"  kubectl      export KUBECONFIG={where}/kubeconfig" + ("   and  --context NAME" if people else "")
    yield f"  to look on   {program} drill --join {where} --context viewer --read-only"
    yield ""
    yield "Who works on another machine gets a copy of the directory from you, and comes through ssh, which stays open:"
    yield f"  you          scp -rp {where} THEM@THEIR-MACHINE:gameday"
    yield f"  they         ssh -N {' '.join(f'-L {port}:127.0.0.1:{port}' for port in ports(urls))} THEM@{host}"
    yield f"               {program} drill --join gameday{whom[0]}"
    if control is not None:
        yield ""
        yield "You, to have things happen while they work (keep this to yourself):"
        yield f"  {program} drill --control {shlex.quote(str(control))}"
    yield ""
    yield "Ctrl-C ends the drill for everybody and removes its files."
