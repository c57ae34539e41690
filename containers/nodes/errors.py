"""What can go wrong with the nodes."""

from __future__ import annotations


class NodesError(Exception):
    """The cluster cannot be had, or a node does not do what it must; the text says what, for a developer."""


class LackError(NodesError):
    """No nodes can be had on this machine: rights, programs or Slurm's packages are missing."""
