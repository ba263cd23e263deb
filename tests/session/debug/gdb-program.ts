// The el2 program, and a gdb-multiarch that is connected to it.

import { gdbCommand } from "../../../scripts/native-tools.ts";
import { ConsoleProgram } from "../../support/console.ts";
import { el2Command } from "../../support/el2.ts";

/** Seconds of wall time for one thing to happen. Far more than it takes on an idle machine. */
export const PATIENCE = 120;

/** el2 with a gdb that is connected to it. */
export class Debugged implements AsyncDisposable {
  private constructor(readonly el2: ConsoleProgram, readonly gdb: ConsoleProgram) {}

  /** Starts `el2 ARGS --gdb 0`, or as ARGS have it, and gdb. */
  static async start(...args: string[]): Promise<Debugged> {
    // One stream for both: the port is on stderr, and so are gdb's messages about the target.
    const where = args.includes("--gdb") ? [] : ["--gdb", "0"];
    const el2 = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...el2Command(...args, ...where)]);
    const [, target] = await el2.expect(/target remote (\S+)'/, PATIENCE);
    const gdb = new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...await gdbCommand()]);
    const debugged = new Debugged(el2, gdb);
    for (const command of ["set confirm off", "set pagination off", "set width 0", "set remotetimeout 60", "set architecture aarch64"]) {
      await gdb.type(command);
    }
    await debugged.ask(`target remote ${target}`, /0x[0-9a-f]{16} in \?\? \(\)/);
    return debugged;
  }

  /** A command, and the answer that has to follow. */
  async ask(command: string, answer: RegExp): Promise<RegExpExecArray> {
    await this.gdb.type(command);
    return await this.gdb.expect(answer, PATIENCE);
  }

  /** The value of an expression. */
  async value(expression: string): Promise<bigint> {
    return BigInt((await this.ask(`print/x ${expression}`, /\$\d+ = (0x[0-9a-f]+)\n/))[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gdb[Symbol.asyncDispose]();
    await this.el2[Symbol.asyncDispose]();
  }
}
