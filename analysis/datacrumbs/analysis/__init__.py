"""From traces to answers.

    names on the command line
      --sources-->   trace files
      --members-->   pieces of inflated text, many gzip members at once
      --lines-->     whole lines in memory
      --load-->      the table `records` in DuckDB            (schema.py says what its columns are)
      --catalog-->   runs, processes, names behind hashes
      --summary-->   a Summary: plain numbers and texts
      --reporters--> a terminal, a pipe, or JSON

`trace.open_traces` does the first five and owns what they hold; a verb in commands/ asks the rest.
"""
