"""Verify a crate of assayloop with nothing but Python 3.11 or later: no package, no network.

    python -I -S verify.py CRATE [--anchors FILE]... [--trust KEY]...

CRATE is the folder or the .zip file. What is checked:

- every file against its SHA-256 in ``manifest-sha256.txt``, and that there is no other file;
- every chain of the ledger: numbers, times, the hash before, and each entry's own SHA-256;
- each campaign's first entry against the hash that the system's chain keeps of it;
- the tables, row by row and column by column, against what the ledger's entries make of them;
- every artifact against its name, its size, and what refers to it;
- anchors, in the crate or in a FILE that was kept elsewhere: Ed25519 signatures over what a chain
  was. Only these show that a chain was not written anew as a whole: somebody who can sign must have
  kept KEY. Without one, compare the heads that are printed with what you know from elsewhere.

Exit code 0: all is what was written; 5: it is not; 2: it cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

FORMAT = "assayloop/crate/1"
MANIFEST = "manifest-sha256.txt"
DESCRIPTION = "crate.json"
ANCHORS = "anchors.jsonl"
SYSTEM = "system"
GENESIS = "0" * 64
LEDGER_DOMAIN, ANCHOR_DOMAIN = "assayloop/ledger/1", "assayloop/anchor/1"
PAYLOAD_VERSION = 1
HEADER = ("chain", "sequence", "at", "clock_back", "actor_kind", "actor_id", "on_behalf_of", "mode")
HASHED = (*HEADER, "kind", "version", "previous", "payload")
REFERENCES = (("candidate", "artifact"), ("attempt", "delivery"), ("measurement", "delivery"))
BLOCK = 1 << 20

Row = dict[str, Any]
Key = tuple[Any, ...]


DAMAGED = (OSError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a file of a folder or an archive may raise."""


class Unreadable(Exception):
    """It is no crate of this format."""


# Files ----------------------------------------------------------------------------------------


class Files:
    """The files of a crate, in a folder or a .zip file."""

    def __init__(self, place: Path) -> None:
        self._zip = None if place.is_dir() else zipfile.ZipFile(place)
        self._place = place
        self.names = self._zip.namelist() if self._zip else list(self._in_folder())
        """All files, by their paths in the crate."""
        self._known = frozenset(self.names)

    def _in_folder(self) -> Iterator[str]:
        for one in sorted(self._place.rglob("*")):
            if one.is_symlink() or not one.is_dir():
                yield one.relative_to(self._place).as_posix()

    def open(self, name: str) -> IO[bytes]:
        """One file; KeyError where there is none of that name."""
        if name not in self._known:
            raise KeyError(name)
        return self._zip.open(name) if self._zip else (self._place / name).open("rb")

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        with self.open(name) as file:
            return file.read()

    def lines(self, name: str) -> Iterator[Any]:
        """What a file of JSON Lines holds."""
        with self.open(name) as file:
            for line in file:
                yield json.loads(line)

    def close(self) -> None:
        """Give the file back."""
        if self._zip is not None:
            self._zip.close()


def manifest_faults(files: Files) -> Iterator[str]:
    """Files that are not what the manifest says, or not in it, or missing."""
    text = files.read(MANIFEST).decode("utf-8", "replace")
    listed: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        found = re.fullmatch("([0-9a-f]{64})  ([^/].*)", line)
        if found is None or found[2] in listed:
            yield f"{MANIFEST}, line {number}: is no line of a manifest"
        else:
            listed[found[2]] = found[1]
    if not text.endswith("\n"):
        yield f"{MANIFEST}: its last line is cut off"
    for name in files.names:
        if name not in listed and name != MANIFEST:
            yield f"{name}: is not in the manifest"
    if len(files.names) != len(set(files.names)):
        yield "a file is there twice"
    for name, expected in listed.items():
        try:
            sha256, _ = content_hash(files, name)
        except DAMAGED as error:
            yield f"{name}: cannot be read: {type(error).__name__} {error}"
            continue
        if sha256 != expected:
            yield f"{name}: was changed: its SHA-256 is {sha256}, and the manifest says {expected}"


