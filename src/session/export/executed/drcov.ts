// Coverage as a drcov log (version 2, module table version 2), for Lighthouse and other plugins of
// disassemblers: the blocks that ran, by module. A module is up to 4 GiB of a VM's virtual
// addresses, as offsets of blocks have 32 bits.

import type { ExecutedBlock, ExecutedVm } from "../../inspection/execution/executed.ts";
import { joined } from "../../../kit/support/values/bytes.ts";

/** Offsets of blocks in a module, and bytes of a block, at most. */
const REACH = 0x1_0000_0000n, BLOCK_MAX = 0xfffc;
/** Bytes of an entry: offset, size, module. */
const ENTRY = 8;

interface Module {
  readonly name: string;
  readonly base: bigint;
  readonly blocks: ExecutedBlock[];
}

export function drcov(vms: readonly ExecutedVm[]): Uint8Array {
  const modules = vms.flatMap(modulesOf), blocks = modules.flatMap(({ blocks }, id) => blocks.map((block) => ({ ...block, id })));
  const table = modules.map(({ name, base, blocks }, id) => {
    const last = blocks[blocks.length - 1], end = last.address + BigInt(last.size);
    return `${id}, ${hex(base)}, ${hex(end)}, ${hex(0n)}, 0x00000000, 0x00000000, ${name}\n`;
  });
  const head = [
    "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\n",
    `Module Table: version 2, count ${modules.length}\nColumns: id, base, end, entry, checksum, timestamp, path\n`,
    ...table,
    `BB Table: ${blocks.length} bbs\n`,
  ];
  const view = new DataView(new ArrayBuffer(ENTRY * blocks.length));
  blocks.forEach(({ address, size, id }, index) => {
    view.setUint32(ENTRY * index, Number(address - modules[id].base), true);
    view.setUint16(ENTRY * index + 4, size, true);
    view.setUint16(ENTRY * index + 6, id, true);
  });
  return joined([new TextEncoder().encode(head.join("")), new Uint8Array(view.buffer)]);
}

function modulesOf({ vm, blocks }: ExecutedVm): Module[] {
  const modules: Module[] = [];
  for (const { address, size } of blocks) {
    for (let at = 0; at < size; at += BLOCK_MAX) {
      const piece = { address: address + BigInt(at), size: Math.min(BLOCK_MAX, size - at) };
      const last = modules.at(-1);
      if (last && piece.address - last.base < REACH) last.blocks.push(piece);
      else modules.push({ name: vm, base: piece.address & ~0xfffn, blocks: [piece] });
    }
  }
  return modules;
}

const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, "0")}`;
