"""A feature network that has seen ImageNet: its weights, from their package, and the network in JAX."""

from typing import Literal

BACKBONE = "backbone"  # where its parameters lie among those of a network that is built on it
# What a network's features come from: layers that learn all from the labels, or EfficientNet-Lite0.
Features = Literal["compact", "lite0"]
