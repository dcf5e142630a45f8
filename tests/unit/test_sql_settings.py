"""The ``[sql]`` part of the settings, and a runbook file's queries: a mistake is one sentence, a secret in none."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.playbook_file import PlaybookError
from runbook.response_file import load
from tui.outside import outside_of
from tui.settings import Settings, SettingsError

GOOD = """
[sql]
server = "bank-sql.database.windows.net"
database = "BankingAccountsDb"
user_env = "SQL_USER"
password_env = "SQL_PASSWORD"
"""
STEP = """
name: x
severities: {1: {name: Bad, definition: Bad}}
phases:
  first:
    title: Look
    sections:
      Now:
        late: {text: Late, %s}
"""


def read(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return Settings.load(file)


def test_what_is_named_is_taken_and_nothing_is_asked_for_it(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    outside = outside_of(settings, {})
    assert outside.account is None
    assert outside.sql is not None
    assert (outside.sql.address, outside.sql.context) == ("bank-sql.database.windows.net:1433", "bank-sql")
    assert outside.places == {("bank-sql.database.windows.net:1433", "bank-sql")}
    assert outside_of(Settings()).places == frozenset()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('server = "bank-sql.database.windows.net"', ""), "sql.server: missing, expected a server's name"),
        (("bank-sql.database", "tcp://bank"), "sql.server: expected a server's name"),
        (('database = "BankingAccountsDb"', ""), "sql.database: missing, expected a database's name"),
        (('password_env = "SQL_PASSWORD"', ""), "sql.password_env: missing, user_env and password_env go together"),
        (("SQL_PASSWORD", "hunter2 is my secret"), "sql.password_env: expected the name of an environment variable"),
        (('user_env = "SQL_USER"\npassword_env = "SQL_PASSWORD"', ""), "sql.user_env: missing, expected it with"),
        (("user_env", "user"), "sql.user"),
    ],
)
def test_a_mistake_is_one_sentence_without_the_secret(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("query: SELECT 1", "it is asked by nothing; expected look: sql beside it"),
        ("look: sql", "expected a query, or code with language: sql"),
        ("look: sql, code: kubectl get pods", "expected a query, or code with language: sql"),
        ("look: sql, query: DELETE FROM Payments", "query: this would not be asked: it does not begin with SELECT"),
        ("look: sql, code: SELECT 1; KILL 72, language: sql", "code: this would not be asked: it is not one statement"),
    ],
)
def test_a_query_that_would_not_be_asked_is_a_mistake_of_the_file(tmp_path: Path, step: str, sentence: str) -> None:
    file = tmp_path / "runbook.yaml"
    file.write_text(STEP % step)
    with pytest.raises(PlaybookError) as caught:
        load(file)
    assert sentence in str(caught.value)
    file.write_text(STEP % "look: sql, query: SELECT 1")
    load(file)
