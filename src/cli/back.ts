// `el2 back`, `el2 on`: another place in the run of a session.

import type { Command } from "@commander-js/extra-typings";
import { ExitCode, Failure } from "./failure.ts";
import { openSession, withSessionOptions } from "./session.ts";
import { parseWhole } from "./values.ts";
import type { Move } from "../workstation/protocol.ts";

const COUNT = parseWhole(1, Number.MAX_SAFE_INTEGER);

/** Adds the commands. */
export function registerBack(program: Command, exit: (code: number) => void): void {
  withSessionOptions(
    program.command("back").description("show an earlier place of a session's run; the machine is paused; changes the machine"),
  )
    .option("--by <n>", "so many instructions back (default 1)", COUNT)
    .option("--to <n>", "the place where so many instructions had been retired", parseWhole(0, Number.MAX_SAFE_INTEGER))
    .option("--now", "where the machine really is")
    .addHelpText("after", "\nExamples:\n  el2 back                  one instruction back\n  el2 back --to 120000\n  el2 back --now")
    .action(async (options) => {
      if ([options.by, options.to, options.now].filter((one) => one !== undefined).length > 1) {
        throw new Failure("back: --by, --to and --now exclude each other; give one");
      }
      const to: Move = options.now
        ? { kind: "now" }
        : options.to !== undefined
        ? { kind: "instructions", count: options.to }
        : { kind: "step", by: -(options.by ?? 1) };
      exit(await move(options, to));
    });
  withSessionOptions(program.command("on").description("let a paused machine, or its past, go on by instructions; changes the machine"))
    .option("--by <n>", "so many instructions (default 1)", COUNT)
    .action(async (options) => exit(await move(options, { kind: "step", by: options.by ?? 1 })));
}

async function move(options: { socket?: string; json?: boolean }, to: Move): Promise<number> {
  using open = await openSession(options);
  const moved = await open.asker.move(to);
  if ("error" in moved) throw new Failure(moved.error, ExitCode.Failed);
  const { instructions } = moved;
  console.log(options.json ? JSON.stringify({ schema: "el2.place/1", insn: String(instructions) }) : `at ${instructions} instructions`);
  return ExitCode.Done;
}
