"""Every key of a spec with its unit, default and an example, read off the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.spec.model import Spec

MEASURE = "the measure's"
"""Unit of a number that is compared with a measure's values."""


class Example:
    """A value that a key may have, as YAML, and the unit in which a number is meant."""

    def __init__(self, text: str, unit: str = "") -> None:
        self.text = text
        self.unit = unit


EXAMPLES: Mapping[str, Example] = MappingProxyType(
    {
        "name": Example("drug-like"),
        "description": Example("QED with logP between 0 and 5."),
        "space.kind": Example("box"),
        "space.model": Example("zinc-selfies"),
        "space.parameters.name": Example("temperature"),
        "space.parameters.lower": Example("20", "the parameter's"),
        "space.parameters.upper": Example("120", "the parameter's"),
        "space.parameters.unit": Example("degC"),
        "space.filters": Example("[structural_alerts, synthesizable]"),
        "evaluators.use": Example("rdkit"),
        "evaluators.name": Example("potency"),
        "evaluators.measures": Example("[qed, logp]"),
        "evaluators.options": Example("{model: digits-cnn}"),
        "evaluators.replicates": Example("3", "measurements a candidate"),
        "evaluators.precision.error": Example("{potency: 0.1}", MEASURE),
        "evaluators.precision.most": Example("6", "replicates"),
        "evaluators.when.measure": Example("qed"),
        "evaluators.when.min": Example("0.6", MEASURE),
        "evaluators.when.max": Example("500", MEASURE),
        "evaluators.approval": Example("none"),
        "evaluators.in_flight": Example("96", "jobs"),
        "evaluators.rate.jobs": Example("60", "jobs"),
        "evaluators.rate.per": Example("1h", "seconds"),
        "evaluators.attempts": Example("5", "attempts a job"),
        "evaluators.backoff": Example("1min", "seconds"),
        "evaluators.timeout": Example("2h", "seconds"),
        "objective.direction": Example("maximize"),
        "objective.terms.measure": Example("qed"),
        "objective.terms.transform": Example("neg_log"),
        "objective.terms.transform.log.epsilon": Example("1e-6", MEASURE),
        "objective.terms.transform.neg_log.epsilon": Example("1e-6", MEASURE),
        "objective.terms.transform.gaussian.mean": Example("2.5", MEASURE),
        "objective.terms.transform.gaussian.std": Example("0.5", MEASURE),
        "objective.terms.transform.sigmoid.center": Example("50", MEASURE),
        "objective.terms.transform.sigmoid.scale": Example("-10", MEASURE),
        "objective.terms.transform.clip.lower": Example("0", MEASURE),
        "objective.terms.transform.clip.upper": Example("100", MEASURE),
        "objective.terms.transform.step.threshold": Example("7", MEASURE),
        "objective.terms.weight": Example("0.5"),
        "objective.aggregate": Example("geometric_mean"),
        "objective.constraints.measure": Example("logp"),
        "objective.constraints.min": Example("0", MEASURE),
        "objective.constraints.max": Example("5", MEASURE),
        "surrogate.kind": Example("gp"),
        "surrogate.at": Example("realised"),
        "proposer.kind": Example("sobol"),
        "proposer.initial": Example("20", "evaluations"),
        "proposer.batch": Example("4", "candidates a round"),
        "budget.evaluations": Example("200", "candidates"),
        "budget.wall_time": Example("30min", "seconds"),
        "budget.cost": Example("500", "the evaluators' unit of cost"),
        "stop.target": Example("0.948", "the objective's"),
        "stop.stagnation": Example("50", "evaluations"),
        "failures.share": Example("0.2", "of the ended jobs"),
        "failures.after": Example("20", "jobs"),
        "approval": Example("required"),
        "in_flight": Example("8", "jobs"),
        "tick.rounds": Example("1", "rounds"),
        "schedule.cron": Example("0 2 * * *"),
        "schedule.interval": Example("6h", "seconds"),
        "schedule.timezone": Example("Europe/Berlin"),
        "schedule.mode": Example("new"),
        "schedule.overlap": Example("queue"),
        "seed": Example("7"),
        "threads": Example("2", "threads"),
    }
)
"""By dotted path, without the positions in lists."""


@dataclass(frozen=True)
class Key:
    """One key of a spec."""

    path: str
    """Dotted, as in errors and ``--set``, without the positions in lists."""
    what: str
    kind: str
    """What it takes: a number within limits, text, one of some words, a list."""
    unit: str
    required: bool
    default: object
    """Where it is not required; None where it is then absent."""
    example: str
    """As YAML."""


@dataclass(frozen=True)
class Section:
    """A part of a spec, and its keys that hold no further parts."""

    path: str
    """Dotted; empty for the spec itself."""
    what: str
    each: bool
    """Whether the spec has a list of them."""
    keys: tuple[Key, ...]


def sections() -> list[Section]:
    """The spec and its parts, in the order in which a spec has them."""
    schema = Spec.model_json_schema()
    return list(_sections("", schema, schema["$defs"], each=False))


