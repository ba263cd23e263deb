// Sessions for tests of commands, in a runtime folder where no other session is seen.

import assert from "node:assert/strict";
import { el2Command } from "../support/el2.ts";
import { inProcess, runsInProcess } from "./in-process.ts";
import type { Outcome } from "./program.ts";

const text = new TextDecoder();

/** A runtime folder, and the sessions that were started in it. */
export class Place implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  readonly #up: string[] = [];

  async el2(...args: string[]): Promise<Outcome> {
    const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: this.folder, EL2_SESSION: "" };
    if (runsInProcess(args)) return await inProcess(args, env);
    const [program, ...rest] = el2Command(...args);
    const { code, stdout, stderr } = await new Deno.Command(program, { args: rest, stdin: "null", env }).output();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  /** Starts a session. */
  async up(name: string, what = "demo", ...options: string[]): Promise<void> {
    const { code, stderr } = await this.el2("up", what, "--name", name, ...options);
    assert.equal(code, 0, stderr);
    this.#up.push(name);
  }

  async json(
    ...args: string[]
  ): Promise<{ schema: string; session: string; at: { ns: string; insn: string }; data: Record<string, unknown>[] }> {
    const { code, stdout, stderr } = await this.el2(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#up) await this.el2("down", name);
    await Deno.remove(this.folder, { recursive: true });
  }
}
