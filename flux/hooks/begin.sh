#!/bin/sh
# What goes on while the prolog of a job is over: `begin.sh RUN-ID FLUX BINDIR`, as root. It has the node's
# helper start the trace, or wait for the one that systemd starts already, and tells the job's user why there is none.
# The job's tasks wait as long as ID.starting is there and locked: however this ends, the lock ends with it.
id=$1 flux=$2 bin=$3
run=/run/datacrumbs
{ exec 9<"$run/$id.starting"; } 2>/dev/null || exit 0 # the job is over
flock -n 9
printf . >>"$run/$id.starting" # from now on the lock counts
answer=$("$bin/datacrumbs_node" start --job "$id" --user "$FLUX_JOB_USERID" --scheduler flux --begun <"$run/$id.request")
rm -f "$run/$id.request"
[ -e "$run/$id.starting" ] || exit 0 # the job is over meanwhile
case $answer in
  ready | off) ;;
  *) printf '%s\n' "$answer" | "$bin/datacrumbs_flux_hook" --flux "$flux" ;;
esac
rm -f "$run/$id.starting"
exit 0
