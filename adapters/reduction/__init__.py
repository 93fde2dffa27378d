"""From the raw signals of a plate to readings: pure functions of wells and a recipe.

- :mod:`adapters.reduction.plates`: wells, their names, and the plates that they are on;
- :mod:`adapters.reduction.layouts`: which well holds what, as a spec's options say;
- :mod:`adapters.reduction.recipes`: what is done with the signals, as a spec's options say;
- :mod:`adapters.reduction.reduce`: doing it.

Nothing here reads a file, a clock or a random number.
"""
