"""Ablations: variants × seeds of one recipe, run with the same budget, compared on the queries that all held out."""
