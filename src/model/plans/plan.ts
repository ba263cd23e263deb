// A session's plan: all bytes and choices that make a machine, resolved from command line and
// configuration before the machine starts. It is plain data, so that it can be posted to the
// worker, recorded and compared.

import type { CpuPlan } from "../../cpu/isa/cpus/cpus.ts";
import type { Tier } from "../../cpu/core/tiers.ts";
import { deviceName, type DevicePlan, type DiskImage, imagesOf } from "../../machine/virtio/plan.ts";
import type { RecordedRun, Sources } from "./recorded-run.ts";
import type { NativeHostPlan, VariablesPlan } from "../../machine/host/interface.ts";
import type { Behaviour } from "../../machine/hypervisor/options.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import type { DebuggedVms } from "../queries/debugged-vms.ts";
import { RESOURCE_MANAGER } from "../queries/ids.ts";
import type { KnownVm } from "../queries/fault-rule.ts";
import type { PlainPlace } from "../queries/move.ts";
import { UserError } from "../../kit/support/problem.ts";

export {
  DEFAULT_NET_POLICY,
  DEFAULT_TAG,
  type DevicePlan,
  INPUT_TYPES,
  type InputType,
  isTag,
  type NetPolicy,
  parseForward,
  parseNetRule,
  type PortForward,
  TAG_LENGTH,
} from "../../machine/virtio/plan.ts";
export { DEFAULT_TIER, type Tier, TIERS } from "../../cpu/core/tiers.ts";
export { HYPERVISOR_NODES } from "../../machine/abi/hypervisor-node.ts";
export { type Behaviour, CAP_IDS, DEFAULT_BEHAVIOUR, MSI_KINDS, QUIRKS } from "../../machine/hypervisor/options.ts";

/** Name of the primary VM, and of its console. */
export const PRIMARY_CONSOLE = "host";

/** Firmware that the primary VM starts from. */
export interface FirmwarePlan {
  /** Content of the first flash, whose first byte is the entry. */
  readonly code: Uint8Array;
  /**
   * File that the second flash is kept in, and what it has at the start, as many bytes as the
   * flash. Without one its changes are lost at the end.
   */
  readonly vars: VariablesPlan | undefined;
}

/** `el2 boot`: an image is the primary VM. */
export interface BootPlan {
  readonly kind: "boot";
  /**
   * arm64 Linux Image or ELF; with firmware, the kernel offered to it. Undefined only with
   * firmware, and with `SessionPlan.root`, whose program may not make a primary VM.
   */
  readonly image: Uint8Array | undefined;
  /**
   * The image is a hypervisor, or starts as one: the CPUs execute EL2, the image is entered there,
   * and calls of the primary VM (SMC) reach firmware instead of el2's own hypervisor.
   */
  readonly atEl2?: boolean;
  /** Files that the hypervisor finds in memory, named by the devicetree. */
  readonly modules?: readonly BootModule[];
  /** The image is code without a header: it is put at the first byte of RAM, and entered there. */
  readonly raw?: boolean;
  readonly initrd: Uint8Array | undefined;
  /** A devicetree to use instead of the generated one. */
  readonly dtb: Uint8Array | undefined;
  /** Kernel command line. */
  readonly append: string | undefined;
  readonly firmware?: FirmwarePlan;
  /**
   * Time of the real time clock at the start, seconds since 1970; without it the machine has no
   * such clock.
   */
  readonly clock?: number;
  /** This was the computer's time, rather than one that the user chose. */
  readonly startsNow?: boolean;
  /** Its virtio devices, in the order of their slots. */
  readonly devices?: readonly DevicePlan[];
  /** The bus of these devices; `mmio` by default. */
  readonly bus?: VirtioBus;
  /** The serial port of its console; `pl011` by default. */
  readonly uart?: PrimaryUart;
  /** Devices of crosvm's platform that the primary has, too; none by default. */
  readonly platformDevices?: readonly PlatformDevice[];
}

/** A module of a hypervisor (`multiboot,module`): the kernel or the ramdisk of its first VM. */
export interface BootModule {
  readonly kind: "kernel" | "ramdisk";
  readonly bytes: Uint8Array;
  /** A kernel's command line. */
  readonly bootargs?: string;
}

/** Buses that the primary's virtio devices can be on: slots of virtio-mmio, or a PCI host. */
export const VIRTIO_BUSES = ["mmio", "pci"] as const;
export type VirtioBus = typeof VIRTIO_BUSES[number];
/** Serial ports that the primary's console can be. */
export const PRIMARY_UARTS = ["pl011", "16550a"] as const;
export type PrimaryUart = typeof PRIMARY_UARTS[number];
/**
 * Devices of crosvm's platform: PL030, vCPU stall detector, goldfish battery, and pvpanic as a
 * function of the PCI host.
 */
