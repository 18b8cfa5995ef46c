"""`make demo`: the whole loop on sample images, told as it goes, measured and checked."""
