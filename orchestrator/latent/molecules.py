"""The space of drug-like molecules: latent points decoded to canonical SMILES through SELFIES."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from orchestrator.latent import chemistry, gaussian, model_cards, registry, rings, valences
from orchestrator.latent.molecule_codecs import codec_of
from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError

DEFAULT_MODEL = "zinc-selfies"
LIMIT = 3.0
"""Campaigns search ±3 in each coordinate: 99.7 % of the prior's mass along it."""
USUAL_VALENCES = "usual_valences"
"""The filter by which what a point decodes to may be no molecule at all."""
HARDEST = 6.0
"""Largest synthetic accessibility score that passes the filter (Ertl and Schuffenhauer 2009 place
most catalogue molecules below it)."""


class MoleculesSpace(gaussian.NormalPrior):
    """Latent space of a variational autoencoder of SELFIES; its prior is the standard normal.

    Where the model's prior is a flow, points are where the flow begins, and there it is that, too.
    """

    sample_kind = "molecule"
    media_type = "chemical/x-daylight-smiles"

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """Whether a molecule is one that somebody would make.

        No BRENK or PAINS substructure; a synthetic accessibility score of at most 6; no strained
        or polyunsaturated medium ring; no atom of an unusual valence.
        """
        return {
            "structural_alerts": _without_alerts,
            "synthesizable": _synthesizable,
            "usual_rings": _usual_rings,
            USUAL_VALENCES: _usual,
        }

    def fault(self, content: str | bytes, filters: Collection[str]) -> str:
        """Why what a point decoded to is no molecule after all, by the filters of a spec."""
        return valences.oddity(_molecule(content)) if USUAL_VALENCES in filters else ""

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder, by default the shipped one.

        Raises:
            SpaceError: the model is unknown, of another kind, or changed.
        """
        card, tensors = registry.load(model or DEFAULT_MODEL, task="molecules")
        self._codec = codec_of(card, tensors)
        self.dim = self._codec.network.latent
        self.bounds = gaussian.box(LIMIT, self.dim)
        self.model_hash = model_cards.model_hash(card)
        # A search encodes many objects of which the chosen few come again at once.
        self._tokens = lru_cache(4096)(self._tokens_of)

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The molecules of points ``n x d``; content and key are the canonical SMILES.

        Raises:
            SpaceError: the points have another shape.
        """
        points = gaussian.check_points(points, self.dim)
        finite = np.asarray(np.isfinite(points).all(axis=1))
        molecules = self._codec.decode(np.where(finite[:, None], points, 0.0))
        return [
            decoded(smiles) if good else _invalid("the point is not finite")
            for smiles, good in zip(molecules, finite, strict=True)
        ]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given SMILES in canonical form, with their key; invalid is only what RDKit refuses.

        So a salt, an isotope or a metal complex is an object here, though no point encodes it.
        """
        return [_read(item) for item in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Posterior means ``n x d`` of molecules given as SMILES, in the space's coordinates.

        Raises:
            SpaceError: a SMILES is invalid, or has a token that the model does not know.
        """
        return self._codec.encode([self._tokens(item) for item in objects])

    def render(self, content: str | bytes) -> Rendering:
        """A drawing of the molecule.

        Raises:
            SpaceError: the content is no valid SMILES.
        """
        return Rendering("image/svg+xml", chemistry.draw_svg(_molecule(content)))

    def predicted_properties(self, points: Points) -> NDArray[np.float64]:
        """What the head reads at points ``n x d``: QED, logP, synthetic accessibility, n x 3.

        Raises:
            SpaceError: the points have another shape, or the model has no property head.
        """
        return self._codec.properties(gaussian.check_points(points, self.dim))

    def _tokens_of(self, item: str | bytes) -> list[int]:
        smiles = Chem.MolToSmiles(_molecule(item))
        if "." in smiles:
            raise SpaceError(f"SMILES {smiles!r} is of several molecules; a point is one")
        return self._codec.tokens(smiles)


def _molecule(item: str | bytes) -> Chem.Mol:
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
    molecule = chemistry.parse(text)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise SpaceError(f"not a valid SMILES: {text[:200]!r}")
    return molecule


def decoded(smiles: str | None) -> Decoded:
    """What a point decoded to, which is one molecule or none."""
    if smiles is None:
        return _invalid("the point decodes to no molecule")
    if "." in smiles:
        return _invalid(f"several molecules, and a point is one: {smiles}")
    return Decoded(smiles, smiles, True)


def _read(item: str | bytes) -> Decoded:
    try:
        smiles = chemistry.canonical(_molecule(item))
    except SpaceError as error:
        return _invalid(str(error))
    return Decoded(smiles, smiles, True)


def _without_alerts(content: str | bytes) -> bool:
    return not chemistry.has_structural_alert(_molecule(content))


def _usual_rings(content: str | bytes) -> bool:
    return not rings.unusual(_molecule(content))


def _usual(content: str | bytes) -> bool:
    return not valences.oddity(_molecule(content))


def _synthesizable(content: str | bytes) -> bool:
    return chemistry.sa_score(_molecule(content)) <= HARDEST


def _invalid(reason: str) -> Decoded:
    return Decoded(None, "", False, reason)
