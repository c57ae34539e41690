"""What happens on a node at the beginning and the end of a job: the part that all schedulers share.

    hook of the scheduler            datacrumbs_node                      systemd
    prolog: metadata on stdin  -->   start: parse, write ID.env     -->   datacrumbs@ID.service
                               <--   "ready", "off", "none: REASON"
    epilog                     -->   stop                           -->   datacrumbs@ID.service
    timer                      -->   reap: stop what no job needs any more

A job never waits for long and never fails because of us: every step has its own time-out, every verb ends with 0, and
the owner of the job is told why there is no trace.
"""
