"""What can be chosen in a plan: numbers, texts, choices and toggles, drawn from the plan's fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from runbook.plan import Field
from widgets.choice_field import ChoiceField
from widgets.plain import plain
from widgets.tick import Tick

YES, NO = "yes", "no"


class FieldChanged(Message):
    """The person chose something else."""

    def __init__(self, field_id: str, value: str) -> None:
        super().__init__()
        self.field_id = field_id
        self.value = value


class PlanFields(Vertical):
    """One row for each field. Rows stay while the plan is made anew, so that nobody loses the place they type at."""

    DEFAULT_CSS = """
    PlanFields { height: auto; }
    PlanFields Horizontal { height: auto; }
    PlanFields .field-label { width: 18; color: $foreground 60%; }
    PlanFields .field-hint { width: 1fr; margin-left: 2; color: $foreground 60%; }
    PlanFields Input { width: 44; height: 1; border: none; background: $panel; padding: 0 1; }
    PlanFields Input:focus { background: $primary 20%; }
    PlanFields .field-number { width: 12; }
    PlanFields Select { width: 1fr; max-width: 80; }
    PlanFields .field-choice-row .field-hint { width: auto; max-width: 45%; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._fields: tuple[Field, ...] = ()

    async def show(self, fields: Sequence[Field], choices: Mapping[str, str]) -> None:
        """Draw these. Fields that are the same but for their hints keep their widgets, and what is typed in them."""
        fields = tuple(fields)
        if [_shape(field) for field in fields] != [_shape(field) for field in self._fields]:
            self._fields = fields
            await self.remove_children()
            await self.mount_all([FieldRow(field, choices.get(field.id, field.value)) for field in fields])
        else:
            for row, field in zip(self.query(FieldRow), fields, strict=True):
                row.show_hint(field.hint)
        self.display = bool(fields)

    @property
    def first(self) -> Widget | None:
        """Where a choice begins."""
        return next((widget for widget in self.query("*").results(Widget) if widget.focusable), None)


class FieldRow(Horizontal):
    """A field's label, widget and hint."""

    def __init__(self, field: Field, value: str) -> None:
        super().__init__(classes=f"field-{field.kind}-row")
        self.field = field
        self._value = value

    def compose(self) -> ComposeResult:
        yield Static(Content(plain(self.field.label, 40)), classes="field-label")
        yield self._widget()
        yield Static(Content(plain(self.field.hint, 200)), classes="field-hint")

    def _widget(self) -> Widget:
        field, value = self.field, self._value
        if field.kind == "choice":
            options: list[tuple[Any, str]] = [(Content(plain(label, 200)), key) for key, label in field.options]
            known = [key for _, key in options]
            chosen = value if value in known else known[0]
            return ChoiceField(options, value=chosen, allow_blank=False, compact=True)
        if field.kind == "toggle":
            return Tick(value == YES)
        kind: Any = "integer" if field.kind == "number" else "text"
        return Input(value, type=kind, compact=True, classes=f"field-{field.kind}", select_on_focus=kind == "integer")

    def show_hint(self, hint: str) -> None:
        self.query_one(".field-hint", Static).update(Content(plain(hint, 200)))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(Select.Changed)
    def _selected(self, event: Select.Changed) -> None:
        """What was picked is not a confirmation either: the focus goes back as from a field that was entered."""
        event.stop()
        if str(event.value) != self._value and event.select.has_focus_within:
            self._back()
        self._tell(str(event.value))

    @on(Tick.Changed)
    def _ticked(self, event: Tick.Changed) -> None:
        """Space has done its work here; the next one is for the warnings."""
        event.stop()
        if event.checkbox.has_focus:
            self._back()
        self._tell(YES if event.value else NO)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        """Enter in a field is not a confirmation: back to where the plan began, where space acknowledges."""
        event.stop()
        self._back()

    def _back(self) -> None:
        self.screen.query_one("#plan-no").focus()

    def _tell(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.post_message(FieldChanged(self.field.id, value))


def _shape(field: Field) -> tuple[Any, ...]:
    return field.id, field.label, field.kind, field.options
