"""What every write of ours carries, so that the cluster's own audit log joins back to the timeline."""

from __future__ import annotations

import re
import secrets
import uuid

from msgspec import Struct

INCIDENT = "warroom/incident"  # annotations
ACT = "warroom/act"
_PREFIX = "warroom-"  # of our field managers
TAG_INCIDENT, TAG_ACT = "warroom-incident", "warroom-act"  # Azure allows no slash in a tag's name
_REQUESTS = uuid.UUID("6f1a2f5e-3f5b-5d0a-9a55-0b7c8e1d4a11")  # the names under which requests of ours get their ids

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MOST_MANAGER = 128  # characters of a field manager (apimachinery, ValidateFieldManager)


class Stamp(Struct, frozen=True):
    """``incident`` is its ID, ``act`` the plan's; ``by`` is who confirmed it, and stays on this machine."""

    incident: str
    act: str
    by: str = ""

    @property
    def manager(self) -> str:
        """The field manager: ``warroom-INC-20261123-1406-7kq2``."""
        return _UNSAFE.sub("-", f"{_PREFIX}{self.incident}")[:_MOST_MANAGER]

    @property
    def annotations(self) -> dict[str, str]:
        return {INCIDENT: self.incident, ACT: self.act}

    @property
    def tags(self) -> dict[str, str]:
        """For Azure's resources, which have tags where Kubernetes has annotations."""
        return {TAG_INCIDENT: self.incident[:256], TAG_ACT: self.act}

    @property
    def correlation(self) -> str:
        """For Azure's activity log: the same for the same act, so that it can be looked for after a crash."""
        return correlation_of(self.incident, self.act)

    @property
    def description(self) -> str:
        """For tools that take a sentence, like Helm's ``--description``."""
        return f"warroom {self.incident} act {self.act}"


def correlation_of(incident: str, act: str) -> str:
    """The id of an act's requests to Azure (``x-ms-client-request-id`` and ``x-ms-correlation-request-id``)."""
    return str(uuid.uuid5(_REQUESTS, f"{incident} {act}"))


def new_act() -> str:
    """A name for an act: 10 hexadecimal digits, easy to read out and to find in an audit log."""
    return secrets.token_hex(5)


def is_ours(manager: str) -> bool:
    """Whether a field manager is one of ours, whatever the incident."""
    return manager.startswith(_PREFIX)
