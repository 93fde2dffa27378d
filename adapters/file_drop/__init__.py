"""The transport ``file_drop``: worklists into one folder, result files out of another.

- :mod:`adapters.file_drop.evaluator`: what the loop calls;
- :mod:`adapters.file_drop.worklist`, ``issued``, ``places``: what goes out, once;
- :mod:`adapters.file_drop.folders`: whole files in, put away under their reason;
- :mod:`adapters.file_drop.textfile`, ``workbook``: bytes to cells;
- :mod:`adapters.file_drop.formats`, ``tidy``, ``grid``, ``plateless``: cells to values;
- :mod:`adapters.file_drop.matching`, ``outcomes``, ``reducing``: values to outcomes of jobs.
"""

from __future__ import annotations

from adapters.file_drop.evaluator import FileDrop

__all__ = ["FileDrop"]
