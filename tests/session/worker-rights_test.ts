// The rights of the worker that runs guests, from inside of it.

import assert from "node:assert/strict";
import { PROCESS_RIGHTS } from "../../src/cli/common/rights.ts";
import { PERMISSIONS } from "../../src/cli/common/runtime.ts";

const PROGRAM = new URL("./tried-rights.ts", import.meta.url).pathname;

/** The rights that the worker finds when its machine begins, in a process with these flags. */
async function tried(flags: readonly string[], ...rest: readonly string[]): Promise<string> {
  const args = ["run", "-q", "--no-check", ...flags, PROGRAM, ...rest];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { EL2_FROM_SOURCES: "1", NO_COLOR: "1" } }).output();
  return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
}

Deno.test("the worker of guests has no right once its machine begins, and finds no other worker or cache", async () => {
  assert.equal(await tried(PERMISSIONS), "rights:");
});

Deno.test("the worker of scenarios, comparisons and vmm has no right either once its guest runs", async () => {
  assert.equal(await tried(PERMISSIONS, "job"), "rights:");
});

Deno.test("the threat model's table of processes and threads has the rights that el2 leaves them", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/threat-model.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `([a-z ]+)` +\| ([a-z ]+?) +\|/gm)].map(([, id, rights]) => [id, rights]);
  const processes = PROCESS_RIGHTS.map(({ id, rights }) => [id, rights.join(" ")]);
  // The two tests above try those of the workers.
  assert.deepEqual(rows, [...processes, ["worker", "none"], ["job worker", "none"]]);
});

Deno.test("without Deno's flag for workers, it has the rights of its process", async () => {
  const flags = PERMISSIONS.filter((flag) => flag.startsWith("--allow-"));
  assert.equal(await tried(["--unstable-raw-imports", ...flags]), "rights: read write env net run ffi caches Worker node:Worker");
});
