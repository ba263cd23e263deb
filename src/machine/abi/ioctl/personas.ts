// The generations of the Gunyah driver as data: which requests each accepts, which checks it makes,
// and the order of its calls to the Resource Manager (docs/spec/vm-manager.md §1, §5.1, §7, §11;
// v14 as recorded in docs/spec/observed-ioctl.md). One VM manager (`src/machine/host/gunyah`)
// follows them.

import type { ErrnoName } from "./errno.ts";
import { GH, GH_ANDROID, GH_EL2, GH_LEGACY, GH_V6, RegionFlags } from "./gunyah.ts";
import type { Request } from "./request.ts";

/**
 * Names of the generations, oldest first.
 *
 * ```ts
 * import { HostMachine, PERSONA_NAMES } from "@el2/el2";
 *
 * for (const device of PERSONA_NAMES.slice(0, 3)) {
 *   console.log(device, new HostMachine({ device }).open("/dev/gunyah"));
 * }
 * ```
 */
export const PERSONA_NAMES = ["legacy", "v6", "v9", "v14", "ack-6.1", "v17", "ack-6.6", "ack-6.12", "union", "kvm-rfc"] as const;
/**
 * One of `PERSONA_NAMES`.
 *
 * ```ts
 * import type { PersonaName } from "@el2/el2";
 *
 * const device: PersonaName = "ack-6.6";
 * console.log(device);
 * ```
 */
export type PersonaName = typeof PERSONA_NAMES[number];

/**
 * A step of VM_START. `regions` shares or lends every region; `config-parcel` and `firmware-parcel`
 * lend the pages of that range only; `give-pages` gives the rest by hypercalls.
 */
export type StartStep =
  | "allocate"
  | "regions"
  | "firmware-parcel"
  | "config-parcel"
  | "locate"
  | "configure"
  | "authenticate"
  | "firmware"
  | "demand-paging"
  | "address-layout"
  | "init"
  | "boot-context"
  | "resources"
  | "give-pages"
  | "start";

/**
 * A step of the end of a VM. `stop` and `reset` wait for the notification; `reclaim-unstarted` is
 * for VMs that never ran.
 */
export type TeardownStep = "stop" | "take-pages-back" | "reclaim-unstarted" | "reset" | "reclaim" | "deallocate";

/** How a generation gives memory to a VM. */
interface MemoryRules {
  /** When it changes hands: in the call, at START, or page by page when the guest touches it. */
  readonly given: "at-set" | "at-start" | "on-demand";
  /** The bits of a region's `flags` that the driver knows. */
  readonly flags: number;
  /** Size 0 deletes the region of that label. */
  readonly deleteBySize0: boolean;
  /** The guest address has to be page aligned. */
  readonly alignedGuestAddress: boolean;
  /** Guest address + size may not wrap: EOVERFLOW. */
  readonly wrapChecked: boolean;
  /** A label may be used once. */
  readonly uniqueLabels: boolean;
  /** Only the address space that created the VM may call: EPERM. */
  readonly callerChecked: boolean;
  /** Pages count against RLIMIT_MEMLOCK: ENOMEM. */
  readonly limited: boolean;
  /** Refused (EOPNOTSUPP) if hypervisor_identify lacks the memory-extent bit. */
  readonly needsMemextent: boolean;
  /** Pins with write intent whatever the flags ask. */
  readonly pinsForWrite: boolean;
  /**
   * Memory that the host shares and keeps is executable if EXEC is requested; otherwise it is data
   * (§5.4).
   */
  readonly sharedExecutable: boolean;
}

/** How a generation treats the range of the devicetree. */
interface DevicetreeRules {
  /** A range that wraps is refused with this. */
  readonly wrap: ErrnoName | undefined;
  /** The region that is taken: one that holds all of the range, or one that the range touches. */
  readonly region: "inside" | "touches";
  /** No such region at START. */
  readonly missing: ErrnoName;
  /** The size is rounded up to whole pages in CONFIG_IMAGE. */
  readonly roundedUp: boolean;
  /** Size 0 is refused at START with this. */
  readonly empty: ErrnoName | undefined;
}

