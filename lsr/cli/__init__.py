"""The command `lsr`: one verb a file, each a thin face over what a Python user calls in the same words.

Modules here import only typer and the standard library at their top, so that `lsr --help` answers at once.
"""
