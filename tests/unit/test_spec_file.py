"""Whoever makes a mistake in a spec learns on one screen where it is and what would be right."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import orchestrator
from orchestrator.cli import main
from orchestrator.cli.terminal.output import HEIGHT, WIDTH
from orchestrator.errors import BadInput
from orchestrator.spec.file import SpecSource, differences, read, resolved, written
from orchestrator.spec.model import Spec

EXAMPLE = Path(orchestrator.__file__).parent.parent / "examples" / "drug-like.yaml"
TEXT = EXAMPLE.read_text()


def line_of(fragment: str) -> int:
    """Line of the example that holds a fragment."""
    return next(n for n, line in enumerate(TEXT.splitlines(), 1) if fragment in line)


def changed(old: str, new: str) -> bytes:
    """The example with a mistake in it."""
    assert old in TEXT
    return TEXT.replace(old, new, 1).encode()


BUDGET, TERMS = line_of("budget:"), line_of("terms:")

WRONG = {
    "unknown key": (
        changed("budget: {evaluations", "budget: {evaluation"),
        [f"line {BUDGET}, budget.evaluation", "did you mean evaluations?", "wall_time"],
    ),
    "misspelt evaluator": (
        changed("use: rdkit", "use: rdkt"),
        [f"line {line_of('use:')}, evaluators.0.use", "rdkt", "rdkit"],
    ),
    "negative budget": (
        changed("evaluations: 200", "evaluations: -5"),
        [f"line {BUDGET}, budget.evaluations", "is -5", "at least 1"],
    ),
    "measure that nobody was asked for": (
        changed("{measure: qed}", "{measure: tpsa}"),
        [f"line {TERMS}, objective.terms.0.measure", "'tpsa'", "qed, logp"],
    ),
    "measure that no evaluator gives": (
        changed("[qed, logp]", "[qed, logp, qqed]"),
        [f"line {line_of('measures:')}, evaluators.0.measures", "qqed", "qed"],
    ),
    "invalid cron": (
        changed("seed: 7", 'seed: 7\nschedule: {cron: "0 25 * * *"}'),
        [f"line {line_of('seed: 7') + 1}, schedule.cron", '"0 25 * * *"', "five fields"],
    ),
    "wrong type": (
        changed("evaluations: 200", "evaluations: many"),
        [f"line {BUDGET}, budget.evaluations", 'is "many"', "a whole number"],
    ),
    "empty file": (b"# nothing yet\n", ["is empty", "name:"]),
    "not YAML": (
        changed("[qed, logp]", "[qed, logp"),
        ["line ", "column ", "not YAML", "brackets"],
    ),
    "10 MB file": (b"#" * 10_000_000, ["larger than 1 MB"]),
    "unreadable file": (b"name: \xff\n", ["line 1", "UTF-8", "0xff"]),
    "no mapping": (b"- name: x\n", ["line 1", "keys with values"]),
    "tab": (b"name: x\nspace:\n\tkind: box\n", ["line 3, column 1", "not with tabs"]),
    "key that stands twice": (
        changed("seed: 7", "seed: 7\nseed: 8"),
        [f"line {line_of('seed: 7') + 1}", "first in line"],
    ),
    "misspelt choice": (
        changed("maximize", "maximise"),
        [f"line {line_of('direction:')}, objective.direction", "did you mean maximize?"],
    ),
    "misspelt transform": (
        changed("{measure: qed}", "{measure: qed, transform: gausian}"),
        [f"line {TERMS}, objective.terms.0.transform", "did you mean gaussian?"],
    ),
    "number for a name": (
        changed("name: drug-like", "name: 7"),
        [f"line {line_of('name:')}, name", 'quotes: "7"'],
    ),
    "unknown filter": (
        changed("model: zinc-selfies}", "model: zinc-selfies, filters: [alerts]}"),
        [f"line {line_of('space:')}, space.filters.0", "'alerts'", "structural_alerts"],
    ),
    "missing part": (
        changed("budget:", "buget:"),
        ["budget is missing", f"line {BUDGET}, buget", "did you mean budget?"],
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_spec_is_refused_on_one_screen_that_names_the_place(
    mistake: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, expected = WRONG[mistake]
    file = tmp_path / "wrong.yaml"
    file.write_bytes(content)
    monkeypatch.setenv("ASSAYLOOP_HOME", str(tmp_path / "home"))

    assert main(["spec", "check", str(file)]) == 2

    out, err = capfd.readouterr()
    unwrapped = re.sub(r"\s+", " ", err)
    assert out == ""
    assert "wrong.yaml" in err
    assert [part for part in expected if part not in unwrapped] == []
    assert "Traceback" not in err
    assert len(err.splitlines()) <= HEIGHT
    assert max(map(len, err.splitlines())) <= WIDTH
    assert not (tmp_path / "home").exists(), "something was left behind"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing.yaml", "no such file"),
        (".", "is a directory"),
        ("/dev/zero", "larger than 1 MB"),  # ends only because not all of it is read
        ("/proc/self/mem", "cannot be read"),
        ("a\0b", "cannot be read"),
    ],
)
def test_what_is_no_readable_file_is_named(path: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(path)


def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    file.write_text(TEXT)
    file.chmod(0)
    with unprivileged(), pytest.raises(BadInput, match=r"secret.yaml: may not be read"):
        read(file)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything; for a moment this process is nobody."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize(
    "content",
    [
        "a: &x [1]\nb: *x\n",
        "name: !!python/object/apply:os.system ['true']\n",
        "name: x\n---\nname: y\n",
        "[" * 100_000,
        "{? [a]: b}",
    ],
    ids=["alias", "tag", "two documents", "deep", "key that is a list"],
)
def test_yaml_that_a_spec_has_no_use_for_is_refused(content: str, tmp_path: Path) -> None:
    """Aliases can make a small file fill the memory, and tags can run code."""
    file = tmp_path / "odd.yaml"
    file.write_text(content)
    with pytest.raises(BadInput, match=r"odd.yaml, line \d+"):
        read(file)


def test_scalars_mean_what_they_look_like(tmp_path: Path) -> None:
    """By YAML 1.1 these are a text, False, 754 and a date."""
    file = tmp_path / "scalars.yaml"
    options = "options: {a: 1e-8, b: no, c: 12:34, d: 2026-01-01, e: '7', f: ~, g: 0.5}"
    file.write_text(TEXT.replace("use: rdkit", f"use: rdkit\n    {options}"))
    found = read(file).spec.evaluators[0].options
    assert found == {
        "a": 1e-8,
        "b": "no",
        "c": "12:34",
        "d": "2026-01-01",
        "e": "7",
        "f": None,
        "g": 0.5,
    }


def test_a_later_check_can_name_the_line() -> None:
    """Misspelt evaluators are found where parts are wired, long after the file was read."""
    source = read(EXAMPLE, ["proposer.kind=sobol"])
    assert source.line(("evaluators", 0, "use")) == line_of("use:")
    error = source.problem(("evaluators", 0, "options", "fp"), "unknown option")
    assert str(error) == (
        f"{EXAMPLE}, line {line_of('use:')}, evaluators.0.options.fp: unknown option"
    )
    assert str(source.problem(("proposer", "kind"), "no")) == "--set proposer.kind=sobol: no"
    in_python = SpecSource.of(source.spec).problem(("space", "model"), "unknown")
    assert str(in_python) == "spec, space.model: unknown"


def test_a_new_default_changes_no_stored_spec() -> None:
    """What is compared is what the user wrote; a release may add defaults to the rest."""
    spec = read(EXAMPLE).spec
    assert "threads" not in written(spec)
    assert resolved(spec)["threads"] == 1
    assert differences(written(spec), written(Spec.model_validate(written(spec)))) == []


def test_differences_are_told_in_words() -> None:
    spec = read(EXAMPLE).spec
    other = read(EXAMPLE, ["budget.evaluations=300", "stop=[]", "threads=2", "proposer={}"]).spec
    assert differences(written(spec), written(other)) == [
        'proposer.kind: "gp" -> not set',
        "proposer.initial: 20 -> not set",
        "proposer.batch: 4 -> not set",
        "budget.evaluations: 200 -> 300",
        "stop.0.target: 0.948 -> not set",
        "stop: not set -> []",
        "threads: not set -> 2",
    ]
