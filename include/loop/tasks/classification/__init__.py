"""Image classification: an image is of one class, or of several."""
