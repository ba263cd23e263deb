#!/bin/sh
# Generated from src/kit/support/computer/needs.ts by deno task reference.
if [ "$(uname -s)" = Linux ]; then
fail() { echo "el2: $1" >&2; exit 1; }
# If any of this is missing, the engine ends with a dump before el2 can say why.
least() { # CODE BEFORE AFTER UNIT LEAST LIMIT..
  EL2_LIMITS="$EL2_LIMITS $1=$6"
  case $6 in *[!0-9]*) return 0 ;; esac
  [ "$6" -lt "$5" ] || return 0
  if [ "$4" = count ]; then limit=$6
  elif [ "$6" -ge 1073741824 ]; then limit="$(($6 / 1073741824)) GiB"
  elif [ "$6" -ge 1048576 ]; then limit="$(($6 / 1048576)) MiB"
  else limit="$(($6 / 1024)) KiB"
  fi
  fail "$2$limit$3"
}
group() { # CONTROLLER FILE OF-VERSION-1: found is the least limit of the control groups
  found=
  while IFS=: read -r number kinds path; do
    case ,$kinds, in
      ,,) folder=/sys/fs/cgroup file=$2 ;;
      *,"$1",*) folder=/sys/fs/cgroup/$1 file=$3 ;;
      *) continue ;;
    esac
    while :; do
      limit=
      if [ -r "$folder$path/$file" ]; then read -r limit <"$folder$path/$file" || limit=; fi
      case $limit in
        "" | *[!0-9]*) ;;
        *) if [ "$limit" -lt "${found:-1000000000000000000}" ]; then found=$limit; fi ;;
      esac
      [ -n "$path" ] || break
      path=${path%/*}
    done
  done </proc/self/cgroup
  found=${found:-unlimited}
}
case ${PWD-} in /*) ;; *) fail "the current folder no longer exists; cd to another one" ;; esac
[ -r /proc/self/limits ] || fail "/proc is not mounted, and the engine needs it; mount -t proc proc /proc"
EL2_LIMITS=
while read -r line; do
  case $line in
    "Max address space "*) least address-space 'address space is limited to ' ' (ulimit -v), and the engine needs 64 GiB; ulimit -v unlimited (reserved address space is not used memory)' bytes 68719476736 ${line#"Max address space"} ;;
    "Max data size "*) least data 'private memory is limited to ' ' (ulimit -d), and the engine needs 4 GiB; ulimit -d unlimited (memory that is not touched is not used)' bytes 4294967296 ${line#"Max data size"} ;;
    "Max stack size "*) least stack 'the stack is limited to ' ' (ulimit -s), and the engine needs 1 MiB; ulimit -s 8192' bytes 1048576 ${line#"Max stack size"} ;;
    "Max file size "*) least file-size 'the size of files is limited to ' ' (ulimit -f), and the engine needs 1 GiB; ulimit -f unlimited' bytes 1073741824 ${line#"Max file size"} ;;
    "Max open files "*) least open-files 'the number of open files is limited to ' ' (ulimit -n), and the engine needs 32; ulimit -n 1024' count 32 ${line#"Max open files"} ;;
    "Max processes "*) least processes 'the number of processes and threads is limited to ' ' (ulimit -u), and the engine needs 32; ulimit -u unlimited' count 32 ${line#"Max processes"} ;;
  esac
done </proc/self/limits
group memory memory.max memory.limit_in_bytes
least group-memory 'memory is limited to ' ' (control group), and the engine needs 128 MiB; give the container or service more (docker --memory, systemd MemoryMax=)' bytes 134217728 "$found"
group pids pids.max pids.max
least group-processes 'the number of processes and threads is limited to ' ' (control group), and the engine needs 32; give the container or service more (docker --pids-limit, systemd TasksMax=)' count 32 "$found"
export EL2_LIMITS
probe="${0%/*}/../assets/launch/code-probe-$(uname -m)"
code=0
{ "$probe"; } 2>&- || code=$?
case $code in 0 | 126 | 127) ;; *) fail "memory cannot be made executable here, and the engine generates code; remove what denies it: MemoryDenyWriteExecute= of the systemd service, PR_SET_MDWE, a seccomp filter, or a rule of SELinux" ;; esac
fi
