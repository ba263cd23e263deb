// `el2 open`: a dump of memory as a session, which answers and does not run.

import { Argument, type Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { type Exits, exitsText, offering, withExits } from "../../common/command-tree.ts";
import { DUMP_FILES, dumpFile } from "../../common/core-session.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { openSession, showOrEnd } from "../../common/session.ts";
import { freeName, startSession } from "../../start/screens/start-session.ts";
import { defaultName } from "../../../../session/control/session-names.ts";
import { socketPath } from "../../../../session/control/places.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { LINUX_TABLES } from "../../../../model/queries/linux-tables.ts";
import { VMS } from "../../../../model/queries/tables.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";
import { resolve } from "node:path";

const EXITS: Exits = { codes: { 2: "a file is not a dump, or not one that el2 reads" } };

export function registerOpen(program: Command, { entry, exit }: CommandContext): void {
  withExits(program.command("open"), EXITS)
    .description("open a dump of memory as a session that only answers; el2 attach shows it, el2 down ends it")
    .addArgument(offering(new Argument("<files...>", DUMP_FILES), "files"))
    .addHelpText(
      "after",
      `
A dump has memory, and registers where the file has them. If a Linux kernel is in it, el2 finds that without help: its place, page tables, symbols
and types. Nothing runs: commands that need a machine say so.

${exitsText(EXITS)}

Examples:
  el2 open vmcore
  el2 open DDRCS0.BIN@0x80000000 DDRCS1.BIN@0x880000000`,
    )
    .action(async (files) => {
      const words = files.map(absolute), name = await freeName(defaultName(dumpFile(files[0]).path));
      await startSession(entry, name, ["--name", name, ...words.flatMap((word) => ["--core", word]), "--", files.join(" ")]);
      const what = await found(socketPath(name));
      report(`el2: session ${name}: ${what}; ${wayOutText(showOrEnd(name))}`);
      exit(ExitCode.Done);
    });
}

/** The same file from any folder. */
function absolute(word: string): string {
  const { path, address } = dumpFile(word);
  if (path === "") throw new Failure("a file has a name");
  return address === undefined ? resolve(path) : `${resolve(path)}@0x${address.toString(16)}`;
}

/** The contents of a session's dump, in words. */
async function found(session: string): Promise<string> {
  using open = await openSession({ session, readOnly: true });
  const [vm] = rowsOf(VMS, await open.asker.ask({ table: "vm.ls", args: {} }));
  const [kernel] = rowsOf(LINUX_TABLES["linux.ls"], await open.asker.ask({ table: "linux.ls", args: {} }));
  const memory = `${vm?.doing}, ${vm?.vcpus ? `registers of ${vm.vcpus} CPUs` : "no registers"}`;
  return kernel ? `${memory}, Linux ${kernel.release}` : `${memory}, no Linux kernel was found`;
}
