"""A plate reader that is only a program: worklists come in one folder, results go into another.

    python examples/plate-reader/reader.py worklists results

What it measures is computed: most activity at pH 7.4 and 150 mmol/l of salt. It may be killed at
any time; started again it goes on with the plate in it, and measures no well twice.

With ``--manners`` each plate comes as another reader would write it: half-written, as a workbook,
in UTF-16, with a preamble, under another name, two plates in one file, and now and then wrong.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import signal
import time
from pathlib import Path

HEADINGS = ["Plate", "Well", "Activity (%)", "SD", "Time"]
MANNERS = ["half", "hold", "together", "workbook", "utf16", "preamble", "lost", "latin"]


class Reader:
    """The instrument."""

    def __init__(self, given: argparse.Namespace) -> None:
        worklists, results = given.worklists, given.results
        self.worklists, self.results = worklists, results
        self.seconds, self.manners, self.cuts = given.seconds, given.manners, given.power_cuts
        self.inside = results.parent / "reader"
        """What the instrument knows by itself: plates in it, and every well that it measured."""
        for folder in (worklists, results, self.inside):
            folder.mkdir(parents=True, exist_ok=True)

    def look(self) -> None:
        """Measure the plates whose worklists are there."""
        for file in sorted(self.worklists.glob("*.csv")):
            file.rename(self.inside / file.name)
        for file in sorted(self.inside.glob("*.csv"), key=lambda one: one.stat().st_mtime):
            self.measure(file)

    def measure(self, worklist: Path) -> None:
        """Measure one plate and export it."""
        with worklist.open(newline="", encoding="utf-8") as file:
            wells = [one for one in csv.DictReader(file) if one["role"] == "sample"]
        log = self.inside / "measured.log"
        known = dict(line.split() for line in log.read_text().splitlines()) if log.exists() else {}
        rows = [HEADINGS]
        for well in wells:
            name = f"{worklist.stem}:{well['well']}"
            if name not in known:
                time.sleep(self.seconds)
                known[name] = activity(well)
                with log.open("a") as file:
                    file.write(f"{name} {known[name]}\n")
                    file.flush()
                    os.fsync(file.fileno())
                if len(known) in self.cuts:
                    os.kill(os.getpid(), signal.SIGKILL)
            at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
            value = known[name].replace(".", ",")
            rows.append([worklist.stem, well["well"], value, "0,5", at])
        done = len(list(self.inside.glob("*.exported")))
        self.export(MANNERS[done % len(MANNERS)] if self.manners else "", worklist.stem, rows)
        worklist.rename(worklist.with_suffix(".exported"))

    def export(self, manner: str, plate: str, rows: list[list[str]]) -> None:
        """Write the results of a plate in some manner."""
        text = table(rows)
        held = self.inside / "held.txt"
        if manner == "hold":  # comes with the next plate, and after something that is no result
            held.write_text(text)
            self.write("~$results.xlsx", b"an office program has it open")
            self.write("service.csv", b"lamp hours\r\n1042\r\n")
            return
        if manner == "together":
            text = f"{held.read_text()}\r\n{text}"
        if manner == "half":
            body = text.encode()
            with (self.results / f"{plate}.csv").open("wb") as file:
                for start in range(0, len(body), 40):
                    file.write(body[start : start + 40])
                    file.flush()
                    time.sleep(0.002)
        elif manner == "workbook":
            self.write(f"{plate}.xlsx", workbook(rows))
        elif manner == "utf16":
            for name in (f"{plate}.txt", f"Copy of {plate}.txt"):
                self.write(name, text.replace(";", "\t").encode("utf-16"))
        elif manner == "preamble":
            head = "Instrument;Reader 3000\r\nWavelength;450 nm\r\n\r\n"
            self.write("run 7 of today - copy.csv", (head + text).encode("utf-8-sig"))
        elif manner == "lost":  # one with the barcode of no plate first
            self.write("wrong.csv", text.replace(plate, "NOSUCHPLATE").encode())
            self.write(f"{plate}.csv", text.encode())
        elif manner == "latin":
            wide = [
                [*row, "20 µl geprüft" if number else "Notiz"] for number, row in enumerate(rows)
            ]
            self.write(f"{plate}.csv", table(wide).encode("latin-1"))
        else:
            self.write(f"{plate}.csv", text.encode())

    def write(self, name: str, body: bytes) -> None:
        """Write a file under another name first, as a well-mannered program does."""
        part = self.results / f"{name}.part"
        part.write_bytes(body)
        part.rename(self.results / name)


def activity(well: dict[str, str]) -> str:
    """Percent of the most that there is; or that nothing was seen."""
    try:
        ph, salt = float(well["ph"]), float(well["salt"])
    except (KeyError, TypeError, ValueError):
        return "ERROR"
    return f"{100 * math.exp(-(((ph - 7.4) / 1.5) ** 2) - ((salt - 150) / 120) ** 2):.4f}"


def table(rows: list[list[str]]) -> str:
    """Rows as Excel in Germany writes them."""
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def workbook(rows: list[list[str]]) -> bytes:
    """Rows as a workbook, on its second sheet."""
    from openpyxl import Workbook

    book = Workbook()
    book.worksheets[0].append(["Protocol", "activity"])
    sheet = book.create_sheet("Results")
    for number, row in enumerate(rows):
        numbers = [float(cell.replace(",", ".")) for cell in row[2:4]] if number else row[2:4]
        sheet.append([*row[:2], *numbers, *row[4:]])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def main() -> None:
    """Run until somebody stops it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("worklists", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seconds", type=float, default=0.2, help="that a well takes")
    parser.add_argument("--manners", action="store_true", help="each plate in another way")
    parser.add_argument(
        "--power-cuts", type=int, nargs="*", default=[], metavar="N", help="die after N wells"
    )
    given = parser.parse_args()
    reader = Reader(given)
    print(f"reading plates of {given.worklists}", flush=True)  # noqa: T201
    while True:
        reader.look()
        time.sleep(0.05)


if __name__ == "__main__":
    main()
