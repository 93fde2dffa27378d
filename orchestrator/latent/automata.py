"""The space of synchronizing automata: latent points decoded to automata with two letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from orchestrator.latent import automaton_drawing, gaussian, model_cards, registry
from orchestrator.latent.automaton_networks import AutomatonVae
from orchestrator.latent.automaton_tokens import END, LENGTH, table_of, tokens_of
from orchestrator.latent.blocks import in_blocks
from orchestrator.latent.protocol import Decoded, Points, Rendering, SpaceError
from orchestrator.latent.restore import restored
from orchestrator.latent.transitions import Tables, canonical, parse, reset_lengths, text

DEFAULT_MODEL = "automata"
WRITABLE = 10
"""States of the largest automaton whose text has one digit for each."""
LIMIT = 4.0
"""Campaigns search ±4 in each coordinate: what they look for lies at the edge of the data."""


class AutomataSpace(gaussian.NormalPrior):
    """Latent space of a variational autoencoder of automata; its prior is the standard normal.

    An object is a text such as ``1230-0120``, where each state goes under a and under b, in
    canonical form, which is its key too. Valid ones are complete, and some word resets them.
    """

    sample_kind = "automaton"
    media_type = "text/x-automaton"

    def __init__(self, model: str | None = None) -> None:
        """Loads a model by name or folder, by default the shipped one.

        Raises:
            SpaceError: the model is unknown, of another kind, or changed.
        """
        card, tensors = registry.load(model or DEFAULT_MODEL, task="automata")
        self._network = restored(AutomatonVae(**card["network"]), tensors)
        self.dim = self._network.latent
        self.bounds = gaussian.box(LIMIT, self.dim)
        self.model_hash = model_cards.model_hash(card)

    @property
    def filters(self) -> Mapping[str, Callable[[str | bytes], bool]]:
        """None is known here."""
        return {}

    def decode(self, points: Points, rng: np.random.Generator) -> list[Decoded]:
        """The automata of points ``n x d``; content and key are the canonical text.

        Raises:
            SpaceError: the points have another shape.
        """
        points = gaussian.check_points(points, self.dim)
        finite = np.asarray(np.isfinite(points).all(axis=1))
        tables, reasons = decode_tables(self._network, np.where(finite[:, None], points, 0.0))
        for row in np.flatnonzero(~finite):
            tables[row], reasons[row] = None, "the point is not finite"
        return decoded(tables, reasons)

    def read(self, objects: Sequence[str | bytes]) -> list[Decoded]:
        """Given automata in canonical form; invalid is only what is no complete automaton.

        Somebody may have measured one that no word resets, or one of 9 or 10 states, which no
        point encodes.
        """
        return [_read(item) for item in objects]

    def encode(self, objects: Sequence[str | bytes]) -> Points:
        """Posterior means ``n x d`` of automata; isomorphic ones have the same.

        Raises:
            SpaceError: an object is no complete automaton of 2 to 8 states.
        """
        tokens = np.full((len(objects), LENGTH), END)
        for row, item in zip(tokens, objects, strict=True):
            row[:] = tokens_of(canonical(parse(item)))[0]
        return encode_tokens(self._network, tokens)

    def render(self, content: str | bytes) -> Rendering:
        """The automaton as a graph.

        Raises:
            SpaceError: the content is no complete automaton.
        """
        table = parse(content, WRITABLE)[0]
        return Rendering("image/svg+xml", automaton_drawing.svg(table))

    def predicted_reset_length(self, points: Points) -> NDArray[np.float64]:
        """What the head that was trained along reads at points ``n x d``, shape n."""
        points = gaussian.check_points(points, self.dim)
        with torch.inference_mode():
            read = self._network.reset_length(torch.from_numpy(points).float())
            read = read * self._network.std_length + self._network.mean_length
            return np.asarray(read.double().numpy())


def decode_tables(network: AutomatonVae, points: Points) -> tuple[list[Tables | None], list[str]]:
    """Of points ``n x d`` the tables, each ``1 x n x 2`` or None, and why it is None."""
    tables, reasons = [], []
    for _, sequences in in_blocks(network.decode, points.astype(np.float32)):
        for tokens in sequences.numpy():
            table, reason = table_of(tokens)
            tables.append(table)
            reasons.append(reason)
    return tables, reasons


def encode_tokens(network: AutomatonVae, tokens: NDArray[np.int64]) -> Points:
    """Posterior means ``n x d`` of sequences ``n x 17``."""
    means = np.empty((len(tokens), network.latent))
    for rows, mean in in_blocks(lambda block: network.encode(block)[0], tokens):
        means[rows] = mean.numpy()
    return means


def _read(item: str | bytes) -> Decoded:
    try:
        word = text(canonical(parse(item, WRITABLE))[0])
    except SpaceError as error:
        return _invalid(str(error))
    return Decoded(word, word, True)


def decoded(tables: Sequence[Tables | None], reasons: Sequence[str]) -> list[Decoded]:
    """Tables as objects, in canonical form; those of one size are brought into it together."""
    found = [_invalid(reason) for reason in reasons]
    by_size: dict[int, dict[int, Tables]] = {}
    for index, table in enumerate(tables):
        if table is not None:
            by_size.setdefault(table.shape[1], {})[index] = table
    for members in by_size.values():
        forms = canonical(np.concatenate(list(members.values())))
        for index, form, length in zip(members, forms, reset_lengths(forms), strict=True):
            word, unreset = text(form), f"no word resets the automaton {text(form)}"
            found[index] = Decoded(word, word, True) if length else _invalid(unreset)
    return found


def _invalid(reason: str) -> Decoded:
    return Decoded(None, "", False, reason)
