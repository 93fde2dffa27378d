"""assayloop: closed-loop active learning in the latent space of generative models.

``from orchestrator import Campaign`` is the way in for notebooks; it is imported on first use, so
that the command line stays quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign

__all__ = ["Campaign"]


def __getattr__(name: str) -> Any:
    if name == "Campaign":
        from orchestrator.campaign import Campaign

        return Campaign
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
