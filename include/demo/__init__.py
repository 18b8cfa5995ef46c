"""`make demo`: the whole loop on sample images, told as it goes, measured, checked against its promises."""
