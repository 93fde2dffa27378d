"""The Python API for notebooks and scripts: the same objects as the command line, no Prefect.

Example::

    from orchestrator import Campaign

    campaign = Campaign.open("examples/drug-like.yaml")
    campaign.run()
    campaign.best(10)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from db import repository
from db.models import Campaign as CampaignRow
from orchestrator import driver, opening, wiring
from orchestrator.driver import Glance, Standing
from orchestrator.history.export import table_files
from orchestrator.history.listings import at_moment, candidate_table, measurement_table, results
from orchestrator.people import actors, ask_tell, campaigns
from orchestrator.people.ask_tell import Told
from orchestrator.settings import Settings
from orchestrator.spec.file import SpecSource, read
from orchestrator.spec.model import Spec

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Asked:
    """A candidate to measure, as :meth:`Campaign.ask` gives it."""

    number: int
    """Name it to :meth:`Campaign.tell`."""
    object: str | None
    """SMILES, parameters, or the path of a picture; None where the point decodes to nothing."""
    point: tuple[float, ...]
    duplicate_of: int | None
    """An earlier candidate that is the same object."""


class Campaign:
    """One campaign of a database."""

    def __init__(self, parts: wiring.Parts, settings: Settings) -> None:
        self._parts = parts
        self._settings = settings

    @classmethod
    def open(
        cls,
        spec: str | PathLike[str] | Spec | Mapping[str, Any],
        *,
        overrides: Sequence[str] = (),
        new: bool = False,
    ) -> Campaign:
        """Continue the campaign of a spec, or start it; the database is created if need be.

        Args:
            spec: A spec file, or the same as a :class:`~orchestrator.spec.model.Spec` or mapping.
            overrides: Changes such as ``budget.evaluations=50``.
            new: Start another, also beside one that is not finished.

        Raises:
            BadInput: the spec is wrong.
            Conflict: the campaign's spec was another one; revise it or start a new campaign.
        """
        source = _source(spec, overrides)
        wiring.check(source)
        settings = Settings.read()
        database = opening.database(settings, create=True)
        campaign_id = campaigns.open_or_create(
            database, source.spec, actors.current(database), new=new
        )
        return cls(wiring.build(database, campaign_id), settings)

    @classmethod
    def find(cls, name: str) -> Campaign:
        """An existing campaign: ``NAME`` for the newest of that name, ``NAME#2``, or its UUID.

        Raises:
            NotFound: there is none.
        """
        settings = Settings.read()
        database = opening.database(settings)
        return cls(wiring.build(database, opening.campaign(database, name).id), settings)

    @property
    def id(self) -> str:
        """UUID."""
        return self._parts.campaign

    @property
    def spec(self) -> Spec:
        """The spec of its newest revision."""
        return self._parts.spec

    def run(self, observe: Callable[[Glance], None] = lambda glance: None) -> Standing:
        """Advance until it ends, pauses, or must wait for results.

        Raises:
            Busy: another process drives it.
            Overtaken: another process took it over.
            Conflict: its spec was revised since it was opened.
        """
        with wiring.driving(self._parts) as parts:
            return driver.drive(parts, observe=observe)

    def ask(self, count: int = 1) -> list[Asked]:
        """Candidates to measure by yourself; :meth:`tell` what comes of them."""
        with wiring.driving(self._parts) as parts:
            round = ask_tell.ask(parts, count)
        with self._parts.database.read() as session:
            rows = repository.candidates(session, self.id, round=round)
            return [
                Asked(
                    row.number,
                    results.content(session, row, self._settings.artifacts),
                    row.point or (),
                    row.duplicate_of,
                )
                for row in rows
            ]

    def tell(
        self,
        what: int | Asked | str | bytes,
        *,
        provenance: str,
        external_ids: Sequence[str] = (),
        **values: float | tuple[float, float] | Told,
    ) -> int:
        """Add what was measured outside, such as ``tell(asked, qed=0.71, provenance="HPLC 3")``.

        Args:
            what: The candidate, or an object that was never proposed (SMILES, PNG bytes).
            provenance: Where the values come from.
            external_ids: What people call the object.
            values: By measure: a value, a value with its standard deviation, or a
                :class:`~orchestrator.people.ask_tell.Told` with a unit.

        Returns:
            Number of the candidate.

        Raises:
            BadInput: a value is no measurement, or there is no such candidate or object.
            Conflict: the campaign is over, or was revised since it was opened.
        """
        told = {name: _told(value) for name, value in values.items()}
        number = what.number if isinstance(what, Asked) else what
        return ask_tell.tell(
            self._parts,
            told,
            provenance=provenance,
            candidate=number if isinstance(number, int) else None,
            content=number if isinstance(number, str | bytes) else None,
            external_ids=external_ids,
        )

    def history(self, *, at: str | None = None) -> pandas.DataFrame:
        """One row a measurement, in order of arrival.

        Args:
            at: As it stood at a time or after an entry, as ``assayloop history --at`` takes it.

        Raises:
            BadInput: there is no such moment.
        """
        with at_moment.at(self._parts.database, self._row(), at) as side:
            return measurement_table.frame(side.database, side.campaign)

    def candidates(self, *, at: str | None = None) -> pandas.DataFrame:
        """One row a candidate with what was measured of it, as ``assayloop export csv`` has it.

        Args:
            at: As for :meth:`history`.

        Returns:
            A frame whose ``attrs["units"]`` has the units, by column.

        Raises:
            BadInput: there is no such moment.
        """
        with (
            at_moment.at(self._parts.database, self._row(), at) as side,
            side.database.read() as session,
        ):
            return table_files.frame(*candidate_table.table(session, side.campaign))

    def best(self, count: int = 10) -> list[dict[str, Any]]:
        """The best feasible candidates, as ``assayloop show --json`` gives them."""
        return list(self.show(count)["best"])

    def show(self, top: int = 10, *, at: str | None = None) -> dict[str, Any]:
        """Status and best candidates, as ``assayloop show --json`` gives them.

        Args:
            top: How many of the best.
            at: As for :meth:`history`.

        Raises:
            BadInput: there is no such moment.
        """
        live = self._parts.database
        with at_moment.at(live, self._row(), at) as side:
            folder = self._settings.artifacts
            return results.show(side.database, side.campaign, top, folder, kept=live)

    def _row(self) -> CampaignRow:
        with self._parts.database.read() as session:
            return repository.campaign(session, self.id)


def _source(
    spec: str | PathLike[str] | Spec | Mapping[str, Any], overrides: Sequence[str]
) -> SpecSource:
    if isinstance(spec, Spec):
        return SpecSource.of(spec)
    if isinstance(spec, Mapping):
        return SpecSource.of(Spec.model_validate(spec))
    return read(spec, overrides)


def _told(value: float | tuple[float, float] | Told) -> Told:
    """What was given for a measure; what is no number in it is refused where it is recorded."""
    if isinstance(value, Told):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return Told(*value)
    return Told(value)
