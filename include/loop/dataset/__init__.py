"""From label shards to a dataset: which image is on which split, what is shown again, what is left out."""
