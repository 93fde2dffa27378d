"""The space of drug-like molecules: latent points decoded to canonical SMILES through SELFIES."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import selfies
import torch
from numpy.typing import NDArray
from rdkit import Chem

from orchestrator.latent import chemistry, gaussian, registry
from orchestrator.latent.molecule_networks import MoleculeVae
from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError
from orchestrator.latent.tokens import END, Vocabulary

DEFAULT_MODEL = "zinc-selfies"
LIMIT = 3.0
"""Campaigns search ±3 in each coordinate: 99.7 % of the prior's mass along it."""
HARDEST = 6.0
"""Largest synthetic accessibility score that passes the filter (Ertl and Schuffenhauer 2009 place
most catalogue molecules below it)."""
_BLOCK = 64
"""The decoder sees blocks of this size, the last one padded, so that an object depends neither on
its neighbours nor on their number."""
_READ = 8
"""The encoder's blocks are smaller, since each is of sequences of one length."""


class MoleculesSpace(gaussian.NormalPrior):
    """Latent space of a variational autoencoder of SELFIES; its prior is the standard normal."""

    sample_kind = "molecule"
    media_type = "chemical/x-daylight-smiles"

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """No BRENK or PAINS substructure; a synthetic accessibility score of at most 6."""
        return {"structural_alerts": _without_alerts, "synthesizable": _synthesizable}

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder, by default the shipped one.

        Raises:
            SpaceError: the model is unknown, of another kind, or changed.
        """
        card, tensors = registry.load(model or DEFAULT_MODEL, task="molecules")
        network = MoleculeVae(**card["network"])
        network.load_state_dict({k: torch.from_numpy(v).float() for k, v in tensors.items()})
        self._codec = Codec(network.eval(), vocabulary_of(card), int(card["longest"]))
        self.dim = network.latent
        self.bounds = gaussian.box(LIMIT, self.dim)
        self.model_hash = str(card["weights_sha256"])
        # A search encodes many objects of which the chosen few come again at once.
        self._tokens = lru_cache(4096)(self._tokens_of)

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The molecules of points ``n x d``; content and key are the canonical SMILES.

        Raises:
            SpaceError: the points have another shape.
        """
        points = gaussian.check_points(points, self.dim)
        finite = np.asarray(np.isfinite(points).all(axis=1))
        texts = self._codec.decode(np.where(finite[:, None], points, 0.0))
        return [
            _decoded(text) if good else _invalid("the point is not finite")
            for text, good in zip(texts, finite, strict=True)
        ]

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given SMILES in canonical form, with their key; invalid ones with the reason."""
        return [_read(item) for item in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Posterior means ``n x d`` of molecules given as SMILES.

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
        """What the head reads at points ``n x d``: QED, logP, synthetic accessibility, n x 3."""
        return self._codec.properties(gaussian.check_points(points, self.dim))

    def _tokens_of(self, item: str | bytes) -> list[int]:
        smiles = Chem.MolToSmiles(_molecule(item))
        if "." in smiles:
            raise SpaceError(f"SMILES {smiles!r} is of several molecules; a point is one")
        try:
            return self._codec.vocabulary.encode(selfies.encoder(smiles))
        except (SpaceError, selfies.EncoderError) as error:
            raise SpaceError(f"SMILES {smiles!r} cannot be encoded: {error}") from error


class Codec:
    """The network between token sequences and points, in blocks of one size."""

    def __init__(self, network: MoleculeVae, vocabulary: Vocabulary, longest: int) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.longest = longest
        """No decoded sequence is longer than the longest one of the training data."""

    def decode(self, points: Points) -> list[str]:
        """SELFIES of points ``n x d``."""
        texts: list[str] = []
        for start in range(0, len(points), _BLOCK):
            part = points[start : start + _BLOCK]
            block = np.zeros((_BLOCK, self.network.latent), dtype=np.float32)
            block[: len(part)] = part
            rows = self.network.decode(torch.from_numpy(block), self.longest)[: len(part)]
            texts += [self.vocabulary.decode(row) for row in rows.tolist()]
        return texts

    def encode(self, sequences: Sequence[Sequence[int]]) -> Points:
        """Posterior means ``n x d`` of token sequences without their end token."""
        means = np.empty((len(sequences), self.network.latent))
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            for start in range(0, len(members), _READ):
                part = members[start : start + _READ]
                block = np.full((_READ, length + 1), END)
                block[: len(part), :length] = [sequences[i] for i in part]
                with torch.inference_mode():
                    mean, _ = self.network.encode(torch.from_numpy(block))
                means[part] = mean[: len(part)].numpy()
        return means

    def properties(self, points: Points) -> NDArray[np.float64]:
        """The head's QED, logP and synthetic accessibility at points, ``n x 3``."""
        with torch.inference_mode():
            values = self.network.properties(torch.from_numpy(points).float())
            values = values * self.network.std_properties + self.network.mean_properties
            return np.asarray(values.double().numpy())


def vocabulary_of(card: dict[str, Any]) -> Vocabulary:
    """The vocabulary that a model card carries."""
    stored = card["vocabulary"]
    return Vocabulary(tuple(stored["tokens"]), tuple((a, b) for a, b in stored["merges"]))


def smiles_of(text: str) -> str | None:
    """Canonical SMILES of a SELFIES string; None where RDKit refuses it or nothing is left.

    A token such as ``[C@@H1]`` where the string ends leaves a radical; it is given its hydrogen.
    """
    molecule = chemistry.parse(selfies.decoder(text)) if text else None
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    chemistry.saturate(molecule)
    # Reading the canonical form once more settles what the first reading leaves open.
    again = chemistry.parse(Chem.MolToSmiles(molecule))
    return None if again is None else str(Chem.MolToSmiles(again))


def _molecule(item: str | bytes) -> Chem.Mol:
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
    molecule = chemistry.parse(text)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise SpaceError(f"not a valid SMILES: {text[:200]!r}")
    return molecule


def _decoded(text: str) -> Decoded:
    if not text:
        return _invalid("the point decodes to nothing")
    smiles = smiles_of(text)
    if smiles is None:
        return _invalid(f"RDKit refuses what the point decodes to: {text}")
    return _valid(smiles)


def _read(item: str | bytes) -> Decoded:
    try:
        return _valid(Chem.MolToSmiles(_molecule(item)))
    except SpaceError as error:
        return _invalid(str(error))


def _valid(smiles: str) -> Decoded:
    if "." in smiles:
        return _invalid(f"several molecules, and a point is one: {smiles}")
    return Decoded(smiles, smiles, True)


def _without_alerts(content: str | bytes) -> bool:
    return not chemistry.has_structural_alert(_molecule(content))


def _synthesizable(content: str | bytes) -> bool:
    return chemistry.sa_score(_molecule(content)) <= HARDEST


def _invalid(reason: str) -> Decoded:
    return Decoded(None, "", False, reason)
