"""The review plane: Amazon Augmented AI's API for unmodified AWS clients, and the people who answer.

It meets the rest of the project over HTTP and S3 only. ``app.create_review`` mounts it in another process;
``python -m include.review_server`` runs it alone.
"""
