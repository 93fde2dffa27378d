"""Entry points, read once a process: finding them opens the metadata of every installed package."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points


def installed(group: str, name: str | None = None) -> tuple[EntryPoint, ...]:
    """Entry points of a group, or those of one name in it, sorted by name; none is loaded.

    An editable install beside its metadata may list the same one twice: it is given once.
    """
    found = _installed(group, tuple(sys.path))
    return tuple(point for point in found if name in (None, point.name))


@cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group where the path of modules is this."""
    different = {(point.name, point.value): point for point in entry_points(group=group)}
    return tuple(different[key] for key in sorted(different))
