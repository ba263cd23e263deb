// The keys of `[machine]`, and of `[rm]`.

import * as v from "valibot";
import { HYPERVISOR_NODES } from "../../../machine/abi/hypervisor-node.ts";
import { AUTH_NAMES } from "../../../machine/abi/rpc/messages/vm.ts";
import {
  ABIS,
  CAP_IDS,
  DEFAULT_BEHAVIOUR,
  IDLE_WATCHDOG,
  IPA_BITS,
  MSI_KINDS,
  QUIRKS,
  RESERVED_MEMORY_RULES,
  SIZE_MAX_RULES,
} from "../../../machine/hypervisor/options.ts";
import { CpuError, DEFAULT_CPU, parseCpu } from "../../../cpu/isa/cpus/cpus.ts";
import { MINIMUM_PRIMARY_MEMORY } from "../../../machine/hardware/memory-map.ts";
import { told } from "../../../model/plans/config-fact.ts";
import { LOW_MEMORY_MAX, MAX_CPUS, MAX_PAGE_TABLES, MAX_PARCELS } from "../../../model/plans/limits.ts";
import { problemOf } from "../../../kit/support/problem.ts";
import { path } from "./files.ts";
import { hostPath } from "./host-paths.ts";
import { keysOf } from "./key.ts";
import { PHONE_NAMES } from "./names.ts";
import { pagesUpTo, size } from "./sizes.ts";
import { boolean, nameList, oneOf, text, whole } from "./values.ts";

/** A CPU by name, with changes. */
const cpu = v.pipe(
  text,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parseCpu(dataset.value);
    } catch (error) {
      if (!(error instanceof CpuError)) throw error;
      addIssue({ message: told({ code: "rule", ...problemOf(error, "is not a CPU that el2 has") }) });
    }
  }),
);

export const MACHINE = keysOf({
  cpus: { type: v.optional(whole(1, MAX_CPUS), 2), doc: "physical CPUs", plan: "session" },
  cpu: {
    type: v.optional(cpu, DEFAULT_CPU),
    doc: 'an architecture (v8, v8.2, v8.4, v8.6, max), a core or a phone, and changes: "v8.4,+FEAT_RNG" (el2 reference cpu)',
  },
  memory: {
    type: v.optional(size(MINIMUM_PRIMARY_MEMORY), "1GiB"),
    doc: "RAM of the host VM and all other VMs together",
    plan: "session",
  },
  turbo: { type: v.optional(boolean, false), doc: "skip idle time instead of sleeping through it", plan: "session" },
  record: {
    type: v.optional(v.pipe(text, hostPath("recording", true, "off")), "off"),
    doc: '"off", or the file that the run is recorded to',
  },
  seed: {
    type: v.optional(whole(0, Number.MAX_SAFE_INTEGER, "is negative"), 1),
    doc: "seed of all randomness that guests see",
    plan: "session",
  },
  cap_ids: {
    type: v.optional(oneOf(CAP_IDS), DEFAULT_BEHAVIOUR.capIds),
    doc: "random: capability ids cannot be guessed, as in production",
    plan: "behaviour",
    phone: "ids.randomize",
  },
  quirks: {
    type: v.optional(oneOf(QUIRKS), DEFAULT_BEHAVIOUR.quirks),
    doc: "as-observed: reproduce the known deviations of the recorded hypervisor",
    plan: "behaviour",
  },
  hypervisor_node: {
    type: v.optional(oneOf(HYPERVISOR_NODES), DEFAULT_BEHAVIOUR.hypervisorNode),
    doc: "form of /hypervisor in the primary VM's devicetree",
    plan: "behaviour",
  },
  strict: {
    type: v.optional(boolean, DEFAULT_BEHAVIOUR.strict),
    doc: "stop at the first guest call or access that el2 does not model, or that a CPU may refuse",
    plan: "behaviour",
  },
  check: {
    type: v.optional(boolean, DEFAULT_BEHAVIOUR.check),
    doc: "check the hypervisor's invariants after every operation",
    plan: "behaviour",
  },
  phone: { type: v.optional(oneOf(PHONE_NAMES)), doc: "profile of a phone; it sets the keys that the file leaves out" },
  page_tables: {
    type: v.optional(whole(1, MAX_PAGE_TABLES)),
    doc: "stage-2 page tables for all VMs together; each maps 16 MiB of addresses",
    plan: "behaviour",
  },
  idle_watchdog: {
    type: v.optional(oneOf(IDLE_WATCHDOG), DEFAULT_BEHAVIOUR.idleWatchdog),
    doc: "refuse: turning off a watchdog that is off is an error",
    plan: "behaviour",
    phone: "watchdog.disable-when-off",
  },
  abi: {
    type: v.optional(oneOf(ABIS), DEFAULT_BEHAVIOUR.abi),
    doc: "newer: also the hypercalls and properties of the newer open drop",
    plan: "behaviour",
  },
  ipa_bits: {
    type: v.optional(v.picklist(IPA_BITS, "is not 36 or 40"), DEFAULT_BEHAVIOUR.ipaBits),
    doc: "addresses of VMs have 36 bits, as recorded, or 40, as on phones",
    plan: "behaviour",
    phone: "ipa.bits",
  },
  pv_time: {
    type: v.optional(boolean, DEFAULT_BEHAVIOUR.pvTime),
    doc: 'VMs can read how much time was stolen from their vCPUs: Linux prints "using stolen time PV"',
    plan: "behaviour",
    phone: "pv-time",
  },
  geniezone: {
    type: v.optional(boolean, DEFAULT_BEHAVIOUR.geniezone),
    doc: "the primary VM has GenieZone's hypercalls beside Gunyah's, and their node in its devicetree",
    plan: "behaviour",
  },
  msi: {
    type: v.optional(oneOf(MSI_KINDS), DEFAULT_BEHAVIOUR.msi),
    doc: "message-signaled interrupts of the primary VM: a GICv2m frame, or LPIs and an ITS",
    plan: "behaviour",
  },
});