/** How a generation's functions and vCPUs answer. */
interface FunctionRules {
  /** REMOVE_FUNCTION without a match. */
  readonly removeMissing: ErrnoName | 0;
  /**
   * REMOVE_FUNCTION compares all bytes of the argument, not only those that identify the function.
   */
  readonly removesByArgument: boolean;
  /** Address + length of an ioeventfd may not wrap: EINVAL. */
  readonly wrapChecked: boolean;
  /**
   * The length of an ioeventfd counts only with DATAMATCH; without it, an access of any length
   * matches.
   */
  readonly lengthNeedsMatch: boolean;
  /** An unknown request on a vCPU. */
  readonly unknownRequest: ErrnoName;
  /** RUN from an address space that is not the creator's. */
  readonly runByOther: ErrnoName | undefined;
  /** The run page has a resume action. */
  readonly resumeAction: boolean;
  /**
   * Faults that no binding resolves leave with exit reason 3; before, RUN waits for the VM's end.
   */
  readonly pageFaultExit: boolean;
  /** Inode name of a vCPU, before its number. */
  readonly vcpuName: string;
}

/** One generation. */
export interface Persona {
  readonly name: PersonaName;
  /** Where it is found. */
  readonly title: string;
  /** False for a generation without its own device. */
  readonly device: boolean;
  readonly requests: readonly Request[];
  /** An unknown request on the device or a VM. */
  readonly unknownRequest: ErrnoName;
  readonly memory: MemoryRules;
  readonly devicetree: DevicetreeRules;
  /** Undefined if the interface has none. */
  readonly functions: FunctionRules | undefined;
  /** The VMID is allocated in CREATE_VM. */
  readonly vmidAtCreate: boolean;
  readonly start: readonly StartStep[];
  /** START after the end, or after a START that failed. */
  readonly startAgain: ErrnoName;
  /** Every error of the Resource Manager becomes EINVAL. */
  readonly anyRmErrorIsInvalid: boolean;
  readonly teardown: readonly TeardownStep[];
  /** `reason` of VM_STOP at the end of a VM that runs. */
  readonly stopReason: number;
  /** The driver asks for its own VMID before it first shares memory. */
  readonly asksOwnVmid: boolean;
  /**
   * A VM whose CONFIG_IMAGE or firmware was refused is given back without VM_RESET, so that its
   * VMID is lost (docs/spec/observed-ioctl.md §10).
   */
  readonly losesFailedVmid: boolean;
  /**
   * The region of a protected VM that holds the devicetree is one parcel, firmware included: the
   * Resource Manager clears a parcel that it reclaims from such a VM, but not pages that are
   * donated one by one.
   */
  readonly protectedAsParcel: boolean;
  /** From VM_START on the parcels of START are pages of the VM's private extent. */
  readonly parcelsBecomePages: boolean;
}

const NO_VCPUS = undefined;
/** `reason` of VM_STOP. */
const StopReason = { Restart: 1, Forced: 3 } as const;
const { Read, Write, Exec, Lent } = RegionFlags;

const v6: Persona = {
  name: "v6",
  title: "mail series version 6 (October 2022)",
  device: true,
  requests: Object.values(GH_V6),
  unknownRequest: "ENOTTY",
  memory: {
    given: "at-set",
    flags: Read | Write | Exec | Lent,
    deleteBySize0: true,
    alignedGuestAddress: false,
    wrapChecked: false,
    uniqueLabels: true,
    callerChecked: false,
    limited: false,
    needsMemextent: false,
    pinsForWrite: true,
    sharedExecutable: true,
  },
  devicetree: { wrap: undefined, region: "inside", missing: "EINVAL", roundedUp: true, empty: undefined },
  functions: NO_VCPUS,
  vmidAtCreate: true,
  start: ["locate", "configure", "init", "start"],
  startAgain: "EINVAL",
  anyRmErrorIsInvalid: true,
  teardown: ["stop", "reclaim", "deallocate"],
  stopReason: StopReason.Forced,
  asksOwnVmid: true,
  losesFailedVmid: false,
  protectedAsParcel: false,
  parcelsBecomePages: false,
};

const v9: Persona = {
  ...v6,
  name: "v9",
  title: "mail series version 9 (January 2023)",
  requests: [GH.CREATE_VM, GH.SET_USER_MEM_REGION, GH.SET_DTB_CONFIG, GH.START],
  memory: { ...v6.memory, given: "at-start", needsMemextent: true },
  start: ["regions", "locate", "configure", "init", "start"],
  teardown: ["stop", "reset", "reclaim", "deallocate"],
};

