// `deno task conformance --el2`: the cases are put to the first VM of whatever runs at EL2. That is
// here a small program of our own, which knows one of Gunyah's calls.

import assert from "node:assert/strict";
import { withEl2Program } from "../support/el2-program.ts";

const SCRIPT = new URL("../../scripts/conformance.ts", import.meta.url).pathname;

async function conformance(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = ["run", "-q", "--no-check", "--allow-read", "--allow-write", "--allow-env", "--allow-run", SCRIPT, ...args];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: command }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("the conformance cases run in the first VM of another hypervisor, whose answers pass or fail", () =>
  withEl2Program(["stand-in.c"], async (elf) => {
    const known = await conformance("--el2", elf, "--only", "hypercall-zero hvc 0x6000");
    assert.equal(known.code, 0, known.stdout + known.stderr);
    assert.match(known.stdout, /^pass hypercall-zero: hvc 0x6000 \(hypervisor_identify\) with zero arguments$/m);
    assert.match(known.stdout, /^1 passed, 0 failed/m);
    const unknown = await conformance(`--el2=${elf}`, "--only", "hypercall-zero hvc 0x6002 (partition_create_cspace)");
    assert.equal(unknown.code, 1, unknown.stdout + unknown.stderr);
    assert.match(unknown.stdout, /x0: expected "0x34", got "0xffffffffffffffff"/);
    assert.match(unknown.stdout, /^0 passed, 1 failed/m);
  }));

Deno.test("a hypervisor that is not there, and options without their value, are usage errors", async () => {
  const missing = await conformance("--el2", "no/such/file");
  assert.deepEqual([missing.code, missing.stderr], [
    2,
    "conformance: --el2 no/such/file: no such file; name an ELF, an arm64 Image or raw code\n",
  ]);
  const without = await conformance("--el2");
  assert.deepEqual([without.code, without.stderr], [2, "conformance: --el2 needs a value\n"]);
  const alone = await conformance("--el2-args", "x");
  assert.deepEqual([alone.code, alone.stderr], [2, "conformance: --el2-args is for the hypervisor of --el2\n"]);
});
