"""How this platform wants its mitigations: the part of the runbook file that sets defaults, warnings and friction."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Friction = Literal["key", "name"]


class MitigationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the runbook file says about one mitigation. All of it only makes an act more careful, never less.

    ``defaults`` are values of the plan's fields by their id; ``warnings`` become amber findings; ``friction`` ``name``
    has the target's name typed even where one key would do; ``verify_within`` is in seconds.
    """

    defaults: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    friction: Friction = "key"
    verify_within: float | None = None


class CommandSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mitigation of the platform's own: a command, as an argument list and never as a shell string.

    ``argv`` may hold the placeholders ``{context}``, ``{namespace}``, ``{kind}``, ``{name}`` and ``{kubeconfig}``,
    each as a part of one argument. ``kinds`` are the kinds of rows on which the key works; empty: all. ``looks``: it
    only finds something out, so a review does not count it as a mitigation.
    """

    key: str
    label: str
    sentence: str
    argv: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    timeout: float = 60.0
    wide: bool = False
    looks: bool = False
    undone_by: str = ""  # in words, for the plan


class Playbook(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Defaults that suit any cluster.

    ``verify_within`` seconds until a verdict is due; ``quiet_for`` seconds without a new warning about what was acted
    on before it counts as cured; ``armed_for`` seconds that a production console stays armed.
    """

    mitigations: dict[str, MitigationSettings] = field(default_factory=dict)
    commands: dict[str, CommandSettings] = field(default_factory=dict)
    verify_within: float = 300.0
    quiet_for: float = 20.0
    armed_for: float = 1800.0

    def of(self, mitigation: str) -> MitigationSettings:
        return self.mitigations.get(mitigation, MitigationSettings())

    def within(self, mitigation: str, takes: float = 0.0) -> float:
        """Seconds until a verdict is due; ``takes`` are those that it takes by nature, if nobody says otherwise."""
        command = self.commands.get(mitigation)
        if command is not None:
            return command.timeout + 15.0  # it has its own limit, and some time to end
        return self.of(mitigation).verify_within or max(self.verify_within, takes)

    def default(self, mitigation: str, field_id: str, otherwise: str) -> str:
        return self.of(mitigation).defaults.get(field_id, otherwise)
