"""Wells, plates, ranges and layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.protocol import EvaluatorError, OptionError
from adapters.reduction.layouts import layout, measured
from adapters.reduction.plates import PLATES, Plate, Position, Role, plate
from adapters.reduction.readings import ranges

sizes = st.sampled_from(sorted(PLATES))


@pytest.mark.parametrize(
    ("size", "last", "padded"),
    [
        (6, "B3", "B03"),
        (12, "C4", "C04"),
        (24, "D6", "D06"),
        (48, "F8", "F08"),
        (96, "H12", "H12"),
        (384, "P24", "P24"),
        (1536, "AF48", "AF48"),
    ],
)
def test_plates_end_where_they_do(size: int, last: str, padded: str) -> None:
    wells = plate(size).positions()
    assert (len(wells), str(wells[0]), wells[0].padded) == (size, "A1", "A01")
    assert (str(wells[-1]), wells[-1].padded) == (last, padded)


@given(sizes, st.data())
def test_each_name_is_read_back(size: int, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(PLATES[size].positions()))
    for name in (str(one), one.padded, str(one).lower(), f" {one.padded} "):
        assert PLATES[size].position(name) == one


def test_rows_and_columns() -> None:
    small = plate(6)
    assert [str(one) for one in small.positions()] == ["A1", "A2", "A3", "B1", "B2", "B3"]
    assert [str(one) for one in small.positions("columns")] == ["A1", "B1", "A2", "B2", "A3", "B3"]


@pytest.mark.parametrize(
    "name", ["", "A", "1", "A0", "A13", "I1", "A1.5", "AA1", "A-1", "=A1", "Ä1"]
)
def test_no_well_of_96(name: str) -> None:
    with pytest.raises(EvaluatorError, match="no well"):
        plate(96).position(name)


@pytest.mark.parametrize(
    ("written", "wells"),
    [
        ("A1", ["A1"]),
        ("A1:B2", ["A1", "A2", "B1", "B2"]),
        ("a01 : A03", ["A1", "A2", "A3"]),
        ("B2, A1", ["B2", "A1"]),
        (["A1:A2", "A2:A3"], ["A1", "A2", "A3"]),
        ("col 1", [f"{row}1" for row in "ABCDEFGH"]),
        ("columns 01-02", [f"{row}{column}" for row in "ABCDEFGH" for column in (1, 2)]),
        ("row H", [f"H{column}" for column in range(1, 13)]),
        ("rows a-b", [f"{row}{column}" for row in "AB" for column in range(1, 13)]),
        ("", []),
    ],
)
def test_lists_of_wells(written: str | list[str], wells: list[str]) -> None:
    assert [str(one) for one in plate(96).select(written)] == wells


@pytest.mark.parametrize("written", ["A1:I1", "col 13", "col 0", "row I", "B1:A1", "A1-A3", "A1:"])
def test_lists_that_are_none(written: str) -> None:
    with pytest.raises(EvaluatorError):
        plate(96).select(written)


@given(sizes, st.data())
def test_ranges_are_read_back(size: int, data: st.DataObject) -> None:
    every = PLATES[size].positions()
    some = data.draw(st.sets(st.sampled_from(every)))
    assert set(PLATES[size].select(ranges(some))) == some


def test_a_layout_fills_dose_series_one_after_another() -> None:
    made = layout(
        {"wells": 24, "negative": "A1:A2", "positive": "A3", "replicates": 2, "doses": [100, 10]}
    )
    wells = {str(well.position): well for well in made.fill(["a", "b"])}
    assert made.capacity == (24 - 3) // 4
    assert [wells[name].role for name in ("A1", "A2", "A3")] == [
        Role.NEGATIVE,
        Role.NEGATIVE,
        Role.POSITIVE,
    ]
    assert [(wells[n].sample, wells[n].dose) for n in ("A4", "A5", "A6", "B1", "B2")] == [
        ("a", 100),
        ("a", 10),
        ("a", 100),
        ("a", 10),
        ("b", 100),
    ]
    assert wells["D6"].role is Role.EMPTY


@given(
    size=sizes,
    order=st.sampled_from(["rows", "columns"]),
    edges=st.sampled_from(["use", "avoid"]),
    replicates=st.integers(1, 3),
    points=st.integers(2, 4),
)
@pytest.mark.slow
def test_full_layouts_hold_each_sample_as_often_as_asked(
    size: int, order: str, edges: str, replicates: int, points: int
) -> None:
    option = {
        "wells": size,
        "negative": "A1",
        "blank": "A2",
        "order": order,
        "edges": edges,
        "replicates": replicates,
        "doses": {"highest": 1000, "points": points},
    }
    rim = 2 if edges == "avoid" else 0
    rows, columns = PLATES[size].rows - rim, PLATES[size].columns - rim
    if rows * columns - (0 if rim else 2) < replicates * points:
        with pytest.raises(OptionError, match="one sample takes"):
            layout(option)
        return
    made = layout(option)
    names = [f"s{number}" for number in range(made.capacity)]
    wells = made.fill(names)
    assert [well.position for well in wells] == list(PLATES[size].positions())
    held = [well for well in wells if well.role is Role.SAMPLE]
    for name in names:
        doses = [well.dose for well in held if well.sample == name]
        assert sorted(doses, key=str) == sorted([*made.doses] * replicates, key=str)
    if edges == "avoid":
        assert not any(PLATES[size].edge(well.position) for well in held)


def test_what_is_masked_moves_no_sample() -> None:
    """Wells are masked once a plate was read: each sample must still be where it was put."""
    plain = layout({"wells": 24, "negative": "A1"}).fill(["a", "b", "c"])
    masked = layout({"wells": 24, "negative": "A1", "mask": "A3"}).fill(["a", "b", "c"])
    assert [well.sample for well in plain] == [well.sample for well in masked]
    assert [str(well.position) for well in masked if well.masked] == ["A3"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"wells": 97}, "layout.wells is 97; there is no plate of 97 wells; known: 6, 12"),
        ({"wells": "96"}, "layout.wells is '96'; write a whole number"),
        ({"negativ": "A1"}, "no key 'negativ'; did you mean 'negative'?"),
        ({"negative": "A1:A3", "blank": "A3"}, "layout.blank is 'A3'; well A3 is in negative"),
        ({"negative": "A1", "samples": "row A"}, "layout.samples is 'row A'; well A1 is in neg"),
        ({"negative": "Q1"}, "layout.negative is 'Q1'; there is no well Q1"),
        ({"negative": 3}, "layout.negative is 3; write wells"),
        ({"doses": [10, 10]}, r"layout.doses is \[10, 10\]; write different numbers above 0"),
        ({"doses": [10, 0]}, "layout.doses"),
        ({"doses": "10"}, "layout.doses"),
        ({"doses": {"factor": 3}}, "layout.doses.highest is None; write the highest dose"),
        ({"doses": {"highest": 9, "factor": 1}}, "layout.doses.factor is 1; .* above 1"),
        ({"edges": "no"}, "layout.edges is 'no'; write use or avoid"),
        ({"replicates": 0}, "layout.replicates is 0"),
        ({"samples": "A1", "replicates": 2}, "1 places for samples, and one sample takes 2 wells"),
    ],
)
def test_wrong_layouts_are_named(option: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        layout(option)


def test_more_than_fits_and_twice_the_same_are_refused() -> None:
    made = layout({"wells": 6})
    with pytest.raises(EvaluatorError, match="6 do"):
        made.fill([str(number) for number in range(7)])
    with pytest.raises(EvaluatorError, match="'a' is on the plate twice"):
        made.fill(["a", "a"])


def test_signals_of_no_well_are_refused() -> None:
    wells = layout({"wells": 6}).fill(["a"])
    with pytest.raises(EvaluatorError, match="not on the plate: H12"):
        measured(wells, {Position(7, 11): {"rlu": 1.0}})
    assert Position(7, 11) not in Plate(2, 3)
