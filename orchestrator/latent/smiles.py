"""The space of one-hot SMILES: what the recipes ``smiles`` and ``smiles-*`` were trained for.

Molecules are read, filtered and drawn as in :mod:`orchestrator.latent.molecules`. What differs is
the network, and that much of what it writes is no molecule: SMILES, unlike SELFIES, can be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from orchestrator.latent import chemistry, gaussian, model_cards, registry
from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.molecules import LIMIT, MoleculesSpace, decoded
from orchestrator.latent.protocol import Decoded, Points, SpaceError
from orchestrator.latent.restore import restored
from orchestrator.latent.smiles_networks import SmilesAutoencoder
from orchestrator.latent.smiles_tokens import Alphabet


class SmilesSpace(MoleculesSpace):
    """Latent space of an autoencoder of one-hot SMILES.

    Coordinates are standard normal: those of a variational one as they are; those of a plain or
    adversarial one less the mean, over the deviation, of what its training molecules encode to,
    which the card says, since no prior held them together.
    """

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder.

        Raises:
            SpaceError: none is named, or it is unknown, of another kind, or changed.
        """
        if model is None:
            raise SpaceError("no model of SMILES ships; name one that was trained, as model: NAME")
        card, tensors = registry.load(model, task="smiles")
        self._network = restored(SmilesAutoencoder(**card["network"]), tensors)
        self._alphabet = Alphabet(tuple(card["tokens"]))
        self._length = int(card["network"]["length"])
        self._qed = card["qed"]
        self.dim = self._network.latent
        codes = card.get("codes", {"mean": np.zeros(self.dim), "std": np.ones(self.dim)})
        self._mean, self._std = np.array(codes["mean"]), np.array(codes["std"])
        self.bounds = gaussian.box(LIMIT, self.dim)
        self.model_hash = model_cards.model_hash(card)

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The molecules of points ``n x d``; content and key are the canonical SMILES.

        Raises:
            SpaceError: the points have another shape.
        """
        points = gaussian.check_points(points, self.dim)
        finite = np.asarray(np.isfinite(points).all(axis=1))
        codes = self._mean + self._std * np.where(finite[:, None], points, 0.0)
        written: list[str] = []
        for _, tokens in in_blocks(self._network.decode, codes.astype(np.float32)):
            written += self._alphabet.decode(tokens.numpy())
        return [
            self._decoded(text) if good else Decoded(None, "", False, "the point is not finite")
            for text, good in zip(written, finite, strict=True)
        ]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Posterior means ``n x d``, or points, of molecules given as SMILES.

        Raises:
            SpaceError: a SMILES is invalid, too long, or has a token that the model does not know.
        """
        codes = np.empty((len(objects), self.dim))
        tokens = np.zeros((len(objects), self._length), dtype=np.int64)
        for row, item in zip(tokens, objects, strict=True):
            row[:] = self._tokens_of_one(item)
        for rows, mean in in_blocks(lambda block: self._network.encode(block)[0], tokens):
            codes[rows] = mean.numpy()
        return np.asarray((codes - self._mean) / self._std)

    def predicted_properties(self, points: Points) -> NDArray[np.float64]:
        """What the head reads at points ``n x d``: QED, then the probability of each outcome.

        Raises:
            SpaceError: the points have another shape, or the model has no property head.
        """
        if self._network.head is None:
            raise SpaceError("this model was trained without properties, and predicts none")
        codes = self._mean + self._std * gaussian.check_points(points, self.dim)
        with torch.inference_mode():
            read = self._network.predict(torch.from_numpy(codes).float()).double()
        qed = read[:, :1] * self._qed["std"] + self._qed["mean"]
        return np.asarray(torch.cat([qed, read[:, 1:].sigmoid()], dim=1).numpy())

    def _decoded(self, text: str) -> Decoded:
        molecule = chemistry.parse(text)
        if molecule is None or molecule.GetNumAtoms() == 0:
            reason = f"RDKit refuses what the point decodes to: {text}" if text else ""
            return Decoded(None, "", False, reason or "the point decodes to nothing")
        # Reading the canonical form once more settles what the first reading leaves open.
        again = chemistry.parse(chemistry.canonical(molecule))
        return decoded(None if again is None else chemistry.canonical(again))

    def _tokens_of_one(self, item: str | bytes) -> NDArray[np.uint8]:
        (given,) = self.read([item])
        if not isinstance(given.content, str):
            raise SpaceError(given.reason)
        if "." in given.content:
            raise SpaceError(f"SMILES {given.content!r} is of several molecules; a point is one")
        try:
            return np.asarray(self._alphabet.encode([given.content], self._length)[0])
        except KeyError as error:
            what = f"the model does not know the token {error.args[0]!r}"
        except ValueError as error:
            what = str(error)
        raise SpaceError(f"SMILES {given.content!r} cannot be encoded: {what}")
