#!/bin/sh
# DataCrumbs in Flux's prolog, as root on each node of a job, before the job's shell: has the trace of a job that asks
# for one begun. See docs/flux.md.
#
# It always ends with 0, since Flux drains a node whose prolog fails. For a job that asks for nothing it costs one
# question to Flux. For others it is over at once, too: systemd starts the runtime and begin.sh, and the job's tasks wait
# for them before their exec (flux/shell). systemd, because Flux's own units for prologs end what a prolog leaves behind.
flux=@flux@
bin=@bindir@
hooks=@plugins@/hooks
run=/run/datacrumbs
[ -n "${FLUX_JOB_ID:-}" ] || exit 0
set -- $("$hooks/ask" '@libflux@' "$run")
[ $# = 2 ] || exit 0
id=$1 unit=
[ "$2" = begun ] && unit=--property=Wants=datacrumbs@$id.service
systemd-run --no-block --collect --quiet --unit="datacrumbs_begin-$id" --nice=5 --property=RuntimeMaxSec=45 $unit \
  --setenv=FLUX_JOB_ID="$id" --setenv=FLUX_JOB_USERID="$FLUX_JOB_USERID" --setenv=FLUX_JOB_RANKS="${FLUX_JOB_RANKS:-}" \
  ${FLUX_URI:+--setenv=FLUX_URI="$FLUX_URI"} --setenv=PATH="$PATH" \
  sh "$hooks/begin.sh" "$id" "$flux" "$bin" 2>/dev/null ||
  timeout -k 1 45 sh "$hooks/begin.sh" "$id" "$flux" "$bin"
exit 0
