// Limits of what plans say: of the hypervisor, the Resource Manager and Linux, for configurations
// and for plans that files bring.

import { KiB, MiB } from "../../kit/support/values/sizes.ts";

/** Physical CPUs of a machine. */
export const MAX_CPUS = 8;
/**
 * RM's limits (docs/spec/resource-manager.md §6.3) and the hypervisor's (docs/spec/hypervisor.md
 * §4.3; both limits are exclusive there).
 */
export const MAX_VCPUS = 8;
export const MAX_DEPTH = 255;
export const MAX_MESSAGE = 1023;
/**
 * IPAs and memory sizes of a VM are multiples of a stage-2 block, so that the Resource Manager and
 * the DTB agree.
 */
export const BLOCK = 2 * MiB;
/** Bytes that the native host keeps by default. */
export const DEFAULT_HOST_MEMORY = 128 * MiB;
/** The name of a VM, and its bytes at most. */
export const VM_NAME = /^[a-z][a-z0-9-]*$/, VM_NAME_MAX = 79;
/** Names of the VMs that every machine has: the primary VM, and the Resource Manager's. */
export const TAKEN_NAMES: readonly string[] = ["host", "rm"];
/** End of the widest addresses that a machine can have. */
export const WIDEST_ADDRESS = 2 ** 40;
/** Ranges of RAM above the one at the base. */
export const WINDOWS_MAX = 16;
/** Memory that the Resource Manager can add to each VM: it is from its own heap. */
export const LOW_MEMORY_MAX = 128 * KiB;
/** Bytes of a command line: it is in a devicetree of 64 KiB. Linux on arm64 takes 2 KiB of it. */
export const COMMAND_LINE_MAX = 32 * KiB;
/** Greatest frequency (kHz) of a vCPU, and how many it can have: Linux's driver reads no more. */
export const MAX_KHZ = 10_000_000, MAX_FREQUENCIES = 64;
/** Context ids from here up are guests' (virtio 1.2 section 5.10.4), up to the last but one. */
export const MIN_CID = 3, MAX_CID = 2 ** 32 - 2;
/** Parcels of a VM, and page tables of stage 2, that a configuration can allow. */
export const MAX_PARCELS = 4096, MAX_PAGE_TABLES = 2048;
/** Exponent of the largest block of a kernel's memory; the greatest id of the secure world. */
export const MAX_ORDER = 10, MAX_SCM = 255;
/** us after which the host reclaims a page at the latest. */
export const RECLAIM_MAX = 60e6;
