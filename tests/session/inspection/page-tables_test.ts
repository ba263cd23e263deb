// The lists and walks of `vcpu tables` in a Linux that boots, with the core's translation as the
// oracle.

import assert from "node:assert/strict";
import { Debian } from "../../inside/linux/debian.ts";
import { Random } from "../../support/random.ts";
import { demoSystem, rows } from "./system.ts";

Deno.test("what vcpu tables lists is what the core translates, and nothing else; walks end in the same places", async () => {
  const debian = await Debian.start("bookworm");
  debian.run(60e6);
  const { system } = debian, [vcpu] = system.symbols.vcpus("host"), random = new Random(7);
  const core = (address: bigint) => {
    const found = system.core.questions.inspect(vcpu.registers, address);
    return found.ok ? found.pa : undefined;
  };
  const list = rows(system, "vcpu.tables", { vcpu: "host/0" });
  assert.ok(list.length > 10, `${list.length} rows`);
  let last = -1n, mapped = 0;
  for (const { address, size, pa, kind } of list) {
    const start = BigInt(String(address)), bytes = BigInt(String(size));
    assert.equal(kind, "leaf");
    assert.ok(start > last, "rows are in order");
    if (start > last + 1n) assert.equal(core(start - 1n), undefined, `${address}: nothing is mapped before it`);
    last = start + bytes - 1n;
    if (pa === null) continue;
    for (const at of [0n, bytes - 1n, ...Array.from({ length: 20 }, () => BigInt(random.below(2 ** 30)) % bytes)]) {
      if (core(start + at) === undefined) continue;
      assert.equal(core(start + at), Number(BigInt(String(pa)) + at), `${address}+${at}`);
      mapped++;
    }
  }
  assert.ok(mapped > 100, `${mapped} places`);

  for (const at of ["pc", "vectors", String(list[Math.floor(list.length / 2)].address)]) {
    const walk = rows(system, "vcpu.tables", { vcpu: "host/0", at }), end = walk.at(-1)!;
    assert.deepEqual(walk.map(({ kind }) => kind), [...walk.slice(1).map(() => "table"), "leaf"]);
    assert.deepEqual(walk.map(({ level }) => Number(level)), walk.map((_, index) => 4 - walk.length + index + Number(end.level) - 3));
    const address = at === "pc" ? vcpu.registers.pc : at === "vectors" ? vcpu.registers.getRegister("VBAR_EL1") : BigInt(at);
    assert.equal(Number(BigInt(String(end.pa))), core(address), at);
    if (at !== "pc") continue;
    assert.match(String(end.el1), /x/);
    assert.equal(end.memory, "normal");
  }
  const nowhere = rows(system, "vcpu.tables", { vcpu: "host/0", at: "0xffffa00000000000" });
  assert.equal(nowhere.at(-1)!.kind, "invalid");
  const error = (at: string) => system.inspector.answer({ table: "vcpu.tables", args: { vcpu: "host/0", at } }).error;
  assert.match(error("0x00f0000000000000")!, /^0xf0000000000000 is outside of the 48 bits that TTBR1_EL1's tables translate$/);
});

Deno.test("a vCPU without translation says so", async () => {
  const system = await demoSystem();
  const error = (vcpu: string) => system.inspector.answer({ table: "vcpu.tables", args: { vcpu } }).error;
  assert.match(error("rm/0")!, /executes no instructions/);
});
