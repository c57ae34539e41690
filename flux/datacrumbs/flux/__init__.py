"""DataCrumbs under Flux: from a job's attributes to a trace of it on every node, and back from a job to its traces.

`flux run --datacrumbs-enable --datacrumbs-probe-file F` goes this way:

1. `cli/datacrumbs.py`, on the client, writes attributes.system.datacrumbs of the jobspec, and checks it there and in
   Flux's ingest validator.
2. `jobtap/` in the job manager rejects what cannot be followed, and notes in the eventlog that the job is traced.
3. `hooks/start.sh`, as root in each node's prolog, finds the attribute and calls `hook`, which has `datacrumbs_node`
   start the runtime. Whatever goes wrong there is told to the user as an exception of the job, which goes on.
4. `shell/`, as the user, tags each task before its exec.
5. `hooks/stop.sh`, in epilog and housekeeping, has `datacrumbs_node` stop the runtime.

`setup` puts these files where Flux looks for them; `jobs` finds a job's nodes and traces for the login-node tools.
"""
