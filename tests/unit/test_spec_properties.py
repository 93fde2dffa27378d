"""Whatever a spec file or a `--set` holds: it is accepted, or refused on one screen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orchestrator
from orchestrator.cli.terminal.output import HEIGHT, WIDTH, error_lines
from orchestrator.errors import BadInput
from orchestrator.spec.file import read
from orchestrator.spec.model import Spec

EXAMPLE = Path(orchestrator.__file__).parent.parent / "examples" / "drug-like.yaml"
TEXT = EXAMPLE.read_text()


def _keys() -> list[str]:
    schema = Spec.model_json_schema()
    parts = (schema, *schema["$defs"].values())
    return sorted({key for part in parts for key in part["properties"]})


ODD = st.text(st.sampled_from("{}[]:,-#&*!|>'\"%@` \n\tab01.~=\x00\udc80\u202e"), max_size=12)
STEP = st.one_of(st.sampled_from(_keys()), st.integers(-1, 3).map(str), ODD)
VALUE = st.one_of(
    ODD,
    st.text(max_size=200),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 5000, "1e999", "[" * 90, "{a: " * 90, "null", "[{kind: clip}]", "2w"]),
)
OVERRIDE = st.builds(lambda steps, value: f"{'.'.join(steps)}={value}", st.lists(STEP), VALUE)


unhurried = settings(deadline=None)
"""A busy machine is no failure."""


def only_refuses(attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except BadInput as error:
        lines = [line for line, _ in error_lines(error.problems)]
        assert 0 < len(lines) <= HEIGHT
        assert max(map(len, lines)) <= WIDTH
        assert "".join(lines).isprintable(), "would move a cursor"


@unhurried
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_no_file_brings_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)
    only_refuses(lambda: read(file))


@unhurried
@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 40), inserted=ODD)
def test_no_slip_of_the_hand_brings_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, inserted: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "slip.yaml"
    slip = TEXT[:start] + inserted + TEXT[start + length :]
    file.write_bytes(slip.encode("utf-8", "surrogateescape"))
    only_refuses(lambda: read(file))


@pytest.mark.slow
@unhurried
@given(st.lists(st.one_of(OVERRIDE, st.text()), max_size=4))
def test_no_override_brings_a_traceback(overrides: list[str]) -> None:
    only_refuses(lambda: read(EXAMPLE, overrides))


@pytest.mark.slow
@unhurried
@given(st.sampled_from(["name", "schedule.cron", "schedule.timezone", "budget.wall_time"]), VALUE)
def test_no_value_brings_a_traceback(path: str, value: str) -> None:
    only_refuses(lambda: read(EXAMPLE, [f"{path}={value}"]))
