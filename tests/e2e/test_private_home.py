"""What a laboratory keeps is its own: no other user of the machine can read it, whatever the umask.

The database holds what proves who somebody is, and a history is nobody's business but its owner's.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.session import Database
from orchestrator import Campaign, exposed_files, private_files
from orchestrator.settings import Settings
from tests.e2e.terminal import Terminal

PASSWORD = "correct horse battery staple"
ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).parent / "plugin"
DEADLINE_S = 180
"""For a campaign of a fraction of a second and the engine's first start beside other tests."""


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=["umask-000", "umask-022", "umask-077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """A umask that takes nothing, what is usual, or everything from others."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def opened(*places: Path) -> list[str]:
    """Files and folders that are not their owner's alone, with their modes."""
    found = []
    for place in places:
        assert place.exists(), place
        for path in private_files.within(place):
            mode = path.lstat().st_mode
            right = private_files.FOLDER if stat.S_ISDIR(mode) else private_files.FILE
            if stat.S_IMODE(mode) != right:
                found.append(f"{path}: {stat.S_IMODE(mode):04o}")
    return found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.slow
def test_nobody_else_reads_anything_of_a_home(
    umask: int, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign, backups, logins and whatever is exported, made under any umask."""
    home = terminal.folder / "home"
    terminal.spec()
    command = [sys.executable, "-m", "orchestrator.cli", "run", "box.yaml"]
    path = os.environ | {"PYTHONPATH": f"{PLUGIN}:{ROOT}"}
    ended = subprocess.run(command, env=path, capture_output=True, text=True, timeout=DEADLINE_S)
    assert ended.returncode == 0, ended.stderr
    assert {"assayloop.db", "logs", "prefect", "reports"} <= {one.name for one in home.iterdir()}
    assert opened(home) == []
    settings = Settings.read()
    admin = ("--full-name", "Ada Lovelace", "--role", "admin")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert terminal("account", "create", "ada", *admin).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert terminal("login", "ada").code == 0
    assert terminal("audit", "keys", "create").code == 0
    assert terminal("audit", "anchor").code == 0
    with Database(settings.database_url).write(
        "system"
    ):  # what lies beside the database is there while it is written
        assert (home / "assayloop.db-wal").exists()
        assert opened(home) == []
    config = settings.login.parent.parent
    assert opened(settings.login.parent, settings.keys, settings.anchors.parent) == []
    assert mode_of(config) == private_files.FOLDER
    beside = terminal.folder / "elsewhere"
    beside.mkdir()
    for place in (home, beside):
        assert terminal("db", "backup", place / "backup").code == 0
        assert terminal("export", "crate", "box", "--out", place / "crate").code == 0
        assert terminal("export", "crate", "box", "--out", place / "crate.zip").code == 0
        assert terminal("export", "sqlite", "box", "--out", place / "box.db").code == 0
    whole = ("backup", "crate", "crate.zip", "box.db")
    assert opened(*(beside / name for name in whole)) == []
    with zipfile.ZipFile(home / "crate.zip") as archive:
        assert {one.external_attr >> 16 for one in archive.infolist()} == {0o600}
    for form in ("csv", "parquet", "jsonl"):
        assert terminal("export", form, "box", "--out", home / f"box.{form}").code == 0
        assert terminal("export", form, "box", "--out", beside / f"box.{form}").code == 0
        assert mode_of(beside / f"box.{form}") == 0o666 & ~umask, "a table of one's own, to hand on"
    assert opened(home) == []
    target = terminal.folder / "restored" / "assayloop.db"
    assert terminal("db", "restore", home / "backup", "--to", f"sqlite:///{target}").code == 0
    assert opened(target.parent) == []


def test_a_copy_and_its_folders_are_the_owners_alone(umask: int, finished: Terminal) -> None:
    target = finished.folder / "new" / "lab" / "copy.db"
    assert finished("db", "copy", "--to", f"sqlite:///{target}").code == 0
    assert opened(finished.folder / "new") == []


def old_home(terminal: Terminal) -> Path:
    """The home of a release that left its modes to the umask."""
    home = terminal.folder / "home"
    for path in private_files.within(home):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return home


def test_an_open_home_is_told_with_what_closes_it_and_closed_by_the_upgrade(
    finished: Terminal,
) -> None:
    home = old_home(finished)
    checked = finished("db", "check", "--json")
    assert checked.code == 0, "the database is good: who may read it is a warning"
    assert checked.json["ok"]
    told = {one["path"]: one for one in checked.json["open"]}
    assert told[str(home)] == {
        "path": str(home),
        "mode": "0755",
        "right": "0700",
        "inside": 0,
        "command": f"chmod go-rwx {home}",
        "mended": True,
    }
    assert told[f"{home}/assayloop.db"]["mode"] == "0644"
    assert told[f"{home}/assayloop.db"]["right"] == "0600"
    said = finished("db", "check").err
    assert f"{home}/assayloop.db: 0644, should be 0600" in said
    assert f"chmod go-rwx {home}/assayloop.db" in said
    assert "`assayloop db upgrade` closes those in the home." in said

    assert "that others could read are closed" in finished("db", "upgrade").out
    assert opened(home) == []
    ended = finished("db", "check", "--json")
    assert ended.json["open"] == []
    assert finished("db", "check").err == ""
    assert "closed" not in finished("db", "upgrade").out


def test_each_command_that_is_told_closes_what_it_names(finished: Terminal) -> None:
    home = old_home(finished)
    for one in finished("db", "check", "--json").json["open"]:
        subprocess.run(one["command"], shell=True, check=True)
    assert opened(home) == []


def test_a_shared_folder_stays_shared(finished: Terminal) -> None:
    """`ASSAYLOOP_HOME=/data` must not lock out those who keep other things there."""
    home = old_home(finished)
    (home / "theirs").mkdir(mode=0o755)
    (home / "theirs" / "plate.csv").write_text("1")
    (home / "theirs").chmod(0o755)
    (home / "theirs" / "plate.csv").chmod(0o644)
    assert finished("db", "upgrade").code == 0
    assert mode_of(home) == 0o755
    assert mode_of(home / "theirs") == 0o755
    assert mode_of(home / "theirs" / "plate.csv") == 0o644
    assert mode_of(home / "assayloop.db") == 0o600
    assert opened(home / "logs") == [] if (home / "logs").exists() else True
    (left,) = finished("db", "check", "--json").json["open"]
    assert (left["path"], left["mended"]) == (str(home), False)
    said = finished("db", "upgrade")
    assert f"chmod go-rwx {home}" in said.err
    assert "closes those in the home" not in said.err


def test_what_lies_outside_the_home_is_told_and_left(
    finished: Terminal,
) -> None:
    """Somebody may have opened a file of anchors to an auditor on purpose."""
    assert finished("audit", "keys", "create").code == 0
    assert finished("audit", "anchor").code == 0
    anchors = Settings.read().anchors
    anchors.chmod(0o644)
    (told,) = finished("db", "check", "--json").json["open"]
    assert (told["path"], told["mode"], told["mended"]) == (str(anchors), "0644", False)
    assert finished("db", "upgrade").code == 0
    assert mode_of(anchors) == 0o644
    more = finished.spec("more", "evaluations: 6", "evaluations: 2")
    assert Campaign.open(more).run() == "finished"
    assert finished("audit", "anchor").code == 0
    assert mode_of(anchors) == 0o644, "it is added to, and stays as it is"


def test_a_link_in_a_home_leads_to_no_change_elsewhere(finished: Terminal) -> None:
    """Whoever may write there could have us close, or open, somebody else's file."""
    elsewhere = finished.folder / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    (finished.folder / "home" / "artifacts").symlink_to(elsewhere)
    (elsewhere / "open.txt").write_text("")
    (elsewhere / "open.txt").chmod(0o644)
    assert finished("db", "upgrade").code == 0
    assert (mode_of(elsewhere), mode_of(elsewhere / "open.txt")) == (0o755, 0o644)


def test_a_file_is_closed_before_anything_is_in_it(umask: int, tmp_path: Path) -> None:
    """Between making and closing, somebody could open it and read all that is written later."""
    made = private_files.make_folder(tmp_path / "a" / "b")
    for write in (private_files.create, private_files.overwrite, private_files.append):
        with write(made / write.__name__) as file:
            assert mode_of(made / write.__name__) == 0o600
            file.write(b"secret")
    private_files.reserve(made / "reserved")
    left = made / "left"
    left.write_text("of a run that was killed")
    left.chmod(0o666)
    with private_files.overwrite(left):
        assert mode_of(left) == 0o600
    assert opened(tmp_path / "a") == []
    with pytest.raises(FileExistsError):
        private_files.create(left)


def test_nothing_is_open_where_there_is_nothing_yet(terminal: Terminal) -> None:
    assert exposed_files.find(Settings.read()) == []
    assert exposed_files.mend(Settings.read()) == []
