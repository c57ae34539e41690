"""What the functions of a library take and return, so that the trace can show it.

words      a line of our own that says it: what `function_arguments` in a host YAML holds
known      such lines for the C library's streams, MPI-IO and HDF5, with what the values mean
dwarf      from debugging information, in the file itself or beside it (debugfile), or in part elsewhere (shared)
headers    from declarations in C headers, read with tolerance for all that is around them
signature  from a signature, wherever it was found, to what is captured
choose     which of these serves an entry of the host YAML
"""
