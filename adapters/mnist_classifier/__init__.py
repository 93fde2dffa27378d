"""The digit that an image shows, by a convolutional network trained on MNIST.

The network lives in :mod:`adapters.mnist_classifier.network`; it and torch are loaded when the
first image is read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.calculator import RejectedError
from adapters.messages import quote
from adapters.mnist_classifier.shipped import SHIPPED
from adapters.protocol import Capabilities, Measure, Sample
from adapters.trained_calculator import TrainedCalculator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from adapters.mnist_classifier.network import Classifier

MEASURES = tuple(
    Measure(f"p_{digit}", lower=0, upper=1, description=f"probability that it is a {digit}")
    for digit in range(10)
)


class MnistClassifier(TrainedCalculator):
    """Class probabilities of grey 28 x 28 PNG images.

    Args:
        weights: Another network's weights, a safetensors file with its model card beside it; the
            shipped ones when left out.
    """

    def __init__(self, *, weights: Path | None = None) -> None:
        super().__init__(
            Capabilities(
                name="mnist-classifier",
                version="1",
                sample_kinds=frozenset({"image"}),
                measures=MEASURES,
                batch_size=100,
                synchronous=True,
                idempotent=True,
                expected_duration=0.02,
            ),
            weights or SHIPPED,
        )

    def calculate(self, sample: Sample, wanted: Sequence[str]) -> Mapping[str, float]:
        """The wanted class probabilities of an image."""
        row = self.trained.probabilities(read_digit(sample.content)[None])[0]
        return {name: float(row[int(name.removeprefix("p_"))]) for name in wanted}

    @cached_property
    def trained(self) -> Classifier:
        """The network, loaded when it is first asked for.

        Raises:
            EvaluatorError: the weights are missing or changed.
        """
        from adapters.mnist_classifier.network import load

        return load(self.file)


def read_digit(content: str | bytes) -> NDArray[np.uint8]:
    """The pixels of a grey PNG image, shape ``28 x 28``, white on black as in MNIST.

    Raises:
        RejectedError: it is no such image.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    from adapters.mnist_classifier.network import SIDE

    if isinstance(content, str):
        raise RejectedError(f"{quote(content)} is text; an image is the bytes of a PNG file")
    try:
        # Opening reads the header only, so that a small file of a huge image is refused unread.
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != (SIDE, SIDE):
                raise RejectedError(
                    f"the image is {image.width} x {image.height} pixels; "
                    f"it must be {SIDE} x {SIDE}"
                )
            if image.mode != "L":
                raise RejectedError(f"the image's mode is {image.mode!r}; it must be 8-bit grey")
            return np.asarray(image, dtype=np.uint8)
    except UnidentifiedImageError as error:
        raise RejectedError(f"{quote(content)} is not a PNG image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RejectedError(f"the PNG image cannot be read: {error}") from error
