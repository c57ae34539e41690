"""From traces to answers.

    reading/      names on the command line -> trace files -> calls as columns, and tables of what they are about
    summing/      -> a Summary, from sums that are made while traces are read
    explaining/   -> an Explanation: why calls of a function take the time that they take
    comparing/    -> a Comparison of two traces, or of two groups of calls
    report/       -> one HTML file with all of it, whose page is in web/
    exports/      -> a trace in the form of another tool
    clusters/     the same questions to the workers of a Dask cluster
    commands/     a file for each verb, which asks for an answer and hands it to one of
    reporters/    a terminal, a pipe, or JSON

`reading` knows none of the others, and an answer knows nobody who prints it. native/ has what is done for every line
and every call. layers.py says what layer a function is of, units.py how numbers are written; progress.py shows how far
things are; jobs.py finds the traces of a scheduler's job.
"""
