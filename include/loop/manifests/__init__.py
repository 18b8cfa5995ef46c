"""Augmented manifests as anybody has them, before they are labels of a pipeline: what is in one, and how it
is divided into one to learn from and one to measure with.

A *place* is a path on this machine or an S3 URI. Everything is streamed: a manifest may have any length.
"""
