"""PostgreSQL's own tools, ``pg_dump`` and ``pg_restore``: found, compared with the server, run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, make_url, text

from db.models import Lease
from orchestrator.errors import BadInput
from orchestrator.settings import TOOLS, Settings


@dataclass(frozen=True)
class Tool:
    """One of them, as found on this machine."""

    path: str
    version: str
    """As it says itself, such as ``pg_dump (PostgreSQL) 18.6``."""

    @property
    def major(self) -> int:
        """The number that must not be lower than the server's."""
        return major(self.version)


def major(version: str) -> int:
    """The major release in what a tool says of itself; 0 where it says none."""
    found = re.search(r"\(PostgreSQL\) (\d+)", version)
    return int(found[1]) if found else 0


def find(settings: Settings, name: str) -> Tool:
    """A tool in the folder of the settings, or on the PATH.

    Raises:
        BadInput: it is not there, or cannot be run.
    """
    folder = settings.tools
    path = shutil.which(name, path=None if folder is None else str(folder))
    if path is None:
        what = f"there is no {name} {f'in {folder}' if folder else 'on the PATH'}"
        raise BadInput.of(TOOLS, what, "install PostgreSQL's client, or name the folder of it")
    return Tool(path, _run([path, "--version"], {}, name).strip())


def dumper(settings: Settings, connection: Connection) -> Tool:
    """The ``pg_dump`` for a server.

    Raises:
        BadInput: there is none, or it is older than the server, which it then refuses to read.
    """
    tool = find(settings, "pg_dump")
    server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    if tool.major < server:
        what = f"{tool.path} is {tool.version}, older than the server, which is {server}"
        raise BadInput.of(TOOLS, what, f"name the folder of the tools of release {server} or later")
    return tool


def dump(tool: Tool, settings: Settings, snapshot: str, file: Path) -> None:
    """Write a database, as a snapshot of it shows it, in PostgreSQL's custom format.

    Raises:
        BadInput: the tool says that it cannot.
    """
    arguments = [
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--exclude-table-data={Lease.__tablename__}",
        f"--snapshot={snapshot}",
        f"--file={file}",
    ]
    place, password = _place(settings)
    _run([tool.path, *arguments, f"--dbname={place}"], password, "pg_dump")


def load(tool: Tool, settings: Settings, file: Path) -> None:
    """Restore a dump into an empty database, all or nothing.

    Raises:
        BadInput: the tool says that it cannot.
    """
    arguments = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    place, password = _place(settings)
    _run([tool.path, *arguments, f"--dbname={place}", str(file)], password, "pg_restore")


def _place(settings: Settings) -> tuple[str, dict[str, str]]:
    """The database for a command line, which everybody here can read, and its password apart."""
    url = make_url(settings.database_url).set(drivername="postgresql")
    password = url.password or url.query.get("password") or ""
    bare = url._replace(password=None).difference_update_query(["password"])
    return bare.render_as_string(), {"PGPASSWORD": str(password)} if password else {}


def _run(command: Sequence[str], environment: dict[str, str], name: str) -> str:
    """What a command prints.

    Raises:
        BadInput: it cannot be run, or ends with an error.
    """
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=os.environ | environment,
        )
    except OSError as error:
        raise BadInput.of(TOOLS, f"{command[0]} cannot be run: {error.strerror}") from None
    if ended.returncode:
        lines = ended.stderr.splitlines()
        said = [line.removeprefix(f"{name}: ") for line in lines if line.strip()]
        if not said and ended.returncode < 0:
            said = [f"it was ended by {signal.Signals(-ended.returncode).name}"]
        raise BadInput.of(name, " ".join(said[:3]) or f"ended with {ended.returncode}")
    return ended.stdout
