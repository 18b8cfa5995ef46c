"""What several people's answers to one question come to, as Ground Truth consolidates them.

Pure functions that know nobody; the loop uses them for the answers of human loops, the review server for
those of labeling jobs.
"""
