// `el2 cpu`, and --cpu.

import assert from "node:assert/strict";
import { chosenCpu } from "../../../../../src/model/plans/cpus.ts";
import { cpuAsText } from "../../../../../src/app/cli/commands/reference/cpu.ts";
import { CPU_NAMES } from "../../../../../src/cpu/isa/cpus/cpus.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { TIERS } from "../../../../../src/model/plans/plan.ts";
import { ordinaryGuest } from "../../../../guests/guest.ts";
import { ConsoleProgram, PROMPT } from "../../../../support/console.ts";
import { el2Command } from "../../../../support/el2.ts";
import { longTest } from "../../../../support/long.ts";
import { el2 } from "../../program.ts";
import { SECONDS } from "../recordings.ts";

const HELLO = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("el2 cpu prints CPUs as text and as JSON, and names those that there are", async () => {
  const text = await el2("reference", "cpu", "v8.4,-FEAT_FlagM");
  assert.deepEqual([text.code, text.stdout], [0, `${cpuAsText(chosenCpu("v8.4,-flagm"))}\n`]);
  assert.match(text.stdout, /^v8\.4,-FEAT_FlagM: Armv8\.4-A\n/);
  assert.match(text.stdout, /^ID_AA64ISAR0_EL1 +0x[0-9a-f]{16}$/m);
  const { stdout } = await el2("reference", "cpu", "--json");
  const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ name }) => name), CPU_NAMES);
  const unknown = await el2("reference", "cpu", "v9");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /"v9" is not a CPU; use v8, v8\.2/);
});

Deno.test("a recording has the CPU of its machine, and is run again on it", async () => {
  await inFolder(async (folder) => {
    const recording = `${folder}/run.rec`;
    const recorded = await el2("run", "--record", recording, HELLO, "--cpu", "max,-flagm2", "--headless", "--turbo", "--for", "5ms");
    assert.equal(recorded.code, 0, recorded.stderr);
    const text = Deno.readTextFileSync(recording);
    assert.ok(text.split("\n", 1)[0].includes(JSON.stringify("max,-FEAT_FlagM2")), "the first line names it");
    const replayed = await el2("replay", recording, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
  });
});

longTest(
  "a Debian that uses the features of max replays with equal registers in every tier, with one CPU and with four",
  () =>
    inFolder(async (folder) => {
      const { image, initrd } = await ordinaryGuest("trixie");
      await Deno.writeFile(`${folder}/Image`, image);
      await Deno.writeFile(`${folder}/initrd`, initrd);
      for (const cpus of ["1", "4"]) {
        const file = `${folder}/${cpus}.rec`, machine = ["--cpu", "max", "--cpus", cpus, "--memory", "512MiB", "--stdio", "--record", file];
        {
          const append = ["--append", "console=ttyAMA0 quiet"];
          await using console = new ConsoleProgram(
            el2Command("boot", `${folder}/Image`, "--initrd", `${folder}/initrd`, ...append, ...machine),
          );
          await console.expect(PROMPT, SECONDS);
          await console.type("dd if=/dev/urandom bs=1M count=2 2>/dev/null | sha256sum; grep -m 1 Features /proc/cpuinfo");
          await console.expect(/^[0-9a-f]{64} {2}-\n[^]*Features.* paca pacg .* mops /m, SECONDS);
          await console.expect(PROMPT, SECONDS);
          await console.type("poweroff -f");
          assert.equal((await console.end()).code, 0);
        }
        for (const tier of TIERS) {
          const replayed = await el2("replay", file, "--verify", "--tier", tier);
          assert.equal(replayed.code, 0, replayed.stderr);
          assert.match(replayed.stdout, /^[0-9a-f]{64} {2}-/m);
        }
      }
    }),
);