const V14_FUNCTIONS: FunctionRules = {
  removeMissing: "ENOENT",
  removesByArgument: false,
  wrapChecked: false,
  lengthNeedsMatch: true,
  unknownRequest: "EINVAL",
  runByOther: undefined,
  resumeAction: false,
  pageFaultExit: false,
  vcpuName: "gh-vcpu",
};

const v14: Persona = {
  ...v9,
  name: "v14",
  title: "mail series versions 10 to 14",
  requests: [
    ...[GH.CREATE_VM, GH.SET_USER_MEM_REGION, GH.SET_DTB_CONFIG, GH.START, GH.ADD_FUNCTION, GH.REMOVE_FUNCTION, GH.RUN, GH.MMAP_SIZE],
    ...[GH_ANDROID.LEND_USER_MEM, GH_ANDROID.SET_FW_CONFIG],
  ],
  memory: {
    ...v9.memory,
    flags: Read | Write | Exec,
    deleteBySize0: false,
    alignedGuestAddress: true,
    callerChecked: true,
    limited: true,
    pinsForWrite: false,
  },
  devicetree: { ...v9.devicetree, region: "touches", roundedUp: false },
  functions: V14_FUNCTIONS,
  vmidAtCreate: false,
  start: ["allocate", "regions", "locate", "configure", "firmware", "init", "resources", "start"],
  startAgain: "ENODEV",
  anyRmErrorIsInvalid: false,
  losesFailedVmid: true,
};

const ack61: Persona = {
  ...v14,
  name: "ack-6.1",
  title: "Android common kernel, android14-6.1",
  requests: [...v14.requests, GH_ANDROID.TENTATIVE_UAPI],
  functions: { ...V14_FUNCTIONS, removeMissing: 0, removesByArgument: true },
  vmidAtCreate: true,
  start: ["regions", "locate", "configure", "firmware", "init", "resources", "start"],
};

const v17: Persona = {
  ...v14,
  name: "v17",
  title: "mail series version 17 (February 2024)",
  requests: [
    ...[GH.CREATE_VM, GH.SET_DTB_CONFIG, GH.START, GH.ADD_FUNCTION, GH.REMOVE_FUNCTION, GH.RUN, GH.MMAP_SIZE],
    ...[GH.CREATE_GUEST_MEM, GH.MAP_MEM, GH.SET_BOOT_CONTEXT],
  ],
  memory: { ...v14.memory, given: "on-demand", wrapChecked: true, needsMemextent: false, sharedExecutable: false },
  devicetree: { wrap: "EOVERFLOW", region: "inside", missing: "ENOENT", roundedUp: false, empty: "EINVAL" },
  functions: {
    removeMissing: "ENOENT",
    removesByArgument: false,
    wrapChecked: true,
    lengthNeedsMatch: false,
    unknownRequest: "ENOTTY",
    runByOther: "EPERM",
    resumeAction: true,
    pageFaultExit: true,
    vcpuName: "gh-vcpu",
  },
  start: [
    ...["allocate", "locate", "config-parcel", "configure", "demand-paging", "address-layout"] as const,
    ...["init", "boot-context", "resources", "start"] as const,
  ],
  teardown: ["stop", "take-pages-back", "reclaim-unstarted", "reset", "reclaim", "deallocate"],
  asksOwnVmid: false,
  losesFailedVmid: false,
  parcelsBecomePages: true,
};

const ack66: Persona = {
  ...v17,
  name: "ack-6.6",
  title: "Android common kernel, android15-6.6",
  requests: [
    ...v14.requests.filter(({ name }) => name !== GH.CREATE_GUEST_MEM.name),
    ...[GH.SET_BOOT_CONTEXT, GH_ANDROID.TENTATIVE_UAPI, GH_ANDROID.RECLAIM_REGION],
  ],
  memory: { ...v17.memory, uniqueLabels: false },
  start: [
    ...["allocate", "locate", "config-parcel", "firmware-parcel", "configure", "firmware", "demand-paging", "address-layout"] as const,
    ...["init", "boot-context", "resources", "start"] as const,
  ],
  teardown: ["stop", "take-pages-back", "reset", "reclaim", "deallocate"],
};

