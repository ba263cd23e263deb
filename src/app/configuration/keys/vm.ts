// The keys of `[vm.NAME]`.

import * as v from "valibot";
import { VM_PLATFORMS } from "../../../machine/host/interface.ts";
import { wrong } from "../../../model/plans/config-fact.ts";
import { MAX_CPUS, MAX_FREQUENCIES, MAX_KHZ, MAX_VCPUS, WINDOWS_MAX } from "../../../model/plans/limits.ts";
import { OWNER_PRIORITY, TIMESLICE_MAX, TIMESLICE_MIN } from "../../../machine/resource-manager/config/limits.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { devices, VIRTIO_KINDS } from "./devices.ts";
import { commandLine, devicetree, file, path, variables } from "./files.ts";
import { entriesOf, keysOf } from "./key.ts";
import { duration, ramAddress, size, span } from "./sizes.ts";
import { boolean, mustBe, notKnown, oneOf, outsideOf, text, whole } from "./values.ts";

const WINDOW = keysOf({
  base: { type: ramAddress, doc: "its first IPA" },
  size: { type: size(2 * MiB), doc: "its bytes, a multiple of 2 MiB" },
});
const window = v.strictObject(entriesOf(WINDOW), mustBe('a table such as { base = 0x100000000, size = "256MiB" }'));
const windows = v.pipe(
  v.array(window, mustBe('a list of windows, such as { base = 0x100000000, size = "256MiB" }')),
  v.maxLength(WINDOWS_MAX, `has more than ${WINDOWS_MAX} windows`),
);

const frequencies = v.pipe(
  v.array(whole(1, MAX_KHZ), mustBe("a list of frequencies in kHz")),
  facts({ minItems: 1, maxItems: MAX_FREQUENCIES }),
  v.check((list) => list.length >= 1 && list.length <= MAX_FREQUENCIES, `has no frequency, or more than ${MAX_FREQUENCIES}`),
  v.check((list) => list.every((kHz, index) => index === 0 || kHz > list[index - 1]), "is not in rising order"),
);

const vcpus = v.pipe(
  v.number(mustBe("a whole number")),
  v.integer(mustBe("a whole number")),
  v.minValue(1, outsideOf(`1..${MAX_VCPUS}`)),
  v.maxValue(MAX_VCPUS, wrong(`exceeds the ${MAX_VCPUS} threads of one address space`, `use 1..${MAX_VCPUS}`)),
);

/** An offset to the owner's priority. */
const priority = v.pipe(
  v.number(mustBe("a whole number")),
  v.integer(mustBe("a whole number")),
  facts({ minimum: -OWNER_PRIORITY, maximum: -1 }),
  v.check(
    (offset) => offset < 0 && offset >= -OWNER_PRIORITY,
    ({ input }) => {
      const priority = OWNER_PRIORITY + (input as number);
      const what = priority < 0 ? "below 0" : `not below the owner (${OWNER_PRIORITY})`;
      return wrong(`gives ${priority}, ${what}: the Resource Manager would refuse VM_INIT`, `use -${OWNER_PRIORITY}..-1`);
    },
  ),
);

const kinds = v.pipe(v.array(oneOf(VIRTIO_KINDS), mustBe("a list of kinds of devices")), v.minLength(1, "names no kind"));

/** Platforms that have a key which others do not have. */
const CROSVM = ["crosvm"], QEMU = ["qemu-virt"];
/** Needs of several keys. */
const GUNYAH = ["gunyah"], PROXY = ["proxy"];

