// The keys of `[host]`: of both kinds, of the built-in host, and of an image as the primary VM.

import * as v from "valibot";
import { PERSONA_NAMES, PERSONAS } from "../../../machine/abi/ioctl/personas.ts";
import { GZVM_PROBES } from "../../../machine/host/interface.ts";
import { MAXIMUM_PRIMARY_MEMORY } from "../../../machine/hardware/memory-map.ts";
import { wrong } from "../../../model/plans/config-fact.ts";
import { BLOCK, MAX_CPUS, MAX_ORDER, MAX_SCM, RECLAIM_MAX } from "../../../model/plans/limits.ts";
import { PLATFORM_DEVICES, PRIMARY_UARTS, VIRTIO_BUSES } from "../../../model/plans/plan.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { devices } from "./devices.ts";
import { commandLine, devicetree, file, hypervisor, path, variables } from "./files.ts";
import { keysOf } from "./key.ts";
import { duration, memlock, size } from "./sizes.ts";
import { mustBe, oneOf, text, whole } from "./values.ts";

/** Generations of /dev/gunyah that have one. */
const DEVICE_PERSONAS = PERSONA_NAMES.filter((name) => PERSONAS[name].device);

/** Pages of 2 MiB that the largest machine has. */
const MAX_HUGE_PAGES = MAXIMUM_PRIMARY_MEMORY / BLOCK;

/** An errno of SET_BOOT_CONTEXT instead of the generation's answer. */
const bootContext = v.pipe(
  oneOf(["as-generation", "ENODEV"]),
  v.transform((answer) => answer === "as-generation" ? undefined : answer),
);

/** Whether there is /dev/gzvm, or why there is none on a host with GenieZone. */
const gzvm = v.union([v.boolean(), v.picklist(GZVM_PROBES)], wrong("is not known", 'use true, false, "silent" or "no-node"'));

/** Which side wakes a VM's vCPUs at their timers, as CHECK_EXTENSION reports it. */
const timerWakeups = v.pipe(oneOf(["hypervisor", "driver"]), v.transform((side) => side === "driver" ? true : undefined));

/** The start of a real-time clock: `now`, or a date in seconds since 1970. */
const clock = v.pipe(
  text,
  v.rawTransform<string, number | "now">(({ dataset, addIssue, NEVER }) => {
    if (dataset.value === "now") return "now";
    const seconds = Math.floor(Date.parse(dataset.value) / 1000);
    if (seconds >= 0 && seconds < 2 ** 32) return seconds;
    addIssue({ message: wrong("is not a time", 'use "now" or for example "2026-01-31T12:00:00Z"') });
    return NEVER;
  }),
);

export const HOST = keysOf({
  kind: {
    type: v.optional(oneOf(["native", "image"]), "native"),
    doc: "native: the built-in host; image: an image runs as the primary VM",
  },
  memory: {
    type: v.optional(size(32 * MiB)),
    doc: "native: what the host keeps for itself; image: RAM of the primary VM",
  },
});

export const NATIVE_HOST = keysOf({
  vcpus: { type: v.optional(whole(1, MAX_CPUS)), doc: "how many of the host's vCPUs run VMs" },
  device: {
    type: v.optional(oneOf(DEVICE_PERSONAS), "union"),
    doc: "generation of /dev/gunyah",
    plan: "driver",
    phone: "kernel",
  },
  gzvm: {
    type: v.optional(gzvm, false),
    doc: "true: offer /dev/gzvm too; silent, no-node: why it is missing although the host has GenieZone",
    plan: "driver",
    phone: "gzvm",
  },
  memlock: {
    type: v.optional(memlock, "unlimited"),
    doc: "locked-memory limit of the VMMs",
    plan: "driver",
    phone: "host.memlock",
  },
  max_order: {
    type: v.optional(whole(0, MAX_ORDER)),
    doc: "largest block of contiguous kernel memory: 2^N pages",
    plan: "quirks",
    phone: "host.max-order",
  },
  boot_context: {
    type: v.optional(bootContext, "as-generation"),
    doc: "what SET_BOOT_CONTEXT answers",
    plan: "quirks",
    phone: "boot-context",
  },
  unpinnable: {
    type: v.optional(whole(0, 100)),
    doc: "percentage of the host's pages that cannot be pinned",
    plan: "quirks",
    phone: "host.cma-pages-unpinnable",
  },
  huge_pages: {
    type: v.optional(whole(0, MAX_HUGE_PAGES)),
    doc: "2 MiB pages that the host has left for VMs' memory, which VMMs reserve in such pages",
    plan: "quirks",
  },
  reclaim_after: {
    type: v.optional(duration(1, RECLAIM_MAX, 1)),
    doc: "time after the start of a VM at which the host reclaims a page of it; drivers then do not pin what they lend",
    plan: "quirks",
  },
  scm_max: { type: v.optional(whole(0, MAX_SCM)), doc: "greatest VMID that the secure world has an id for", plan: "quirks" },
  timer_wakeups: {
    type: v.optional(timerWakeups, "hypervisor"),
    doc: "who wakes vCPUs at their timers",
    plan: "quirks",
    as: "wakesAtTimers",
  },
});

/** Keys of a host that is an image: those of a VM that have a meaning there, and its platform's. */
export const IMAGE_HOST = keysOf({
  kernel: { type: file, doc: "arm64 Linux Image of the primary VM" },
  image: { type: file, doc: "instead of a kernel: bare metal, ELF or raw" },
  initrd: { type: file, doc: "initial ramdisk of the kernel" },
  symbols: { type: path, doc: "ELF file with symbols, for display and debuggers" },
  cmdline: { type: v.optional(commandLine), doc: "kernel command line: /chosen/bootargs", plan: "boot", as: "append" },
  el2: {
    type: hypervisor,
    doc:
      'the hypervisor that the CPUs enter at EL2: ELF, arm64 Image or raw, with firmware an EFI application; "self": the kernel, image or firmware itself',
  },
  el2_args: { type: v.optional(commandLine), doc: "command line of the hypervisor" },
  dtb: { type: devicetree, doc: "file that replaces the platform's devicetree" },
  firmware: { type: path, doc: "firmware in flash" },
  firmware_vars: { type: variables, doc: "file that keeps the firmware's variables" },
  rtc: { type: v.optional(clock), doc: 'the time at which the real-time clock starts: "now" (the default), or a date' },
  devices: { type: devices, doc: "the primary VM's devices" },
  bus: { type: v.optional(oneOf(VIRTIO_BUSES)), doc: "bus of the virtio devices: slots of virtio-mmio, or a PCI host", plan: "boot" },
  uart: { type: v.optional(oneOf(PRIMARY_UARTS)), doc: "serial port of the console", plan: "boot" },
  platform_devices: {
    type: v.optional(v.array(oneOf(PLATFORM_DEVICES), mustBe("a list of devices"))),
    doc: 'devices of crosvm\'s platform; pvpanic needs bus = "pci"',
    plan: "boot",
  },
});
