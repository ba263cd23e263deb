// Pages that a guest misses, on the real core, hypervisor and Resource Manager: whatever
// instruction misses one, the driver gives it and the instruction is repeated
// (docs/spec/vm-manager.md §5.4).

import assert from "node:assert/strict";
import { Errno } from "../../../src/machine/abi/ioctl/errno.ts";
import { ExitReason, GH, MapFlagsV17, ResumeAction, RUN_MMIO, RUN_PAGE, RUN_PAGE_FAULT } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { assemble, type Line } from "../../cpu/core/program.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { type CellMemory, HoldingCell } from "./test-vmm/holding-cell.ts";
import { HostStack } from "./host-stack.ts";

const { Read, Write, Exec } = MapFlagsV17;
/** Memory that nobody has touched: its address, and bytes. */
const MISSED = 0xa000_0000, MISSED_SIZE = 0x4000;
/** Content of its first two words, and the place where the programs store the values read. */
const MAGIC = 0x1122_3344_5566_7788n, RESULT = 0x7000n;
const bytesOf64 = (words: readonly bigint[]) => new Uint8Array(new BigUint64Array(words).buffer);
const bytesOf = (words: readonly number[]) => new Uint8Array(new Uint32Array(words).buffer);

/** x2 is the missing page, x21 where the result goes. */
const BEGIN: readonly Line[] = [
  ["movz x2, #0xa000, lsl #16", 0xd2b40002],
  ["movz x21, #0x7000", 0xd28e0015],
];
const END: readonly Line[] = [
  ["str x0, [x21]", 0xf90002a0],
  ["b", 0x17ffffff],
];

/** A program that misses a page: its instructions, and what it stores in the end. */
interface Miss {
  readonly lines: readonly Line[];
  readonly result: bigint;
  /** Whether the first access that misses is a write. */
  readonly write: boolean;
  /** IPA of the first access that misses; by default the beginning of the memory. */
  readonly at?: number;
}

/** Descriptors of a table and of a block: Normal memory, inner shareable, accessed. */
const table = (address: number) => BigInt(address) | 3n;
const block = (address: number) => BigInt(address) | 0x701n;
/** Address of a table in the memory of the image. */
const OWN_TABLE = 0x2000;
/** Turns stage 1 on: 39 bits of addresses, the table at x3. */
const MMU_ON: readonly Line[] = [
  ["msr ttbr0_el1, x3", 0xd5182003],
  ["movz x3, #0xff", 0xd2801fe3],
  ["msr mair_el1, x3", 0xd518a203],
  ["movz x3, #0x19", 0xd2800323],
  ["msr tcr_el1, x3", 0xd5182043],
  ["isb", 0xd5033fdf],
  ["mrs x3, sctlr_el1", 0xd5381003],
  ["orr x3, x3, #0x1", 0xb2400063],
  ["msr sctlr_el1, x3", 0xd5181003],
  ["isb", 0xd5033fdf],
];
/** The same with the table in the memory of the image. */
const OWN_MMU_ON: readonly Line[] = [["movz x3, #0x8000, lsl #16", 0xd2b00003], ["add x3, x3, #0x2, lsl #12", 0x91400863], ...MMU_ON];

