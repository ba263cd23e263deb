// `el2 dap`: a debugger for editors, over the Debug Adapter Protocol.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../common/command.ts";
import { ExitCode } from "../common/failure.ts";

/** Adds the command. */
export function registerDap(program: Command, { entry, exit }: CommandContext): void {
  program.command("dap")
    .description("serve an editor's debugger on stdin and stdout (Debug Adapter Protocol): a machine that it starts, or a session")
    .addHelpText(
      "after",
      `
An editor starts this command, and says what to debug in its configuration (docs/editors.md):
  {"request": "launch", "boot": "guest.elf", "stopOnEntry": true}
  {"request": "launch", "what": "el2.toml", "vm": "rt", "symbols": {"rt": "rt.elf"}}
  {"request": "attach", "session": "phone", "vm": "rt", "sourceMap": {"/build/rt": "/home/me/rt"}}

Examples:
  el2 dap                                          in launch.json of VS Code, nvim-dap, dap-mode`,
    )
    .action(async () => {
      const { serveDap } = await import("../start/dap-link.ts");
      await serveDap(entry, { readable: Deno.stdin.readable, writable: Deno.stdout.writable });
      exit(ExitCode.Done);
    });
}
