// Kernels' own symbol tables: made here in each layout, and those of Debian's kernels in the memory
// of a guest that boots.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { demoSystem } from "../../session/inspection/system.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { whole } from "../../../src/kit/support/values/work.ts";
import { readKallsyms } from "../../../src/inside/symbols/kallsyms.ts";
import { BASE, exampleSymbols, kernelImage, LAYOUTS } from "./kernel-tables.ts";
import { LONG } from "../../support/long.ts";

for (const layout of LAYOUTS) {
  Deno.test(`a kernel's symbols are read in layout "${layout}"`, () => {
    const symbols = exampleSymbols();
    const found = whole(readKallsyms({ base: BASE, bytes: kernelImage(symbols, layout) })) ?? assert.fail();
    assert.deepEqual(Array.from({ length: found.length }, (_, index) => found.symbol(index)), symbols);
    const first = new Map(symbols.toReversed().map((symbol) => [symbol.name, symbol]));
    for (const [name, symbol] of first) assert.deepEqual(found.find(name), symbol);
    for (const name of ["", "stext", "_stextt", "no_such_symbol"]) assert.equal(found.find(name), undefined);
  });
}

Deno.test("memory without a kernel, or with a table that is cut, has no symbols", () => {
  assert.equal(whole(readKallsyms({ base: BASE, bytes: new Uint8Array(0x1_0000) })), undefined);
  assert.equal(
    whole(readKallsyms({ base: BASE, bytes: new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0") })),
    undefined,
  );
  const kernel = kernelImage(exampleSymbols(), "behind");
  for (let end = 0x2_0000; end < 0x3_0000; end += 997) {
    const found = whole(readKallsyms({ base: BASE, bytes: kernel.subarray(0, end) }));
    // A truncated table of numbers after the offsets does not matter; everything else is needed.
    assert.ok(found === undefined || found.length === 2602, `cut at 0x${end.toString(16)}`);
  }
});

const MIB = 1 << 20;

/** A Debian kernel as the primary VM, up to virtual time `end` (ns). */
async function booted(release: string, end: number): Promise<GuestSystem> {
  const { folder } = await catalogEntry(`debian-${release}`);
  const system = assemble({
    cpus: 1,
    memory: 512 * MIB,
    turbo: true,
    seed: 1,
    what: {
      kind: "boot",
      image: await Deno.readFile(`${folder}/Image`),
      initrd: await Deno.readFile(`${folder}/initrd`),
      dtb: undefined,
      append: "console=ttyAMA0",
    },
  });
  runTo(system, end);
  return system;
}

function runTo({ machine }: GuestSystem, end: number): void {
  while (machine.time < end) {
    const result = machine.run(end, 1000);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
    else if (result.kind === "stopped") return;
  }
}

Deno.test("a Debian kernel that boots is found in its memory, names PCs in lists, and its vectors are where VBAR_EL1 says", async () => {
  const system = await booted("bookworm", 60e6);
  // Lists show names before anybody has asked for symbols or opened a stack.
  const began = performance.now();
  const [{ pc, symbol }] = system.inspector.answer({ table: "vcpu.ls", args: {} }).rows;
  assert.match(String(symbol), /^[a-z_]\w+(\.\w+)*\+0x[0-9a-f]+$/, `${pc} after ${performance.now() - began} ms`);
  const [vcpu] = system.symbols.vcpus("host");
  const [kernel] = system.symbols.all("host");
  assert.ok(kernel, "no symbols");
  assert.equal(kernel.find("vectors")?.address, vcpu.registers.getRegister("VBAR_EL1"));
  assert.ok(kernel.symbols.length > 40_000);
  const { error, rows } = system.inspector.answer({ table: "code", args: { at: "host:cpu_do_idle", size: 5 } });
  assert.equal(error, undefined);
  assert.ok(rows.some(({ text, symbol }) => text === "ret" && String(symbol).startsWith("cpu_do_idle+0x")), JSON.stringify(rows));
  const stack = system.inspector.answer({ table: "vcpu.stack", args: { vcpu: "host/0" } });
  assert.ok(stack.rows.some(({ symbol }) => String(symbol).startsWith("start_kernel+0x")), JSON.stringify(stack.rows));
});

if (LONG) {
  Deno.test("a kernel that moves itself is found as soon as it has vectors, where they are", async () => {
    const files = "catalog:debian-bookworm";
    const system = await demoSystem(
      `el2 = 1\n[host]\nmemory = "64MiB"\n[vm.x]\nkernel = "${files}/Image"\ninitrd = "${files}/initrd"\nmemory = "256MiB"\n`,
    );
    for (let instructions = 0; instructions < 25e6; runTo(system, system.machine.time + 0.02e6)) {
      const [vcpu] = system.symbols.vcpus("x");
      if (!vcpu) continue;
      const { registers } = vcpu, vectors = registers.getRegister("VBAR_EL1");
      instructions = vcpu.usage.instructions;
      system.symbols.nameOf("x", registers.pc);
      if (vectors !== 0n) assert.equal(system.symbols.known("x")[0]?.find("vectors")?.address, vectors);
    }
  });

  for (const release of ["bookworm", "trixie", "sid"]) {
    Deno.test(`every symbol of Debian ${release} is what its own /proc/kallsyms says`, async () => {
      const system = await booted(release, 1e9);
      const type = (text: string) => system.consoles.type("host", new TextEncoder().encode(`${text}\n`));
      let shown = "";
      const take = () => shown += system.consoles.drain().map(({ bytes }) => new TextDecoder("latin1").decode(bytes)).join("");
      for (let end = 1e9; !shown.includes("EL2-READY") && end < 60e9; end += 1e9) {
        runTo(system, end);
        take();
      }
      type("echo 0 > /proc/sys/kernel/kptr_restrict; grep -v '\\[' /proc/kallsyms | md5sum; echo ALL-$((40 + 2))");
      for (let end = system.machine.time + 1e9; !shown.includes("ALL-42") && end < 600e9; end += 1e9) {
        runTo(system, end);
        take();
      }
      const [kernel] = system.symbols.all("host");
      const lines = kernel.symbols.map(({ name, address, type }) => `${address.toString(16).padStart(16, "0")} ${type} ${name}\n`);
      const { createHash } = await import("node:crypto");
      const ours = createHash("md5").update(lines.join("")).digest("hex");
      assert.match(shown, new RegExp(`^${ours} `, "m"), shown.slice(-400));
    });
  }
}
