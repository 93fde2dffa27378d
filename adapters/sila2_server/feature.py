"""Features as a SiLA 2 server describes them, in XML: commands, parameters, responses, types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from adapters.protocol import EvaluatorError
from adapters.sila2_server.units import Unit
from adapters.sila2_server.wire import Fields, Shape

_SILA = "{http://www.sila-standard.org}"
_SI = {
    "Ampere": "ampere",
    "Candela": "candela",
    "Kelvin": "kelvin",
    "Kilogram": "kilogram",
    "Meter": "meter",
    "Mole": "mole",
    "Second": "second",
}


@dataclass(frozen=True)
class Command:
    """What a server does for whoever asks."""

    identifier: str
    observable: bool
    """Whether it is started first and its result asked for later."""
    parameters: Fields
    responses: Fields


@dataclass(frozen=True)
class Feature:
    """Commands and metadata that belong together, in one version."""

    identifier: str
    """Fully qualified: ``org.example/measure/Photometer/v1``."""
    service: str
    """Its name for gRPC."""
    commands: Mapping[str, Command]
    metadata: Fields


def read(definition: str) -> Feature:
    """A feature from its definition.

    Raises:
        EvaluatorError: it is none, or its types go round in circles.
    """
    try:
        # Expat fetches nothing from elsewhere, and stops entities that multiply.
        root = ElementTree.fromstring(definition)  # noqa: S314
        return _feature(root)
    except (ElementTree.ParseError, KeyError, ValueError, IndexError, RecursionError) as error:
        raise EvaluatorError(
            f"the server's definition of a feature cannot be read: {type(error).__name__}: {error}"
        ) from error


def _feature(root: Element) -> Feature:
    name = _text(root, "Identifier")
    originator, category = root.attrib["Originator"], root.get("Category", "none")
    version = f"v{root.attrib['FeatureVersion'].partition('.')[0]}"
    types = {_text(node, "Identifier"): node for node in root.iter(f"{_SILA}DataTypeDefinition")}
    commands = [_command(node, types) for node in root.findall(f"{_SILA}Command")]
    return Feature(
        identifier=f"{originator}/{category}/{name}/{version}",
        service=f"sila2.{originator}.{category}.{name.lower()}.{version}.{name}",
        commands={command.identifier: command for command in commands},
        metadata=_fields(root, "Metadata", types),
    )


def _command(node: Element, types: Mapping[str, Element]) -> Command:
    return Command(
        identifier=_text(node, "Identifier"),
        observable=_text(node, "Observable") == "Yes",
        parameters=_fields(node, "Parameter", types),
        responses=_fields(node, "Response", types),
    )


def _fields(node: Element, tag: str, types: Mapping[str, Element]) -> dict[str, Shape]:
    found = node.findall(f"{_SILA}{tag}")
    return {_text(one, "Identifier"): _shape(_child(one, "DataType"), types) for one in found}


def _shape(data_type: Element, types: Mapping[str, Element]) -> Shape:
    node = data_type[0]
    tag = node.tag.removeprefix(_SILA)
    if tag == "Basic":
        return Shape((node.text or "").strip())
    if tag == "Constrained":
        inner = _shape(_child(node, "DataType"), types)
        unit = _child(node, "Constraints").find(f"{_SILA}Unit")
        return inner if unit is None else Shape(inner.kind, _unit(unit), inner.elements)
    if tag == "List":
        return Shape("List", None, {"item": _shape(_child(node, "DataType"), types)})
    if tag == "Structure":
        return Shape("Structure", None, _fields(node, "Element", types))
    if tag == "DataTypeIdentifier":
        name = (node.text or "").strip()
        return Shape("Definition", None, {name: _shape(_child(types[name], "DataType"), types)})
    raise ValueError(f"{tag} is no data type")


def _unit(node: Element) -> Unit:
    components = tuple(
        (_SI[unit], int(_text(one, "Exponent")))
        for one in node.findall(f"{_SILA}UnitComponent")
        if (unit := _text(one, "SIUnit")) != "Dimensionless"
    )
    factor, offset = float(_text(node, "Factor")), float(_text(node, "Offset"))
    return Unit(_text(node, "Label"), factor, offset, components)


def _child(node: Element, tag: str) -> Element:
    found = node.find(f"{_SILA}{tag}")
    if found is None:
        raise ValueError(f"{node.tag.removeprefix(_SILA)} has no {tag}")
    return found


def _text(node: Element, tag: str) -> str:
    return (_child(node, tag).text or "").strip()
