// The launchers' checks, as text for a POSIX shell, from the table of what the engine needs. They
// take some milliseconds and start one program.

import {
  boundText,
  type Condition,
  CONDITIONS,
  GROUP_BOUNDS,
  type GroupBound,
  LOADERS,
  NO_LIMIT,
  PROCESS_BOUNDS,
  type ProcessBound,
} from "../../src/kit/support/computer/needs.ts";
import { LIMITS_VARIABLE } from "../../src/kit/support/computer/limits.ts";
import { probeName } from "./code-probe.ts";

const failText = (condition: Condition) => `fail "${CONDITIONS[condition].says}; ${CONDITIONS[condition].wayOut}"`;

/** Arguments of `least`, apart from the limit. */
function leastOf(bound: ProcessBound | GroupBound): string {
  const [before, after] = boundText(bound, "|").split("|");
  return `least ${bound.code} '${before}' '${after}; ${bound.wayOut}' ${bound.unit} ${bound.least}`;
}

/** `fail MESSAGE`, which ends a launcher. */
const FAIL = `fail() { echo "el2: $1" >&2; exit 1; }\n`;

/**
 * The head of a launcher for one of Deno's targets: `fail`, and on Linux all checks that need no
 * program.
 * @param own whether the launcher comes with the Deno of that target, which names its loader
 */
export function launcherHead(target: string, own = false): string {
  const [, loader] = Object.entries(LOADERS).find(([machine]) => own && target.startsWith(`${machine}-`)) ?? [];
  return target.includes("linux") ? FAIL + limitChecks(loader) : FAIL;
}

/**
 * The check that starts a program, for Linux.
 * @param probe its path (code-probe.ts), as a word of the shell
 */
export function codeCheck(target: string, probe: string): string {
  if (!target.includes("linux")) return "";
  return `code=0
{ ${probe}; } 2>&- || code=$?
case $code in 0 | 126 | 127) ;; *) ${failText("code")} ;; esac
`;
}

/**
 * `trusted FOLDER`, which ends a launcher where others can change what it executes from a folder.
 * `trusted FOLDER sticky` permits one that all write to, if it is as /tmp is.
 * @param variable of the environment that names another folder
 */
export function trustCheck(variable: string): string {
  const wayOut = `name a folder of yours with ${variable}`;
  return `# What others can change is not executed.
trusted() {
  [ -O "$1" ] || [ "$(ls -ldnL "$1" | awk '{ print $3 }')" = 0 ] || fail "$1 belongs to another user; ${wayOut}"
  case "$(ls -ldL "$1")" in
    ?????????[tT]*) [ "\${2-}" ] || fail "others can change $1; ${wayOut}" ;;
    ?????w* | ????????w*) fail "others can change $1; chmod go-w $1, or ${wayOut}" ;;
  esac
}
`;
}

function limitChecks(loader: string | undefined): string {
  return `# If any of this is missing, the engine ends with a dump before el2 can say why.
least() { # CODE BEFORE AFTER UNIT LEAST LIMIT..
  ${LIMITS_VARIABLE}="$${LIMITS_VARIABLE} $1=$6"
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
        *) if [ "$limit" -lt "\${found:-${NO_LIMIT}}" ]; then found=$limit; fi ;;
      esac
      [ -n "$path" ] || break
      path=\${path%/*}
    done
  done </proc/self/cgroup
  found=\${found:-unlimited}
}
case \${PWD-} in /*) ;; *) ${failText("folder")} ;; esac
[ -r /proc/self/limits ] || ${failText("proc")}
${loader === undefined ? "" : `[ -e ${loader} ] || ${failText("loader")}\n`}${LIMITS_VARIABLE}=
while read -r line; do
  case $line in
${PROCESS_BOUNDS.map((bound) => `    "${bound.row} "*) ${leastOf(bound)} \${line#"${bound.row}"} ;;`).join("\n")}
  esac
done </proc/self/limits
${
    GROUP_BOUNDS.map((bound) =>
      `group ${bound.controller} ${bound.files.v2} ${bound.files.v1}
${leastOf(bound)} "$found"`
    ).join("\n")
  }
export ${LIMITS_VARIABLE}
`;
}

/** scripts/preflight.sh: the checks before a task of deno.json starts Deno. */
export function preflight(): string {
  return `#!/bin/sh
# Generated from src/kit/support/computer/needs.ts by deno task reference.
if [ "$(uname -s)" = Linux ]; then
${launcherHead("linux")}probe="\${0%/*}/../assets/launch/${probeName("$(uname -m)")}"
${codeCheck("linux", '"$probe"')}fi
`;
}
