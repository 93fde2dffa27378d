"""The digit classifier as an evaluator: what it takes, what it refuses, what it names."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapters.mnist_classifier import MnistClassifier
from adapters.mnist_classifier.network import load
from adapters.mnist_classifier.shipped import SHIPPED
from adapters.protocol import Batch, Delivery, EvaluatorError, Job, Sample, Ticket

ALL = tuple(f"p_{digit}" for digit in range(10))


def png(pixels: np.ndarray) -> bytes:
    """An image file of these pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def deliver(content: bytes | str, *measures: str) -> Delivery:
    """The delivery of one image."""
    evaluator = MnistClassifier()
    evaluator.submit(Batch("b", (Job("k", Sample("image", content), measures),)))
    (delivery,) = evaluator.receive([Ticket("k")])
    return delivery


def grey(seed: int = 0) -> np.ndarray:
    """Noise of the right shape."""
    return np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)


def test_probabilities_are_the_networks() -> None:
    """What is recorded is what the network says of exactly these pixels."""
    (outcome,) = MnistClassifier().parse(deliver(png(grey()), *ALL))
    found = [reading.value for reading in outcome.readings]
    assert found == load().probabilities(grey()[None])[0].tolist()
    assert sum(found) == pytest.approx(1)


def test_only_wanted_digits_are_given() -> None:
    """A campaign for fours records fours."""
    (outcome,) = MnistClassifier().parse(deliver(png(grey()), "p_4"))
    assert [reading.name for reading in outcome.readings] == ["p_4"]


def test_the_delivery_names_the_weights() -> None:
    """An auditor can tell which network gave a value."""
    provenance = json.loads(deliver(png(grey()), "p_4").body)["provenance"]
    assert provenance["weights_sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(np.zeros((32, 32), np.uint8)), "the image is 32 x 32 pixels; it must be 28 x 28"),
        (png(np.zeros((28, 28, 3), np.uint8)), "the image's mode is 'RGB'; it must be 8-bit grey"),
        (header(60_000, 60_000), "60000 x 60000|exceeds limit"),
        (header(28, 28), "cannot be read"),
        (png(grey())[:200], "cannot be read"),
        (b"GIF89a", "is not a PNG image"),
        (b"", "is not a PNG image"),
        ("a four", "'a four' is text; an image is the bytes of a PNG file"),
    ],
    ids=["large", "colour", "bomb", "hollow", "torn", "gif", "empty", "text"],
)
def test_what_is_no_digit_is_rejected(content: bytes | str, reason: str) -> None:
    """It is refused with a reason, and a huge image is never unpacked."""
    (outcome,) = MnistClassifier().parse(deliver(content, "p_4"))
    assert outcome.status.value == "rejected"
    assert any(part in outcome.reason for part in reason.split("|")), outcome.reason


def test_missing_weights_are_found_by_check_and_take_no_job(tmp_path: Path) -> None:
    """A campaign with a misspelt path must not burn its budget on failures."""
    evaluator = MnistClassifier(weights=tmp_path / "none.safetensors")
    with pytest.raises(EvaluatorError, match=r"none\.safetensors"):
        evaluator.check(["p_4"])
    job = Job("k", Sample("image", png(grey())), ("p_4",))
    with pytest.raises(EvaluatorError, match=r"none\.safetensors"):
        evaluator.submit(Batch("b", (job,)))
    assert not evaluator.receive([Ticket("k")])
