"""What several people's answers to one question come to, as Ground Truth consolidates them.

Knows none of our rooms: the loop uses it for human loops, the review server for labeling jobs. Pure
functions.
"""
