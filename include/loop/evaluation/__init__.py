"""From two models to a verdict: both measured on the same images, and the rules of the gate."""