const MISSES: Readonly<Record<string, Miss>> = {
  fetch: { lines: [["add x2, x2, #0x2, lsl #12", 0x91400842], ["blr x2", 0xd63f0040]], result: 0x77n, write: false, at: MISSED + 0x2000 },
  load: { lines: [["ldr x0, [x2]", 0xf9400040]], result: MAGIC, write: false },
  store: {
    lines: [["movz x0, #0x55", 0xd2800aa0], ["str x0, [x2, #24]", 0xf9000c40], ["ldr x0, [x2, #24]", 0xf9400c40]],
    ...{ result: 0x55n, write: true, at: MISSED + 24 },
  },
  "load of a pair": {
    lines: [["ldp x3, x0, [x2]", 0xa9400043], ["add x0, x0, x3", 0x8b030000]],
    ...{ result: 2n * MAGIC, write: false },
  },
  "store of a pair across two pages": {
    lines: [
      ["add x2, x2, #0x1, lsl #12", 0x91400442],
      ["movz x0, #0x55", 0xd2800aa0],
      ["stp x0, x0, [x2, #-8]", 0xa93f8040],
      ["ldr x0, [x2]", 0xf9400040],
    ],
    ...{ result: 0x55n, write: true, at: MISSED + 0xff8 },
  },
  "load of a vector": {
    lines: [
      ["movz x3, #0x30, lsl #16", 0xd2a00603],
      ["msr cpacr_el1, x3", 0xd5181043],
      ["isb", 0xd5033fdf],
      ["ldr q0, [x2]", 0x3dc00040],
      ["fmov x0, d0", 0x9e660000],
    ],
    ...{ result: MAGIC, write: false },
  },
  exclusives: {
    lines: [
      ["ldaxr x0, [x2]", 0xc85ffc40],
      ["add x0, x0, #0x1", 0x91000400],
      ["stlxr w3, x0, [x2]", 0xc803fc40],
      ["ldr x0, [x2]", 0xf9400040],
    ],
    ...{ result: MAGIC + 1n, write: false },
  },
  atomic: {
    lines: [["movz x0, #0x1", 0xd2800020], ["ldaddal x0, x0, [x2]", 0xf8e00040], ["ldr x0, [x2]", 0xf9400040]],
    ...{ result: MAGIC + 1n, write: false },
  },
  "table walk of a fetch": {
    lines: [["add x3, x2, #0x1, lsl #12", 0x91400443], ...MMU_ON, ["ldr x0, [x2]", 0xf9400040]],
    ...{ result: MAGIC, write: false, at: MISSED + 0x1010 },
  },
  "table walk of a load": {
    lines: [
      ...OWN_MMU_ON,
      ["movz x2, #0xc000, lsl #16", 0xd2b80002],
      ["ldr x0, [x2]", 0xf9400040],
    ],
    ...{ result: MAGIC, write: false, at: MISSED + 0x3000 },
  },
  "cache maintenance": { lines: [["sys #3, C7, C14, #1, x2", 0xd50b7e22], ["ldr x0, [x2]", 0xf9400040]], result: MAGIC, write: false },
  // Only Normal memory takes it, so that stage 1 is on.
  "clearing of a cache line": {
    lines: [...OWN_MMU_ON, ["sys #3, C7, C4, #1, x2", 0xd50b7422], ["ldr x0, [x2]", 0xf9400040]],
    ...{ result: 0n, write: true },
  },
};

/** A VM with one vCPU that executes a program, and memory that nobody has touched. */
function cellWith(lines: readonly Line[], rights: number = Read | Write | Exec): { cell: HoldingCell; memory: CellMemory } {
  const cell = new HoldingCell();
  const memory = cell.createMemory(MISSED, MISSED_SIZE);
  const code = assemble([["movz x0, #0x77", 0xd2800ee0], ["ret", 0xd65f03c0]]);
  const flat = [block(0), 0n, block(0x8000_0000)];
  cell.load(memory, [
    [0, bytesOf64([MAGIC, MAGIC])],
    [0x1000, bytesOf64(flat)],
    [0x2000, bytesOf(code)],
    [0x3000, bytesOf64([block(MISSED)])],
  ]);
  cell.load(cell.memory, [
    [0, bytesOf(assemble([...BEGIN, ...lines, ...END]))],
    [OWN_TABLE, bytesOf64([...flat, table(MISSED + 0x3000)])],
  ]);
  assert.equal(cell.map(memory, { rights }), 0);
  assert.equal(cell.start(), 0, cell.stack.lastRule()?.rule);
  return { cell, memory };
}

/** RUN of the VM's vCPU: the page fault or the store that it leaves with. */
function run({ vmm, vcpus: [{ fd, page }], stack }: HoldingCell): { address: bigint; attempt: number } | { stored: bigint } | undefined {
  assert.equal(vmm.ioctl(fd, GH.RUN), 0, stack.lastRule()?.rule);
  const bytes = vmm.read(page, RUN_MMIO.size);
  switch (RUN_PAGE.decode(bytes).exit_reason) {
    case ExitReason.PageFault: {
      const { phys_addr: address, attempt } = RUN_PAGE_FAULT.decode(bytes);
      return { address, attempt };
    }
    case ExitReason.Mmio: {
      const { phys_addr, data } = RUN_MMIO.decode(bytes);
      assert.equal(phys_addr, RESULT);
      return { stored: new DataView(Uint8Array.from(data).buffer).getBigUint64(0, true) };
    }
  }
}

