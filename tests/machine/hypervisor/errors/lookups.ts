// The refusals that every lookup of a capability can give, derived from what a call's definition
// asks of each (docs/spec/hypervisor.md §3.3).

import type { ErrorName } from "../../../../src/machine/abi/hypercall-errors.ts";
import { type HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import { allRights, MemextentRight, type ObjectType, ThreadRight } from "../../../../src/machine/abi/rights.ts";
import { activatable, active, anyState, type CapRule } from "../../../../src/machine/hypervisor/capabilities/capability-rules.ts";
import { DEFINITIONS } from "../../../../src/machine/hypervisor/calls/hypercall-list.ts";
import type { Case } from "./case.ts";
import type { CreatableType, World } from "./world.ts";

/** Any capability that there is: `cspace` §3.4. */
const present: CapRule<"any"> = { type: "any", rights: 0, untyped: true, state: "any" };

/**
 * Lookups that handlers make themselves, because they depend on other arguments or on another
 * cspace.
 */
const INNER: Readonly<Partial<Record<HypercallName, Readonly<Record<string, CapRule>>>>> = {
  object_activate_from: { cap: activatable() },
  cspace_delete_cap_from: { cap: present },
  cspace_copy_cap_from: { src_cap: present },
  cspace_revoke_caps_from: { master_cap: present },
  vic_bind_msi_source: { msi_source: present },
  addrspace_attach_vdma: { dma_device: present },
  power_system_suspend: { system_power: present },
  vpm_group_bind_power: { power: present },
  memextent_donate: { from: active("memextent", MemextentRight.Donate), to: active("memextent", MemextentRight.Donate) },
  vcpu_set_affinity: { cap: anyState("thread", ThreadRight.Affinity) },
  scheduler_yield: { arg1: active("thread", ThreadRight.YieldTo) },
};

/** Deleting takes a revoked capability as well. */
const TAKES_REVOKED: ReadonlySet<string> = new Set(["cspace_delete_cap_from.cap"]);

/** The lookups of a call, by argument. */
export function lookupsOf(name: HypercallName): readonly (readonly [argument: string, rule: CapRule])[] {
  const outer = DEFINITIONS.find((definition) => definition.name === name)?.caps ?? [];
  return [...outer, ...Object.entries(INNER[name] ?? {})];
}

/** One case for each way in which a lookup of the call can fail. */
export function lookupCases(name: HypercallName): Case[] {
  return lookupsOf(name).flatMap(([argument, rule]) => {
    const found = casesOf(argument, rule);
    return TAKES_REVOKED.has(`${name}.${argument}`) ? found.filter((one) => one.error !== "CSPACE_CAP_REVOKED") : found;
  });
}

const SECTION = "hypervisor 3.3";

function casesOf(argument: string, rule: CapRule): Case[] {
  const cases: Case[] = [];
  const add = (error: ErrorName, text: string, cap: (w: World, valid: bigint) => bigint) => {
    const what = `${argument}: ${text}`;
    cases.push({
      error,
      what,
      rule: text,
      section: SECTION,
      object: "any",
      harmless: true,
      change: (w, args) => ({ [argument]: cap(w, args[argument]) }),
    });
  };
  for (const id of [0xffff_ffff_ffff_ffffn, 62n, 0xffffn, 1n << 32n]) add("ARGUMENT_INVALID", "not the id of any slot", () => id);
  add("CSPACE_CAP_NULL", "the slot is empty", (w) => {
    const id = w.active("doorbell");
    w.cspace.delete(id);
    return id;
  });
  add("CSPACE_CAP_NULL", "the slot is empty", () => 0x4000n);
  add("CSPACE_CAP_REVOKED", "the capability is revoked", (w) => w.revoked());
  const { type } = rule;
  if (type !== "any") add("CSPACE_WRONG_OBJECT_TYPE", "the capability names an object of another type", (w) => w.other(type));
  for (let bit = 1; bit <= 0x8000_0000; bit *= 2) {
    if ((rule.rights & bit) === 0) continue;
    const without = (w: World, valid: bigint) => w.copy(valid, (allRights(w.get(valid).type) & ~bit) >>> 0);
    add("CSPACE_INSUFFICIENT_RIGHTS", "the capability lacks a right", without);
  }
  if (rule.state === "active" && isCreatable(type)) add("OBJECT_STATE", "the object is not active", (w) => w.fresh(type));
  if (rule.state === "init" && isCreatable(type)) {
    add("OBJECT_STATE", "the object is no longer configurable", (w) => w.active(type));
  }
  return cases;
}

/** Others are active from the start. */
function isCreatable(type: ObjectType | "any"): type is CreatableType {
  return type !== "any" && type !== "partition" && type !== "hwirq";
}
