"""Where the program keeps what outlives it: settings, the store, the log. XDG variables are honoured on every system.

Nothing here is read or written; `private_directory` is the one function that creates something.
"""

from __future__ import annotations

from pathlib import Path

APPLICATION = "warroom"


def settings_file() -> Path:
    """``$XDG_CONFIG_HOME/warroom/config.toml``, or where the platform keeps configuration."""
    import platformdirs

    return platformdirs.user_config_path(APPLICATION, appauthor=False) / "config.toml"


def state_directory() -> Path:
    """``$XDG_STATE_HOME/warroom``, or where the platform keeps state. It holds the store and the log."""
    import platformdirs

    return platformdirs.user_state_path(APPLICATION, appauthor=False)


def store_file() -> Path:
    """The timeline's database when neither ``--store`` nor ``timeline.store`` names one."""
    return state_directory() / "warroom.db"


def log_file() -> Path:
    """The program's own log. It is never written to the screen."""
    return state_directory() / "warroom.log"


def private_directory(path: Path) -> Path:
    """Create ``path`` for its owner only (0700) and return it. Raises OSError.

    A directory that exists is left as it is: its mode is its owner's decision.
    """
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
