#!/bin/sh
# DataCrumbs in Flux's epilog and housekeeping, as root on each node of a job: closes the trace of a job that has one.
# Twice, because after a restart of the instance only housekeeping runs; they may run at the same time. See docs/flux.md.
#
# It always ends with 0. For a job without a trace it costs one look for two files.
flux=@flux@
bin=@bindir@
run=/run/datacrumbs
[ -x "$flux" ] || flux=flux
id=${FLUX_JOB_ID:-}

# The run's id is the job's in f58 with a plain f. Housekeeping has it as a number, a prolog with Flux's own sign.
case $id in
  '') exit 0 ;;
  ƒ*) id=f${id#ƒ} ;;
  f*) ;;
  *[!0-9]* | ????????????????????*) id=$(timeout -k 1 10 "$flux" job id --to=f58plain "$id" 2>/dev/null) || exit 0 ;;
  *)
    number=$id id=
    while [ "$number" -gt 0 ]; do
      digit=$((number % 58)) number=$((number / 58))
      set -- 1 2 3 4 5 6 7 8 9 A B C D E F G H J K L M N P Q R S T U V W X Y Z a b c d e f g h i j k m n o p q r s t u v w x y z
      shift "$digit"
      id=$1$id
    done
    id=f${id:-1}
    ;;
esac
[ -e "$run/$id.env" ] || [ -e "$run/$id.starting" ] || exit 0

# The usual case of an epilog: a runtime that is well is asked to end, and the job waits until its trace is written. That
# the unit is gone, and its files with it, housekeeping sees to: whoever submitted the job need not wait for it.
is_its_runtime() { # a number in a file may be another process's by now
  while read -r line; do
    case $line in *"/datacrumbs@$id.service") return 0 ;; esac
  done 2>/dev/null <"/proc/${1:-x}/cgroup"
  return 1
}
close_quickly() {
  case $0 in */epilog.d/*) ;; *) return 1 ;; esac
  if (set -C && : >"$run/$id.ending") 2>/dev/null; then # several brokers of an instance may be on one node
    pid=
    while IFS='=' read -r key value; do
      [ "$key" = pid ] && pid=$value
    done 2>/dev/null <"$run/datacrumbs-$id.ready"
    if ! is_its_runtime "$pid"; then
      rm -f "$run/$id.ending"
      return 1
    fi
    rm -f "$run/$id.starting" # whoever still waits for the runtime gives up
    kill -TERM "$pid" 2>/dev/null || return 1 # as systemctl stop does, a hundredth of a second sooner
  fi
  left=800
  while [ -e "$run/datacrumbs-$id.lock" ] && [ "$left" -gt 0 ]; do
    sleep 0.01
    left=$((left - 1))
  done
  [ "$left" -gt 0 ] && [ ! -e "$run/$id.error" ]
}
close_quickly && exit 0

answer=$("$bin/datacrumbs_node" stop --job "$id")
case $answer in
  failed:*)
    echo "datacrumbs: $answer" >&2
    timeout -k 1 10 "$flux" job raise --severity=4 --type=datacrumbs --message="$(uname -n): trace not closed:${answer#failed:}" \
      "$FLUX_JOB_ID" 2>/dev/null
    ;;
esac
rm -f "$run/$id.starting"
exit 0
