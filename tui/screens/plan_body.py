"""What a plan says for itself: what and where it is, its commands, what changes, findings, what comes after."""

from __future__ import annotations

import re
from collections.abc import Collection

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from runbook.plan import Finding, Level, Plan
from widgets.diff_view import DiffView
from widgets.paragraphs import EMPTY, Paragraph, Paragraphs
from widgets.plain import plain

MOST_COMMANDS = 12  # lines
FEW_COMMANDS = 3  # where the screen is short, so that what was found comes in sight
MOST_DIFF = 14  # rows
QUIET = "$foreground 60%"
_STYLES = {Level.GREEN: "$text-success", Level.AMBER: "$text-warning", Level.RED: "bold $text-error"}
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ORDER = {Level.RED: 0, Level.AMBER: 1, Level.GREEN: 2}


def place(context: str, namespace: str, production: bool) -> Content:
    """Where it would act; production in a word, not by its colour alone. Nobody knows a subscription by its id."""
    context = f"Azure {context[:8]}" if _SUBSCRIPTION.fullmatch(context) else context
    where = " · ".join(filter(None, (plain(context, 80), plain(namespace, 80))))
    return Content.styled(f"{' PRODUCTION  ' if production else ' '}{where} ", "bold")


def heading(plan: Plan, note: str = "") -> list[Paragraph]:
    """What it does. ``note`` is why the plan is shown: what it takes back; one that begins with ``!`` warns."""
    title, remark = Content.styled(plain(plan.title, 300), "bold"), Content.styled(plain(plan.remark, 300), QUIET)
    paragraphs = [Paragraph(EMPTY, title, remark)]
    if note:
        style = "bold $text-warning" if note.startswith("!") else "$text-accent"
        paragraphs.append(Paragraph(EMPTY, Content.styled(plain(note, 300), style)))
    return paragraphs


class PlanBody(VerticalScroll, can_focus=False):
    """Scrolls where the screen is short; the keys for that are the screen's."""

    def compose(self) -> ComposeResult:
        yield Paragraphs(id="plan-commands")
        yield DiffView(id="plan-diff")
        yield Paragraphs(id="plan-findings")
        yield Paragraphs(id="plan-after")

    def on_mount(self) -> None:
        self.query_one(DiffView).display = False

    def show(self, plan: Plan, read: Collection[str]) -> None:
        """Draw all of it. ``read`` are the texts of the warnings that were acknowledged."""
        self._show_commands(plan)
        self.show_diff(plan)
        self.show_findings(plan, read)
        self.query_one("#plan-after", Paragraphs).show(_afterwards(plan))

    def fit(self, plan: Plan | None, margin: int) -> None:
        """What is asked and the two buttons are always on the screen; what explains them scrolls between.

        ``margin`` are the rows that stay free above and below the box that this is in.
        """
        box = self.parent
        assert isinstance(box, Widget)
        shown = [widget for widget in box.children if widget.display and widget is not self]
        others = sum(widget.outer_size.height + widget.styles.margin.height for widget in shown)
        room = self.app.size.height - margin - box.gutter.height - others - self.styles.margin.height
        self.styles.max_height = max(room, 3)
        self._arrange()
        if plan is not None:
            self._show_commands(plan)
            self.show_diff(plan)

    def _arrange(self) -> None:
        """What was found stands before what changes where the screen is short: it has to be read, and acknowledged."""
        above = "#plan-findings" if self.screen.has_class("-short") else "#plan-commands"
        parts = list(self.children)
        diff = self.query_one(DiffView)
        if parts[parts.index(diff) - 1] is not self.query_one(above):
            self.move_child(diff, after=self.query_one(above))

    def _show_commands(self, plan: Plan) -> None:
        short = self.screen.has_class("-short")
        paragraphs = _commands(plan, FEW_COMMANDS if short else MOST_COMMANDS)
        if short or plan.diff.hunks:  # where there is room, the findings keep their own distance
            paragraphs.append(Paragraph(EMPTY, EMPTY))
        self.query_one("#plan-commands", Paragraphs).show(paragraphs)

    def show_diff(self, plan: Plan) -> None:
        """What changes, as high as the screen has room for now."""
        view = self.query_one(DiffView)
        view.show(
            [(hunk.title, hunk.lines) for hunk in plan.diff.hunks],
            unchanged=plan.diff.unchanged,
            remark=plan.diff.source if plan.diff.hunks else "",
        )
        view.display = bool(plan.diff.hunks)
        room = max(5, self.app.size.height - 36)
        view.styles.height = view.rows_up_to(min(room, MOST_DIFF)) + 2

    def show_findings(self, plan: Plan, read: Collection[str]) -> None:
        self.query_one("#plan-findings", Paragraphs).show(_findings(plan, read))

    def shows(self, plan: Plan, warning: str) -> bool:
        """Whether the warning with this text is in sight. If not, it is brought there."""
        findings = self.query_one("#plan-findings", Paragraphs)
        marks = [finding.text for finding in _sorted(plan) for _ in _finding(finding, False, False)]
        first, after = findings.rows(1 + marks.index(warning))
        place, height = findings.virtual_region.y + first, self.scrollable_content_region.height
        above = place - self.scroll_offset.y
        if above >= 0 and above + min(after - first, height) <= height:
            return True
        self.scroll_to(y=place, animate=False)
        return False

    def page_diff(self, pages: int) -> None:
        self.query_one(DiffView).action_pages(pages)

    def show_nothing(self) -> None:
        for part in self.query(Paragraphs):
            part.show(())
        self.query_one(DiffView).display = False


