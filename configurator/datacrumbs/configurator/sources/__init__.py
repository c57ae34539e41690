"""Where function names come from: one module for each source, each with a `find(entry) -> Found`."""
