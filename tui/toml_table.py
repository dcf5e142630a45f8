"""Reading a TOML table strictly: every key is asked for once, with what it must be, and what is left over is a typo.

It exists so that a settings error can name the file, the dotted key and what was expected.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class SettingsError(Exception):
    """The settings cannot be used. ``str(error)`` is one sentence: file, key, what was expected."""


def read(path: Path) -> Table:
    """The whole file as a table. Raises SettingsError when it cannot be read or is not TOML."""
    import tomllib  # most people have no settings file, and a first frame would wait for it

    try:
        with path.open("rb") as file:
            return Table(path, "", tomllib.load(file))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the settings: {error.strerror or error}") from error


def close_to(name: str, known: Sequence[str]) -> str:
    """``; did you mean X?`` when a known name is near, else an empty string."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def shown(value: object) -> str:
    """A value as a person would type it in TOML, short."""
    text = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
    return text if len(text) <= 60 else text[:59] + "…"


class Table:
    """One table of the file. Readers return the default for an absent key and raise SettingsError for a wrong one."""

    def __init__(self, path: Path, name: str, values: dict[str, Any]) -> None:
        self.path = path
        self.name = name
        self._values = values
        self._asked: list[str] = []

    def wrong(self, key: str, expected: str, advice: str = "") -> SettingsError:
        """The error for a value that is not what was ``expected``."""
        found = shown(self._values[key])
        return SettingsError(f"{self.path}: {self._dotted(key)}: expected {expected}, found {found}{advice}")

    def has(self, key: str) -> bool:
        return key in self._values

    @property
    def empty(self) -> bool:
        return not self._values

    def text(self, key: str, default: str = "") -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "text in quotes")
        return value

    def file(self, key: str) -> str:
        """A path, made absolute: ``~`` is the home, and a relative one is relative to the settings file."""
        value = self.text(key)
        if not value:
            return ""
        try:
            return str((self.path.parent / Path(value).expanduser()).absolute())
        except RuntimeError as error:  # ~nobody-by-that-name
            raise self.wrong(key, "a path") from error

    def choice(self, key: str, default: str, known: Sequence[str]) -> str:
        value = self.text(key, default)
        if value not in known:
            raise self.wrong(key, f"one of {', '.join(known)}", close_to(value, known))
        return value

    def seconds(self, key: str, default: float, *, low: float, high: float) -> float:
        value = self._get(key, default)
        expected = f"a number of seconds from {low:g} to {high:g}"
        # bool is an int in Python, and TOML has nan and inf.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.wrong(key, expected)
        return float(value)

    def integer(self, key: str, default: int, *, low: int, high: int) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low} to {high}")
        return value

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        value = self._get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, 'a list of texts, e.g. ["one", "two"]')
        return tuple(value)

    def command(self, key: str) -> tuple[str, ...]:
        """A program as text, or a list of it and its first arguments; empty when it is absent."""
        value = self._get(key, "")
        parts = value if isinstance(value, list) else [value] if value != "" else []
        if not all(isinstance(part, str) for part in parts) or (parts and not parts[0]):
            raise self.wrong(key, 'a program, or a list of it and its arguments, e.g. ["/opt/helm/helm"]')
        return tuple(parts)

    def pairs(self, key: str) -> dict[str, str]:
        """A table of texts, e.g. ``headers = { Accept = "text/plain" }``."""
        value = self._get(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self.wrong(key, 'a table of texts, e.g. { Accept = "text/plain" }')
        return value

    def table(self, key: str) -> Table:
        """The table named ``[key]``; an empty one when it is absent."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table, written [{self._dotted(key)}]")
        return Table(self.path, self._dotted(key), value)

    def tables(self, key: str) -> Iterator[Table]:
        """The tables written ``[[key]]``, in the file's order; named ``key[1]`` and so on."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, f"tables, each written [[{self._dotted(key)}]]")
        for number, item in enumerate(value, 1):
            yield Table(self.path, f"{self._dotted(key)}[{number}]", item)

    def rest(self) -> dict[str, str]:
        """All pairs of this table, for the one table whose keys are not ours to know."""
        for key, value in self._values.items():
            if not isinstance(value, str):
                raise self.wrong(key, "text in quotes")
        self._asked.extend(self._values)
        return dict(self._values)

    def done(self) -> None:
        """Raise SettingsError for the first key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                known = close_to(key, self._asked) or f"; known here: {', '.join(self._asked)}"
                raise SettingsError(f"{self.path}: {self._dotted(key)}: no such setting{known}")

    def _get(self, key: str, default: object) -> Any:
        self._asked.append(key)
        return self._values.get(key, default)

    def _dotted(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key
