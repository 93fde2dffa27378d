"""The verifier's own mathematics, against the published vectors and another implementation."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.ledger import digest
from db.models import LedgerEntry
from orchestrator.history.export.crate import verifier
from orchestrator.history.export.crate.verifier import ORDER, ed25519_verify

RFC_8032 = {
    "1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
        "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ec"
        "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
"""Public key, message and signature of section 7.1."""


@pytest.mark.parametrize("name", RFC_8032)
def test_the_published_signatures_are_genuine(name: str) -> None:
    """An auditor's verdict hangs on a few lines of arithmetic."""
    key, message, signature = (bytes.fromhex(one) for one in RFC_8032[name])
    assert ed25519_verify(key, message, signature)
    assert not ed25519_verify(key, message + b"!", signature)
    for place in (0, 31, 32, 63):
        forged = bytearray(signature)
        forged[place] ^= 1
        assert not ed25519_verify(key, message, bytes(forged))
    assert not ed25519_verify(key[::-1], message, signature)
    assert not ed25519_verify(key[:31], message, signature)


def test_a_signature_cannot_be_made_into_a_second_one() -> None:
    """RFC 8032, section 8.4: S and S + L would both do, if that were not refused."""
    key, message, signature = (bytes.fromhex(one) for one in RFC_8032["2"])
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519_verify(key, message, signature[:32] + scalar.to_bytes(32, "little"))


def test_it_agrees_with_another_implementation() -> None:
    """What is signed by `cryptography` is verified without it."""
    for size in (0, 1, 64, 1000):
        private, message = Ed25519PrivateKey.generate(), os.urandom(size)
        key = private.public_key().public_bytes_raw()
        assert ed25519_verify(key, message, private.sign(message))
        assert not ed25519_verify(key, message, Ed25519PrivateKey.generate().sign(message))


def test_it_hashes_an_entry_as_the_ledger_does() -> None:
    """Two implementations of one format, or every crate would be called forged."""
    columns = {"chain": "å", "sequence": 2, "at": -5, "clock_back": True, "previous": "0" * 64}
    words = {"actor_kind": "k", "actor_id": "𝒙", "on_behalf_of": "", "mode": "m", "kind": "tell"}
    entry = {**columns, **words, "version": 1, "payload": "{}"}
    assert verifier.entry_hash(entry) == digest(LedgerEntry(**entry))


def test_the_documentation_has_the_hash_of_the_verifier() -> None:
    """Whoever gets a crate compares it with the verifier that came along."""
    page = Path(__file__).parents[2] / "docs" / "crate.md"
    content = Path(verifier.__file__).read_bytes()
    assert hashlib.sha256(content).hexdigest() in page.read_text()
