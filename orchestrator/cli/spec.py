"""``assayloop spec``: whether a spec is good, and what one looks like."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import AsJson, Overrides
from orchestrator.cli.output import duration, print_json
from orchestrator.errors import BadInput
from orchestrator.spec import Spec


def check(
    file: Annotated[str, typer.Argument(help="A spec in YAML.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a spec is good, and what is wrong with it. Writes nothing anywhere."""
    from orchestrator import wiring
    from orchestrator.spec_file import read, resolved

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


def summary(spec: Spec) -> str:
    """The spec in a line."""
    limits = []
    if spec.budget.evaluations is not None:
        limits.append(f"{spec.budget.evaluations} evaluations")
    if spec.budget.wall_time is not None:
        limits.append(duration(spec.budget.wall_time))
    if spec.budget.cost is not None:
        limits.append(f"a cost of {spec.budget.cost:g}")
    evaluators = ", ".join(part.use for part in spec.evaluators)
    return (
        f"{spec.name} searches {spec.space.kind} by {spec.proposer.kind}, "
        f"measured by {evaluators}, within {' and '.join(limits)}"
    )
