"""Automated data labeling: a model learns from the labels of people and labels what it is sure of."""
