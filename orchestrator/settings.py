"""The settings: where things are kept and in which database, and what must lie apart from both."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import BadInput

HOME = "ASSAYLOOP_HOME"
DEFAULT_HOME = ".assayloop"
DATABASE_URL = "ASSAYLOOP_DATABASE_URL"
KEYS = "ASSAYLOOP_KEYS"
ANCHORS = "ASSAYLOOP_ANCHORS"
MODE = "ASSAYLOOP_MODE"
TOOLS = "ASSAYLOOP_PG_BIN"
TOKEN = "ASSAYLOOP_TOKEN"  # noqa: S105 - the name of the setting
MODES = ("single-user", "multi-user")

_SQLITE = "sqlite:///"
_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
"""Schemes of PostgreSQL URLs in the wild; all are reached through psycopg."""
_FORMS = "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


@dataclass(frozen=True)
class Settings:
    """Where this process keeps things. Creates nothing."""

    home: Path
    """Absolute; holds the SQLite database, reports, logs and drawn objects."""
    database_url: str = field(repr=False)
    """As SQLAlchemy reads it. May hold a password: print :attr:`shown_url` instead."""
    keys: Path
    """Folder of private keys, outside the home: who has the database must not have them too."""
    anchors: Path
    """File of this database's anchors, outside the home."""
    login: Path
    """File that keeps this user's login to this database."""
    mode: str = MODES[0]
    """What is asked for; a database that has accounts is multi-user whatever this says."""
    token: str = field(default="", repr=False)
    """A token instead of a login, for what runs unattended."""
    tools: Path | None = None
    """Folder of PostgreSQL's own tools; None for those on the PATH."""
    named_by: str = DATABASE_URL
    """The setting or option that names the database, for errors."""

    @classmethod
    def read(
        cls,
        environment: Mapping[str, str] = os.environ,
        directory: Path | None = None,
        named_by: str = DATABASE_URL,
    ) -> Settings:
        """The settings of the environment.

        Args:
            environment: Holds any of the ``ASSAYLOOP_`` variables, or none.
            directory: What relative paths are relative to; the working directory by default.
            named_by: What an error of the database's URL begins with.

        Raises:
            BadInput: a setting cannot be used.
        """
        directory = directory or Path.cwd()
        home = _home(environment.get(HOME) or DEFAULT_HOME, directory)
        url = environment.get(DATABASE_URL) or f"{_SQLITE}{home / 'assayloop.db'}"
        url = _database_url(url, directory, named_by)
        config = _config(environment, directory)
        own = _own_name(url)
        return cls(
            home,
            url,
            keys=_place(environment.get(KEYS), directory) or config / "keys",
            anchors=_place(environment.get(ANCHORS), directory)
            or config / "anchors" / f"{own}.jsonl",
            login=config / "logins" / own,
            mode=_mode(environment.get(MODE) or MODES[0]),
            token=environment.get(TOKEN) or "",
            tools=_place(environment.get(TOOLS), directory),
            named_by=named_by,
        )

    @classmethod
    def other(cls, url: str, option: str) -> Settings:
        """The settings of the environment, but for another database, which an option names.

        Raises:
            BadInput: the URL cannot be used.
        """
        return cls.read({**os.environ, DATABASE_URL: url}, named_by=option)

    @property
    def shown_url(self) -> str:
        """The database's URL without its passwords."""
        return _hide(self.database_url)

    def owns(self, path: Path) -> bool:
        """Whether a path lies in the home, where whatever is made is its owner's alone."""
        return path.resolve().is_relative_to(self.home.resolve())

    @property
    def models(self) -> Path:
        """Folder of the user's own trained models."""
        return self.home / "models"

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, if it is one of SQLite."""
        url = self.database_url
        return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None

    @property
    def artifacts(self) -> Path:
        """Folder where objects are put that are shown by path."""
        return self.home / "artifacts"

    @property
    def reports(self) -> Path:
        """Folder of HTML reports."""
        return self.home / "reports"

    @property
    def logs(self) -> Path:
        """Folder of log files."""
        return self.home / "logs"


def _config(environment: Mapping[str, str], directory: Path) -> Path:
    """Folder of this user's own settings, by the XDG Base Directory Specification."""
    given = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - never raises
    return directory / given / "assayloop"


def _place(text: str | None, directory: Path) -> Path | None:
    """A path of the environment, absolute; None where there is none."""
    return Path(os.path.normpath(directory / os.path.expanduser(text))) if text else None  # noqa: PTH111


def _own_name(url: str) -> str:
    """A file name for what belongs to one database, the same whatever the password in its URL."""
    shown = _hide(url)
    name = re.sub(r"[^\w.-]", "", shown.partition("?")[0].rpartition("/")[2])
    return f"{name}-{hashlib.sha256(shown.encode()).hexdigest()[:8]}"


def _mode(text: str) -> str:
    if text not in MODES:
        raise BadInput.of(MODE, f"{text!r} is no mode", f"write {' or '.join(MODES)}")
    return text


def _home(text: str, directory: Path) -> Path:
    try:
        home = directory / Path(text).expanduser()
    except RuntimeError:  # ~somebody, who does not exist
        raise BadInput.of(HOME, f"there is no home directory for {text!r}") from None
    home = Path(os.path.normpath(home))
    if os.path.lexists(home) and not os.path.isdir(home):  # noqa: PTH112 - never raises
        raise BadInput.of(HOME, f"{home} is not a directory", "name one; it is created")
    return home


def _database_url(url: str, directory: Path, named_by: str) -> str:
    scheme, separator, rest = url.partition("://")
    if separator and scheme in _DRIVERS:
        return f"postgresql+psycopg://{rest}"
    if scheme != "sqlite" or not separator:
        raise BadInput.of(named_by, f"{_hide(url)!r} is no database that works here", _FORMS)
    file = url.removeprefix(_SQLITE)
    if file == url or not file or file.startswith((":memory:", "file:")):
        raise BadInput.of(
            named_by, f"{url!r} names no file", f"write {_SQLITE}FILE, which all workers share"
        )
    if "?" in file:  # begins the options in a URL
        raise BadInput.of(named_by, f"{url!r}: a question mark cannot be part of the path")
    return f"{_SQLITE}{os.path.normpath(directory / file)}"


def _hide(url: str) -> str:
    """The URL with ``***`` for what may be a password: rather too much than too little."""
    url = re.sub(r"://([^:/@]*):.*@", r"://\1:***@", url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", url)
