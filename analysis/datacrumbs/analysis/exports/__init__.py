"""Traces in forms that other tools read; each module writes one form into a new file."""
