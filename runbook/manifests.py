"""Two manifests that Helm has stored, compared object by object, without asking the cluster.

Compared is the text, as the chart wrote it: both come from the same templates, and 200 KB of YAML would take longer to
parse than a person waits for a plan. Only what must be understood is parsed: Secrets, workloads, what is unusual.
Nothing in a manifest is trusted; one that cannot be read is told as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct

from runbook.diffs import difference, hunk
from runbook.errors import MitigationError
from runbook.plan import Hunk, Json

MOST_NODES = 200_000  # of one document, its aliases followed: what has more is a bomb
MOST_DEPTH = 1000  # the parser would run out of stack
_LABELS_ONLY = re.compile(r"\s+(?:helm\.sh/chart|app\.kubernetes\.io/version):")
_ROLLS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_TOP = {key: re.compile(rf"^{key}:[ \t]*(.*)$", re.MULTILINE) for key in ("apiVersion", "kind")}
_METADATA = re.compile(r"^metadata:[ \t]*\n((?:[ \t]+\S.*\n?|[ \t]*\n|#.*\n?)+)", re.MULTILINE)
_PLAIN = re.compile(r"""(?P<quote>["']?)(?P<value>[A-Za-z0-9][\w./:-]*)(?P=quote)[ \t]*(?:#.*)?""")


class Unreadable(MitigationError):
    """A manifest, or a part of it, is not YAML that can be compared."""


class Ident(Struct, frozen=True, order=True):
    """Which object it is. ``namespace`` is the release's where the manifest names none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Document:
    """One object of a manifest: its text, which object it is, and itself when somebody needs it."""

    def __init__(self, text: str, ident: Ident, parsed: Json | None = None) -> None:
        self.text = text
        self.ident = ident
        if parsed is not None:
            self.object = parsed

    @cached_property
    def object(self) -> Json:
        """Parsed. Raises `Unreadable`."""
        return parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The text without its comments; an indented one may be part of a script in a ConfigMap, and stays."""
        return [line.rstrip() for line in self.text.splitlines() if not line.startswith("#")]


class Comparison(Struct, frozen=True, kw_only=True):
    """What a manifest changes when it comes in the place of another.

    ``relabelled`` are the objects of which only the chart's own version labels differ.
    """

    hunks: tuple[Hunk, ...] = ()
    changed: tuple[Ident, ...] = ()
    created: tuple[Ident, ...] = ()
    deleted: tuple[Ident, ...] = ()
    relabelled: tuple[Ident, ...] = ()
    unchanged: tuple[Ident, ...] = ()

    @property
    def touched(self) -> tuple[Ident, ...]:
        """What is there afterwards and is not as it was before."""
        return (*self.changed, *self.created)


def documents(manifest: str, namespace: str) -> dict[Ident, Document]:
    """The objects of a manifest, in its order. Raises `Unreadable`."""
    return {document.ident: document for part in _parts(manifest) for document in _documents(part, namespace)}


def compare(before: dict[Ident, Document], after: dict[Ident, Document]) -> Comparison:
    """What changes from ``before`` to ``after``. Raises `Unreadable`."""
    hunks: list[Hunk] = []
    found: dict[str, list[Ident]] = {"changed": [], "created": [], "deleted": [], "relabelled": [], "unchanged": []}
    for ident, new in after.items():
        old = before.get(ident)
        what = "created" if old is None else _difference_of(old, new)
        found[what].append(ident)
        if what in ("created", "changed"):
            hunks += _hunk(old, new)
    for ident, old in before.items():
        if ident not in after:
            found["deleted"].append(ident)
            hunks += _hunk(old, None)
    if found["relabelled"]:
        lines = tuple(f"  {ident}" for ident in found["relabelled"])
        hunks.append(Hunk(f"only the labels with the chart's version: {_counted(len(lines))}", lines))
    return Comparison(hunks=tuple(hunks), **{name: tuple(idents) for name, idents in found.items()})


def parse(text: str) -> Json:
    """One YAML document that is a mapping, as plain JSON. Raises `Unreadable`."""
    import yaml  # not before the first plan: a console's start does not wait for it

    if _depth(text) > MOST_DEPTH:
        raise Unreadable("the manifest is nested deeper than anything that Kubernetes takes")
    try:
        loaded = yaml.load(text, Loader=_loader(yaml))  # noqa: S506 (a safe loader)
        found = _plain(loaded, [MOST_NODES])
    except yaml.YAMLError as error:
        raise Unreadable(f"the manifest is not YAML: {' '.join(str(error).split())[:200]}") from error
    except (RecursionError, ValueError, TypeError) as error:
        raise Unreadable(f"the manifest cannot be read: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise Unreadable("the manifest holds something that is no object")
    return found


# ---------------------------------------------------------------- taking a manifest apart


def _parts(manifest: str) -> Iterator[str]:
    for part in _DOCUMENT.split(manifest.replace("\r\n", "\n")):
        if any(line.strip() and not line.lstrip().startswith("#") for line in part.splitlines()):
            yield part.strip("\n")


def _documents(text: str, namespace: str) -> Iterator[Document]:
    ident = _glanced(text, namespace)
    if ident is not None and not ident.kind.endswith("List"):
        yield Document(text, ident)
        return
    whole = parse(text)
    items = whole.get("items")
    if not str(whole.get("kind", "")).endswith("List") or not isinstance(items, list):
        yield Document(text, _ident(whole, namespace), whole)
        return
    from probes.objects import to_yaml

    for item in items:
        if isinstance(item, dict):
            secret = item.get("kind") == "Secret"  # whose values must differ here, though they are never shown
            text = msgspec.json.encode(item).decode() if secret else to_yaml(item)
            yield Document(text, _ident(item, namespace), item)


def _glanced(text: str, namespace: str) -> Ident | None:
    """Which object it is, told from the text as nearly every chart writes it; None where that is not plain."""
    kind, version = _only(_TOP["kind"], text), _only(_TOP["apiVersion"], text)
    metadata = _METADATA.findall(text)
    if not kind or not version or len(metadata) != 1:
        return None
    block = metadata[0]
    first = next((line for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    indent = first[: len(first) - len(first.lstrip())]
    name = _only(re.compile(rf"^{indent}name:[ \t]*(.*)$", re.MULTILINE), block)
    where = re.compile(rf"^{indent}namespace:[ \t]*(.*)$", re.MULTILINE)
    if not name or "\t" in indent or (where.search(block) and not _only(where, block)):
        return None
    return Ident(version, kind, _only(where, block) or namespace, name)


def _only(pattern: re.Pattern[str], text: str) -> str:
    """The one plain value that this pattern finds; empty if there is none, more than one, or it is not plain."""
    found = pattern.findall(text)
    plain = _PLAIN.fullmatch(found[0].rstrip()) if len(found) == 1 else None
    return plain["value"] if plain else ""


def _ident(obj: Json, namespace: str) -> Ident:
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    texts = (obj.get("apiVersion"), obj.get("kind"), metadata.get("namespace") or namespace, metadata.get("name"))
    if not all(isinstance(text, str) and text for text in (texts[0], texts[1], texts[3])):
        raise Unreadable("the manifest holds an object without apiVersion, kind or name")
    return Ident(*map(str, texts))


# ---------------------------------------------------------------- differences


def _difference_of(old: Document, new: Document) -> str:
    if old.text == new.text or old.lines == new.lines:
        return "unchanged"
    # A workload whose labels change may roll, so that is never only that.
    if old.ident.kind not in _ROLLS and _unlabelled(old) == _unlabelled(new):
        return "relabelled"
    return "changed"


def _unlabelled(document: Document) -> list[str]:
    return [line for line in document.lines if not _LABELS_ONLY.match(line)]


def _hunk(old: Document | None, new: Document | None) -> list[Hunk]:
    shown = new or old
    assert shown is not None
    fate = " (will be created)" if old is None else " (will be deleted)" if new is None else ""
    title = f"{shown.ident}{fate}"
    if shown.ident.kind == "Secret":
        found = hunk(old.object if old else None, new.object if new else None, title)
        return [found] if found else []
    lines = difference(old.lines if old else [], new.lines if new else [])
    return [Hunk(title, tuple(lines))] if lines else []


def _counted(objects: int) -> str:
    return "1 object" if objects == 1 else f"{objects} objects"


# ---------------------------------------------------------------- YAML


def _loader(yaml: Any) -> Any:
    """The safe loader without times: Kubernetes knows none, and a date in an annotation is text."""

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers = {  # noqa: RUF012 (what it is in the class above, too)
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader


def _plain(value: Any, room: list[int]) -> Any:
    """As JSON would have it; keys are texts. ``room`` is how many nodes more may come."""
    room[0] -= 1
    if room[0] < 0:
        raise ValueError("too many nodes")
    if isinstance(value, dict):
        return {_key(key): _plain(item, room) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, room) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _depth(text: str) -> int:
    """No less than how deeply it is nested: by indentation and ``- - -``, and by brackets (those in texts, too)."""
    deepest = max((len(line) - len(line.lstrip(" -?\t")) for line in text.splitlines()), default=0)
    if text.count("[") + text.count("{") < MOST_DEPTH - deepest:
        return deepest + text.count("[") + text.count("{")
    depth = most = 0
    for char in text:
        if char in "[{":
            depth += 1
            most = max(most, depth)
        elif char in "]}":
            depth = max(0, depth - 1)
    return deepest + most
