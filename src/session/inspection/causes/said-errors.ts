// The error that a program has reported last on the console of its VM: most failures that leave no
// other trace were said there, by the program, its shell or its loader.

import { conId, nameOf } from "../../../model/queries/ids.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { View } from "../readers/inspected.ts";

/** Texts of POSIX's error numbers in the C libraries, with which programs end their messages. */
const ERRORS = [
  "No such file or directory|Permission denied|Operation not permitted|Resource temporarily unavailable|Cannot allocate memory",
  "[Oo]ut of memory|No space left on device|Read-only file system|Device or resource busy|No such device(?: or address)?",
  "Input/output error|I/O error|Invalid argument|Too many open files(?: in system)?|Connection (?:refused|reset by peer|timed out)",
  "Operation timed out|Network is (?:unreachable|down)|No route to host|Host is unreachable|Exec format error|Address already in use",
  "Address not available|Function not implemented|Not a directory|Is a directory|File exists|Bad address|Bad file descriptor",
  "Operation not supported|Not supported|Protocol error|Broken pipe|Text file busy|File too large|Directory not empty|not found",
].join("|");
/** Texts of the signals that end a program, as its shell reports them. */
const SIGNALS =
  "Segmentation fault|Bus error|Illegal instruction|Aborted|Killed|Trace/breakpoint trap|Floating point exception|File size limit exceeded|Bad system call";
/** Words with which programs without a C library begin such a line. */
const BEGINS = "PANIC|panic|FATAL|[Ff]atal|ERROR|[Ee]rror|ASSERT|[Aa]ssertion|BUG";

const REPORTS = [
  new RegExp(`: (?:${ERRORS})\\.?$`),
  new RegExp(`(?:^|: )(?:${SIGNALS})(?: \\(core dumped\\))?$`),
  new RegExp(`^(?:${BEGINS})\\b.*\\S`),
  /: can't execute '.*': /,
];

/** The beginning of a line of a kernel's log: its level, time and caller. */
const LOG_PREFIX = /^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? /;
const BOOTS = "Booting Linux on physical CPU";
// deno-lint-ignore no-control-regex
const ESCAPES = /\x1b\[[0-9;?]*[A-Za-z]|\r/g;
/** Lines after which a report is past, characters of one, and those of a console that are read. */
const RECENT = 4, LINE_MAX = 200, LOOKED_AT = 4096;

/** Nothing if the last lines have no report. */
export function saidError(view: View, vm: string): OfCode<Evidence, "said">[] {
  const shown = view.system.consoles.tail(nameOf(vm)).slice(-LOOKED_AT);
  const text = shown.slice(Math.max(0, shown.lastIndexOf(BOOTS))).replaceAll(ESCAPES, "");
  // Text after the last end of a line may be a prompt.
  const lines = text.split("\n").slice(0, -1).map((line) => line.trim()).filter((line) => line !== "" && !LOG_PREFIX.test(line));
  const said = lines.slice(-RECENT).findLast((line) => REPORTS.some((form) => form.test(line)));
  if (said === undefined) return [];
  const times = lines.filter((line) => line === said).length;
  return [{ code: "said", console: conId(nameOf(vm)), text: said.slice(0, LINE_MAX), times }];
}
