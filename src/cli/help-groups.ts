// `el2 --help` lists the commands by what they are for.

import type { Command } from "@commander-js/extra-typings";

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "Run:": ["boot", "run", "up", "attach", "down", "ls", "guests", "vmm"],
  "Look at a session:": ["vm", "vcpu", "irq", "mem", "caps", "queue", "rpc", "console", "events", "why", "trace", "symbols", "disasm"],
  "Stop, change, debug:": ["break", "pause", "resume", "inject", "input", "gdb"],
  "Record, go back, compare:": ["record", "replay", "diff", "back", "on", "snapshot", "state"],
  "Test and measure:": ["test", "bench", "doctor"],
  "Reference:": ["spec", "schema", "ioctl", "personas", "completion", "man", "version"],
};

/** Puts each command below its heading. A command without one stands below "Commands:". */
export function groupCommands(program: Command): void {
  for (const [heading, names] of Object.entries(GROUPS)) {
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading);
  }
}
