"""The doors through which data comes in and goes out: other tools' data sets to labels of a pipeline, and
back.

``formats/`` reads and writes each format; everything between them is an ``Item`` (items.py).
"""
