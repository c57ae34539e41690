#!/bin/sh
# Loads DataCrumbs' jobtap plugin when a system instance starts. See docs/flux.md.
#
# Here and not in [job-manager] plugins, because an instance with a plugin there that does not load does not start, and
# because a second file with that table hides the site's own list. Instances inside a job, and those of users, have no
# prolog as root, so they get no plugin either.
[ "$(flux getattr rank)" = 0 ] && [ "$(flux getattr instance-level)" = 0 ] || exit 0
flux config get --quiet job-manager.prolog >/dev/null 2>&1 || exit 0
flux jobtap load '@jobtap@' 2>&1 || flux logger --severity=err "datacrumbs: the jobtap plugin does not load"
exit 0
