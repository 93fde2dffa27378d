"""Makes sure that `adapters`, `db` and `flows` are the ones this package was installed with.

The names are common words: another distribution carries a package `adapters`, and a folder `db` in
the working directory wins over an installed package. Found at start-up that is one clear line;
found later it is an import error in the middle of a campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from orchestrator.errors import AssayloopError, Problem

SIBLINGS = ("adapters", "db", "flows")


def check_siblings(names: Sequence[str] = SIBLINGS, beside: Path | None = None) -> None:
    """Look where the packages would be imported from; import none of them.

    Args:
        names: Packages to look for.
        beside: The folder that must hold them; the one that holds ``orchestrator`` by default.

    Raises:
        AssayloopError: One of them is missing, or another one stands before it.
    """
    home = (beside or Path(__file__).parent.parent).resolve()
    problems = [found for name in names if (found := _problem(name, home))]
    if problems:
        raise AssayloopError(problems)


def _problem(name: str, home: Path) -> Problem | None:
    """What is wrong with one package; None if it is ours."""
    expected = home / name
    spec = find_spec(name)
    if spec is None:
        what = f"assayloop's package {name!r} is missing: {expected} is not there"
        return Problem("", what, "install assayloop again")
    found = _folder(spec)
    if found == expected:
        return None
    what = f"{found} shadows assayloop's package {name!r}, which is {expected}"
    return Problem(
        "", what, "uninstall what it belongs to, rename it, or run from another working directory"
    )


def _folder(spec: ModuleSpec) -> Path:
    """Folder of a package, or the file of a module; of a namespace package its first folder."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin or "?").resolve()
