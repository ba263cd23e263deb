// The commands of a session that the command line runs in its own way; all others follow from their
// entries alone.

import { runConsole } from "./commands/session/console.ts";
import { runDiagnose } from "./commands/session/diagnose.ts";
import { runDisasm } from "./commands/session/disasm.ts";
import { runEvents } from "./commands/session/events.ts";
import { runTop } from "./commands/session/irq-top.ts";
import { runLink } from "./commands/session/link.ts";
import { runLogs } from "./commands/session/logs.ts";
import { runMark } from "./commands/session/mark.ts";
import { addDecode } from "./commands/session/rpc-decode.ts";
import { runSend } from "./commands/session/rpc-send.ts";
import { runSymbols } from "./commands/session/symbols.ts";
import { addTraces } from "./commands/runs/trace.ts";
import { runBreak, runStep } from "./commands/session/stops.ts";
import { runDtb } from "./commands/session/vm-dtb.ts";
import { addLint } from "./commands/session/vm-lint.ts";
import { runWhy } from "./commands/session/why.ts";
import { type Runner, sessionCommands } from "./common/argv.ts";
import type { Register } from "./common/command.ts";

const RUNNERS: ReadonlyMap<string, Runner> = new Map([
  ...[runBreak, runConsole, runDiagnose, runDisasm, runEvents, runTop, runLink, runLogs, runMark],
  ...[runSend, runSymbols, runStep, runDtb, runWhy],
]);

/** Commands of a group that need no session. */
const MORE: Readonly<Record<string, Register>> = { vm: addLint, rpc: addDecode, trace: addTraces };

/** Adds the commands of a group, or the one with this name. */
export const registerSession = (name: string): Register => sessionCommands(name, RUNNERS, MORE[name]);
