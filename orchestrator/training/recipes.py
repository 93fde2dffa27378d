"""The named recipes: everything that decides what a training run gives, besides the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from orchestrator.latent.protocol import SpaceError

TaskName = Literal[
    "automata",
    "digits-vae",
    "digits-dense",
    "digits-cnn",
    "digits-cnn-second",
    "digits-cvae",
    "digits-constraints",
    "molecules",
    "curve",
    "smiles",
    "tox21",
]
"""What is trained; a space opens the models of one task."""
Reads = Literal["automata", "digits", "molecules", "outcomes", "nothing"]
"""Outcomes are molecules with what assays found of them."""


@dataclass(frozen=True)
class Recipe:
    """A frozen configuration; a changed one deserves another name."""

    name: str
    task: TaskName
    description: str
    network: Mapping[str, int | float | str]
    """Arguments of the network's constructor."""
    weights: Mapping[str, float]
    """Weights of the terms of the loss, and what else shapes it; each task says which."""
    epochs: int
    batch: int
    learning_rate: float
    """At its peak: it rises over the first steps and falls to nothing along a cosine."""
    seed: int
    weight_decay: float = 0.0
    clip: float = 1.0
    """Largest norm of the gradient."""
    patience: int = 0
    """Epochs without a lower loss on objects kept apart, after which training stops; 0: never."""
    at_most: int | None = None
    """Lines of the data that are read, evenly taken from all of it; None reads all."""
    benchmark: Literal["moses"] | None = None
    """By whose metrics and test sets it is judged besides; without other data it is trained on the
    benchmark's own."""

    @property
    def reads(self) -> Reads:
        """Kind of the data file; nothing where the task draws its data itself, as automata may."""
        if self.task in ("automata", "molecules"):
            return self.task
        if self.task == "tox21":
            return "outcomes"
        if self.task == "smiles":
            return "outcomes" if "property" in self.weights else "molecules"
        return "digits" if self.task.startswith("digits") else "nothing"


def _recipe(
    name: str,
    task: TaskName,
    description: str,
    network: dict[str, int | float | str],
    weights: dict[str, float],
    **schedule: float,
) -> Recipe:
    return Recipe(
        name,
        task,
        description,
        MappingProxyType(network),
        MappingProxyType(weights),
        epochs=int(schedule["epochs"]),
        batch=int(schedule["batch"]),
        learning_rate=schedule["learning_rate"],
        seed=int(schedule["seed"]),
        weight_decay=schedule.get("weight_decay", 0.0),
        clip=schedule.get("clip", 1.0),
    )


