"""``assayloop evaluators new``: a package that measures, and passes its own tests at once."""

from __future__ import annotations

import keyword
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal.output import relative
from orchestrator.errors import BadInput, Conflict

TEMPLATES = Path(__file__).parents[2] / "templates" / "evaluator"


class Transport(StrEnum):
    """How the evaluator reaches what measures."""

    FUNCTION = "function"
    COMMAND = "command"
    HTTP = "http"


WHAT = {
    Transport.FUNCTION: "put your instrument in the place of the function.",
    Transport.COMMAND: "name your program in the place of the one that stands below it.",
    Transport.HTTP: "it names the address and the measures of your service.",
}


def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Lower-case letters, digits and dashes: plate-reader."),
    ],
    transport: Annotated[
        Transport, typer.Option(help="How it reaches what measures.")
    ] = Transport.FUNCTION,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to make; NAME by default.")
    ] = None,
) -> None:
    """Write a package for an evaluator of your own: code, campaign, tests and README.

    Its tests pass as they are; change it bit by bit. Folders, brokers, SiLA 2 servers and people
    need no package: `use: file_drop`, `mqtt`, `sila2` or `manual` in a spec.
    """
    import jinja2

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 40:
        what = f"{name!r} is no name for an evaluator"
        raise BadInput.of("NAME", what, "use lower-case letters, digits and dashes: plate-reader")
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise BadInput.of("NAME", f"{name!r} is a word of Python", f"add another: my-{name}")
    folder = out or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already", "choose another by --out")
    words = {
        "name": name,
        "module": module,
        "target": "measure" if module == "evaluator" else module,
        "title": "".join(part.title() for part in name.split("-")),
        "variable": module.upper(),
        "transport": transport,
        "what": WHAT[transport],
    }
    loader = jinja2.FileSystemLoader(TEMPLATES)
    engine = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - what it writes is code
    )
    files = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        "campaign.yaml": "campaign.yaml.j2",
        f"{module}.py": f"{transport}.py.j2",
        f"test_{module}.py": f"{transport}_test.py.j2",
    }
    texts = {file: engine.get_template(one).render(words) for file, one in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput.of("--out", f"{folder} cannot be written: {error.strerror}") from None
    shown = relative(folder.resolve())
    typer.echo(f"{shown} holds {', '.join(texts)}.")
    typer.echo(f"`pip install ./{shown}` lets campaigns use it; `pytest {shown}` tries it.")
