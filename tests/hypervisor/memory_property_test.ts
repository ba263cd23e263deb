// Ownership of memory is conserved, whatever calls are made in whatever order (DESIGN "Seven decisions", 7).

import assert from "node:assert/strict";
import fc from "fast-check";
import { Access, ExtentType } from "../../src/abi/words.ts";
import { DEFERRED } from "../../src/hypervisor/hypercall-definition.ts";
import { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { type HypercallName, HYPERCALLS } from "../../src/abi/hypercalls.ts";
import { RAM_BASE } from "../../src/machine/memory-map.ts";
import { createTestHypervisor, R_NORMAL, RW_NORMAL, RWX_NORMAL, TestGuest } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

/** Capabilities that calls choose from: both cspace and partition, address spaces, extents of all kinds; deletions and copies change them. */
const cap = fc.bigInt(0n, 18n);
const page = fc.nat(12).map((n) => BigInt(n) * 0x1000n);
const physical = fc.oneof(page, page.map((offset) => BigInt(RAM_BASE) + offset));
const ipa = page.map((offset) => 0x8000_0000n + offset);
const attrs = fc.constantFrom(RWX_NORMAL, RW_NORMAL, R_NORMAL);
const flags = fc.constantFrom(0x8000_0000n, 0x8000_0001n);
const extentAttributes = fc.tuple(fc.constantFrom(Access.RWX, Access.RW, Access.R), fc.constantFrom(0, ExtentType.Sparse))
  .map(([access, type]) => BigInt(access | type << 16));

type Step = readonly [HypercallName, ...bigint[]];
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant("addrspace_map" as const), cap, cap, ipa, attrs, flags, physical, page),
  fc.tuple(fc.constant("addrspace_unmap" as const), cap, cap, ipa, flags, physical, page),
  fc.tuple(fc.constant("addrspace_update_access" as const), cap, cap, ipa, fc.constantFrom(0x44n, 0x66n), flags, physical, page),
  fc.tuple(fc.constant("memextent_donate" as const), fc.bigInt(0n, 2n), cap, cap, physical, page),
  fc.tuple(fc.constant("memextent_configure_derive" as const), cap, cap, physical, page, extentAttributes),
  fc.tuple(fc.constant("memextent_modify" as const), cap, fc.constantFrom(0x8000_0000n, 0x8000_0001n), physical, page),
  fc.tuple(fc.constant("object_activate" as const), cap),
  fc.tuple(fc.constant("cspace_delete_cap_from" as const), fc.constant(0n), fc.bigInt(4n, 18n)),
  fc.tuple(fc.constant("cspace_copy_cap_from" as const), fc.constant(0n), cap, fc.constant(0n), fc.constant(0xffff_ffffn)),
  fc.tuple(fc.constant("partition_create_memextent" as const), fc.constant(1n), fc.constant(0n)),
);

Deno.test("random calls on memory never lose a page, never map one that its owner has not mapped, and never throw", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const { machine, options } = createTestHypervisor();
      const hypervisor = new Hypervisor(machine, options);
      const guest = new TestGuest(hypervisor);
      guest.addrspace(1);
      guest.addrspace(2);
      const root = guest.extent(0, 2 ** 44, Access.RWX, ExtentType.Sparse);
      guest.ok("memextent_donate", 0n, 1n, root, BigInt(RAM_BASE), 0xc000n);
      guest.derive(root, 0, 2 ** 44, Access.RWX, ExtentType.Sparse);
      guest.derive(root, 0, 2 ** 44, Access.RW, ExtentType.Sparse);
      guest.derive(root, RAM_BASE, 0x2000);
      for (const [name, ...args] of steps) {
        const results = hypervisor.hypercalls.dispatch(guest.vcpu, HYPERCALLS[name].number, args, "native");
        assert.ok(results !== undefined && results !== DEFERRED);
      }
      checkInvariants(hypervisor);
      assert.equal(machine.stopReason, undefined);
    }),
    { numRuns: 100 },
  );
});