export const VM = keysOf({
  hypervisor: {
    type: v.optional(oneOf(["gunyah", "geniezone"]), "gunyah"),
    doc: "whose device the VMM uses; geniezone needs [host] gzvm = true",
    plan: "vm",
  },
  platform: {
    type: v.optional(oneOf(VM_PLATFORMS), "el2"),
    doc: "the board that the VMM builds: el2's own, or that of crosvm or QEMU, with their addresses, PCI and devicetree",
    plan: "vm",
  },
  msi: {
    type: v.optional(oneOf(["its", "gicv2m"])),
    doc: "how PCI functions send interrupts; its on Gunyah, else gicv2m",
    needs: [
      { keys: { platform: QEMU } },
      { value: "its", keys: { hypervisor: GUNYAH }, wayOut: 'GenieZone has no ITS; use "gicv2m"' },
    ],
  },
  type: {
    type: v.optional(oneOf(["unauthenticated", "protected"]), "unauthenticated"),
    doc: "protected: starts in firmware, and nobody else can read its memory",
    needs: [
      { value: "protected", keys: { firmware: true }, wayOut: 'add it or use "unauthenticated"' },
      { value: "protected", keys: { platform: ["el2", "crosvm"] }, wayOut: "the others run no firmware for protected VMs" },
    ],
  },
  firmware: {
    type: path,
    doc: "raw code, entered at its first byte",
    needs: [{ keys: { type: ["protected"] }, wayOut: "the Resource Manager starts only protected VMs in it" }],
  },
  kernel: { type: file, doc: "arm64 Linux Image; a path relative to this file, or catalog:GUEST/FILE" },
  image: { type: file, doc: "instead of a kernel: bare metal, ELF or raw" },
  bios: {
    type: file,
    doc: "instead of a kernel: crosvm: raw firmware, 2 MiB after the start of RAM; qemu-virt: U-Boot or EDK2 in flash",
    needs: [
      { keys: { platform: ["crosvm", "qemu-virt"] }, wayOut: "use image for bare metal" },
      {
        when: { platform: QEMU },
        keys: { hypervisor: GUNYAH },
        wayOut: 'GenieZone\'s VMs have no memory where the flash of "qemu-virt" is',
      },
    ],
  },
  bios_vars: {
    type: variables,
    doc: "file that keeps the bios's variables; without one they are lost with the VM",
    needs: [{ keys: { bios: true, platform: QEMU } }],
  },
  built: { type: file, doc: "what kernel, image or bios should be a copy of; if the VM fails and it is not, the verdict says so" },
  initrd: { type: file, doc: "initial ramdisk of the kernel", needs: [{ keys: { kernel: true } }] },
  symbols: { type: path, doc: "ELF file with symbols, for display and debuggers" },
  cmdline: { type: v.optional(commandLine, ""), doc: "kernel command line: /chosen/bootargs", plan: "vm" },
  semihosting: {
    type: v.optional(boolean),
    doc: "serve semihosting calls, HLT #0xF000: console, command line, exit; true if the image is an ELF file with such a call",
  },
  memory: { type: v.optional(size(2 * MiB), "256MiB"), doc: "RAM of the VM", plan: "vm" },
  swiotlb: {
    type: v.optional(size(2 * MiB)),
    doc: "part of the RAM that VM and VMM share for DMA; 64MiB if protected, else none",
    needs: [{ keys: { platform: CROSVM } }],
  },
  pstore: {
    type: v.optional(size(2 * MiB)),
    doc: "part of the RAM that keeps its content over resets and panics: ramoops in the devicetree; none by default",
    needs: [{ keys: { platform: CROSVM, type: ["unauthenticated"] } }],
    plan: "vm",
  },
  datamatch_flag: {
    type: v.optional(whole(1, 2)),
    doc: "flag by which the VMM asks the driver to compare an ioeventfd's data; crosvm sends 2, and Gunyah's is 1",
    needs: [{
      keys: { platform: ["el2", "qemu-virt"], hypervisor: GUNYAH, schedule: PROXY },
      wayOut: "others have no ioeventfds of virtio-mmio; remove it",
    }],
    plan: "vm",
  },
  without_access_platform: {
    type: v.optional(kinds),
    doc: 'kinds of devices that do not offer VIRTIO_F_ACCESS_PLATFORM, such as ["block"]',
    needs: [{ keys: { platform: CROSVM, type: ["protected"] } }],
    plan: "vm",
  },
  cpu_frequencies: {
    type: v.optional(frequencies),
    doc: "frequencies (kHz, rising) that a virtual cpufreq device offers; none by default",
    needs: [{ keys: { platform: CROSVM } }],
    plan: "vm",
  },
  base: { type: v.optional(ramAddress, 0x8000_0000), doc: "IPA of the RAM" },
  windows: {
    type: v.optional(windows),
    doc: "more RAM above it, each { base, size }; only with drivers that fill VMs on demand",
    needs: [{ keys: { platform: ["el2", "crosvm"] }, wayOut: "others have RAM in one piece" }, { keys: { schedule: PROXY } }],
    plan: "vm",
  },
  size_max: {
    type: v.optional(span),
    doc: "size-max of the VM's configuration; crosvm's 30 GiB on its board, else none",
    plan: "vm",
  },
  vcpus: { type: v.optional(vcpus, 1), doc: "number of vCPUs, at most one per physical CPU", plan: "vm" },
  schedule: {
    type: v.optional(oneOf(["proxy", "own"]), "proxy"),
    doc: "proxy: the host's vCPUs run it; own: the hypervisor schedules it",
    needs: [
      { value: "own", keys: { hypervisor: GUNYAH }, wayOut: "GenieZone's host runs every vCPU" },
      { value: "own", keys: { platform: ["el2"] }, wayOut: "the devices of other boards are their VMM's" },
    ],
  },
  affinity: {
    type: v.optional(oneOf(["static", "sticky", "pinned"])),
    doc: "own only: whether vCPUs may move between physical CPUs",
    plan: "schedule",
  },
  affinity_map: {
    type: v.optional(v.array(whole(0, MAX_CPUS - 1), mustBe("a list of physical CPUs"))),
    doc: "own only: a physical CPU for each vCPU",
    plan: "schedule",
  },
  priority: { type: v.optional(priority), doc: "own only: offset to the owner's priority", plan: "schedule" },
  timeslice: {
    type: v.optional(duration(TIMESLICE_MIN / 1000, TIMESLICE_MAX / 1000, 1000)),
    doc: "own only: how long a vCPU runs before another of its priority",
    plan: "schedule",
  },
  start: {
    type: v.optional(v.pipe(text, v.regex(/^(auto|manual|after:.+)$/, notKnown("auto", "manual", "after:NAME"))), "auto"),
    doc: "when the VM starts; after:NAME: once that VM runs",
  },
  on_exit: {
    type: v.optional(oneOf(["stop", "restart", "end-session"]), "stop"),
    doc: "what happens when the VM ends",
    plan: "vm",
  },
  dtb: { type: devicetree, doc: "file that replaces the generated devicetree" },
  devices: { type: devices, doc: "the VM's devices; virtio devices take their slots in this order" },
});