export const PLATFORM_DEVICES = ["pl030", "stall-detector", "battery", "pvpanic"] as const;
export type PlatformDevice = typeof PLATFORM_DEVICES[number];

/** `el2 run`: VMs under the native host. */
export interface RunPlan {
  readonly kind: "run";
  readonly host: NativeHostPlan;
}

/**
 * A root VM that is a real AArch64 program: two position-independent ELF files
 * (docs/spec/hypervisor.md §8.1).
 */
export interface RootPlan {
  /** The runtime, which is entered. */
  readonly runtime: Uint8Array;
  /** The application, which the runtime starts. */
  readonly app: Uint8Array;
}

/** A snapshot to begin with. */
interface BeginPlan {
  /** The file, for messages. A spare snapshot that cannot be loaded is saved again there. */
  readonly path: string;
  /** Where it cannot be loaded the machine starts all the same. */
  readonly spare: boolean;
  /** The content of the file, which is read once: another snapshot may be saved there later. */
  readonly bytes: Uint8Array;
}

/** Where a run is recorded to. */
interface RecordPlan {
  readonly path: string;
  /** The first line. */
  readonly header: string;
  /** Beginning of the path of a file of the cache for states of the run (`folder-names.ts`). */
  readonly states?: string | undefined;
}

/** How a recording is run again: part of a session's plan. */
export interface ReplayPlan {
  readonly recording: RecordedRun;
  /** Compare with what was recorded, and fail at the first difference. */
  readonly verify: boolean;
  /** Stop there. */
  readonly to: PlainPlace | undefined;
  /**
   * File of the cache for states of the run, from which its past is reached sooner; `begins`: the
   * machine begins with the last of them.
   */
  readonly states?: { readonly path: string; readonly begins: boolean } | undefined;
  /** Wall time (ms) of the run that going back repeats at most; without one, a second. */
  readonly reach?: number;
}

/** The table from which a plan was made. */
export interface PlanTable {
  /** Keys as a file has them, with their defaults. */
  readonly keys: Readonly<Record<string, unknown>>;
  /** Contents of files by the names that the keys have for them. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Those that keep variables of firmware, which guests write. */
  readonly variables: Readonly<Record<string, Uint8Array>>;
  /** Images of disks by the names that the keys have for them; others are opened by their paths. */
  readonly disks?: Readonly<Record<string, Uint8Array>>;
}

/** The input from which a machine is made. */
export interface SessionPlan {
  /** Physical CPUs, 1..8. */
  readonly cpus: number;
  /** Bytes of guest RAM: the primary's for `boot`, all guests together for `run`. */
  readonly memory: number;
  /** Skip idle time. */
  readonly turbo: boolean;
  /** The CPU; `DEFAULT_CPU` without one. */
  readonly cpu?: CpuPlan;
  /** How instructions are executed; `DEFAULT_TIER` by default. Guests see no difference. */
  readonly tier?: Tier;
  /** Choices about the hypervisor; its defaults otherwise. */
  readonly behaviour?: Partial<Behaviour>;
  /** Seed of all guest-visible randomness. */
  readonly seed: number;
  /** Rules of injected faults that hold from the start (`model/queries/fault-rule.ts`). */
  readonly inject?: readonly string[];
  /** End after this much virtual time (ns). */
  readonly duration?: number;
  /**
   * End when an event passes this filter. With `duration` it is a failure when none does before.
   */
  readonly until?: string;
  /** Instruction counts at which a state hash is wanted, ascending. */
  readonly hashAt?: readonly number[];
  /** The VMs that a debugger has: the machine stops before their first instruction. */
  readonly debug?: DebuggedVms;
  /** The program of the root VM, if not our Resource Manager. */
  readonly root?: RootPlan;
  /** ELF files with symbols of VMs, by VM; later ones take precedence. Guests cannot see them. */
  readonly symbols?: Readonly<Record<string, readonly Uint8Array[]>>;
  /** Source files that came with its recording. */
  readonly sources?: Sources;
  /** Files that consoles are written to, by console; a replay writes none. */
  readonly logs?: Readonly<Record<string, string>>;
  /** File that everything which enters the machine is recorded to. */
  readonly record?: RecordPlan;
  /** A recording that is run again. */
  readonly replay?: ReplayPlan;
  /** A snapshot that the machine begins with, instead of its start. */
  readonly from?: BeginPlan;
  /** File for a snapshot of the machine when it first shows a prompt; until then nothing enters. */
  readonly instant?: string;
  /** The machine starts again when its primary VM asks for a reset. */
  readonly reboot?: boolean;
  /** Keep states of the run, so that going back is quick. */
  readonly history?: boolean;
  /** The run ends when a VM has crashed or panicked. */
  readonly endsOnFailure?: boolean;
  /** Bytes that the session may remember beside its machine (`memory-budget.ts`). */
  readonly memoryBudget?: number;
  /** Bytes of memory for states of the run, unless a budget for everything divides into it. */
  readonly historyMemory?: number;
  /** Bytes on the disk for states of the run; 0: none. */
  readonly diskBudget?: number;
  /**
   * Where the paths of its files, folders and sockets led when the user consented to them: they are
   * used there alone. Those that are missing were typed, and lead where they do at the start.
   */
  readonly places?: Readonly<Record<string, string>>;
  readonly what: BootPlan | RunPlan;
  /** The table of a configuration from which it was made, for files that keep the plan. */
  readonly table?: PlanTable;
}