def _commands(plan: Plan, most: int) -> list[Paragraph]:
    """Each command from its first line. Where there are too many lines, what is fed to a command is left out first."""
    lines = [(line, not number, 0) for command in plan.commands for number, line in enumerate(command.split("\n"))]
    if len(lines) > most:
        lines = [(command.partition("\n")[0], True, command.count("\n")) for command in plan.commands]
    paragraphs = [
        Paragraph(
            Content.styled("$ " if first else "  ", QUIET),
            Content.assemble((plain(line, 600), "$text-accent"), (f"  … {left_out} lines" if left_out else "", QUIET)),
            EMPTY if number else Content.styled("y copies", QUIET),
        )
        for number, (line, first, left_out) in enumerate(lines[:most])
    ]
    if len(lines) > most:
        paragraphs.append(Paragraph(Content("  "), Content.styled(f"… {len(lines) - most} more", QUIET)))
    return paragraphs


def _findings(plan: Plan, read: Collection[str]) -> list[Paragraph]:
    hits = Content.assemble(("hits: ", QUIET), (plain(plan.blast, 200), "bold")) if plan.blast else EMPTY
    paragraphs = [Paragraph(EMPTY, Content.styled("Before it runs", QUIET), hits)]
    unread = [finding for finding in plan.warnings if finding.text not in read]
    for finding in _sorted(plan):
        paragraphs += _finding(finding, finding.text in read, finding in unread[:1])
    return paragraphs


def _sorted(plan: Plan) -> list[Finding]:
    return sorted(plan.findings, key=lambda finding: _ORDER[finding.level])


def _finding(finding: Finding, read: bool, is_next: bool) -> list[Paragraph]:
    seen = finding.level is Level.AMBER and read
    style = QUIET if finding.level is Level.GREEN or seen else _STYLES[finding.level]
    said = EMPTY
    if seen:
        said = Content.styled("acknowledged", QUIET)
    elif is_next:
        said = Content.styled("space acknowledges", "$text-accent")
    mark = Content.styled(f"  {finding.level.mark} ", _STYLES[finding.level])
    text = Content.assemble((f"{plain(finding.name, 40)}: ", "bold"), (plain(finding.text, 500), style))
    paragraphs = [Paragraph(mark, text, said)]
    if finding.advice and finding.level is not Level.GREEN:
        arrow, advice = (Content.styled(part, "$foreground 80%") for part in ("      → ", plain(finding.advice, 300)))
        paragraphs.append(Paragraph(arrow, advice))
    return paragraphs


def _afterwards(plan: Plan) -> list[Paragraph]:
    said = (("verified by: ", plan.verified_by), ("       undo: ", plan.undo.words))
    return [
        Paragraph(
            Content.assemble(("            " if number else "Afterwards  ", QUIET), (name, "bold")),
            Content.styled(plain(text, 300), "$foreground 80%"),
        )
        for number, (name, text) in enumerate(said)
    ]
