"""Labeling jobs: a whole data set that goes to people object by object, and what their answers come to."""
