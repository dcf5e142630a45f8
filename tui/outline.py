"""Where the panes stand, as numbers: shared by the first frame, which knows no widgets, and the console's layout."""

from __future__ import annotations

from typing import NamedTuple

NARROW = 110
"""Columns below which the panes become tabs."""

BANNER_ROWS = 3
LOG_ROWS = 3
KEY_ROWS, TALL_KEY_ROWS, TALL = 1, 3, 42
"""Rows of the keys, on a screen of at least `TALL` rows and on a lower one."""

LEFT_SHARE = 0.62


class Box(NamedTuple):
    """One pane of the wide layout. ``height`` None takes what the others of its column leave."""

    id: str
    title: str
    left: bool
    height: int | None
    above: int  # rows of the column above it, counted from the banner; negative: counted from below
    below: int  # rows of the column under it

    def edges(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), inclusive, on a screen of this size."""
        middle = round(width * LEFT_SHARE)
        bottom = height - (TALL_KEY_ROWS if height >= TALL else KEY_ROWS) - 1 - self.below
        top = BANNER_ROWS + self.above if self.height is None or self.above >= 0 else bottom - self.height + 1
        if self.height is not None and self.above >= 0:
            bottom = top + self.height - 1
        return (0 if self.left else middle, top, middle - 1 if self.left else width - 1, bottom)


NODES, EVENTS, SERVICES, CHANGES, DATABASES = 8, 11, 8, 10, 7
BOXES = (
    Box("pods", "Pods", True, None, 0, NODES + EVENTS + SERVICES),
    Box("nodes", "Nodes", True, NODES, -1, EVENTS + SERVICES),
    Box("events", "Events", True, EVENTS, -1, SERVICES),
    Box("services", "Services", True, SERVICES, -1, 0),
    Box("changes", "Changes", False, CHANGES, 0, 0),
    Box("timeline", "Timeline", False, None, CHANGES, LOG_ROWS),
    Box("log", "Log", False, LOG_ROWS, -1, 0),
)


def boxes(databases: bool) -> tuple[Box, ...]:
    """The panes there will be; the databases' where the settings name an Azure."""
    if not databases:
        return BOXES
    pane = Box("databases", "Databases", False, DATABASES, CHANGES, 0)
    moved = (box._replace(above=CHANGES + DATABASES) if box.id == "timeline" else box for box in BOXES)
    return (*moved, pane)
