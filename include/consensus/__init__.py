"""What several people's answers to one question come to, as Ground Truth consolidates them.

Pure functions; the loop uses them for the answers of human loops.
"""
