// A Linux without memory: each candidate for the cause is told from the others by what has it.

import assert from "node:assert/strict";
import { causeOfMemory, type GoneMemory, MEMORY_RULES } from "../../src/inside/linux/verdicts/memory-cause.ts";
import { LINUX_FINDINGS } from "../../src/model/queries/facts/linux-finding.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";

const GONE: GoneMemory = {
  total: 200 * MiB,
  taken: null,
  files: 2 * MiB,
  kernel: 20 * MiB,
  programs: 40 * MiB,
  cache: () => "dentry",
  program: () => "leak (77)",
};
const CASES: Readonly<Record<string, readonly [differs: Partial<GoneMemory>, text: RegExp, wayOut: string]>> = {
  option: [
    { taken: { option: "hugepages=70", size: 140 * MiB, of: 256 * MiB }, programs: 100 * MiB },
    /; hugepages=70 takes 140M of the VM's 256M$/,
    "remove hugepages=70 from the command line",
  ],
  files: [
    { files: 90 * MiB, programs: 80 * MiB },
    /; files in memory have 90M$/,
    "give the VM more memory, or the ramdisk and folders of tmpfs fewer files",
  ],
  kernel: [
    { kernel: 150 * MiB },
    /; structures of the kernel have 150M, most of them dentry$/,
    "find what allocates dentry: el2 linux slabs; or give the VM more memory",
  ],
  programs: [{ programs: 150 * MiB }, /; programs have 150M, most of them leak \(77\)$/, "give the VM more memory, or leak (77) less work"],
  "": [{}, / asked for more$/, "give the VM more memory, or the program less work"],
};

for (const [by, [differs, text, wayOut]] of Object.entries(CASES)) {
  Deno.test(`no memory is left: ${by || "no large part is known"}`, () => {
    const { total } = GONE, cause = causeOfMemory({ ...GONE, ...differs });
    assert.equal(cause.taken ? "option" : cause.used?.by ?? "", by);
    const finding = { code: "out-of-memory", task: { name: "init", pid: 1 }, total, ...cause } as const;
    assert.match(LINUX_FINDINGS.text(finding), text);
    assert.equal(LINUX_FINDINGS.wayOutText(finding), wayOut);
  });
}

Deno.test("each candidate for memory that is gone asks a question, and has a case", () => {
  for (const { by, asks } of MEMORY_RULES) {
    assert.match(asks, /^[a-z].*\?$/);
    assert.ok(by in CASES, by);
  }
});
