// Faults of the surroundings of a living session: files that cannot be opened, folders that vanish,
// clocks that jump, a process that is suspended. docs/threat-model.md lists them all.

import assert from "node:assert/strict";
import { el2Command } from "../../support/el2.ts";
import { LONG } from "../../support/long.ts";
import { Place } from "./place.ts";
import { ENTRY, mainModule } from "./prepared-main.ts";

/** The process of a session, which a test starts itself. */
class Served implements AsyncDisposable {
  readonly socket: string;
  readonly process: Deno.ChildProcess;
  /** Its stderr so far. */
  said = "";
  readonly #heard: Promise<void>;

  constructor(readonly place: Place, readonly name: string, limits = "") {
    const [program, ...args] = el2Command("background", "demo", "--name", name);
    this.socket = `${place.folder}/el2/${name}.sock`;
    this.process = new Deno.Command("/bin/sh", {
      args: ["-c", `${limits} exec "$@"`, "sh", program, ...args],
      env: { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "", NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#heard = this.#hear();
  }

  async #hear(): Promise<void> {
    for await (const text of this.process.stderr.pipeThrough(new TextDecoderStream())) this.said += text;
  }

  /** Waits until the session answers. */
  async ready(): Promise<this> {
    for (let tries = 0; (await this.place.el2("vm", "ls", "--session", this.name)).code !== 0; tries++) {
      assert.ok(tries < 1000, `the session does not answer: ${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this;
  }

  /** Ends it by a signal. Returns its exit code and its stderr until then. */
  async end(): Promise<{ code: number; stderr: string }> {
    this.process.kill("SIGTERM");
    const { code } = await this.process.status;
    await this.#heard;
    return { code, stderr: this.said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.process.status;
  }
}

/** Virtual time of a session, s. */
async function virtualTime(place: Place, name: string): Promise<number> {
  return Number((await place.json("vm", "ls", "--session", name)).at.ns) / 1e9;
}

Deno.test("more connections than a process may open files delay other clients, and end nothing", async () => {
  await using place = new Place();
  await using served = await new Served(place, "s", "ulimit -n 48;").ready();
  const connections = await Promise.all(Array.from({ length: 60 }, () => Deno.connect({ transport: "unix", path: served.socket })));
  for (let tries = 0; !/no client can connect for now: Too many open files/.test(served.said); tries++) {
    assert.ok(tries < 1000, served.said);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const connection of connections) connection.close();
  await served.ready();
  const { stderr } = await served.end();
  assert.doesNotMatch(stderr, /panicked|Uncaught|\n {4}at /);
});

Deno.test("a client that a session has no place for is told how many are attached, and not to kill it", async () => {
  await using place = new Place();
  await using served = await new Served(place, "s").ready();
  // One more than it serves: the client that `ready` was may not be counted out yet.
  const connections = await Promise.all(Array.from({ length: 65 }, () => Deno.connect({ transport: "unix", path: served.socket })));
  for (const words of [["vm", "ls"], ["vm", "ls", "--session", "s"], ["ls"]]) {
    const { stdout, stderr } = await place.el2(...words);
    assert.match(stdout + stderr, /64 clients are attached to this session, which serves no more/);
    assert.doesNotMatch(stdout + stderr, /kill/);
  }
  for (const connection of connections) connection.close();
  await served.ready();
});

Deno.test("hundreds of connections at once do not end the session or exhaust its files", async () => {
  await using place = new Place();
  await using served = await new Served(place, "s", "ulimit -n 128;").ready();
  const connections = await Promise.all(Array.from({ length: 400 }, () => Deno.connect({ transport: "unix", path: served.socket })));
  for (const connection of connections) connection.close();
  await served.ready();
  assert.doesNotMatch((await served.end()).stderr, /Too many open files|Uncaught|\n {4}at /);
});

Deno.test("a session whose folder vanishes continues, and ends in order when it is told", async () => {
  await using place = new Place();
  await using served = await new Served(place, "s").ready();
  await Deno.remove(`${place.folder}/el2`, { recursive: true });
  const { code, stderr } = await place.el2("vm", "ls", "--session", "s");
  assert.equal(code, 3, stderr);
  // It cannot listen any more, and is found by its name.
  let listed = "";
  for (let tries = 0; !listed.includes("not reachable") && tries < 1000; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    listed = (await place.el2("ls", "--columns", "name,state,pid")).stdout;
  }
  const { pid } = served.process;
  assert.match(listed, new RegExp(`s +not reachable: its folder was removed; kill ${pid} ends it in order +${pid}$`, "m"));
  const end = await served.end();
  assert.equal(end.code, 143);
  assert.doesNotMatch(end.stderr, /Uncaught|\n {4}at /);
});

Deno.test("a suspended process continues where it was: virtual time does not make up for the pause", async () => {
  await using place = new Place();
  await using served = await new Served(place, "s").ready();
  const before = await virtualTime(place, "s");
  served.process.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  served.process.kill("SIGCONT");
  const begun = performance.now(), after = await virtualTime(place, "s"), waited = (performance.now() - begun) / 1000;
  assert.ok(after - before < waited + 2.5, `${before} s, then ${after} s`);
  assert.equal((await served.end()).code, 143);
});

// The script that sets the clock has el2 as modules.
const ofModules = Deno.env.get("EL2_PROGRAM") === undefined;
Deno.test("a clock that jumps by days changes neither a start nor a wait", { ignore: !ofModules }, async () => {
  await using place = new Place();
  for (const days of LONG ? [1, -1] : [-1]) {
    const name = `jump${days > 0 ? "ahead" : "back"}`;
    const script = `
      const now = Date.now.bind(Date);
      let jumps = 0;
      Date.now = () => now() + ${days} * 86_400_000 * ++jumps;
      const { main } = await import("${mainModule()}");
      Deno.exit(await main(["up", "demo", "--name", "${name}"], new URL("${ENTRY}")));`;
    const file = new URL(`./jump-${crypto.randomUUID()}.ts`, import.meta.url).pathname;
    await Deno.writeTextFile(file, script);
    try {
      const [deno, ...words] = el2Command();
      const env = { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "", NO_COLOR: "1" };
      const { code, stderr } = await new Deno.Command(deno, { args: [...words.slice(0, -1), file], env, stdin: "null" }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(file);
      await place.el2("down", name);
    }
  }
});
