"""The command line. Every error on purpose ends in a short message and its own exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from orchestrator.cli.commands import CONTEXT, build
from orchestrator.errors import AssayloopError, ExitCode
from orchestrator.siblings import check_siblings

INTERRUPTED = 130
"""What shells expect of a process that Ctrl-C ended."""

root = typer.Typer(
    name="assayloop",
    help="Closed-loop optimisation in the latent space of generative models.",
    epilog="A campaign begins with `assayloop run SPEC.yaml`.",
    no_args_is_help=True,
    context_settings=CONTEXT,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("assayloop"))
        raise typer.Exit


@root.callback()
def _root(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    context.obj["debug"] = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Of the command line, without the program's name; those of the process by default.

    Returns:
        Exit code of the process.
    """
    state: dict[str, Any] = {
        "debug": False,
        "interrupted": "`assayloop run` continues a campaign where it was.",
    }
    try:
        check_siblings()
        build(root).main(arguments, prog_name="assayloop", obj=state)
    except AssayloopError as error:
        from orchestrator.cli.terminal.output import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted(state["interrupted"])
    except SystemExit as ended:  # how Typer ends every command, the successful ones too
        code = ended.code if isinstance(ended.code, int) else ExitCode.OUR_FAULT
        return _interrupted(state["interrupted"]) if code == INTERRUPTED else code
    except Exception as error:
        return _outside(error) or _our_fault(error, state["debug"])
    return ExitCode.DONE


def _outside(error: Exception) -> int:
    """Print an error whose cause lies outside of us, and return its exit code; 0 for another."""
    from orchestrator.environment_errors import explained

    known = explained(error)
    if known is None:
        return 0
    from orchestrator.cli.terminal.output import print_error

    print_error(known)
    return known.exit_code


def _interrupted(advice: str) -> int:
    typer.secho(f"\nInterrupted. {advice}", err=True)
    return INTERRUPTED


def _our_fault(error: Exception, debug: bool) -> int:
    from orchestrator.cli.terminal.output import save_traceback

    typer.secho(f"Our fault: {type(error).__name__}: {error}"[:400], fg="red", err=True)
    log = save_traceback(error)
    if log is None or debug:
        traceback.print_exception(error, file=sys.stderr)
    if log is not None:
        typer.echo(f"The whole story is in {log}; please report it with that file.", err=True)
    return ExitCode.OUR_FAULT
