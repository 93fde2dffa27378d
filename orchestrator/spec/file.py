"""Spec files: read into a :class:`~orchestrator.spec.model.Spec` whose parts know their lines.

Every mistake, here and in what is found later (:mod:`orchestrator.wiring`), names the file, the
line and the key, or the ``--set`` that it came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import BadInput, Problem
from orchestrator.spec import overrides as changes
from orchestrator.spec.model import Spec
from orchestrator.spec.problems import locate, problems, shown
from orchestrator.spec.yaml import KeyPath, child, parse

MAX_BYTES = 1_000_000
"""A spec is some kilobytes; whatever is larger is another file."""


@dataclass(frozen=True)
class Places:
    """Where the parts of a spec stand."""

    name: str
    """The file as it was given, or what else the spec came from."""
    lines: Mapping[KeyPath, int | str] = field(default_factory=dict)
    """Line of every key and item, or the override that set it."""

    def place(self, path: KeyPath) -> int | str | None:
        """Line or override of a node, or of the nearest one above it."""
        above = (path[:length] for length in range(len(path), -1, -1))
        return next((self.lines[one] for one in above if one in self.lines), None)

    def where(self, path: KeyPath) -> str:
        """File, line and dotted path of a node, or the override that set it."""
        place = self.place(path)
        if isinstance(place, str):
            parts = [changes.place(place)]
            key = place.partition("=")[0].strip()
        else:
            parts = [self.name] + ([f"line {place}"] if place is not None else [])
            key = ""
        dotted = ".".join(map(str, path))
        return ", ".join(parts + ([dotted] if dotted and not key.startswith(dotted) else []))


@dataclass(frozen=True)
class SpecSource:
    """A valid spec, and where it came from."""

    spec: Spec
    places: Places
    text: str = ""
    """The file as it was read; empty for a spec made in Python."""
    overrides: tuple[str, ...] = ()
    """Changes that were applied to it, as ``path=value``."""

    @classmethod
    def of(cls, spec: Spec, name: str = "spec") -> SpecSource:
        """A spec that was made in Python or stored before; its errors name keys but no lines."""
        return cls(spec, Places(name))

    @property
    def path(self) -> str:
        """The file as it was given."""
        return self.places.name

    def line(self, path: KeyPath) -> int | None:
        """Line of a node, or of the nearest one above it; None if it was not in the file."""
        place = self.places.place(path)
        return place if isinstance(place, int) else None

    def problem(self, path: KeyPath, what: str, remedy: str = "") -> BadInput:
        """An error about a part of the spec, such as ``("evaluators", 0, "use")``."""
        return BadInput([Problem(self.places.where(path), what, remedy)])


def read(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> SpecSource:
    """Read a spec file.

    Args:
        path: A YAML file.
        overrides: ``dotted.path=value``, applied in this order before anything is validated.

    Raises:
        BadInput: it cannot be read or is no spec; all that is wrong at once.
    """
    name = os.fspath(path)
    text = _text(name)
    document = parse(text, name)
    if document is None or document.root is None:
        raise BadInput.of(name, "is empty", "a spec begins like `name: drug-like`")
    if not isinstance(document.root, dict):
        what = f"is {shown(document.root)} and not keys with values"
        raise BadInput.of(f"{name}, line 1", what, "a spec begins like `name: drug-like`")
    root: dict[str, Any] = document.root
    _beside(root, Path(name).resolve().parent)
    lines: dict[KeyPath, int | str] = dict(document.lines)
    texts = {
        changes.apply(override, root, lines): override.partition("=")[2] for override in overrides
    }
    places = Places(name, lines)
    return SpecSource(_validate(root, texts, places), places, text, tuple(overrides))


def _beside(root: dict[str, Any], folder: Path) -> None:
    """Make paths of an evaluator that begin with ``./`` or ``../`` those beside the spec."""

    def placed(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(("./", "../")):
            return str(Path(os.path.normpath(folder / value)))
        if isinstance(value, list):
            return [placed(one) for one in value]
        return value

    parts = root.get("evaluators")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            part |= {"use": placed(part["use"])} if "use" in part else {}
            options = part.get("options")
            if isinstance(options, dict):
                part["options"] = {key: placed(value) for key, value in options.items()}


def _validate(root: dict[str, Any], texts: dict[KeyPath, str], places: Places) -> Spec:
    """The spec of a tree; where a text is due, an override is that text, whatever YAML says."""
    try:
        return Spec.model_validate(root)
    except ValidationError as error:
        untyped = [
            path
            for detail in error.errors(include_url=False)
            if detail["type"] == "string_type" and (path := locate(detail, root)[0]) in texts
        ]
        if not untyped:
            raise BadInput(problems(error, root, places.where)) from None
    for path in untyped:
        node: Any = root
        for step in path[:-1]:
            node = child(node, step)
        changes.put(node, path[-1], texts.pop(path))
    return _validate(root, texts, places)


def _text(name: str) -> str:
    """The content of a file.

    Raises:
        BadInput: it cannot be read, is too large or is not text.
    """
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - keeps the name as it was given
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadInput.of(name, "there is no such file") from None
    except IsADirectoryError:
        raise BadInput.of(name, "is a directory", "name the spec file in it") from None
    except PermissionError:
        raise BadInput.of(name, "may not be read by this user") from None
    except (OSError, ValueError) as error:
        raise BadInput.of(name, f"cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES // 1_000_000} MB, which no spec is"
        raise BadInput.of(name, what, "is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not text in UTF-8: byte 0x{data[error.start]:02x}"
        raise BadInput.of(f"{name}, line {line}", what, "save it as UTF-8") from None


def written(spec: Spec) -> dict[str, Any]:
    """What the user set, and nothing else; this is what a revision is compared by."""
    return spec.model_dump(mode="json", exclude_unset=True)


def resolved(spec: Spec) -> dict[str, Any]:
    """Everything, defaults of this release included; this is what a campaign runs by."""
    return spec.model_dump(mode="json")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two written specs, such as ``budget.evaluations: 200 -> 300``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{path}: {_was(path, before)} -> {_was(path, after)}"
        for path in {**before, **after}
        if path not in before or path not in after or before[path] != after[path]
    ]


def _leaves(node: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Dotted path and value of whatever has no keys below it; a list of values is one value."""
    if isinstance(node, Mapping):
        below: list[tuple[object, object]] = list(node.items())
    elif isinstance(node, list) and any(isinstance(item, dict | list) for item in node):
        below = list(enumerate(node))
    else:
        yield path, node
        return
    for key, inner in below:
        yield from _leaves(inner, f"{path}.{key}" if path else str(key))


def _was(path: str, leaves: Mapping[str, object]) -> str:
    return shown(leaves[path]) if path in leaves else "not set"
