"""What a person answered to a plan's fields, read and checked: a wrong answer is a red finding, never a guess."""

from __future__ import annotations

from msgspec.structs import replace

from runbook.mitigation import Choices
from runbook.plan import Field, Finding, Level


def number_in(field: Field, choices: Choices) -> tuple[Field, int | None, list[Finding]]:
    """A number field as it is answered, the number (None if it is none that the field takes), and what is wrong."""
    if field.id not in choices:
        return field, int(field.value), []
    text = choices[field.id].strip()
    answered = replace(field, value=text)
    if text.isascii() and text.isdigit() and len(text) < 10 and field.least <= int(text) <= field.most:
        return answered, int(text), []
    wrong = f"{text[:20]!r} is not a number from {field.least} to {field.most}"
    return answered, None, [Finding(field.id, Level.RED, wrong, "type another number")]


def chosen_in(field: Field) -> tuple[Field, list[Finding]]:
    """A choice as it is answered, and what is wrong when that is none of its options."""
    if field.value in [value for value, _ in field.options]:
        return field, []
    wrong = f"there is no {field.label} {field.value[:60]!r}"
    return field, [Finding(field.id, Level.RED, wrong, f"there are: {', '.join(value for value, _ in field.options)}")]
