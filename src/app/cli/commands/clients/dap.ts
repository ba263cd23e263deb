// `el2 dap`: a debugger for editors, over the Debug Adapter Protocol.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { hostOption } from "../../options/host.ts";
import { followParent } from "../../../../kit/support/computer/launcher.ts";

export function registerDap(program: Command, { entry, exit }: CommandContext): void {
  program.command("dap")
    .description("serve an editor's debugger on stdin and stdout (Debug Adapter Protocol): a machine that it starts, or a session")
    .option("--listen <where>", "serve editors that connect to a port of 127.0.0.1 (0: any free one), or to a socket, whose path has a /")
    .addOption(hostOption())
    .option("--token-file <file>", "with a port: file of the token that editors send; made if it does not exist")
    .addHelpText(
      "after",
      `
An editor starts this command, and says what to debug in its configuration (docs/editors.md):
  {"request": "launch", "boot": "guest.elf", "stopOnEntry": true}
  {"request": "launch", "what": "el2.toml", "symbols": {"rt": "rt.elf"}}
  {"request": "attach", "session": "phone", "vm": "rt", "sourceMap": {"/build/rt": "/home/me/rt"}}
The vCPUs of all VMs are threads; "vm" or "vms" chooses VMs.

Examples:
  el2 dap                                          in launch.json of VS Code, nvim-dap, dap-mode
  el2 dap --listen 4711 --token-file ~/.config/el2/dap-token
  el2 dap --listen ./el2-dap.sock                  a socket that only you can connect to`,
    )
    .action(async ({ listen, tokenFile, allowHost = [] }) => {
      if (tokenFile !== undefined && listen === undefined) throw new Failure("dap: --token-file needs --listen PORT");
      if (listen !== undefined) {
        const { listenDap } = await import("../../start/debuggers/dap-listen.ts");
        await listenDap(entry, listen, { tokenFile, allowHost });
        return exit(ExitCode.Done);
      }
      followParent();
      const { serveDap } = await import("../../start/debuggers/dap-link.ts");
      await serveDap(entry, { readable: Deno.stdin.readable, writable: Deno.stdout.writable }, { allowHost });
      exit(ExitCode.Done);
    });
}
