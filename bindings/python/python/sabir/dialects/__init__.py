"""Modules with the names of other packages, over the same client: a program changes its import lines only."""
