"""From names on the command line to calls as columns, and to tables of what is said about them.

    names
      --sources-->   trace files
      --members-->   pieces of inflated text, many gzip members at once
      --lines-->     whole lines in memory            (sound members take a shorter way: native/span.c)
      --read-->      calls as columns                         (parser.py, native/parse.c; of our form: own.c)
                     and other lines as `records` in DuckDB   (records.py, schema.py)
      --load-->      all calls together                       (columns.py, collect.py)
      --lifetimes--> processes that had the same id one after another told apart
      --catalog-->   runs, processes, names behind hashes
      --tables-->    the columns as tables for SQL; sums that the kernel made as `profiles`

`trace.open_traces` does all of it and owns what it holds. Columns lie in memory as long as there is room (room.py,
memory.py), then in files without a name.
"""
