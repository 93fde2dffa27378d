"""Settings decide where a user's data go; a password among them is never shown."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from orchestrator.errors import BadInput
from orchestrator.settings import Settings


def test_by_default_everything_lies_in_the_working_directory(tmp_path: Path) -> None:
    settings = Settings.read({}, tmp_path)
    assert settings.home == tmp_path / ".assayloop"
    assert settings.database_url == f"sqlite:///{tmp_path}/.assayloop/assayloop.db"
    assert not settings.home.exists(), "reading settings makes nothing"


def test_an_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    empty = {"ASSAYLOOP_HOME": "", "ASSAYLOOP_DATABASE_URL": ""}
    assert Settings.read(empty, tmp_path) == Settings.read({}, tmp_path)


@pytest.mark.parametrize(
    ("home", "expected"), [("lab", "{0}/lab"), ("../lab", "{0}/../lab"), ("/srv/lab", "/srv/lab")]
)
def test_home_is_absolute_so_that_workers_find_it(home: str, expected: str, tmp_path: Path) -> None:
    found = Settings.read({"ASSAYLOOP_HOME": home}, tmp_path).home
    assert found.is_absolute()
    assert found == Path(expected.format(tmp_path)).resolve()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@host/name", "postgresql+psycopg://u:p@host/name"),
        ("postgres://host/name", "postgresql+psycopg://host/name"),
        ("postgresql+psycopg://host/name", "postgresql+psycopg://host/name"),
        ("sqlite:////srv/lab.db", "sqlite:////srv/lab.db"),
        ("sqlite:///lab.db", "sqlite:///{0}/lab.db"),
    ],
)
def test_database_urls_are_made_ready_for_sqlalchemy(
    url: str, expected: str, tmp_path: Path
) -> None:
    found = Settings.read({"ASSAYLOOP_DATABASE_URL": url}, tmp_path).database_url
    assert found == expected.format(tmp_path)
    assert make_url(found).get_driver_name() in ("psycopg", "pysqlite")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASSAYLOOP_DATABASE_URL", "mysql://u:secret@host/name"),
        ("ASSAYLOOP_DATABASE_URL", "lab.db"),
        ("ASSAYLOOP_DATABASE_URL", "sqlite://"),
        ("ASSAYLOOP_DATABASE_URL", "sqlite:///:memory:"),
        ("ASSAYLOOP_DATABASE_URL", "sqlite:///a?b.db"),
        ("ASSAYLOOP_HOME", "~nobody-of-that-name/lab"),
        ("ASSAYLOOP_HOME", __file__),
    ],
)
def test_a_setting_that_cannot_work_is_named(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        Settings.read({name: value}, tmp_path)
    assert str(error.value).startswith(f"{name}: ")
    assert "secret" not in str(error.value)


@settings(deadline=None)
@given(st.text("abcXYZ0189@:/%?&=#+ ", min_size=8))
def test_a_password_is_never_shown(password: str) -> None:
    for url in (
        f"postgresql://lab:{password}@db/x",
        f"postgresql://lab:{password}@db/x?sslmode=require",
        "postgresql://db/x?user=lab&password=" + password.replace("&", ""),
    ):
        settings = Settings.read({"ASSAYLOOP_DATABASE_URL": url})
        assert password.replace("&", "") not in settings.shown_url
        assert password not in repr(settings)
        assert "db/x" in settings.shown_url