_PLANE = {"epochs": 24, "batch": 128, "learning_rate": 1.5e-3, "weight_decay": 1e-2, "seed": 1}
"""Schedule of the planes of digits, which are compared with each other."""
_COMPARED = _PLANE | {"epochs": 12}
"""For those that no campaign searches: to be looked at beside it, half of it does."""
_SMILES = {"epochs": 36, "batch": 128, "learning_rate": 1e-3, "seed": 21}
"""Schedule of the autoencoders of SMILES, likewise."""
_SELFIES: dict[str, int | float | str] = {
    "latent": 56,
    "embedding": 128,
    "encoder": 256,
    "decoder": 512,
}
"""Network of the autoencoders of SELFIES."""
_SELFIES_WEIGHTS = {"kl": 0.1, "warm_up": 0.4, "property": 5.0}
"""Where they have a property head."""
_SELFIES_SCHEDULE = {
    "epochs": 6,
    "batch": 64,
    "learning_rate": 1.2e-3,
    "weight_decay": 1e-5,
    "seed": 11,
}

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            _recipe(
                "automata",
                "automata",
                "VAE of synchronizing automata of 3 to 8 states and two letters with a head for "
                "the reset length; trained on those that are easy to reset",
                {"latent": 16, "channels": 96, "decoder": 192, "head": 64},
                {"kl": 0.5, "warm_up": 0.4, "property": 3.0, "blur": 0.25},
                epochs=8,
                batch=256,
                learning_rate=2e-3,
                seed=1,
            ),
            _recipe(
                "digits-2d",
                "digits-vae",
                "2-D VAE of MNIST, trained alone",
                {"latent": 2, "channels": 24, "hidden": 128, "head": "none"},
                {"vae": 1.0},
                **_COMPARED,
            ),
            _recipe(
                "digits-2d-classifier",
                "digits-vae",
                "2-D VAE of MNIST, trained jointly with a classifier on the latent mean",
                {"latent": 2, "channels": 24, "hidden": 128},
                {"vae": 1.0, "predictor": 20.0},
                **_PLANE,
            ),
            _recipe(
                "digits-2d-regressor",
                "digits-vae",
                "2-D VAE of MNIST, trained jointly with a linear function of the latent mean that "
                "reads the digit as a number",
                {"latent": 2, "channels": 24, "hidden": 128, "head": "regressor"},
                {"vae": 1.0, "predictor": 20.0},
                **_COMPARED,
            ),
            _recipe(
                "digits-200",
                "digits-dense",
                "dense VAE of MNIST with 200 latents and a Bernoulli likelihood, of images drawn "
                "anew from the grey values every time",
                {"latent": 200, "hidden": 512},
                {"binarise": 1.0},
                epochs=60,
                batch=128,
                learning_rate=1e-3,
                clip=500.0,
                seed=6,
            ),
            _recipe(
                "digits-200-gaussian",
                "digits-dense",
                "dense VAE of MNIST with 200 latents and a Gaussian likelihood of the grey values, "
                "whose variance is learned",
                {"latent": 200, "hidden": 512, "likelihood": "gaussian"},
                {"binarise": 0.0},
                epochs=20,
                batch=128,
                learning_rate=1e-3,
                clip=500.0,
                seed=6,
            ),
            _recipe(
                "digits-dropout",
                "digits-dense",
                "dense 2-D VAE of MNIST with dropout",
                {"latent": 2, "hidden": 512, "dropout": 0.1},
                {"binarise": 0.0},
                epochs=40,
                batch=128,
                learning_rate=1e-3,
                clip=500.0,
                seed=6,
            ),
            _recipe(
                "digits-cnn",
                "digits-cnn",
                "convolutional classifier of MNIST: the evaluator of digit campaigns",
                {"channels": 16, "hidden": 128, "dropout": 0.3},
                {},
                epochs=12,
                batch=128,
                learning_rate=2e-3,
                weight_decay=1e-4,
                seed=2,
            ),
            _recipe(
                "digits-cnn-second",
                "digits-cnn-second",
                "an independent classifier of MNIST, to judge what campaigns found",
                {"width": 20},
                {},
                epochs=12,
                batch=128,
                learning_rate=2e-3,
                weight_decay=1e-4,
                seed=1977,
            ),
            _recipe(
                "digits-cvae",
                "digits-cvae",
                "conditional 2-D VAE of MNIST: encoder and decoder are told the digit",
                {"latent": 2, "channels": 8, "hidden": 32},
                {},
                epochs=20,
                batch=128,
                learning_rate=6e-3,
                weight_decay=1e-2,
                seed=8,
            ),
            _recipe(
                "digits-constraints",
                "digits-constraints",
                "latent constraints in the space digits-2d-classifier: a critic of points with a "
                "digit, and an actor that moves draws from the prior to where it agrees",
                {"latent": 2, "hidden": 96},
                {"distance": 0.05},
                epochs=15,
                batch=128,
                learning_rate=6e-3,
                seed=8,
            ),
            _recipe(
                "curve",
                "curve",
                "VAEs of a noisy curve in the plane: likelihoods, divergence, latents, activations",
                {"hidden": 64, "points": 5_000},
                {},
                epochs=120,
                batch=250,
                learning_rate=1e-2,
                clip=1e6,  # of all variants together: none is to hold back the others
                seed=4,
            ),
            _recipe(
                "zinc-selfies",
                "molecules",
                "SELFIES VAE of ZINC-250k with a property head for QED, logP and SA",
                _SELFIES | {"head": 128},
                _SELFIES_WEIGHTS,
                **_SELFIES_SCHEDULE,
            ),
            _recipe(
                "zinc-selfies-unlabelled",
                "molecules",
                "SELFIES VAE of ZINC-250k that has seen no property: benchmarks run on it",
                _SELFIES | {"head": 0},
                {"kl": 0.1, "warm_up": 0.4},
                **_SELFIES_SCHEDULE,
            ),
            _recipe(
                "zinc-flow",
                "molecules",
                "SELFIES autoencoder of ZINC-250k whose prior is a flow; it has seen no property",
                {
                    "kind": "flow",
                    "latent": 64,
                    "embedding": 128,
                    "encoder": 320,
                    "decoder": 384,
                    "layers": 12,
                    "hidden": 224,
                },
                {"kl": 0.05, "exact": 0.96, "forget": 0.1},
                epochs=59,
                batch=1024,
                learning_rate=1.5e-3,
                weight_decay=1e-2,
                clip=5.0,
                seed=17,
            ),
            replace(
                _recipe(
                    "moses-selfies",
                    "molecules",
                    "SELFIES VAE like zinc-selfies of 200,000 molecules, evenly taken from MOSES",
                    _SELFIES | {"head": 128},
                    _SELFIES_WEIGHTS,
                    **_SELFIES_SCHEDULE,
                ),
                at_most=200_000,
                benchmark="moses",
            ),
            _recipe(
                "smiles",
                "smiles",
                "VAE of one-hot SMILES with a GRU decoder",
                {"latent": 64, "channels": 64, "hidden": 384, "decoder": "gru"},
                {"kl": 0.1, "warm_up": 0.4},
                **_SMILES,
            ),
            _recipe(
                "smiles-ae",
                "smiles",
                "convolutional autoencoder of one-hot SMILES: no prior, to compare with",
                {"latent": 256, "channels": 64, "hidden": 1024, "posterior": "point"},
                {},
                **_SMILES,
            ),
            _recipe(
                "smiles-vae",
                "smiles",
                "convolutional VAE of one-hot SMILES",
                {"latent": 256, "channels": 64, "hidden": 1024},
                {"kl": 0.1, "warm_up": 0.4},
                **_SMILES,
            ),
            _recipe(
                "smiles-vae-property",
                "smiles",
                "convolutional VAE of one-hot SMILES, with a head for QED and outcomes of assays",
                {"latent": 256, "channels": 64, "hidden": 1024, "head": 512},
                {"kl": 0.1, "warm_up": 0.4, "property": 5.0},
                **_SMILES,
            ),
            _recipe(
                "tox21",
                "tox21",
                "predictor of the twelve Tox21 assays from counts of fragments: an evaluator",
                {"hidden": 32, "dropout": 0.4},
                {},
                epochs=30,
                batch=64,
                learning_rate=2e-3,
                weight_decay=1e-2,
                seed=4,
            ),
            _recipe(
                "smiles-aae",
                "smiles",
                "convolutional adversarial autoencoder of one-hot SMILES",
                {"latent": 24, "channels": 64, "hidden": 1024, "posterior": "standardised"},
                {"adversarial": 20.0, "discriminator_rate": 2e-4},
                **_SMILES,
            ),
        )
    }
)


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        SpaceError: there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise SpaceError(f"no recipe is named {name!r}; there are: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
