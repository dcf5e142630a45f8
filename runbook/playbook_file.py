"""The runbook file: YAML that says how this platform wants its mitigations, and adds commands of its own.

    acts:
      verify_within: 300        # seconds until a verdict is due
      quiet_for: 20             # seconds without a new warning before it counts as cured
      armed_for: 1800           # seconds that a production console stays armed
    mitigations:
      rollback:                 # an id of the table of mitigations
        friction: name          # the target's name is typed even where one key would do
        verify_within: 600
        warnings: ["Database migrations stay."]
        defaults: {}            # field → value, for the mitigations that have fields to choose
    commands:
      cluster-info:             # an id of your own
        key: P
        label: cluster info
        sentence: Whether the control plane answers
        argv: [kubectl, --context, "{context}", cluster-info]
        kinds: []               # of rows; empty: all
        timeout: 60
        wide: false
        looks: false            # it only finds something out: no review counts it as a mitigation
        undone_by: ""

There are no other keys. Errors name the file, the line, the key and what was expected.
"""

from __future__ import annotations

from pathlib import Path

from runbook.known import CONSOLE_KEYS, MITIGATIONS, ROWS
from runbook.placeholders import PLACEHOLDERS, names_in
from runbook.playbook import CommandSettings, Friction, MitigationSettings, Playbook
from runbook.yaml_table import LONGEST_NAME, NAME, Table, YamlError, close_to

PlaybookError = YamlError

SHIPPED = Path(__file__).parent  # *.yaml
_LONGEST_LABEL = 20
_HOUR, _DAY = 3600.0, 86_400.0


def find(name: str) -> Path:
    """The file that ``--runbook`` names: a path, or the name of one that ships (``banking-platform``)."""
    shipped = SHIPPED / f"{name}.yaml"
    if NAME.fullmatch(name) and shipped.exists() and not Path(name).exists():
        return shipped
    return Path(name).expanduser()


def playbook_of(file: Table) -> Playbook:
    """The part about mitigations of a file that was read. Raises `PlaybookError`."""
    acts, ours = file.table("acts"), Playbook()
    playbook = Playbook(
        verify_within=acts.seconds("verify_within", ours.verify_within, low=1, high=_DAY),
        quiet_for=acts.seconds("quiet_for", ours.quiet_for, low=0, high=_HOUR),
        armed_for=acts.seconds("armed_for", ours.armed_for, low=60, high=_DAY),
        mitigations=_mitigations(file.table("mitigations")),
        commands=_commands(file.table("commands")),
    )
    acts.done()
    return playbook


def _mitigations(file: Table) -> dict[str, MitigationSettings]:
    found = {}
    for name, table in file.tables():
        if name not in MITIGATIONS:
            known = close_to(name, list(MITIGATIONS)) or f"; there are: {', '.join(MITIGATIONS)}"
            raise file.fault(name, f"there is no such mitigation{known}")
        friction: Friction = "name" if table.choice("friction", "key", ("key", "name")) == "name" else "key"
        found[name] = MitigationSettings(
            defaults=_defaults(name, table.table("defaults")),
            warnings=table.texts("warnings"),
            friction=friction,
            verify_within=table.seconds("verify_within", 0.0, low=1, high=_DAY) or None,
        )
        table.done()
    return found


def _defaults(mitigation: str, table: Table) -> dict[str, str]:
    fields = MITIGATIONS[mitigation].fields
    found = {}
    for field, value in table.answers():
        if field not in fields:
            known = close_to(field, fields) or (f"; it has: {', '.join(fields)}" if fields else "; it has none")
            raise table.fault(field, f"{mitigation} has no such field to give a default for{known}")
        found[field] = value
    return found


def _commands(file: Table) -> dict[str, CommandSettings]:
    taken = {known.key: f"is the key of {name}" for name, known in MITIGATIONS.items()} | CONSOLE_KEYS
    found = {}
    for name, table in file.tables():
        if name in MITIGATIONS:
            raise file.fault(name, "this is the name of a mitigation; expected a name of its own")
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise file.fault(name, "expected a name of lower-case letters, digits and dashes")
        command = CommandSettings(
            key=_key(table, taken),
            label=_label(table),
            sentence=table.text("sentence"),
            argv=_argv(table),
            kinds=_kinds(table),
            timeout=table.seconds("timeout", 60.0, low=1, high=_HOUR),
            wide=table.flag("wide", False),
            looks=table.flag("looks", False),
            undone_by=table.text("undone_by", ""),
        )
        table.done()
        taken[command.key] = f"is the key of {name}"
        found[name] = command
    return found


def _key(table: Table, taken: dict[str, str]) -> str:
    key = table.text("key")
    free = ", ".join(letter for letter in map(chr, range(ord("A"), ord("Z") + 1)) if letter not in taken)
    if len(key) != 1 or not "A" <= key <= "Z":
        raise table.wrong("key", "one upper-case letter", f"; free are {free}")
    if key in taken:
        raise table.fault("key", f"{key} is taken: it {taken[key]}; free are {free}")
    return key


def _label(table: Table) -> str:
    label = table.text("label")
    if len(label) > _LONGEST_LABEL:
        raise table.wrong("label", f"at most {_LONGEST_LABEL} characters, for the footer")
    return label


def _argv(table: Table) -> tuple[str, ...]:
    if table.has("argv") and table.is_text("argv"):
        raise table.wrong("argv", "a list of arguments and never one line for a shell")
    argv = table.texts("argv", None)
    for number, part in enumerate(argv, 1):
        for name in names_in(part):
            if name not in PLACEHOLDERS:
                known = close_to(name, PLACEHOLDERS) or f"; there are: {', '.join(PLACEHOLDERS)}"
                raise table.fault("argv", f"argument {number} holds {{{name}}}, which nothing is put in for{known}")
    if names_in(argv[0]) or argv[0].startswith("-"):
        raise table.fault("argv", "the first argument is the program: expected its name or path")
    return argv


def _kinds(table: Table) -> tuple[str, ...]:
    kinds = table.texts("kinds")
    for kind in kinds:
        if kind not in ROWS:
            known = close_to(kind, ROWS) or f"; there are: {', '.join(ROWS)}"
            raise table.fault("kinds", f"there are no rows of kind {kind}{known}")
    return kinds
