"""A labeling job for a pipeline that has images and no labels: planned, made or attached to, watched, and its
labels handed over to the loop.
"""
