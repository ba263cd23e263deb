// A user of the one file, in a folder.

import assert from "node:assert/strict";
import { type Outcome, runIn } from "./programs.ts";
import { PATIENCE } from "../support/patience.ts";

export type Environment = Record<string, string>;
/** Declares a test on the build, in an empty folder. */
export type Artefact = (name: string, work: (here: string, env: Environment) => Promise<void>) => void;

/** A user of the program, in a folder. */
export class User {
  constructor(readonly program: string, readonly here: string, readonly env: Environment) {}

  /** The same user with other variables. */
  with(env: Environment): User {
    return new User(this.program, this.here, { ...this.env, ...env });
  }

  run(...args: string[]): Promise<Outcome> {
    return runIn(this.here, this.program, args, this.env);
  }

  /** The output of a command that must succeed. */
  async output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.equal(code, 0, `el2 ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The output of another program that must succeed. */
  async tool(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runIn(this.here, program, args, this.env);
    assert.equal(code, 0, `${program} ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(`${this.here}/${name}`, text);
  }

  read(name: string): Promise<string> {
    return Deno.readTextFile(`${this.here}/${name}`);
  }

  /** Starts a command that continues until it is ended, with pipes. */
  start(...args: string[]): Deno.ChildProcess {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
    return new Deno.Command(this.program, { args, cwd: this.here, env: this.env, clearEnv: true, ...pipes }).spawn();
  }

  /** The output of such a command until it matches, which ends the command. */
  async until(wanted: RegExp, ...args: string[]): Promise<string> {
    const child = this.start(...args), decoder = new TextDecoder(), timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    let text = "";
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes, { stream: true });
      if (wanted.test(text)) break;
    }
    clearTimeout(timer);
    child.kill("SIGKILL");
    await Promise.all([child.status, child.stdin.close().catch(() => {})]);
    assert.match(text, wanted);
    return text;
  }
}

/** Does the work of a test as the user. */
export type AsUser = (work: (user: User) => Promise<void>) => Parameters<Artefact>[1];

/**
 * The user of several tests, which share a HOME: the program unpacks itself, and makes its core,
 * once.
 * @param program path of the one file
 */
export function sharedUser(program: string): AsUser {
  let shared: Environment | undefined;
  return (work) => async (here, env) => {
    if (!shared) {
      shared = { ...env, XDG_RUNTIME_DIR: `${env.HOME}/run` };
      await Deno.mkdir(shared.XDG_RUNTIME_DIR, { mode: 0o700 });
    }
    await work(new User(program, here, shared));
  };
}
