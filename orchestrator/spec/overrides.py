"""``--set dotted.path=value``: changes to a spec's tree before it is validated."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.errors import BadInput
from orchestrator.spec.problems import shown
from orchestrator.spec.yaml import MAX_DEPTH, MISSING, KeyPath, child, parse

_INDEX = re.compile(r"[0-9]{1,6}")


def apply(override: str, root: dict[str, Any], places: dict[KeyPath, int | str]) -> KeyPath:
    """Set one value in the tree, making the mappings and lists on the way to it.

    Whether keys and value belong into a spec is left to its validation.

    Args:
        override: ``path=value``; list items by number, where the next free number appends. The
            value is read as YAML.
        root: Changed in place.
        places: Where each node stands, changed in place: here, the override itself.

    Returns:
        Where the value was put.

    Raises:
        BadInput: there is no such place.
    """
    dotted, separator, text = override.partition("=")
    steps = dotted.strip().split(".")
    if not separator or not all(steps) or len(steps) > MAX_DEPTH:
        raise _wrong(override, "is no change", "write path=value, such as budget.evaluations=50")
    node: Any = root
    path: KeyPath = ()
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key = _key(override, node, step, path)
        path = (*path, key)
        before = inner = child(node, key)
        if following is None:
            inner = value(text)
            for old in [place for place in places if place[: len(path)] == path]:
                del places[old]
        elif inner is None or inner is MISSING:
            inner = [] if _INDEX.fullmatch(following) else {}
        if inner is not before:
            places[path] = override
            put(node, key, inner)
        node = inner
    return path


def value(text: str) -> object:
    """What the text of a value stands for; text that is no YAML stands for itself."""
    try:
        document = parse(text, "")
    except BadInput:
        return text
    if document is None:
        return None
    quoted = text.lstrip()[:1] in ("'", '"')
    return text if isinstance(document.root, str) and not quoted else document.root


def put(node: Any, key: str | int, inner: object) -> None:
    """Set an item of a mapping or list, or append it to the list."""
    if isinstance(node, list) and key == len(node):
        node.append(inner)
    else:
        node[key] = inner


def _key(override: str, node: object, step: str, path: KeyPath) -> str | int:
    """The key that a step means in this node."""
    here = ".".join(map(str, path))
    if isinstance(node, dict):
        return step
    if not isinstance(node, list):
        what = f"{here} is {shown(node)}, with nothing below it"
        raise _wrong(override, what, f"set {here} itself")
    if not _INDEX.fullmatch(step) or int(step) > len(node):
        what = f"{here} is a list of {len(node)} and has no {shown(step)}"
        raise _wrong(override, what, f"write a number from 0 to {len(node)}; the last appends")
    return int(step)


def _wrong(override: str, what: str, remedy: str) -> BadInput:
    return BadInput.of(place(override), what, remedy)


def place(override: str) -> str:
    """How an error names an override."""
    return f"--set {override if len(override) <= 60 else override[:57] + '...'}"
