// The parts of launchers, as text for a POSIX shell: checks, from the table of what the engine
// needs, which take some milliseconds and start one program; and the start of the program.

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
import { constants } from "node:os";
import { RESET } from "../../src/app/tui/terminal/terminal-modes.ts";
import { LAUNCHER_VARIABLE } from "../../src/kit/support/computer/launcher.ts";
import { killedText, LIMITS_VARIABLE } from "../../src/kit/support/computer/limits.ts";
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

/**
 * Starts the program with the launcher's arguments, waits for it where there is a terminal, and
 * gives that back as it was after any end: a program that is killed cannot. The program is not in
 * the foreground of the shell, which could not forward signals then.
 * @param program a program and its arguments, as words of the shell
 */
export function startAndWait(program: string): string {
  return `set -- ${program} "$@"
{ [ -t 0 ] && modes=$(stty -g 2>&-); } || exec "$@"
exec 3<&0
${LAUNCHER_VARIABLE}=$$ "$@" <&3 3<&- &
child=$!
# The keys of a terminal reach the program, too.
trap : INT QUIT
trap 'kill -TERM $child || :' TERM
trap 'kill -HUP $child || :' HUP
code=0
wait $child || code=$?
while kill -0 $child 2>&-; do # A signal has ended the wait.
  code=0
  wait $child || code=$?
done
if [ $code -ne 0 ]; then
  case $(stty -a) in *-isig*)
    stty "$modes"
    [ ! -t 1 ] || printf '${octal(RESET)}'
  esac
fi
[ $code -ne ${128 + constants.signals.SIGKILL} ] || echo "el2: ${killedText()}" >&2
exit $code
`;
}

/** A text for the shell's printf. */
const octal = (text: string) => text.replaceAll("\x1b", "\\033");

/** scripts/preflight.sh: the checks before a task of deno.json starts Deno. */
export function preflight(): string {
  return `#!/bin/sh
# Generated from src/kit/support/computer/needs.ts by deno task reference.
if [ "$(uname -s)" = Linux ]; then
${launcherHead("linux")}probe="\${0%/*}/../assets/launch/${probeName("$(uname -m)")}"
${codeCheck("linux", '"$probe"')}fi
`;
}
