"""Compiled: what the compiled engine does atom by atom. Each module has its readable twin in the reference engine."""
