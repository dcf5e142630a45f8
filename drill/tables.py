"""kubectl's tables: meta.k8s.io Table bodies, whose cells are made once per object except for the ages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from drill import columns_cluster, columns_network, columns_pods, columns_workloads, forms
from drill.columns import Cells, Columns
from drill.kinds import Kind
from drill.records import Record, encode

Json = dict[str, Any]
Moving = Callable[[float], str]

_PRINTERS: Final[dict[str, Columns]] = {
    **columns_pods.PRINTERS,
    **columns_workloads.PRINTERS,
    **columns_cluster.PRINTERS,
    **columns_network.PRINTERS,
}
_DEFAULT: Final = Columns(
    ("Name", "Created At"), lambda obj: [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp", "")]
)


def table(
    records: Sequence[Record],
    kind: Kind,
    version: str,
    included: str,
    now: float,
    metadata: Json,
    *,
    columns: bool = True,
) -> bytes:
    """The JSON of a Table with one row per record. ``included`` is None, Metadata or Object; ages are as of ``now``."""
    printer = _PRINTERS.get(kind.kind, _DEFAULT)
    head = f'{{"kind":"Table","apiVersion":"meta.k8s.io/{version}","metadata":'.encode() + encode(metadata)
    definitions = printer.definitions if columns else b"null"
    rows = b",".join([_row(record, kind, printer, version, included, now) for record in records])
    return head + b',"columnDefinitions":' + definitions + b',"rows":[' + rows + b"]}"


def bookmark(kind: Kind, version: str, content: Json, *, columns: bool) -> bytes:
    """The Table of a bookmark: one row without cells that carries the bookmark's object."""
    printer = _PRINTERS.get(kind.kind, _DEFAULT)
    head = f'{{"kind":"Table","apiVersion":"meta.k8s.io/{version}","metadata":'.encode() + encode(content["metadata"])
    definitions = printer.definitions if columns else b"null"
    row = b'{"cells":[' + b",".join([b'""'] * len(printer.names)) + b'],"object":' + encode(content) + b"}"
    return head + b',"columnDefinitions":' + definitions + b',"rows":[' + row + b"]}"


def _row(record: Record, kind: Kind, printer: Columns, version: str, included: str, now: float) -> bytes:
    pieces: list[bytes | Moving] | None = record.views.get("cells")
    if pieces is None:
        pieces = record.views["cells"] = _pieces(printer.cells(record.object))
    cells = b"".join([piece if isinstance(piece, bytes) else b'"' + piece(now).encode() + b'"' for piece in pieces])
    match included:
        case "None":
            shown = b"null"
        case "Object":
            shown = forms.whole(record, kind)
        case _:
            shown = forms.metadata_only(record, kind, version)
    return cells + shown + b"}"


def _pieces(cells: Cells) -> list[bytes | Moving]:
    """The row's JSON up to its object: bytes that stay, and callables for the cells that depend on the time."""
    pieces: list[bytes | Moving] = []
    still = bytearray(b'{"cells":[')
    for position, cell in enumerate(cells):
        if position:
            still += b","
        if callable(cell):
            pieces += [bytes(still), cell]
            still.clear()
        else:
            still += encode(cell)
    still += b'],"object":'
    pieces.append(bytes(still))
    return pieces
