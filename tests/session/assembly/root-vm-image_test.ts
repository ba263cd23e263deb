// A root VM that is a real AArch64 program: what it finds at its start (docs/spec/observed.md §7),
// and files that cannot be one.

import { asPa } from "../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { buildRootGuest } from "../../../bench/root-guests.ts";
import { Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { Checker } from "../../../src/machine/hypervisor/check/check.ts";
import { describeViolation } from "../../../src/machine/hypervisor/check/violation.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { checkRoot } from "../../../src/session/assembly/layout/boot-plan.ts";
import { PlanError, type RootPlan, type SessionPlan } from "../../../src/model/plans/plan.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-root-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function build(name: string): Promise<RootPlan> {
  const { runtime, app } = await buildRootGuest(name, folder);
  return { runtime: await Deno.readFile(runtime), app: await Deno.readFile(app) };
}

function planOf(root: RootPlan): SessionPlan {
  const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
  return { cpus: 8, memory: 64 << 20, turbo: true, seed: 1, root, what };
}

const ENTRY_PSTATE_DAIF = 0x3c0n, ENTRY_SCTLR = 0x30d0_0800n;

Deno.test("a root VM's program starts in the recorded state, and finds the recorded environment", async () => {
  const system = assemble(planOf(await build("environment")));
  const checker = new Checker(system.hypervisor);
  system.machine.run(100_000_000);
  const text = system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  const lines = text.trim().split("\n");
  assert.equal(lines.pop(), "finished", text);
  const found = Object.fromEntries(lines.map((line) => line.split(" ")).map(([name, value]) => [name, BigInt(value)]));
  assert.deepEqual(found, {
    signature: 0x454d_5652n,
    version: 1n,
    // Runtime of three pages, application of four: the block follows at once, the heap takes the
    // rest.
    block: 0x7000n,
    app: 0x3000n,
    runtime: 0x8048_0000n,
    heap_end: 0xa_0000n,
    vcpu: 2n,
    frequency_differs: 0n,
    gicd: 0x800_0000n,
    gicr: 0x80a_0000n,
    cspace_capid: 0n,
    partition_capid: 1n,
    addrspace_capid: 0x335n,
    vic: 3n,
    me_capid: 0x336n,
    me_size: 0xa_0000n,
    device_me_capid: 0x337n,
    uart_me_capid: 0x338n,
    entry_hlos: 0x4100_0000n,
    usable_cores: 0xffn,
    vic_hwirq_first: 0xffff_ffff_ffff_ffffn,
    vic_hwirq_count: 256n,
    free_base: 0x4000_0000n,
    free_ranges: 2n,
    daif: ENTRY_PSTATE_DAIF,
    sctlr: ENTRY_SCTLR,
    mpidr: 0x8000_0000n,
    unaligned: 0x1122_3344_5566_7788n,
    api: 0x5100_0000_0000_8001n,
    first_new_cap: 0x339n,
    unconfigured: 34n,
    psci_is_unknown: 0xffff_ffff_ffff_ffffn,
  });
  assert.deepEqual(checker.sweep().map(describeViolation), []);
});

Deno.test("segments of a root image are mapped with their own access, the rest may be read and written", async () => {
  const system = assemble(planOf(await build("environment")));
  const { stage2 } = system.hypervisor.addressSpaces.get(255)!;
  const { Read, Write, ExecuteEl0, ExecuteEl1 } = Stage2Flags;
  const base = 0x8048_0000;
  const access = (page: number) => stage2.lookup(base + page * 0x1000)?.flags;
  const R = Read, RX = Read | ExecuteEl0 | ExecuteEl1, RW = Read | Write;
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 0x50, 0x9f].map(access), [R, RX, RW, R, RX, R, RW, RW, RW, RW]);
  assert.equal(access(0xa0), undefined);
});

Deno.test("the checker finds what the core's TLBs keep of pages that their owner has lost", async () => {
  const { machine, hypervisor } = assemble(planOf(await build("environment")));
  machine.run(100_000_000);
  const space = hypervisor.addressSpaces.get(255)!;
  const cached = [...machine.core.residency!.cachedPages(space.stage2.id)].map(({ pa }) => pa);
  // The block and the stack, which lie in the root VM's own extent, have just been read.
  const own = [0x7000, 0xe000].map((offset) => asPa(0x8048_0000 + offset));
  for (const pa of own) assert.ok(cached.includes(pa), `0x${pa.toString(16)} is cached`);
  const checker = new Checker(hypervisor);
  assert.deepEqual(checker.sweep(), []);
  const extent = hypervisor.memory.ownerOf(own[0])!;
  assert.ok(hypervisor.memory.transfer(extent, hypervisor.rootPartition, own[0], 0x1000));
  const rules = new Set(checker.sweep().map(({ rule }) => rule));
  assert.deepEqual(rules, new Set(["each mapped page belongs to an extent", "a TLB leads to pages that are mapped in its address space"]));
});

Deno.test("files that cannot be a root VM are refused by name", async () => {
  const root = await build("environment");
  const fixed = root.app.slice();
  fixed[16] = 2;
  const cases: [RootPlan, RegExp][] = [
    [{ ...root, runtime: new Uint8Array(100) }, /^root runtime: not an ELF file/],
    [{ ...root, app: fixed }, /^root application: ELF file is not a position-independent executable/],
  ];
  for (const [plan, message] of cases) {
    assert.throws(() => checkRoot(plan), (error) => error instanceof PlanError && message.test(error.message));
  }
  // p_memsz of the last segment.
  const large = root.app.slice();
  const view = new DataView(large.buffer);
  const headers = Number(view.getBigUint64(32, true)), count = view.getUint16(56, true);
  const loads = Array.from({ length: count }, (_, index) => headers + 56 * index).filter((at) => view.getUint32(at, true) === 1);
  view.setBigUint64(loads.at(-1)! + 40, 0xa_0000n, true);
  assert.throws(
    () => checkRoot({ ...root, app: large }),
    /root runtime and application need/,
  );
  view.setBigUint64(loads.at(-1)! + 24, 0x2000n, true);
  view.setBigUint64(loads.at(-1)! + 40, 0x1000n, true);
  assert.throws(() => checkRoot({ ...root, app: large }), /share the page at 0x5000/);
});
