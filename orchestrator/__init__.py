"""assayloop: closed-loop active learning in the latent space of generative models.

For notebooks: ``from orchestrator import Campaign`` is the way in, ``open_space`` opens a space by
name, and ``interpolation`` has the ways between its points. All are imported on first use, so that
the command line stays quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.campaign import Campaign
    from orchestrator.latent import interpolation
    from orchestrator.latent.registry import open_space

__all__ = ["Campaign", "interpolation", "open_space"]


def __getattr__(name: str) -> Any:
    match name:
        case "Campaign":
            from orchestrator.campaign import Campaign

            return Campaign
        case "interpolation":
            from orchestrator.latent import interpolation

            return interpolation
        case "open_space":
            from orchestrator.latent.registry import open_space

            return open_space
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
