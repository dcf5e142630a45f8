"""Whether a query of a runbook file only looks. One that does not is never sent, whoever wrote it.

This is the first of two locks; the second is that everything is asked inside a transaction that is rolled back. The
login's own permissions are the third, and not ours.
"""

from __future__ import annotations

import re
from itertools import pairwise

# What is none of a statement's own words: comments (they nest), texts, names in brackets or quotes.
_ASIDE = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|\"(?:[^\"]|\"\")*\"")
_WORD = re.compile(r"[A-Za-z_@#][\w@#$]*")
_BEGINS = ("SELECT", "WITH")
_ACTS = frozenset(
    _WORD.findall(
        "ALTER BACKUP BEGIN BULK CLOSE COMMIT CREATE DBCC DEALLOCATE DECLARE DELETE DENY DISABLE DROP ENABLE EXEC "
        "EXECUTE FETCH GRANT INSERT INTO KILL MERGE OPEN OPENDATASOURCE OPENQUERY OPENROWSET RECONFIGURE RESTORE "
        "REVERT REVOKE ROLLBACK SAVE SET SHUTDOWN TRUNCATE UPDATE USE WAITFOR GO TABLOCKX XLOCK UPDLOCK"
    )
)


def objection(query: str) -> str:
    """Why a query is not asked, in words; empty if it only looks: one SELECT, and nothing that acts in it."""
    bare, open_ = _without_comments(query)
    if open_:
        return "a comment in it does not end"
    bare = _ASIDE.sub(" x ", bare)
    if "'" in bare or '"' in bare or "[" in bare:
        return "a text or a name in it does not end"
    statements = [part for part in bare.split(";") if part.strip()]
    if len(statements) != 1:
        return "it is not one statement" if statements else "there is no statement in it"
    words = [word.upper() for word in _WORD.findall(statements[0])]
    if not words or words[0] not in _BEGINS:
        return "it does not begin with SELECT"
    acts = next((word for word in words if word in _ACTS), "")
    if ("NEXT", "VALUE") in pairwise(words):
        acts = "NEXT VALUE FOR"  # no rollback brings a number of a sequence back
    return f"it has {acts} in it, which does more than look" if acts else ""


def _without_comments(query: str) -> tuple[str, bool]:
    """The query without its comments, and whether one is left open. A text or a name may hold what looks like one."""
    kept: list[str] = []
    depth = at = 0
    while at < len(query):
        if depth == 0 and (aside := _ASIDE.match(query, at)):
            kept.append(" " if aside[0].startswith("--") else aside[0])
            at = aside.end()
        elif query.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif depth and query.startswith("*/", at):
            depth, at = depth - 1, at + 2
            kept.append(" ")
        else:
            if depth == 0:
                kept.append(query[at])
            at += 1
    return "".join(kept), depth > 0
