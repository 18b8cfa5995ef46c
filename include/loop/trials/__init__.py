"""Label shards, and what was tried and said about each of them: may it be learned from?"""
