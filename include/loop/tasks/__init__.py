"""Task types: what a model predicts, what people are asked, and how good an answer is."""
