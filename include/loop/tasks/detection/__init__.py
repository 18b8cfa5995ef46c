"""Object detection: boxes with a class, asked, agreed on, learned and measured."""