def content_hash(files: Files, name: str) -> tuple[str, int]:
    """SHA-256 and size of a file."""
    hasher, size = hashlib.sha256(), 0
    with files.open(name) as file:
        while block := file.read(BLOCK):
            hasher.update(block)
            size += len(block)
    return hasher.hexdigest(), size


# The ledger -----------------------------------------------------------------------------------


def framed(domain: str, *values: object) -> bytes:
    """What is hashed or signed: each value as text, preceded by its length."""
    parts = [str(int(one) if isinstance(one, bool) else one).encode() for one in (domain, *values)]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def entry_hash(entry: Row) -> str:
    """SHA-256 of a ledger entry."""
    return hashlib.sha256(framed(LEDGER_DOMAIN, *(entry[name] for name in HASHED))).hexdigest()


def chain_faults(entry: Row, last: Row | None) -> Iterator[str]:
    """What is wrong with an entry by itself, and as the successor of the last one."""
    if entry["sequence"] != (1 if last is None else last["sequence"] + 1):
        yield "does not follow the entry before it"
    if entry["previous"] != (GENESIS if last is None else last["hash"]):
        yield "does not name the hash of the entry before it"
    if (found := entry_hash(entry)) != entry["hash"]:
        yield f"was changed: its hash is {found}, and it says {entry['hash']}"
    if entry["clock_back"] != (last is not None and entry["at"] < last["at"]):
        yield "is wrong about whether the clock went back before it"


@dataclass
class Fold:
    """The rows that entries make and set, with absolute values."""

    shapes: dict[str, Row]
    """Of each table its columns; which are the key, which real numbers, and which is the chain."""
    rows: dict[str, dict[Key, Row]] = field(default_factory=dict)

    def add(self, entry: Row) -> None:
        """Fold one more entry; ValueError or KeyError where it makes no sense."""
        if entry["version"] != PAYLOAD_VERSION:
            raise ValueError(f"payload version {entry['version']} is not known")
        payload = json.loads(entry["payload"])
        for how in ("new", "set"):
            for table in payload[how]:
                for row in payload[how][table]:
                    self._add(entry, table, row, new=how == "new")

    def _add(self, entry: Row, table: str, row: Row, *, new: bool) -> None:
        shape = self.shapes[table]
        if shape["chain"] is None and entry["chain"] != SYSTEM:
            raise ValueError(f"rows of {table} belong to the system's chain")
        values = row if shape["chain"] is None else row | {shape["chain"]: entry["chain"]}
        if unknown := values.keys() - set(shape["columns"]):
            raise ValueError(f"table {table} has no column {sorted(unknown)[0]}")
        key = tuple(values[name] for name in shape["key"])
        there = self.rows.setdefault(table, {})
        if new == (key in there):
            raise ValueError(f"makes {table} {key} again, or changes it before it is made")
        made = dict.fromkeys(shape["columns"]) | shape.get("added", {})
        made |= {"entry": entry["sequence"]}
        there[key] = there.get(key, made) | values

    def differences(self, table: str, stored: Iterator[Row]) -> Iterator[str]:
        """Where a table's rows are not what was folded."""
        missing = dict(self.rows.get(table, {}))
        columns, reals = self.shapes[table]["columns"], self.shapes[table]["reals"]
        for row in stored:
            key = tuple(row[name] for name in self.shapes[table]["key"])
            folded = missing.pop(key, None)
            if folded is None:
                yield f"{table} {key}: no entry made this row"
                continue
            for name in row.keys() ^ set(columns):
                yield f"{table} {key}: has a column {name} too many, or too few"
            for name in columns:
                if not same(folded[name], row.get(name), real=name in reals):
                    what = f"holds {row.get(name)!r}; by the ledger it is {folded[name]!r}"
                    yield f"{table} {key}, {name}: {what}"
        for key in missing:
            yield f"{table} {key}: the ledger has this row, and the table has not"


