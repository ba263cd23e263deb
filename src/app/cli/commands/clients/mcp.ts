// `el2 mcp`: a server of the Model Context Protocol, for agents.

import type { Command } from "@commander-js/extra-typings";
import { commandTree } from "../../common/command-tree.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { hostOption } from "../../options/host.ts";

export function registerMcp(program: Command, { entry, exit }: CommandContext): void {
  program.command("mcp")
    .description("serve agents over the Model Context Protocol on stdin and stdout: tools, resources, a prompt for each of ten jobs")
    .option("--allow-change", "also offer tools that start, change and stop machines and write files")
    .addOption(hostOption())
    .addHelpText(
      "after",
      `
Files are those of the folder in which it is started, unless --allow-host names others. Without --allow-change the tools only read. An agent's configuration names the command:
  {"mcpServers": {"el2": {"command": "el2", "args": ["mcp"]}}}
${examplesText(["mcp", "mcp --allow-change"])}`,
    )
    .action(async ({ allowChange, allowHost = [] }) => {
      // The protocol's package is half a megabyte that no other command needs.
      const { serveMcp } = await import("../../mcp/server.ts");
      exit(await serveMcp(entry, { allowChange: allowChange ?? false, host: allowHost, tree: commandTree(program) }));
    });
}