for (const [name, { lines, result, write, at = MISSED }] of Object.entries(MISSES)) {
  Deno.test(`${name}: the page that the instruction misses is given, and the instruction is made again`, () => {
    assert.deepEqual(run(cellWith(lines).cell), { stored: result });
  });

  Deno.test(`${name}: a page that cannot be given leaves RUN, and the next RUN makes the instruction again`, () => {
    const { cell, memory } = cellWith(lines);
    // Lent pages are not given while the host has them mapped.
    const refused = { address: BigInt(at), attempt: -Errno.EPERM };
    cell.mapped(memory, () => assert.deepEqual([run(cell), run(cell)], [refused, refused]));
    assert.deepEqual(run(cell), { stored: result });
    checkInvariants(cell.stack.hypervisor);
  });

  Deno.test(`${name}: read-only memory ${write ? "is not given for a write" : "is given for what only reads first"}`, () => {
    const exit = run(cellWith(lines, Read).cell);
    if (write) assert.deepEqual(exit, { address: BigInt(at), attempt: -Errno.EPERM });
    else assert.ok(exit === undefined || "stored" in exit, `${Deno.inspect(exit)}`);
  });
}

Deno.test("a page fault that the VMM answers with FAULT is an abort in the guest; an unknown action is EINVAL", () => {
  const cell = new HoldingCell();
  const memory = cell.createMemory(MISSED, MISSED_SIZE);
  cell.load(memory, [[0, bytesOf64([MAGIC])]]);
  assert.deepEqual([cell.map(memory), cell.start()], [0, 0]);
  const [{ fd, page }] = cell.vcpus;
  const answer = (action: number) => void cell.vmm.write(page + RUN_PAGE_FAULT.at.resume_action.offset, [action]);
  const exit = { address: BigInt(MISSED), attempt: -Errno.EPERM };
  cell.mapped(memory, () => {
    assert.deepEqual(cell.tryRead(MISSED).exit, exit);
    answer(3);
    cell.vmm.refused(cell.vmm.ioctl(fd, GH.RUN), "EINVAL", /resume_action/);
    answer(ResumeAction.Retry);
    assert.deepEqual(cell.outcome(0).exit, exit);
    answer(ResumeAction.Fault);
    assert.deepEqual(cell.outcome(0).faults, [BigInt(MISSED)]);
  });
});

Deno.test("pages that a VM gets count against its creator's limit of locked memory, and no longer when it is gone", () => {
  // The devicetree's four pages, the program's one, and one more.
  const stack = new HostStack({ device: "v17", memlock: 6 * 0x1000 });
  const cell = new HoldingCell({ stack });
  const memory = cell.createMemory(MISSED, MISSED_SIZE);
  cell.vmm.kernel((kernel, pid) => kernel.setuid(pid, 1000));
  const locked = () => cell.vmm.kernel((kernel, pid) => kernel.lockedBytes(pid)) / 0x1000;
  assert.deepEqual([cell.map(memory), cell.start(), locked()], [0, 0, 4]);
  assert.deepEqual([cell.read(MISSED), locked()], [0n, 6]);
  assert.deepEqual(cell.tryRead(MISSED + 0x1000).exit, { address: BigInt(MISSED + 0x1000), attempt: -Errno.ENOMEM });
  cell.vmm.kernel((kernel, pid) => kernel.setMemlock(pid, 7 * 0x1000));
  assert.deepEqual([cell.outcome(0).result, locked()], [0n, 7]);
  for (const { fd, page } of cell.vcpus) {
    cell.vmm.kernel((kernel, pid) => kernel.munmap(pid, page));
    cell.vmm.close(fd);
  }
  cell.vmm.close(cell.vm);
  stack.pass(1e9);
  assert.deepEqual([locked(), stack.visit(({ gunyah }) => gunyah.state.vms)], [0, {}]);
  checkInvariants(stack.hypervisor);
});
