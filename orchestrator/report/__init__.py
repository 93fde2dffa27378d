"""The report of a campaign: one HTML file that needs nothing but itself.

It holds no script, and its content policy forbids scripts and the network to whatever shows it, so
that names, objects and reasons, which are anybody's text, stay text. It is read in one transaction
and changes nothing.
"""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError

from db.models import Campaign
from db.session import now
from orchestrator import moments, private_files
from orchestrator.report import words
from orchestrator.report.drawings import drawings
from orchestrator.report.known import Known
from orchestrator.report.review import Checked, Review
from orchestrator.settings import Settings
from orchestrator.spec.file import written
from orchestrator.spec.model import Spec
from orchestrator.wiring import Parts


def write(parts: Parts, path: Path, checked: Checked | None = None) -> Path:
    """Write the report of a campaign as it stands; an older file there is replaced at once.

    Args:
        parts: Of the campaign; without evaluators, it lacks their versions.
        path: The file; its folder is made if needed.
        checked: A verification, for a reviewer: then the report says what can be proved of the
            history, what did not go as planned and who signed, and nothing in it is folded away.

    Returns:
        The path.
    """
    with parts.database.read() as session:
        known = Known.read(session, parts)
        review = None if checked is None else Review.read(session, parts, known, checked)
    return page_file("report.html.j2", _page(parts, known) | {"review": review}, path)


def usual_place(settings: Settings, campaign: Campaign) -> Path:
    """Where the report of a campaign lies unless somebody says otherwise."""
    return settings.reports / f"{campaign.name}-{campaign.ordinal}.html"


def page_file(template: str, said: dict[str, Any], path: Path) -> Path:
    """Write a page made of a template; an older file there is replaced at once.

    In the home it is its owner's alone; elsewhere the umask says who may read it.

    Returns:
        The path.
    """
    text = _environment().get_template(template).render(**said)
    own = Settings.read().owns(path)
    if own:
        private_files.make_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        if own:
            private_files.reserve(partial)
        partial.write_text(text, encoding="utf-8")
        return partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _page(parts: Parts, known: Known) -> dict[str, Any]:
    """What the template shows, in its words."""
    campaign = known.campaign
    versions = {"assayloop": version("assayloop"), "Python": platform.python_version()}
    return {
        "name": campaign.name,
        "ordinal": campaign.ordinal,
        "description": parts.spec.description,
        "state": campaign.state,
        "reason": campaign.reason,
        "key_figures": words.key_figures(parts, known),
        "summary": words.summary(parts, known),
        "written": _yaml(known.revision.written),
        "best": [words.card(parts, known, one) for one in known.best],
        "drawings": drawings(parts, known),
        "rows": [words.row(parts, known, one) for one in known.candidates],
        "versions": versions | ({} if known.fit is None else known.fit.versions),
        "chain": parts.campaign,
        "head": known.head.hash,
        "entries": known.head.sequence,
        "created": moments.shown(campaign.created_at),
        "made": moments.shown(now()),
    }


def _yaml(spec: dict[str, Any]) -> str:
    """A stored spec as a user would write it: the database keeps its keys in no order."""
    try:
        ordered = written(Spec.model_validate(spec))
    except ValidationError:  # somebody changed it, as the verification says
        ordered = spec
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=88)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("orchestrator"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["css"] = _css
    return made


def _css(text: str) -> Markup:
    """A text inside a string of a style sheet: whatever could end either is a CSS escape."""
    return Markup(re.sub(r"[^\w .,#-]", lambda found: f"\\{ord(found[0]):x} ", text))  # noqa: S704
