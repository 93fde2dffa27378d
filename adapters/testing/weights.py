"""Checks of the trained weights that an evaluator names."""

from __future__ import annotations

import hashlib

from adapters.protocol import Evaluator, Weighted, Weights
from adapters.testing.bench import Bench, exchange, fail, guarded, jobs_for, leave_out, require


class WeightChecks(Bench):
    """What :class:`adapters.protocol.Weighted` promises, of an evaluator that is one."""

    def test_weights_have_the_hash_that_they_are_named_with(self) -> None:
        """The core keeps these bytes and verifies them: others would pass for what measured."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Weighted):
            leave_out("weights: it has no method weights; its values must depend on none")
            return
        found = _weights(evaluator)
        try:
            with found.file.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            fail(f"the weights {found.file} cannot be read: {error.strerror}")
        require(
            found.sha256 == actual,
            f"weights names the SHA-256 {found.sha256!r}; that of {found.file} is {actual}. Name "
            "the file that is loaded, and its hash in lower-case hexadecimal digits",
        )

    def test_weights_stay_the_same(self) -> None:
        """Years later they are asked for again, of an evaluator that was made anew."""
        evaluator = self.evaluator()
        if not isinstance(evaluator, Weighted):
            return  # which the other check says
        before = _weights(evaluator)
        exchange(evaluator, jobs_for(evaluator, self.samples()), self.patience)
        for asked, which in ((evaluator, "after measuring"), (self.evaluator(), "when restarted")):
            after = _weights(asked)
            require(
                after == before,
                f"weights gives {after} {which}, and {before} before; they must follow from the "
                "options alone",
            )


def _weights(evaluator: Evaluator) -> Weights:
    assert isinstance(evaluator, Weighted)
    found: object = guarded("weights", evaluator.weights)
    require(
        isinstance(found, Weights),
        f"weights gives {found!r}; give Weights(file, sha256), or no method of that name",
    )
    assert isinstance(found, Weights)
    return found
