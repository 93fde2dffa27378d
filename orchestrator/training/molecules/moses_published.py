"""What the authors of MOSES published of their variational autoencoder, to stand beside ours.

Polykovskiy et al. 2020, doi:10.3389/fphar.2020.565644, with the decimals of the table in their
repository, github.com/molecularsets/moses: means and standard deviations of three models trained on
all 1,584,663 molecules, each judged by 30,000 draws. Filters, which we do not compute, are 0.997.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VAE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "valid": (0.9767, 0.0012),
        "unique@1k": (1.0, 0.0),
        "unique@10k": (0.9984, 0.0005),
        "FCD/Test": (0.099, 0.0125),
        "FCD/TestSF": (0.567, 0.0338),
        "SNN/Test": (0.6257, 0.0005),
        "SNN/TestSF": (0.5783, 0.0008),
        "Frag/Test": (0.9994, 0.0001),
        "Frag/TestSF": (0.9984, 0.0003),
        "Scaf/Test": (0.9386, 0.0021),
        "Scaf/TestSF": (0.0588, 0.0095),
        "IntDiv": (0.8558, 0.0004),
        "IntDiv2": (0.8498, 0.0004),
        "Novelty": (0.6949, 0.0069),
    }
)
