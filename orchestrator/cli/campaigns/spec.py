"""``assayloop spec``: whether a spec is good, and what one looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

import orchestrator
from orchestrator.cli.terminal.options import AsJson, Overrides
from orchestrator.cli.terminal.output import duration, print_json, print_paragraph, print_table
from orchestrator.errors import BadInput, NotFound
from orchestrator.spec.model import Spec


def check(
    file: Annotated[str, typer.Argument(help="A spec in YAML.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a spec is good, and what is wrong with it. Writes nothing anywhere."""
    from orchestrator import wiring
    from orchestrator.spec.file import read, resolved

    try:
        source = read(file, overrides or ())
        wiring.check(source)
    except BadInput as error:
        if not as_json:
            raise
        rows = [{"where": p.where, "what": p.what, "remedy": p.remedy} for p in error.problems]
        print_json({"ok": False, "problems": rows})
        raise typer.Exit(error.exit_code) from None
    if as_json:
        print_json({"ok": True, "problems": [], "spec": resolved(source.spec)})
    else:
        typer.echo(f"{file} is good: {summary(source.spec)}.")


def schema() -> None:
    """Print the JSON Schema of a spec, with which editors complete and check it."""
    from pydantic.json_schema import GenerateJsonSchema

    print_json({"$schema": GenerateJsonSchema.schema_dialect, **Spec.model_json_schema()})


def keys(
    part: Annotated[
        str, typer.Argument(metavar="[PART]", help="Only keys below it, such as `proposer`.")
    ] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all of them as a page, like docs/specs.md.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List every key of a spec: what it takes, its unit, its default and an example."""
    from dataclasses import asdict

    from orchestrator.spec import reference

    if markdown:
        typer.echo(reference.page(), nl=False)
        return
    found = [key for section in reference.sections() for key in section.keys]
    if part:
        every, part = found, part.strip(".")
        found = [key for key in found if f"{key.path}.".startswith(f"{part}.")]
        if not found:
            above = {key.path.rpartition(".")[0] for key in every} - {""}
            raise NotFound("part of a spec", part, sorted(above))
    if as_json:
        print_json([asdict(key) for key in found])
        return
    for key in found:
        unit = f", {key.unit}" if key.unit else ""
        default = "required" if key.required else f"default {reference.default(key)}"
        typer.echo(f"{key.path}: {key.example}".replace("`", ""))
        said = f"{key.what} Takes {key.kind}{unit}; {default}."
        print_paragraph(said.replace("`", ""), "    ", "    ")


def example(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; all are listed without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a spec that comes with assayloop, to run or to start your own from."""
    folder = _examples()
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name is not None:
        if name not in names:
            raise NotFound("example", name, names)
        typer.echo((folder / f"{name}.yaml").read_text(encoding="utf-8"), nl=False)
        return
    read = {one: yaml.safe_load((folder / f"{one}.yaml").read_bytes()) for one in names}
    shown = [{"name": one, "description": spec["description"]} for one, spec in read.items()]
    if as_json:
        print_json(shown)
    else:
        print_table(["example", "what it is"], [list(row.values()) for row in shown])


def _examples() -> Path:
    """Where the examples lie: beside the command line in a wheel, at the top of a checkout."""
    package = Path(orchestrator.__file__).parent
    packaged = package / "examples"
    return packaged if packaged.is_dir() else package.parent / "examples"


def summary(spec: Spec) -> str:
    """The spec in a line."""
    limits = []
    if spec.budget.evaluations is not None:
        limits.append(f"{spec.budget.evaluations} evaluations")
    if spec.budget.wall_time is not None:
        limits.append(duration(spec.budget.wall_time))
    if spec.budget.cost is not None:
        limits.append(f"a cost of {spec.budget.cost:g}")
    evaluators = ", ".join(part.name for part in spec.evaluators)
    return (
        f"{spec.name} searches {spec.space.kind} by {spec.proposer.kind}, "
        f"measured by {evaluators}, within {' and '.join(limits)}"
    )
