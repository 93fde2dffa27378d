"""Where the weights lie that come with assayloop."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "weights" / "digits-cnn.safetensors"
