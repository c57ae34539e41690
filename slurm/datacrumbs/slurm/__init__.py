"""Slurm: submitting with metadata where no SPANK plugin is, finding the traces of a job, setting nodes up."""
