"""From traces to answers.

    names on the command line
      --sources-->   trace files
      --members-->   pieces of inflated text, many gzip members at once
      --lines-->     whole lines in memory            (sound members take a shorter way: native/span.c)
      --load-->      calls as columns                         (columns.py, native/parse.c)
                     and other lines as `records` in DuckDB   (schema.py)
      --catalog-->   runs, processes, names behind hashes
      --tables-->    the columns as tables for SQL

      --gather-->    sums over all calls, made part by part while they are read (partial.py, parts.py, native/reduce.c),
                     on this machine or by a Dask cluster (cluster_sums.py), which jobs may
                     make up (workerjobs.py)
      --summarise--> a Summary

      --parted-->    calls in partitions of whole processes: one here, one for each node on a cluster (cluster_calls.py)
      --choose-->    those that a question is about                     (selection.py, nest.py, partition.py)
      --ranks-->     which of them are typical, and which are slow
      --explained--> what each partition contributes  (subtrees.py, paths.py)   --explain-->  an Explanation
      --slices-->    the same for a group of calls    (sides.py)                --compare-->  a Comparison

      --reporters--> a terminal, a pipe, or JSON

`trace.open_traces` does the upper part and owns what it holds; a verb in commands/ asks the rest. The summary alone
needs no calls in memory: `gather.gathered` opens traces for it. native/ has what is done for every line and every call.
"""
