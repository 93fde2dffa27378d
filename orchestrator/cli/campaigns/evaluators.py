"""``assayloop evaluators``: what can measure."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.messages import plain
from orchestrator.cli.terminal.options import AsJson
from orchestrator.cli.terminal.output import WIDTH, cell, print_json, print_table
from orchestrator.errors import BadInput, ExitCode

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
        if one.get("needs"):
            text = f"takes the options {', '.join(one['options'])}; needs {', '.join(one['needs'])}"
            typer.secho(one["name"], bold=True)
            typer.echo(textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  "))
        elif one["error"]:
            text = f"{one['name']} cannot be used as it is: {one['error']}"
            typer.secho(textwrap.fill(text, WIDTH, subsequent_indent="  "), fg="yellow")
        else:
            _print(one)
    if not found:
        typer.echo("No evaluator is installed.")


def _described(name: str) -> dict[str, Any]:
    from adapters import registry

    try:
        options = registry.options(name)
        if needs := [option for option, needed in options.items() if needed]:
            return {"name": name, "error": None, "needs": needs, "options": list(options)}
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


def check(
    which: Annotated[
        str,
        typer.Argument(
            metavar="NAME|SPEC", help="An evaluator that needs no options, or a spec with several."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Look whether evaluators are ready, without measuring anything.

    Each is made with its options; one with a counterpart asks it who it is. Exit code 2 if one is
    not ready.
    """
    found = [_checked(*one) for one in _asked(which)]
    if as_json:
        print_json(found)
    else:
        for one in found:
            typer.secho(one["name"], bold=True, nl=False)
            colour = "green" if one["ready"] else "red"
            typer.secho(" is ready" if one["ready"] else " is not ready", fg=colour, nl=False)
            typer.echo(f": {one['said']}" if one["said"] else "")
    if not all(one["ready"] for one in found):
        raise typer.Exit(ExitCode.BAD_INPUT)


def _asked(which: str) -> list[tuple[str, str, dict[str, Any], tuple[str, ...]]]:
    """Name, evaluator, options and measures of each that is asked for."""
    from adapters import registry

    if which in registry.names():
        return [(which, which, {}, ())]
    if not Path(which).exists():
        known = ", ".join(registry.names())
        raise BadInput.of("NAME|SPEC", f"{which!r} is neither", f"evaluators: {known}")
    from orchestrator.spec.file import read

    spec = read(which).spec
    return [(one.name, one.use, dict(one.options), one.measures) for one in spec.evaluators]


def _checked(
    name: str, use: str, options: dict[str, Any], measures: tuple[str, ...]
) -> dict[str, Any]:
    from adapters import registry
    from adapters.protocol import Checkable, Closable, EvaluatorError

    try:
        made = registry.create(use, options)
        made.check(measures)
        said = made.health() if isinstance(made, Checkable) else "nothing outside is needed"
        if isinstance(made, Closable):
            made.close()
    except EvaluatorError as error:
        return {"name": name, "ready": False, "said": plain(str(error))}
    except Exception as error:  # a plug-in runs its author's code
        return {"name": name, "ready": False, "said": plain(f"{type(error).__name__}: {error}")}
    return {"name": name, "ready": True, "said": plain(said)}
