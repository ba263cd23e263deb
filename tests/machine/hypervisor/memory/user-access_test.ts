// Buffers of guests (docs/spec/hypervisor.md §1.3).

import assert from "node:assert/strict";
import { errorName } from "../../../../src/machine/abi/errors.ts";
import type { Translation } from "../../../../src/cpu/core/interface.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { readUser, writeUser } from "../../../../src/machine/hypervisor/memory/user-access.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { createTestHypervisor, TestGuest } from "../fixture.ts";

/**
 * A vCPU whose page n of virtual addresses translates as `pages[n]` says: to a physical page, or
 * with a fault.
 */
function vcpuWith(pages: readonly (number | { stage: 1 | 2; fsc: number })[]) {
  const { machine, options } = createTestHypervisor();
  const { vcpu } = new TestGuest(new Hypervisor(machine, options));
  vcpu.translate = (va): Translation => {
    const page = pages[Number(va >> 12n)] ?? { stage: 2, fsc: 0x07 };
    if (typeof page === "number") return { ok: true, pa: page + Number(va & 0xfffn), ipa: 0 };
    return { ok: false, ipa: 0, ...page };
  };
  return { machine, vcpu };
}

const error = (result: Uint8Array | number) => typeof result === "number" ? errorName(result) : "OK";

Deno.test("a buffer that crosses pages is copied page by page, wherever they lie", () => {
  const { machine, vcpu } = vcpuWith([RAM_BASE + 0x5000, RAM_BASE + 0x2000]);
  machine.ram.write(RAM_BASE + 0x5ffe, Uint8Array.of(1, 2));
  machine.ram.write(RAM_BASE + 0x2000, Uint8Array.of(3, 4));
  assert.deepEqual(readUser(vcpu, 0xffen, 4), Uint8Array.of(1, 2, 3, 4));
  assert.equal(error(writeUser(vcpu, 0xfffn, Uint8Array.of(8, 9))), "OK");
  assert.equal(machine.ram.bytes(RAM_BASE + 0x5fff, 1)[0], 8);
  assert.equal(machine.ram.bytes(RAM_BASE + 0x2000, 1)[0], 9);
});

Deno.test("each way to fail has its error", () => {
  const stage1 = { stage: 1, fsc: 0x07 } as const,
    permission = { stage: 2, fsc: 0x0f } as const,
    unmapped = { stage: 2, fsc: 0x06 } as const;
  const { vcpu } = vcpuWith([RAM_BASE, stage1, permission, unmapped, 0x0900_0000]);
  const read = (va: bigint, size: number) => error(readUser(vcpu, va, size));
  assert.equal(read(0n, 0), "ARGUMENT_SIZE");
  assert.equal(read(0xffff_ffff_ffff_fff0n, 0x20), "ADDR_OVERFLOW");
  assert.equal(read(0x1000n, 4), "ARGUMENT_INVALID");
  assert.equal(read(0xffen, 4), "ARGUMENT_INVALID", "its second page fails");
  assert.equal(read(0x2000n, 4), "DENIED");
  assert.equal(read(0x3000n, 4), "ADDR_INVALID");
  assert.equal(read(0x4000n, 4), "ADDR_INVALID", "a device is no buffer");
});
