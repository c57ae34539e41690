"""The runtime: one run on one node, from a signed probes file to a closed trace.

run.open_run        verify the probes file, choose the run id, the user, the trace
plan.make_plan      which program goes where (pure)
programs.Programs   load the BPF objects, fill their tables
providers           attach: system calls, user functions
drain.Drain         the C thread that turns records into the trace
command             the command line, the status line, the report at the end
"""