def _sections(
    path: str, part: Mapping[str, Any], parts: Mapping[str, Any], *, each: bool
) -> Iterator[Section]:
    keys, below = [], []
    for name, field in part["properties"].items():
        inner = f"{path}.{name}" if path else name
        found = _parts_in(field)
        if inner in EXAMPLES:
            keys.append(_key(inner, field, required=name in part.get("required", ())))
        for one in found:
            kind = parts[one]["properties"].get("kind", {}).get("const")
            # A field with several parts to choose from names each by its kind.
            step = f"{inner}.{kind}" if kind is not None and len(found) > 1 else inner
            below.append(_sections(step, parts[one], parts, each=field.get("type") == "array"))
    yield Section(path, part.get("description", ""), each, tuple(keys))
    for inside in below:
        yield from inside


def _parts_in(field: Mapping[str, Any]) -> list[str]:
    """Names of the parts that a field may hold, each once."""
    if "$ref" in field:
        return [field["$ref"].rpartition("/")[2]]
    inside = [*field.get("anyOf", ()), *field.get("oneOf", ())]
    inside += [field["items"]] if "items" in field else []
    return list(dict.fromkeys(name for one in inside for name in _parts_in(one)))


def _key(path: str, field: Mapping[str, Any], *, required: bool) -> Key:
    example = EXAMPLES[path]
    return Key(
        path=path,
        what=" ".join(field.get("description", "").split()),
        kind=_kind(field),
        unit=example.unit,
        required=required,
        default=field.get("default"),
        example=example.text,
    )


def _kind(field: Mapping[str, Any]) -> str:
    """What a field takes, in words."""
    if "enum" in field:
        return "one of " + ", ".join(f"`{one}`" for one in field["enum"])
    if "oneOf" in field:
        return "a transform"
    if "anyOf" in field:
        kinds = [_kind(one) for one in field["anyOf"] if one.get("type") != "null"]
        if any("pattern" in one for one in field["anyOf"]):
            return "a number, or one with `s`, `min`, `h`, `d` or `w`"
        return " or ".join(dict.fromkeys(kinds))
    match field.get("type"):
        case "array":
            return f"a list of {_kind(field['items'])}"
        case "object":
            return "keys with values"
        case "string":
            return "text"
        case "integer":
            return _limited("a whole number", field)
        case _:
            return _limited("a number", field)


def _limited(kind: str, field: Mapping[str, Any]) -> str:
    limits = [
        f"{sign} {_number(field[name])}"
        for name, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if name in field and field[name] != 2**53  # what every key of whole numbers has
    ]
    return " ".join([kind, " and ".join(limits)]).strip()


def _number(value: float) -> str:
    return "2³²" if value == 2**32 else f"{value:g}"


# The page -------------------------------------------------------------------------------------

HEAD = """\
# Every key of a spec

A spec is a YAML file; [boxes](boxes.md) and [the README](../README.md) explain one each. This page
is what `assayloop spec keys --markdown` prints. Where the default is "required", the key must be
there. Durations are seconds, or a number and its unit: `90s`, `30min`, `2h`, `3d`, `1w`. Numbers
have no quotation marks: `"3"` and `true` are mistakes where a number belongs, and so is a key that
is not on this page. `--set proposer.batch=8` changes a key for one run, and
`--set objective.terms.0.weight=2` one in a list.
"""


def page() -> str:
    """All keys as Markdown, a table a part."""
    return "\n".join([HEAD, *map(_table, sections())])


def _table(section: Section) -> str:
    """A section with its table."""
    title = f"`{section.path}`" if section.path else "The spec itself"
    said = _plain(section.what) + (" The spec has a list of them." if section.each else "")
    if ".transform." in section.path:
        said = f"{said} Written {_transform(section)}."
    if not section.keys:
        return "\n".join([f"## {title}", "", said, ""])
    shows_units = any(key.unit for key in section.keys)
    headings = [
        "key",
        "what it is",
        "takes",
        *(["unit"] if shows_units else []),
        "default",
        "example",
    ]
    lines = [f"## {title}", "", said, "", _row(headings), _row(["---"] * len(headings))]
    for key in section.keys:
        unit = [key.unit] if shows_units else []
        name = key.path.rpartition(".")[2]
        example = f"`{name}: {key.example}`"
        lines.append(_row([f"`{name}`", _plain(key.what), key.kind, *unit, default(key), example]))
    return "\n".join([*lines, ""])


def _transform(section: Section) -> str:
    """A transform as a spec has it."""
    kind = section.path.rpartition(".")[2]
    values = [f"{key.path.rpartition('.')[2]}: {key.example}" for key in section.keys]
    return f"`transform: {{{', '.join([f'kind: {kind}', *values])}}}`"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """A docstring as Markdown."""
    return text.replace("``", "`").replace("|", "\\|")


def default(key: Key) -> str:
    """What holds where the key is absent."""
    if key.required:
        return "required"
    match key.default:
        case None | "" | []:
            return "none"
        case {"kind": str(kind)}:
            return f"`{kind}`"
        case float(number):
            return f"`{number:g}`"
    return f"`{key.default}`"
