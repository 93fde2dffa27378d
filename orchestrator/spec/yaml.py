"""YAML as a spec uses it: plain trees whose keys and items know their lines.

Read from PyYAML's parser events, in which nothing is ever constructed. Scalars follow the core
schema of YAML 1.2 rather than 1.1, so that ``1e-8`` is a number and ``no`` a word. What a spec
has no use for is refused: aliases (which can blow up a small file), tags, several documents, keys
that stand twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.errors import BadInput

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root to a node."""

MISSING = object()
"""What :func:`child` finds where there is nothing; None is a value."""

MAX_DEPTH = 40
"""Far deeper than any spec; keeps recursion bounded."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Document:
    """One YAML document."""

    root: object
    """Dictionaries with text keys, lists, text, numbers, booleans and None."""
    lines: Mapping[KeyPath, int]
    """Line, from 1, of every key and item; ``()`` is the root."""


def parse(text: str, name: str) -> Document | None:
    """The document in a text, or None if there is nothing in it.

    Raises:
        BadInput: it is not YAML, or holds what a spec has no use for; names the place as
            ``name, line n, column m``.
    """
    reader = _Reader(text, name)
    try:
        return reader.document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"holds the character {chr(error.character)!r}, which no YAML file may"
        raise BadInput.of(f"{name}, line {line}", what) from None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from None


def _not_yaml(error: yaml.MarkedYAMLError, name: str) -> BadInput:
    mark = error.problem_mark or error.context_mark
    where = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
    context = f" {error.context}" if error.context else ""
    if error.problem and "'\\t'" in error.problem:
        remedy = "indent with spaces, not with tabs"
    else:
        remedy = "look at the indentation, quotes and brackets there and just above"
    return BadInput.of(where, f"not YAML: {error.problem or 'it cannot be read'}{context}", remedy)


class _Reader:
    """Turns parser events into a tree."""

    def __init__(self, text: str, name: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.name = name
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> Document | None:
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        first = next(self.events)
        self.lines[()] = _line(first)
        root = self.node(first, ())
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.refuse(after, "a second document begins", "put one spec in one file")
        return Document(root, self.lines)

    def node(self, event: yaml.Event, path: KeyPath) -> object:
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, f"an alias (*{event.anchor})", "write the value out here")
        if len(path) > MAX_DEPTH:
            raise self.refuse(event, f"more than {MAX_DEPTH} levels deep", "a spec needs ten")
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            raise self.refuse(event, f"a tag ({event.tag})", "leave it out; the key says the type")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else scalar(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def sequence(self, path: KeyPath) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = _line(event)
            items.append(self.node(event, here))
        return items

    def mapping(self, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.refuse(event, "a key that is not a word", "put quotes around it")
            key, here = event.value, (*path, event.value)
            if key in values:
                what = f"{key!r} stands a second time; first in line {self.lines[here]}"
                raise self.refuse(event, what, "keep one of them")
            self.lines[here] = _line(event)
            values[key] = self.node(next(self.events), here)
        return values

    def refuse(self, event: yaml.Event, what: str, remedy: str) -> BadInput:
        return BadInput.of(f"{self.name}, line {_line(event)}", what, remedy)


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1


def child(node: object, step: str | int) -> Any:
    """The item of a mapping or list, or ``MISSING``."""
    if isinstance(node, dict):
        return node.get(step, MISSING)
    if isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node):
        return node[step]
    return MISSING


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain (unquoted) scalar stands for; numbers too large for a float stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