const ack612: Persona = {
  ...ack66,
  name: "ack-6.12",
  title: "Android common kernel, android16-6.12",
  requests: [...ack66.requests, GH_ANDROID.CREATE_CMA_MEM_FD, GH_ANDROID.MAP_CMA_MEM, GH_ANDROID.SET_AUTH_TYPE, GH_ANDROID.CHECK_EXTENSION],
  start: [
    ...["allocate", "locate", "firmware-parcel", "config-parcel", "configure", "authenticate", "firmware"] as const,
    ...["demand-paging", "address-layout", "init", "boot-context", "resources", "start"] as const,
  ],
};

const union: Persona = {
  ...ack612,
  name: "union",
  title: "version 17 and android16-6.12 together",
  requests: [...ack612.requests, GH.CREATE_GUEST_MEM, GH.MAP_MEM],
  memory: { ...ack612.memory, sharedExecutable: true },
  start: [
    ...["allocate", "locate", "firmware-parcel", "config-parcel", "configure", "authenticate", "firmware"] as const,
    ...["demand-paging", "address-layout", "init", "boot-context", "resources", "give-pages", "start"] as const,
  ],
  protectedAsParcel: true,
  parcelsBecomePages: false,
};

const legacy: Persona = {
  ...v14,
  name: "legacy",
  title: "vendor driver of phones with 5.15 kernels (magic 0xb2)",
  requests: Object.values(GH_LEGACY),
  unknownRequest: "EINVAL",
  devicetree: { ...v14.devicetree, region: "inside" },
  // SET_FW_NAME does all steps but the last, which RUN does.
  start: ["allocate", "regions", "configure", "authenticate", "init", "resources", "start"],
  startAgain: "EINVAL",
  stopReason: StopReason.Restart,
  asksOwnVmid: false,
  losesFailedVmid: false,
};

const kvmRfc: Persona = {
  ...v14,
  name: "kvm-rfc",
  title: "RFC of April 2025: Gunyah behind /dev/kvm",
  device: false,
  requests: [],
};

/**
 * The VM manager's work for a GenieZone VM: all of its memory by hypercalls, its configuration in a
 * parcel that EL2 writes.
 */
const geniezone: Persona = {
  ...ack612,
  name: "union",
  title: "GenieZone on Gunyah",
  device: false,
  requests: [],
  memory: { ...ack612.memory, limited: false },
  start: [
    ...["allocate", "locate", "config-parcel", "configure", "demand-paging", "address-layout"] as const,
    ...["init", "boot-context", "resources", "give-pages", "start"] as const,
  ],
  parcelsBecomePages: false,
};

export const PERSONAS: Readonly<Record<PersonaName, Persona>> = {
  legacy,
  v6,
  v9,
  v14,
  "ack-6.1": ack61,
  v17,
  "ack-6.6": ack66,
  "ack-6.12": ack612,
  union,
  "kvm-rfc": kvmRfc,
};

/** The kinds of VM that the VM manager can make. */
export type VmPersonaName = PersonaName | "geniezone";

/** The rules of all VMs of the VM manager. */
export const VM_PERSONAS: Readonly<Record<VmPersonaName, Persona>> = { ...PERSONAS, geniezone };

/** Requests of all generations, each once. */
export const ALL_REQUESTS: readonly Request[] = [GH, GH_V6, GH_ANDROID, GH_LEGACY].flatMap((group): Request[] => Object.values(group));

/** Requests that only el2 has. */
const OWN_REQUESTS: ReadonlySet<number> = new Set(Object.values(GH_EL2).map(({ code }) => code));

/** Whether a generation accepts the requests that only el2 has: those with functions do. */
export function answersOwn({ requests }: Pick<Persona, "requests">): boolean {
  return requests.some(({ code }) => code === GH.ADD_FUNCTION.code);
}

/** The generations that answer a code. */
export function personasWith(code: number): PersonaName[] {
  const isOwn = OWN_REQUESTS.has(code >>> 0);
  const answers = (persona: Persona) => isOwn ? answersOwn(persona) : persona.requests.some((request) => request.code === code >>> 0);
  return PERSONA_NAMES.filter((name) => answers(PERSONAS[name]));
}

/**
 * The rules of a driver's functions.
 * @throws Error if it has none, as that of GenieZone
 */
export function functionRules({ name, functions }: Persona): FunctionRules {
  if (functions === undefined) throw new Error(`${name} has no functions`);
  return functions;
}
