"""``assayloop evaluators``: what can measure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import typer

from adapters.messages import plain
from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import WIDTH, cell, print_json, print_table

if TYPE_CHECKING:
    from adapters.protocol import Capabilities


def list_evaluators(as_json: AsJson = False) -> None:
    """List evaluators with their measures; one that cannot be loaded says why.

    Measures stand with their unit and the least and greatest value that is possible.
    """
    from adapters import registry

    found = [_described(name) for name in registry.names()]
    if as_json:
        print_json(found)
        return
    for one in found:
        if one["error"]:
            text = f"{one['name']} cannot be used as it is: {one['error']}"
            typer.secho(textwrap.fill(text, WIDTH, subsequent_indent="  "), fg="yellow")
        else:
            _print(one)
    if not found:
        typer.echo("No evaluator is installed.")


def _described(name: str) -> dict[str, Any]:
    from adapters import registry

    try:
        capabilities = registry.create(name, {}).capabilities
    except Exception as error:  # a plug-in runs its author's code, and must not break the list
        return {"name": name, "error": plain(str(error)) or type(error).__name__, "measures": []}
    return {"name": name, "error": None, **_capabilities(capabilities)}


def _capabilities(one: Capabilities) -> dict[str, Any]:
    return {
        "version": one.version,
        "sample_kinds": sorted(one.sample_kinds),
        "measures": [
            {
                "name": measure.name,
                "unit": measure.unit,
                "lower": measure.lower,
                "upper": measure.upper,
                "description": measure.description,
            }
            for measure in one.measures
        ],
        "batch_size": one.batch_size,
        "synchronous": one.synchronous,
        "idempotent": one.idempotent,
        "cancellable": one.cancellable,
        "cost": one.cost,
        "expected_duration": one.expected_duration,
    }


def _print(one: dict[str, Any]) -> None:
    jobs = "1 job" if one["batch_size"] == 1 else f"up to {one['batch_size']} jobs"
    about = [
        f"takes {' or '.join(one['sample_kinds'])}",
        f"{jobs} a batch",
        "answers at once" if one["synchronous"] else "answers later",
        "may be asked twice" if one["idempotent"] else "must not be asked twice",
        f"cost {cell(one['cost'])}",
    ]
    typer.secho(f"{one['name']} {one['version']}", bold=True)
    typer.echo(f"  {', '.join(about)}")
    columns = ["name", "unit", "lower", "upper", "description"]
    rows = [[measure[column] for column in columns] for measure in one["measures"]]
    print_table(["measure", "unit", "from", "to", "what it is"], rows)
