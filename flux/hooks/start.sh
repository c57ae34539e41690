#!/bin/sh
# DataCrumbs in Flux's prolog, as root on each node of a job, before the job's shell: starts the trace of a job that asks
# for one. See docs/flux.md.
#
# It always ends with 0, since Flux drains a node whose prolog fails. For a job that asks for nothing it costs one
# question to Flux: nothing that is slow to start is started.
flux=@flux@
bin=@bindir@
[ -x "$flux" ] || flux=flux
[ -n "${FLUX_JOB_ID:-}" ] || exit 0
jobspec=$(timeout -k 1 10 "$flux" job info "$FLUX_JOB_ID" jobspec 2>/dev/null) || {
  echo "datacrumbs: cannot read the jobspec of $FLUX_JOB_ID: not traced; is access.allow-root-owner set?" >&2
  exit 0
}
case $jobspec in
  *'"datacrumbs"'*) printf '%s' "$jobspec" | "$bin/datacrumbs_flux_hook" --flux "$flux" ;;
esac
exit 0
