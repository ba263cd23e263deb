// Any call of a guest with any arguments: it gets an error or a result, nothing throws, and memory
// stays whole (docs/design/decisions.md §7).

import assert from "node:assert/strict";
import fc from "fast-check";
import { Hypercall, type HypercallName, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import type { NativeGuest, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { createHypervisor } from "../../../src/machine/hypervisor/create-hypervisor.ts";
import { createTestHypervisor } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

const CSPACE = 0n, PARTITION = 1n, OWN_VCPU = 2n, VIC = 3n, ADDRSPACE = 0x335n;
/** Id of the root VM's n-th free capability: what the test creates, 62 to a table. */
const created = (n: number) => {
  const slot = 3 * 62 + 0x39 + n;
  return BigInt(Math.floor(slot / 62) << 8 | slot % 62);
};
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const FREE_MEMORY = 0x8051_0000n;

/**
 * Calls that a guest makes about itself and does not return from, or that have their own entrance
 * here.
 */
const ENDS: ReadonlySet<HypercallName> = new Set(["vcpu_run", "vcpu_poweroff", "vcpu_kill"]);
const names = (Object.keys(HYPERCALLS) as HypercallName[]).filter((name) => !ENDS.has(name));

/** Types of the objects that the test creates, two of each in this order. */
const TYPES = ["doorbell", "msgqueue", "vic", "vpm_group", "thread", "memextent", "cspace", "addrspace"] as const;
const OBJECTS = 2 * TYPES.length;

/** Capabilities that suit an argument, by its name in the ABI. */
function suitable(argument: string): bigint[] {
  const index = TYPES.findIndex((type) => argument.endsWith(type));
  if (index >= 0) return [created(2 * index), created(2 * index + 1)];
  if (argument === "cap" || argument === "vcpu") return [created(8), created(9)];
  if (argument === "hwirq") return [4n, 20n];
  if (argument.includes("partition")) return [PARTITION];
  return [PARTITION, 0x336n, created(10), created(11)];
}

const anyCap = fc.oneof(
  fc.nat(OBJECTS + 4).map(created),
  fc.constantFrom(CSPACE, PARTITION, VIC, ADDRSPACE, 0x336n, 0x337n, 0x338n, 4n),
  fc.bigInt(0n, 0x500n),
);
const value = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(0n, 64n) },
  { weight: 2, arbitrary: fc.constantFrom(FREE_MEMORY, FREE_MEMORY + 0xffen, 0x1000n, 0x4000_0000n, 0x8000_0000n, 0x8000_0001n) },
  { weight: 1, arbitrary: fc.constantFrom(1n << 32n, 1n << 36n, 1n << 44n, 0xffff_ffff_ffff_f000n, 0xffff_ffff_ffff_ffffn) },
  { weight: 1, arbitrary: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn) },
);
/** Capability arguments mostly name what suits them; reserved arguments are mostly right. */
const call = fc.constantFrom(...names).chain((name) => {
  const values = Object.entries(HYPERCALLS[name].arguments).map(([argument, kind]) => {
    if (kind === "cap") return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...suitable(argument)) }, { weight: 1, arbitrary: anyCap });
    if (kind === "res0" || kind === "res1") {
      return fc.oneof({ weight: 9, arbitrary: fc.constant(kind === "res0" ? 0n : ALL_ONES) }, { weight: 1, arbitrary: value });
    }
    return value;
  });
  return fc.tuple(...values).map((args): [HypercallName, bigint[]] => [name, args]);
});

/** Two objects of each type, one of them active where that needs nothing else. */
function populate(vcpu: NativeVcpu): void {
  for (const type of TYPES) {
    for (let i = 0; i < 2; i++) {
      const [error, cap] = vcpu.hvc(Hypercall[`partition_create_${type}`], PARTITION, CSPACE);
      assert.equal(error, 0n);
      if (type === "msgqueue") vcpu.hvc(Hypercall.msgqueue_configure, cap, 0x10_0002n);
      if (type === "vic") vcpu.hvc(Hypercall.vic_configure, cap, 2n, 64n, 3n, 0n);
      if (type === "cspace") vcpu.hvc(Hypercall.cspace_configure, cap, 20n);
      if (type === "addrspace") vcpu.hvc(Hypercall.addrspace_configure, cap, BigInt(i + 5));
      if (type === "memextent") vcpu.hvc(Hypercall.memextent_configure_derive, cap, 0x336n, 0x9_0000n + BigInt(i) * 0x1000n, 0x1000n, 7n);
      if (i === 0 && type !== "thread") assert.equal(vcpu.hvc(Hypercall.object_activate, cap)[0], 0n, type);
    }
  }
}

Deno.test("random calls with random arguments throw nothing and leave memory whole", () => {
  const succeeded = new Set<HypercallName>();
  fc.assert(
    fc.property(fc.array(call, { minLength: 50, maxLength: 300 }), (all) => {
      const { machine, options } = createTestHypervisor(2);
      const program: NativeGuest = {
        start(vcpu) {
          populate(vcpu);
          for (const [name, args] of all) {
            // Without its own cspace or memory a guest makes no calls: that is another test's.
            if (name === "cspace_delete_cap_from" && args[1] <= OWN_VCPU) continue;
            if (vcpu.hvc(Hypercall[name], ...args)[0] === 0n) succeeded.add(name);
          }
        },
        virq: () => {},
        timer: () => {},
        runReturned: () => {},
        save: () => undefined,
        restore: () => {},
      };
      const { hypervisor } = createHypervisor(machine, { ...options, resourceManager: () => program });
      machine.run(1_000_000);
      checkInvariants(hypervisor);
    }),
    { numRuns: 40 },
  );
  assert.ok(succeeded.size > 30, `only ${[...succeeded]} ever succeeded`);
});
