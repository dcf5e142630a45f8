"""What a step finds that asks the cluster: its API server's version, and a bounded look into logs. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from probes.log_lines import LogLine
from runbook.diagnosis.wording import clip, many
from runbook.guide_findings import LONGEST_FACT, Found, Sight, bounded, nodes

TAIL, MOST_PODS = 100, 5
"""Lines of each container, and pods of a workload, that are read. The sickest pods first."""

EXCERPTS = 3

_BAD = re.compile(
    r"\b(?:fatal|panic|critical|severe|errors?|[a-z]*exception|traceback|fail(?:ed|ure|ures|ing)?|refused"
    r"|timed? ?out)\b",
    re.IGNORECASE,
)
_GOOD = re.compile(r"\b(?:no|0|without) (?:errors?|failures?)\b|\berrors?[=:] ?0\b", re.IGNORECASE)
_LEVEL = re.compile(r"\b(?:level|severity)\W{1,4}(?:trace|debug|info|information|notice)\b", re.IGNORECASE)
_FRAME = re.compile(r"\s+(?:at |File \"|from |\.\.\. \d)|\s*at [\w.$<>`]+\(")
_SEARCHED = 2_000  # characters of a line
_NUMBERS = re.compile(r"[0-9a-f]*\d[0-9a-f]*")
_TAIL = re.compile(r"--tail[= ](\d{1,4})\b")


def tail_of(code: str) -> int:
    """How many lines the step's own command reads, at most 500; `TAIL` if it does not say."""
    said = _TAIL.search(code)
    return min(max(int(said[1]), 1), 500) if said else TAIL


def is_error(text: str) -> bool:
    """Whether a line of a log tells of an error, as far as its words say. The frames of a stack only follow one."""
    head = text[:_SEARCHED]
    if _FRAME.match(head):
        return False
    return _BAD.search(_GOOD.sub("", head)) is not None and _LEVEL.search(head) is None


def logs(of: str, lines: Sequence[LogLine], pods: int, of_pods: int) -> Found:
    """From the lines that were read of ``pods`` of a workload's ``of_pods``. What could not be read is told."""
    read = [line for line in lines if line.kind == "log"]
    unread = [line for line in lines if line.kind == "notice"]
    bad = [line for line in read if is_error(line.text)]
    excerpts = _distinct(bad)
    where = f"logs of {clip(of)}"
    silent = f"; {many(len(unread), 'container')} could not be read: {clip(unread[0].text)}" if unread else ""
    some = f" of {pods} of {of_pods} pods" if pods < of_pods else ""
    facts = {
        "of": of,
        "lines": len(read),
        "errors": len(bad),
        "pods": pods,
        "excerpts": [f"{line.pod}/{line.container}: {line.text}" for line in excerpts],
        "unread": [f"{line.pod}/{line.container}: {line.text}" for line in unread[:EXCERPTS]],
    }
    if not read:
        said = "not known" if unread else f"nothing was logged{some} yet"
        text = f"{where}: {said}{silent}"
        return bounded(Found(text=text, known=not unread, level="warn" if unread else "info", facts=facts))
    if bad:
        text = f"{where}: {len(bad)} of {many(len(read), 'line')}{some} are errors, the newest: {clip(bad[-1].text)}"
    else:
        text = f"{where}: no error in {many(len(read), 'line')}{some}"
    return bounded(Found(text=text + silent, level="warn" if bad or unread else "good", facts=facts))


def _distinct(lines: Sequence[LogLine]) -> list[LogLine]:
    """The newest of each sort: lines that differ in their numbers alone say the same."""
    found: dict[str, LogLine] = {}
    for line in reversed(lines):
        found.setdefault(_NUMBERS.sub("#", line.text[:LONGEST_FACT]), line)
        if len(found) == EXCERPTS:
            break
    return list(found.values())


def version(answered: str, trouble: str, sight: Sight) -> Found:
    """From what the API server said when it was asked for its version: that, or why it did not answer."""
    beside = nodes(sight)
    if trouble:
        text = f"version: the API server does not answer: {clip(trouble)}"
        return bounded(Found(text=text, level="warn", facts={"trouble": trouble}))
    text = f"version: API server {clip(answered)} answers; {beside.text}"
    level = beside.level if beside.known else "warn"
    return bounded(
        Found(text=text, known=beside.known, level=level, facts={"version": answered, "nodes": beside.facts})
    )