export const RM_KIND = keysOf({
  kind: {
    type: v.optional(oneOf(["native", "image"]), "native"),
    doc: "native: the built-in Resource Manager; image: an AArch64 program",
  },
});

/** Keys of `[rm] kind = "image"`, which are all required there. */
export const IMAGE_RM = keysOf({
  runtime: { type: path, doc: "image only: ELF file where execution starts" },
  app: { type: path, doc: "image only: ELF file that the runtime starts" },
});

/** Keys of `[rm] kind = "native"`. */
export const NATIVE_RM = keysOf({
  auth: {
    type: v.optional(v.pipe(v.array(oneOf(AUTH_NAMES), nameList), v.minLength(1, "names no type"))),
    doc: "authentication types that the platform accepts",
    plan: "behaviour",
  },
  parcels: {
    type: v.optional(whole(1, MAX_PARCELS)),
    doc: "most memory parcels that a VM owns",
    plan: "behaviour",
    phone: "rm.parcels",
  },
  parcels_held: {
    type: v.optional(whole(0, MAX_PARCELS)),
    doc: "how many of them drivers of the host hold from the start",
    plan: "behaviour",
    phone: "rm.parcels-held",
  },
  reserved_memory: {
    type: v.optional(oneOf(RESERVED_MEMORY_RULES)),
    doc: "must-match: VM_START needs a /reserved-memory node for each shared parcel; never: it compares nothing",
    plan: "behaviour",
    phone: "rm.reserved-memory",
  },
  size_max: {
    type: v.optional(oneOf(SIZE_MAX_RULES)),
    doc: "span: a VM accepts memory only in the size-max bytes from its base-address, as on phones",
    plan: "behaviour",
    phone: "rm.size-max",
  },
  low_memory: {
    type: v.optional(pagesUpTo(LOW_MEMORY_MAX)),
    doc: "memory that it adds at 1 GiB to VMs that are filled on demand; they cannot execute it",
    plan: "behaviour",
  },
});