/** Context id of the primary VM's vsock device. */
export const PRIMARY_CID = 3;
/** That of the first secondary VM, unless its device sets one; each VM has the next number. */
export const FIRST_CID = 4;

/** The parts of a plan that make the machine, without those about recording, display and end. */
export function bare({ cpus, cpu, memory, turbo, seed, behaviour, root, what }: SessionPlan): SessionPlan {
  return { cpus, ...cpu && { cpu }, memory, turbo, seed, behaviour, root, what };
}

/**
 * A plan for a machine without connections: it opens the disks alone, and nothing enters but what
 * its owner lets in.
 */
export function alone(plan: SessionPlan): SessionPlan {
  const recording = { inputs: [], checks: [], end: undefined };
  return { ...plan, record: undefined, logs: undefined, replay: { recording, verify: false, to: undefined } };
}

/** Whether the CPUs of a machine execute EL2. */
export const isAtEl2 = ({ what }: Pick<SessionPlan, "what">): boolean => what.kind === "boot" && what.atEl2 === true;

/** Names of the VMs that the native host makes. */
export function plannedVms({ what }: Pick<SessionPlan, "what">): string[] {
  return what.kind === "run" ? what.host.vms.map(({ name }) => name) : [];
}

/** All VMs of a machine that are known before it runs. */
export function knownVms({ cpus, root, what }: Pick<SessionPlan, "cpus" | "root" | "what">): KnownVm[] {
  const names = (devices: readonly DevicePlan[] = []) => devices.map(({ kind }, slot) => deviceName(kind, slot));
  // A program in the root VM makes its own vCPUs, and those of the primary VM.
  const made = (vcpus: number) => root ? undefined : vcpus;
  return [
    { name: PRIMARY_CONSOLE, vcpus: made(cpus), devices: names(what.kind === "boot" ? what.devices : []) },
    { name: RESOURCE_MANAGER, vcpus: made(1), devices: [] },
    ...what.kind === "run" ? what.host.vms.map(({ name, vcpus, devices }) => ({ name, vcpus, devices: names(devices) })) : [],
  ];
}

/** The virtio devices of a machine's VMs. */
export function plannedDevices({ what }: SessionPlan): readonly DevicePlan[] {
  return what.kind === "boot" ? what.devices ?? [] : what.host.vms.flatMap(({ devices = [] }) => devices);
}

/** Bytes at least of a kernel, or of firmware that loads one. */
const KERNEL = 2 * MiB;

/**
 * Whether a VM starts with an operating system, which uses all of its memory: other programs use a
 * few pages here and there.
 */
export function startsSystem({ what }: SessionPlan): boolean {
  const images = what.kind === "run" ? what.host.vms.map(({ image }) => image.bytes) : [what.image, what.firmware?.code];
  return images.some((image) => image !== undefined && image.length >= KERNEL);
}

/** The files that keep firmware variables of a machine's VMs. */
export function plannedVariables({ what }: SessionPlan): readonly string[] {
  const all = what.kind === "boot" ? [what.firmware?.vars] : what.host.vms.map(({ flash }) => flash?.vars);
  return all.flatMap((vars) => vars === undefined ? [] : [vars.path]);
}

/** The images of its disks. */
export const plannedImages = (plan: SessionPlan): readonly DiskImage[] => plannedDevices(plan).flatMap(imagesOf);

/** The file of a disk that a machine's guests write through to. A run of it cannot be repeated. */
export function writtenDisk(plan: SessionPlan): string | undefined {
  return plannedImages(plan).find(({ mode }) => mode === "rw")?.image;
}

/** A plan that cannot become a machine: the user's to fix. */
export class PlanError extends UserError {}
