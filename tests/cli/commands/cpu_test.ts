// `el2 cpu`, and --cpu.

import assert from "node:assert/strict";
import { cpuAsText } from "../../../src/cli/commands/cpu.ts";
import { CPU_NAMES, planCpu } from "../../../src/isa/cpus.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { el2 } from "../program.ts";

const HELLO = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("el2 cpu prints CPUs as text and as JSON, and names those that there are", async () => {
  const text = await el2("cpu", "show", "v8.4,-FEAT_FlagM");
  assert.deepEqual([text.code, text.stdout], [0, `${cpuAsText("v8.4,-flagm")}\n`]);
  assert.match(text.stdout, /^v8\.4,-FEAT_FlagM: Armv8\.4-A\n/);
  assert.match(text.stdout, /^ID_AA64ISAR0_EL1 +0x[0-9a-f]{16}$/m);
  const { stdout } = await el2("cpu", "ls", "--json");
  const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ name }) => name), CPU_NAMES);
  const unknown = await el2("cpu", "show", "v9");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /"v9" is not a CPU; use v8, v8\.2/);
});

Deno.test("a recording has the CPU of its machine, and is run again on it", async () => {
  await inFolder(async (folder) => {
    const recording = `${folder}/run.rec`;
    const recorded = await el2("record", recording, "--", HELLO, "--cpu", "v8.6,-flagm2", "--headless", "--turbo", "--for", "5ms");
    assert.equal(recorded.code, 0, recorded.stderr);
    const text = Deno.readTextFileSync(recording);
    const { cpu } = JSON.parse(text.split("\n", 1)[0]).plan;
    assert.deepEqual(cpu, planCpu("v8.6,-FEAT_FlagM2"));
    const replayed = await el2("replay", recording, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
  });
});
