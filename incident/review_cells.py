"""What a cell of a review's timeline says of a line: the text as it stands, then everything that was said about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident.acts import ActRecord
from incident.dossier import Dossier
from incident.entry import Entry, Kind, Line, Source
from incident.ink import Ink
from incident.review import moment

UNKNOWN = "outcome unknown"


def by_whom(entry: Entry, ink: Ink) -> str:
    """Who wrote an entry, and by what, if that is not a person's word and not said by the name."""
    author = ink.text(entry.author)
    return author if entry.source is Source.PERSON or entry.author == entry.source else f"{author} ({entry.source})"


class Cells:
    """The cells of one review. All text in what they give is inert in the ink's format."""

    def __init__(self, found: Dossier, ink: Ink) -> None:
        self._timeline, self._numbers, self._ink = found.timeline, found.numbers, ink
        self._acts = {act.id: act for act in found.acts}
        self._updates = {told.update.entry: (number, told) for number, told in enumerate(found.updates, 1)}
        self._channels = found.standard.channels

    def told_elsewhere(self, line: Line) -> bool:
        """A delivery is told with its update."""
        return line.entry.kind is Kind.DELIVERY and line.entry.refers_to in self._updates

    def told(self, line: Line) -> str:
        """The whole cell."""
        ink, entry, act = self._ink, line.entry, self._acts.get(line.id)
        text = ink.text(line.text) if act is None else ink.gap.join(self._act(act))
        if entry.kind is Kind.FOLLOWUP:
            text = f"Follow-up: {text}"
        elif entry.id in self._updates:
            text = self._sent(entry.id)
        parts = [ink.struck(text) if line.retracted is not None and text else text]
        if line.count > 1:
            parts.append(f"— seen {line.count} times, last at {moment(line.last_at)}")
        history = self._timeline.history(line.id)
        parts += self._amendments(entry, history)
        said_of_it = (entry, *history, *(act.outcomes if act is not None else ()))
        references = [self._numbers[one.id] for one in said_of_it if one.id in self._numbers]
        if references:
            parts.append("— evidence " + ", ".join(f"E{number}" for number in references))
        return ink.gap.join(parts)

    def _sent(self, entry_id: str) -> str:
        """A status update is word for word in a section of its own; here is where it went."""
        number, told = self._updates[entry_id]
        ink = self._ink
        parts = [f"Status update {number}, word for word below"]
        for one in told.deliveries:
            channel = ink.text(self._channels.get(one.channel, one.channel))
            parts.append(f"— {channel}: {'delivered' if one.ok else ink.strong('NOT DELIVERED')}")
        return ink.gap.join(parts)

    def _amendments(self, entry: Entry, history: Sequence[Entry]) -> Iterator[str]:
        ink = self._ink
        before_text, before_time = entry.text, entry.happened_at
        for change in history:
            said = f"at {moment(change.recorded_at)} by {ink.text(change.author)}"
            if change.kind is Kind.RETRACTION:
                yield f"— retracted {said}: {ink.text(change.text)}"
                continue
            was = []
            if change.text != before_text:
                was.append(f"before: {ink.struck(ink.text(before_text))}")
            if change.happened_at != before_time:
                was.append(f"time before: {moment(before_time)}")
            yield f"— amended {said}; {', '.join(was) or 'nothing changed'}"
            before_text, before_time = change.text, change.happened_at

    def _act(self, act: ActRecord) -> Iterator[str]:
        """An act: what, the command, and how it ended, as every entry of that says."""
        yield self._ink.text(act.title)
        for command in act.commands:
            yield self._ink.text(command)
        endings = [(entry, self.verdict(entry)) for entry in ([act.intent] if act.intent.ending else [])]
        endings += [(entry, self.verdict(entry)) for entry in act.outcomes]
        if not endings:
            yield f"— {UNKNOWN}"
        for entry, said in endings[:-1]:
            yield f"— before that{self._by_another(act, entry)}: {said}"
        for entry, said in endings[-1:]:
            yield f"— {said}{self._by_another(act, entry)}"

    def verdict(self, entry: Entry | None) -> str:
        """How an act ended, from its outcome, or from the one entry of an act that was never sent."""
        if entry is None:
            return UNKNOWN
        text = entry.text if entry.refers_to else entry.text.partition("\n")[2]
        return self._ink.text(text) or self._ink.text(entry.ending.verdict if entry.ending else "") or "ended"

    def _by_another(self, act: ActRecord, entry: Entry) -> str:
        return "" if entry.author == act.intent.author else f" (found out by {self._ink.text(entry.author)})"

    def undo(self, act: ActRecord) -> str:
        """How an act is taken back."""
        if act.ending is not None and act.ending.sent is False:
            return "nothing was sent"
        return self._ink.text(act.undo) or self._ink.faint("not recorded")
