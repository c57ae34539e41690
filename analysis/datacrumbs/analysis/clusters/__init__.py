"""Traces that outgrow one machine, read by the workers of a Dask cluster.

cluster        a client of a cluster, and what goes wrong there as errors of ours
cluster_sums   parts of a summary: ranges of files      cluster_calls  partitions of calls: the traces of a host
shares         what a task reads, keeps and tells
workerjobs     a cluster of batch jobs for one answer (workerkinds.py, workerkeys.py)
"""
