"""The HTML report: one file that holds the answers, and the page that shows them.

A trace of any length becomes a document of bounded size, in this order:

    codes      functions, processes, threads and files get small numbers; every call is kept once, in numbers
    waits      what the kernel did elsewhere for a call lies below it in the tree of paths
    cubes      what happened in each slice of time, by process and function, by file, and by how long calls took
    lanes      what each thread did, in slices that are finer
    spans      single calls: the longest ones, and all calls of the windows that a reader will want to look into
    lives      which process started which
    usage      what files were used for, and where they lie
    document   all of it, and the summary, as one JSON value; packing writes long columns of numbers into it
    page       the document, the styles and the scripts of analysis/web/ as one HTML text

The browser adds up slices for whatever time the reader selects, so that every view follows the selection.
"""
