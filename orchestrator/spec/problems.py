"""Pydantic's errors about a spec, in words: what stands there, and what would be right."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import Problem
from orchestrator.spec.model import Spec
from orchestrator.spec.yaml import MISSING, KeyPath, child

Schema = Mapping[str, Any]
"""A node of a JSON Schema."""

MOST = 100
"""Problems told of one spec; nobody mends more at a time."""

_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "finite_number": "a finite number",
    "string_too_short": "a text that is not empty",
    "greater_than": "more than {gt:.16g}",
    "greater_than_equal": "at least {ge:.16g}",
    "less_than": "less than {lt:.16g}",
    "less_than_equal": "at most {le:.16g}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
}
"""What would be right, by pydantic's error type, with the fields of its context."""


def problems(
    error: ValidationError, root: object, where: Callable[[KeyPath], str]
) -> list[Problem]:
    """The problems of a tree that is no spec.

    Args:
        error: What validating ``root`` raised.
        root: The tree as it was given.
        where: Says where a node stands: its file, line and dotted path.
    """
    found: dict[Problem, None] = {}
    for detail in error.errors(include_url=False):
        path, missing = locate(detail, root)
        node = _node(path, root)
        if detail["type"] == "too_short" and _size(node) >= detail["ctx"]["min_length"]:
            continue  # long enough, but for items that are reported themselves
        if detail["type"] == "union_tag_invalid" and (kind := child(node, "kind")) is not MISSING:
            path, node = (*path, "kind"), kind
        what, remedy = _words(detail, path, root, node, missing)
        found[Problem(where(path), what, remedy)] = None
        if len(found) == MOST:
            break
    return list(found)


def locate(detail: ErrorDetails, root: object) -> tuple[KeyPath, KeyPath]:
    """The deepest node of the tree that an error is about, and what is missing below it.

    Pydantic's locations also name the kind that a union was read as, which is no key.
    """
    location = [*detail["loc"], *detail.get("ctx", {}).get("path", ())]
    path: list[str | int] = []
    rest: list[str | int] = []
    node = root
    for step in location:
        inner = child(node, step)
        if inner is MISSING:
            rest.append(step)
        else:
            node = inner
            path.append(step)
    return tuple(path), tuple(rest)


def _words(
    detail: ErrorDetails, path: KeyPath, root: object, node: object, missing: KeyPath
) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key {shown(path[-1])}", keys_there(path[:-1], root, str(path[-1]))
    if kind == "missing":
        return f"{missing[-1]} is missing", _addition(str(missing[-1]), path, root, node)
    if kind == "union_tag_not_found":
        return "kind is missing", "one of " + ", ".join(_kinds(path, root))
    if kind == "misplaced":
        return str(context["message"]), ""
    if kind == "value_error":
        reason = str(context["error"])
        return (reason, "") if isinstance(node, dict) else (f"is {shown(node)}", reason)
    if kind == "string_type" and isinstance(node, int | float):
        return f"is {shown(node)}, not a text", f'put it in quotes: "{shown(node)}"'
    wanted = _WANTED.get(kind, detail["msg"].removeprefix("Input should be ")).format(**context)
    return f"is {shown(node)}", f"it must be {wanted}" + _nearest(node, wanted)


def keys_there(path: KeyPath, root: object, wrong: str) -> str:
    """The keys that may stand at a place of the tree, the one nearest to ``wrong`` first."""
    known = sorted({key for node in _at(path, root) for key in node.get("properties", ())})
    if not known:
        return "no keys belong there"
    near = difflib.get_close_matches(wrong, known, 1)
    return (f"did you mean {near[0]}? " if near else "") + "keys there: " + ", ".join(known)


def shown(value: object, width: int = 60) -> str:
    """A value in one short line, as YAML would have it."""
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _nearest(value: object, wanted: str) -> str:
    choices = [part for part in wanted.split("'") if part.isidentifier() and part != "or"]
    near = difflib.get_close_matches(str(value), choices, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _addition(key: str, path: KeyPath, root: object, node: object) -> str:
    """What to add where a key is missing, with the documentation that the spec has of it."""
    if isinstance(node, str):  # the short form of a part that needs the long one
        return f"write {{kind: {node}, {key}: ...}}"
    texts = (one.get("description", "") for one in _at((*path, key), root))
    text = next((text.partition("\n")[0].replace("``", "") for text in texts if text), "")
    return f"add `{key}:`" + (f" ({text.rstrip('.')})" if text else "")


def _kinds(path: KeyPath, root: object) -> list[str]:
    kinds = (node.get("properties", {}).get("kind", {}).get("const") for node in _at(path, root))
    return [kind for kind in kinds if kind]


@cache
def _schema() -> Schema:
    return Spec.model_json_schema()


def _at(path: KeyPath, root: object) -> Sequence[Schema]:
    """The schemas that may hold at a place; of several kinds, the one the tree names."""
    document = _schema()
    nodes = list(_alternatives(document, document, root))
    tree = root
    for step in path:
        tree = child(tree, step)
        key = "items" if isinstance(step, int) else "properties"
        inner = [node[key] for node in nodes if key in node]
        steps = [part if key == "items" else part.get(step) for part in inner]
        nodes = [
            one for part in steps if part is not None for one in _alternatives(part, document, tree)
        ]
    return nodes


def _node(path: KeyPath, root: object) -> object:
    for step in path:
        root = child(root, step)
    return root


def _size(node: object) -> int:
    return len(node) if isinstance(node, list | dict | str) else 0


def _alternatives(node: Schema, document: Schema, tree: object) -> Iterator[Schema]:
    """The node itself, and what it refers to or is a choice of."""
    yield node
    if "$ref" in node:
        yield from _alternatives(document["$defs"][node["$ref"].split("/")[-1]], document, tree)
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        for one in _alternatives(choice, document, tree):
            kind = one.get("properties", {}).get("kind", {}).get("const")
            named = tree.get("kind") if isinstance(tree, dict) else None
            if kind is None or named is None or kind == named:
                yield one