def same(folded: Any, stored: Any, *, real: bool) -> bool:
    """Whether a value of an entry is that of a table, which keeps no NaN as a real number."""
    if isinstance(folded, bool) or isinstance(stored, bool):
        return folded is stored
    return bool(folded == stored) or (real and folded == "NaN" and stored is None)


# Anchors: Ed25519 after RFC 8032, section 5.1 ---------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates X, Y, Z, T: x = X/Z, y = Y/Z, x·y = T/Z."""


def _add(a: Point, b: Point) -> Point:
    """Section 5.1.4."""
    lower, upper = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    third, twice = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = upper - lower, twice - third, twice + third, upper + lower
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _equal(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _decode(data: bytes) -> Point:
    """Section 5.1.3; ValueError where the bytes are no point."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Section 5.1.7: whether a signature is that of a public key under a message."""
    if len(key) != 32 or len(signature) != 64:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    try:
        public, nonce = _decode(key), _decode(signature[:32])
    except ValueError:
        return False
    if scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little")
    return _equal(_times(scalar, BASE), _add(nonce, _times(challenge % ORDER, public)))


def is_genuine(anchor: Row) -> bool:
    """Whether an anchor is signed by the key that it names."""
    fields = (anchor[name] for name in ("chain", "sequence", "hash", "at", "key"))
    message = framed(ANCHOR_DOMAIN, *fields)
    key, signature = bytes.fromhex(anchor["key"]), bytes.fromhex(anchor["signature"])
    return ed25519_verify(key, message, signature)


# All of it ------------------------------------------------------------------------------------


@dataclass
class Verification:
    """What was found."""

    problems: list[str] = field(default_factory=list)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Number and hash of the last entry of each chain."""
    hashes: dict[tuple[str, int], str] = field(default_factory=dict)
    """Of every entry, by chain and number."""
    anchored: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The last entry of each chain that an anchor stands for, and the anchor's key."""


def verify(
    files: Files, anchors: Iterable[Row] = (), trusted: frozenset[str] = frozenset()
) -> Verification:
    """Check a crate.

    Args:
        files: The crate.
        anchors: What was kept elsewhere.
        trusted: Keys that count; every key where empty.

    Raises:
        Unreadable: it is no crate of this format.
    """
    found = Verification()
    try:
        described = json.loads(files.read(DESCRIPTION))
        if described["format"] != FORMAT:
            raise Unreadable(f"it is of the format {described['format']}, and this is for {FORMAT}")
        _collect(found, MANIFEST, manifest_faults(files))
    except (*DAMAGED, TypeError, ValueError) as error:
        raise Unreadable(f"it has no {DESCRIPTION} that says what it is: {error}") from None
    if found.problems:
        return found  # nothing of what follows could be relied on
    fold = Fold(described["tables"])
    _collect(found, "ledger", _ledger_faults(found, files, described["campaigns"], fold))
    for table in described["tables"]:
        rows = files.lines(f"tables/{table}.jsonl")
        _collect(found, f"table {table}", fold.differences(table, rows))
    _collect(found, "artifacts", _artifact_faults(files, fold))
    own = files.lines(ANCHORS) if ANCHORS in files.names else ()
    for source, place in ((own, ANCHORS), (anchors, "anchors kept elsewhere")):
        _collect(found, place, _anchor_faults(found, source, trusted))
    return found


def _collect(found: Verification, place: str, faults: Iterator[str]) -> None:
    """Note what a check finds; what was forged may hold anything, and never raises."""
    try:
        found.problems.extend(faults)
    except (*DAMAGED, AttributeError, TypeError, ValueError) as error:
        found.problems.append(f"{place}: makes no sense: {type(error).__name__} {error}")


def _ledger_faults(
    found: Verification, files: Files, campaigns: list[str], fold: Fold
) -> Iterator[str]:
    genesis: dict[str, str] = {}
    for chain in [SYSTEM, *campaigns]:
        last: Row | None = None
        for entry in files.lines(f"ledger/{chain}.jsonl"):
            place = f"chain {chain}, entry {entry['sequence']}"
            if entry["chain"] != chain:
                yield f"{place}: belongs to the chain {entry['chain']}"
            for what in chain_faults(entry, last):
                yield f"{place}: {what}"
            fold.add(entry)
            if chain == SYSTEM and entry["kind"] == "campaign":
                about = json.loads(entry["payload"])["about"]
                genesis[about["campaign"]] = about["genesis"]
            if chain != SYSTEM and last is None and genesis.get(chain) != entry["hash"]:
                yield f"{place}: is not the one that the system's chain names"
            last = entry
            found.hashes[chain, entry["sequence"]] = entry["hash"]
        if last is None:
            yield f"chain {chain}: has no entry"
        else:
            found.heads[chain] = last["sequence"], last["hash"]


def _artifact_faults(files: Files, fold: Fold) -> Iterator[str]:
    rows = fold.rows.get("artifact", {})
    sizes = {sha256: row["size"] for (_, sha256), row in rows.items()}
    there = {name.partition("/")[2] for name in files.names if name.startswith("artifacts/")}
    for name in sorted(there - sizes.keys()):
        yield f"artifacts/{name}: no entry made it"
    for name, size in sizes.items():
        if name not in there:
            yield f"artifacts/{name}: is missing"
        elif content_hash(files, f"artifacts/{name}") != (name, size):
            yield f"artifacts/{name}: is not what its name and the ledger say"
    for table, column in REFERENCES:
        for key, row in fold.rows.get(table, {}).items():
            if row[column] is not None and (key[0], row[column]) not in rows:
                yield f"{table} {key}: names the artifact {row[column]}, which there is not"


def _anchor_faults(
    found: Verification, anchors: Iterable[Row], trusted: frozenset[str]
) -> Iterator[str]:
    for anchor in anchors:
        chain, sequence, key = anchor["chain"], anchor["sequence"], anchor["key"]
        if chain not in found.heads or (trusted and key not in trusted):
            continue
        place = f"anchor of chain {chain}, entry {sequence}"
        if not is_genuine(anchor):
            yield f"{place}: its signature is not that of the key {key}"
        elif (chain, sequence) not in found.hashes:
            yield f"{place}: the chain ends before it: its tail was cut off"
        elif found.hashes[chain, sequence] != anchor["hash"]:
            yield f"{place}: the chain was written anew after it was signed"
        elif sequence > found.anchored.get(chain, (0, ""))[0]:
            found.anchored[chain] = sequence, key


def main() -> int:
    """Verify what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("crate", type=Path)
    parser.add_argument("--anchors", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--trust", action="append", default=[], metavar="KEY")
    given = parser.parse_args()
    try:
        kept = [json.loads(line) for file in given.anchors for line in file.open("rb")]
        files = Files(given.crate)
        found = verify(files, kept, frozenset(given.trust))
        files.close()
    except (*DAMAGED, ValueError, Unreadable) as error:
        sys.stderr.write(f"{given.crate} cannot be verified: {error}\n")
        return 2
    for problem in found.problems:
        sys.stderr.write(problem.encode(errors="backslashreplace").decode() + "\n")
    for chain, (sequence, digest) in found.heads.items():
        sys.stdout.write(f"chain {chain}: {sequence} entries, head {digest}\n")
        if chain in found.anchored:
            number, key = found.anchored[chain]
            sys.stdout.write(f"  anchored up to entry {number} by the key {key}\n")
    if found.problems:
        sys.stdout.write(f"NOT what was written: {len(found.problems)} problems\n")
        return 5
    sys.stdout.write("All files, chains, tables and artifacts are what was written.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
