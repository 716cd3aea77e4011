"""Training data: pairs are read, checked and tokenised once into arrays on disk, and batches are drawn from those."""
