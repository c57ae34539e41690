"""From traces to answers.

    names on the command line
      --sources-->   trace files
      --members-->   pieces of inflated text, many gzip members at once
      --lines-->     whole lines in memory            (sound members take a shorter way: native/span.c)
      --read-->      calls as columns                         (parser.py, native/parse.c; of our form: own.c)
                     and other lines as `records` in DuckDB   (records.py, schema.py)
      --load-->      all calls together                       (columns.py, collect.py)
      --catalog-->   runs, processes, names behind hashes
      --tables-->    the columns as tables for SQL

      --gather-->    sums over all calls, made part by part while they are read (adding.py, parts.py, partial.py,
                     native/reduce.c), on this machine or by a Dask cluster (cluster_sums.py), which jobs may
                     make up (workerjobs.py)
      --summarise--> a Summary

      --parted-->    calls in partitions of whole processes: one here, one for each node on a cluster (cluster_calls.py)
      --choose-->    those that a question is about                     (selection.py, nest.py, partition.py)
      --ranks-->     which of them are typical, and which are slow
      --explained--> what each partition contributes  (subtrees.py, paths.py)   --explain-->  an Explanation
      --slices-->    the same for a group of calls    (sides.py)                --compare-->  a Comparison

      --reporters--> a terminal, a pipe, or JSON

Columns lie in memory as long as there is room (room.py, memory.py), then in files without a name.
`trace.open_traces` does the upper part and owns what it holds; a verb in commands/ asks the rest. The summary alone
needs no calls in memory: `begun.begin_reading` begins to read for it before what asks is imported, and
`gather.of_begun` adds up. native/ has what is done for every line and every call.
"""
