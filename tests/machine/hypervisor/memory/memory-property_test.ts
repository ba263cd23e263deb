// Ownership of memory is conserved, whatever calls are made in whatever order
// (docs/design/decisions.md §7).

import assert from "node:assert/strict";
import fc from "fast-check";
import { Access, ExtentType } from "../../../../src/machine/abi/words.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { attributes, createTestHypervisor, NO_SYNC, PARTIAL, R_NORMAL, RW_NORMAL, RWX_NORMAL, TestGuest } from "../fixture.ts";
import { checkInvariants } from "../invariants.ts";
import { nativeCall } from "../native-call.ts";

/**
 * Capabilities after the setup: 0 cspace, 1 partition, 2 and 3 address spaces, then extents, of
 * which some come and go.
 */
const FIRST_EXTENT = 4, LAST_EXTENT = 11;
const extent = fc.integer({ min: FIRST_EXTENT, max: LAST_EXTENT }).map(BigInt);
const space = fc.constantFrom(2n, 3n);
/** Kind, giver and receiver: those that the setup relates, and any others. */
const donation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<[bigint, bigint, bigint]>([0n, 4n, 5n], [0n, 4n, 6n], [1n, 5n, 4n], [2n, 5n, 6n], [2n, 6n, 5n], [
      0n,
      1n,
      4n,
    ]),
  },
  { weight: 1, arbitrary: fc.tuple(fc.bigInt(0n, 2n), fc.bigInt(1n, 11n), fc.bigInt(1n, 11n)) },
);

/**
 * A few pages, so that calls meet: offsets of an extent that starts at 0, of one that starts at
 * RAM, and IPAs.
 */
const pages = (most: number) => fc.integer({ min: 0, max: most }).map((n) => BigInt(n) * 0x1000n);
const offset = fc.oneof({ weight: 4, arbitrary: pages(7).map((at) => BigInt(RAM_BASE) + at) }, { weight: 1, arbitrary: pages(3) });
const size = pages(4);
const ipa = pages(6).map((at) => 0x8000_0000n + at);
const attrs = fc.constantFrom(RWX_NORMAL, RW_NORMAL, R_NORMAL);
const flags = fc.oneof({ weight: 1, arbitrary: fc.constant(NO_SYNC) }, { weight: 5, arbitrary: fc.constant(PARTIAL) });
const extentAttributes = fc.tuple(fc.constantFrom(Access.RWX, Access.RW, Access.R), fc.constantFrom(ExtentType.Basic, ExtentType.Sparse))
  .map(([access, type]) => attributes(access, type));

type Step = readonly [HypercallName, ...bigint[]];
const steps: fc.Arbitrary<Step[]> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constant("addrspace_map" as const), space, extent, ipa, attrs, flags, offset, size).map((one): Step[] => [one]),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant("addrspace_unmap" as const), space, extent, ipa, flags, offset, size).map((one): Step[] => [one]),
  },
  {
    weight: 3,
    // A mapping with what may follow it: the same range is changed or unmapped again.
    arbitrary: fc.tuple(space, extent, ipa, attrs, offset, size, fc.boolean()).map(([as, me, at, how, from, length, unmap]): Step[] => [
      ["addrspace_map", as, me, at, how, PARTIAL, from, length],
      unmap
        ? ["addrspace_unmap", as, me, at, PARTIAL, from, length]
        : ["addrspace_update_access", as, me, at, 0x44n, PARTIAL, from, length],
    ]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(donation, offset, size).map(([who, from, length]): Step[] => [["memextent_donate", ...who, from, length]]),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(extent, extent, offset, size, extentAttributes).map(([child, parent, from, length, how]): Step[] => [
      ["partition_create_memextent", 1n, 0n],
      ["memextent_configure_derive", child, parent, from, length, how],
      ["object_activate", child],
    ]),
  },
  {
    weight: 3,
    // The giver has the range mapped; sometimes it is its receiver that goes, or its address space.
    arbitrary: fc.tuple(donation, space, ipa, attrs, offset, size, fc.nat(3)).map(([who, as, at, how, from, length, end]): Step[] => [
      ["addrspace_map", as, who[1], at, how, PARTIAL, from, length],
      ["memextent_donate", ...who, from, length],
      ...(end === 0 ? [["cspace_delete_cap_from", 0n, who[2]]] as Step[] : end === 1 ? [["cspace_delete_cap_from", 0n, as]] as Step[] : []),
    ]),
  },
  { weight: 2, arbitrary: extent.map((one): Step[] => [["memextent_modify", one, NO_SYNC]]) },
  { weight: 2, arbitrary: extent.filter((one) => one > 4n).map((one): Step[] => [["cspace_delete_cap_from", 0n, one]]) },
  { weight: 1, arbitrary: space.map((one): Step[] => [["cspace_delete_cap_from", 0n, one], ["partition_create_addrspace", 1n, 0n]]) },
  {
    weight: 1,
    arbitrary: fc.tuple(space, fc.bigInt(1n, 2n)).map((
      [one, vmid],
    ): Step[] => [["addrspace_configure", one, vmid], ["object_activate", one]]),
  },
);

Deno.test("random calls on memory never lose a page, never map one that its owner has not mapped, and never throw", () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 8, maxLength: 30 }), (all) => {
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
      for (const [name, ...args] of all.flat()) {
        const results = nativeCall(hypervisor.hypercalls, guest.vcpu, HYPERCALLS[name].number, args);
        assert.ok(results !== undefined && results !== DEFERRED);
        if (results.values[0] === 0n) checkInvariants(hypervisor);
      }
      assert.equal(machine.stopReason, undefined);
    }),
    { numRuns: 40 },
  );
});
