"""The ``warpnoise`` command: a module for each subcommand, and what they share (errors, progress, interrupts).

Results go to standard output, progress and errors to standard error. Exit codes are those of ``warpnoise.errors``.
"""
