"""``python -m include.loop``: one module for each command, or for a few that belong together.

A module has ``add(commands)``, which adds its parsers; each sets ``run``, a function of the parsed options
that gives the exit status. program.py knows them all.
"""
