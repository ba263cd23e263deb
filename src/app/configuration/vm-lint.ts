// Predicts what the Resource Manager does with the devicetree of a VM
// (docs/spec/resource-manager.md §7.1 to §7.4): what it refuses, what it interprets differently,
// and what it silently ignores, each with its place in the blob. The rules for refusals are in
// `machine/resource-manager/config/vm-config.ts`; that reader decides here too.

import { type NodePlace, readDevicetree } from "../../machine/devicetree/reader.ts";
import {
  cellSizes,
  type DevicetreeNode,
  findChild,
  findNode,
  findPhandle,
  readCell,
  readCells,
  readNumber,
  readString,
  readStrings,
  walk,
} from "../../machine/devicetree/tree.ts";
import { rmErrorName } from "../../machine/abi/rpc/errors.ts";
import {
  DEFAULT_BASE_ADDRESS,
  DEFAULT_FIRMWARE_SIZE_MAX,
  IMAGE_ALIGNMENT,
  NAME_MAX,
  PUSH_MAX,
  readVmConfig,
  Refusal,
  RPC_PUSH_MAX,
  TRUSTED_ONLY,
  VDEVICE_TYPES,
  type VmConfig,
} from "../../machine/resource-manager/interface.ts";
import { FIRST_RAM_ADDRESS, OWNER_PRIORITY, TIMESLICE_MAX, TIMESLICE_MIN } from "../../machine/resource-manager/config/limits.ts";
import { bufferAddresses, firstAddress, isFence, lintPhone } from "./phone-lint.ts";
import type { Behaviour } from "../../machine/hypervisor/options.ts";
import { problemText } from "../../kit/support/problem.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/**
 * Effect of a finding: the VM is refused, the property has another meaning than it seems, or none
 * at all.
 */
type LintKind = "refused" | "changed" | "ignored";

/** A name that does not exist, and the one that may be meant. */
function perhaps(what: string, name: string, names: readonly string[]): string {
  return problemText({ what, wayOut: didYouMean(name, names) });
}

interface LintFinding {
  readonly kind: LintKind;
  /** Path of the node. */
  readonly path: string;
  /** Undefined if the node itself is meant, or one that is missing. */
  readonly property: string | undefined;
  /** Bytes from the start of the blob: of the property, else of the node. */
  readonly offset: number;
  /** The defect. */
  readonly what: string;
  /** The Resource Manager's reaction. */
  readonly does: string;
}

/** The rules in which the Resource Managers of phones differ (docs/spec/phones.md §A4). */
export interface PhoneLintRules extends Partial<Pick<Behaviour, "reservedMemory">> {
  /**
   * The driver fills VMs on demand: the Resource Manager keeps off their memory, and adds some
   * below the RAM.
   */
  readonly onDemand?: boolean;
}

/** Limits of the hypervisor for queues. */
const MESSAGE_MAX = 1023;
const DEPTH_MAX = 255;
/** RM's packets. */
const RPC_MESSAGE_SIZE = 240;
/** Values of vm-attrs and of affinity that the Resource Manager knows. */
const ATTRIBUTES = ["ras-error-handler", "amu-counting-disabled", "crash-fatal", "context-dump", "no-shutdown", "no-reset"];
const AFFINITIES = ["static", "sticky", "pinned", "proxy"];

const INIT_FAILS = (error: string) => `VM_INIT answers ${error}; the VM is INIT_FAILED`;
const START_FAILS = "VM_START answers NORESOURCE; the VM is INIT_FAILED";
const IGNORES = "silently ignored";

/** How a property is written. */
type PropertyForm = "cell" | "cells" | "text" | "texts" | "flag" | "u64" | "address" | "size" | "any";

const CELL_SIZES = { "#address-cells": "cell", "#size-cells": "cell" } as const;
/** Properties of any node that have no meaning for the Resource Manager and are not reported. */
const NEUTRAL: readonly string[] = ["phandle", "linux,phandle", "name", "compatible", "status"];

/** Properties that the Resource Manager looks for in the nodes of /gunyah-vm-config. */
const CONFIG: Readonly<Record<string, PropertyForm>> = {
  ...CELL_SIZES,
  "image-name": "text",
  "vm-type": "text",
  "os-type": "text",
  vendor: "text",
  "vm-uri": "text",
  "vm-guid": "text",
  "vm-attrs": "texts",
  "qcom,sensitive": "flag",
  "kernel-entry-segment": "text",
  "kernel-entry-offset": "any",
  "iomemory-ranges": "cells",
  "gic-irq-ranges": "cells",
};
const CHILDREN: Readonly<Record<string, Readonly<Record<string, PropertyForm>>>> = {
  memory: {
    ...CELL_SIZES,
    "is-direct": "flag",
    "base-address": "address",
    "size-min": "size",
    "size-max": "size",
    "firmware-address": "address",
    "firmware-size-max": "size",
    "base-mem-constraints": "u64",
  },
  vcpus: {
    config: "text",
    affinity: "text",
    "affinity-map": "cells",
    "sched-priority": "cell",
    "sched-timeslice": "cell",
    "no-timer-wakeups": "flag",
  },
  interrupts: { config: "any" },
  segments: { ramdisk: "cell" },
  vdevices: CELL_SIZES,
};
/** Placeholder of a default. */
const DEFAULTS: Readonly<Record<string, string>> = {
  "base-address": `the platform's 0x${DEFAULT_BASE_ADDRESS.toString(16)} (not RAM)`,
  "size-max": "everything after base-address",
  "size-min": "0",
  "firmware-size-max": "4 MiB",
  "firmware-address": "no address: the firmware must lie in the image parcel",
  "sched-priority": "0, which is not below the owner",
  "sched-timeslice": "0, which is out of range",
  "message-size": "240",
  "queue-depth": "8",
  "vqs-num": "1",
};

const COMMON: Readonly<Record<string, PropertyForm>> = {
  ...CELL_SIZES,
  "vdevice-type": "text",
  generate: "text",
  "push-compatible": "texts",
  "qcom,label": "cell",
  label: "cell",
};
const PEER: Readonly<Record<string, PropertyForm>> = { "peer-default": "flag", peer: "text" };
const QUEUE: Readonly<Record<string, PropertyForm>> = { "message-size": "cell", "queue-depth": "cell", interrupts: "cells" };
const VDEVICES: Readonly<Record<string, Readonly<Record<string, PropertyForm>>>> = {
  "rm-rpc": { ...COMMON, ...QUEUE, "console-dev": "flag" },
  doorbell: { ...COMMON, ...PEER, "source-can-clear": "flag", interrupts: "cells" },
  "doorbell-source": { ...COMMON, ...PEER, "source-can-clear": "flag" },
  "message-queue": { ...COMMON, ...QUEUE, "peer-default": "flag", "is-sender": "flag", "is-receiver": "flag" },
  "message-queue-pair": { ...COMMON, ...PEER, ...QUEUE },
  shm: { ...COMMON, "peer-default": "flag", dma_base: "u64" },
  "shm-doorbell": { ...COMMON, "peer-default": "flag", dma_base: "u64", interrupts: "cells" },
  "virtio-mmio": {
    ...COMMON,
    "peer-default": "flag",
    "vqs-num": "cell",
    dma_base: "u64",
    "virtio,device-type": "cell",
    "dma-coherent": "flag",
    interrupts: "cells",
  },
  iomem: {
    ...COMMON,
    "peer-default": "flag",
    patch: "text",
    "qcom,rm_acl": "cells",
    "qcom,rm_attributes": "cells",
    "qcom,rm_sglist": "cells",
  },
  "vsmmu-v2": { ...COMMON, "smmu-handle": "cell", patch: "text", "num-cbs": "cell", "num-smrs": "cell" },
  "vrtc-pl031": { ...COMMON, base: "u64", "allocate-base": "flag" },
};

/** Checks a blob. The findings are in the order of the blob. */
export function lintVm(bytes: Uint8Array, rules: PhoneLintRules = {}): LintFinding[] {
  const places = new Map<DevicetreeNode, NodePlace>();
  const read = readDevicetree(bytes, places);
  if (!read.ok) {
    const whole = { path: "/", property: undefined, offset: read.offset, what: `the devicetree is malformed: ${read.problem}` };
    return [{ kind: "refused", ...whole, does: INIT_FAILS("MEM_INVALID") }];
  }
  return new Lint(read.tree.root, places, bytes.length, rules).run();
}

class Lint {
  readonly #findings: LintFinding[] = [];
  readonly #paths = new Map<DevicetreeNode, string>();

  /** @param size bytes of the blob */
  constructor(
    readonly root: DevicetreeNode,
    readonly places: ReadonlyMap<DevicetreeNode, NodePlace>,
    readonly size: number,
    readonly rules: PhoneLintRules,
  ) {
    for (const { node, path } of walk(root)) this.#paths.set(node, path);
  }

  run(): LintFinding[] {
    const config = findNode(this.root, "/gunyah-vm-config") ?? findNode(this.root, "/qcom,vm-config");
    if (config !== undefined) {
      this.#known(config, CONFIG);
      this.#identity(config);
      this.#memory(config);
      this.#vcpus(config);
      this.#interrupts(config);
      this.#children(config);
    }
    for (const { node } of walk(this.root)) if (node.properties.has("vdevice-type")) this.#vdevice(node);
    this.#guest();
    for (const { kind, node, property, what, does } of lintPhone(this.root, this.size, this.rules.onDemand ?? false)) {
      this.#add(kind, node, property, what, does);
    }
    this.#asTheReaderSays();
    return this.#findings.sort((a, b) => a.offset - b.offset);
  }

  #add(kind: LintKind, node: DevicetreeNode, property: string | undefined, what: string, does: string): void {
    const place = this.places.get(node)!;
    const offset = (property === undefined ? undefined : place.properties.get(property)) ?? place.offset;
    this.#findings.push({ kind, path: this.#paths.get(node)!, property, offset, what, does });
  }

  /**
   * Unknown names, and values of another form than the Resource Manager reads. `told` are names
   * that have been reported.
   */
  #known(node: DevicetreeNode, forms: Readonly<Record<string, PropertyForm>>, told: readonly string[] = []): void {
    for (const name of node.properties.keys()) {
      if (told.includes(name)) continue;
      const form = forms[name];
      if (form === undefined) {
        if (NEUTRAL.includes(name)) continue;
        this.#add("ignored", node, name, perhaps("unknown property", name, Object.keys(forms)), IGNORES);
      } else {
        const wrong = this.#malformed(node, name, form);
        if (wrong !== undefined) this.#add("ignored", node, name, wrong, `ignored; ${DEFAULTS[name] ?? "as if it were absent"} is used`);
      }
    }
  }

  /** The defect in the form of a property. Missing properties are reported by the reader. */
  #malformed(node: DevicetreeNode, name: string, form: PropertyForm): string | undefined {
    const bytes = node.properties.get(name)!.length;
    const cells = (count: number, why: string) => bytes === count * 4 ? undefined : `has ${bytes} bytes, not the ${count * 4} of ${why}`;
    switch (form) {
      case "cell":
        return cells(1, "one cell");
      case "u64":
        return cells(2, "two cells");
      case "address":
      case "size": {
        // Numbers have the cell sizes of their parent's parent: those in the node itself are
        // ignored.
        const { addressCells, sizeCells } = cellSizes(this.#parentOf(node));
        const width = form === "address" ? addressCells : sizeCells;
        return cells(width, `${width === 1 ? "one cell" : `${width} cells`}, as ${this.#paths.get(this.#parentOf(node))} sets them`);
      }
      case "cells":
        return bytes % 4 === 0 ? undefined : `has ${bytes} bytes, not a whole number of cells`;
      case "text":
      case "texts":
        return readStrings(node, name) === undefined ? "is not a NUL-terminated string" : undefined;
      case "flag":
        return bytes === 0 ? undefined : "is a flag; its value means nothing";
      case "any":
        return undefined;
    }
  }

  #parentOf(node: DevicetreeNode): DevicetreeNode {
    const path = this.#paths.get(node)!;
    return findNode(this.root, path.slice(0, path.lastIndexOf("/")) || "/") ?? this.root;
  }

  #identity(config: DevicetreeNode): void {
    for (const [name, only] of [["vm-type", "aarch64-guest"], ["os-type", "linux"]] as const) {
      const given = readString(config, name);
      if (given !== undefined && given !== only) this.#add("ignored", config, name, `${JSON.stringify(given)} is not ${only}`, IGNORES);
    }
    const uri = readString(config, "vm-uri");
    if (uri !== undefined && uri.length > NAME_MAX) this.#add("ignored", config, "vm-uri", `is longer than ${NAME_MAX} bytes`, IGNORES);
    for (const attribute of readStrings(config, "vm-attrs") ?? []) {
      if (attribute === "crash-fatal") {
        this.#add("refused", config, "vm-attrs", "crash-fatal is for trusted VMs", INIT_FAILS("ARGUMENT_INVALID"));
      } else if (!ATTRIBUTES.includes(attribute)) {
        const what = perhaps(`unknown attribute ${JSON.stringify(attribute)}`, attribute, ATTRIBUTES);
        this.#add("ignored", config, "vm-attrs", what, "ignored with a warning in the Resource Manager's log");
      }
    }
    for (const path of TRUSTED_ONLY) {
      const [property, child] = path.split("/").reverse();
      const owner = child === undefined ? config : findChild(config, child);
      if (!owner?.properties.has(property)) continue;
      this.#add("refused", owner, property, "is for trusted VMs, which this platform does not have", INIT_FAILS("ARGUMENT_INVALID"));
    }
  }

  #memory(config: DevicetreeNode): void {
    const memory = findChild(config, "memory");
    if (memory === undefined) {
      const what = `no memory: base-address is 0x${DEFAULT_BASE_ADDRESS.toString(16)}, among the devices`;
      return this.#add("refused", config, undefined, what, START_FAILS);
    }
    for (const name of Object.keys(CELL_SIZES)) {
      if (memory.properties.has(name)) this.#add("ignored", memory, name, "cell sizes count in the parent only", IGNORES);
    }
    const { addressCells, sizeCells } = cellSizes(config);
    const base = readNumber(memory, "base-address", addressCells);
    if (base === undefined) {
      const what = `no effective base-address: 0x${DEFAULT_BASE_ADDRESS.toString(16)} lies among the devices`;
      this.#add("refused", memory, memory.properties.has("base-address") ? "base-address" : undefined, what, START_FAILS);
    } else if (base % BigInt(PAGE_SIZE) === 0n) {
      const text = `0x${base.toString(16)}`;
      if (base % BigInt(IMAGE_ALIGNMENT) !== 0n) {
        const up = (base / BigInt(IMAGE_ALIGNMENT) + 1n) * BigInt(IMAGE_ALIGNMENT);
        this.#add("changed", memory, "base-address", `${text} is not 2 MiB aligned`, `rounded up to 0x${up.toString(16)}`);
      }
      if (base < BigInt(FIRST_RAM_ADDRESS)) {
        this.#add("refused", memory, "base-address", `${text} lies among the devices, below 0x40000000`, START_FAILS);
      } else if (base < BigInt(FIRST_RAM_ADDRESS + PAGE_SIZE) && !this.#isFilledOnDemand) {
        const does = `${START_FAILS}; a driver that fills VMs on demand has the page elsewhere`;
        this.#add("refused", memory, "base-address", `${text} is where the info page goes`, does);
      }
    }
    const firmware = readNumber(memory, "firmware-size-max", sizeCells);
    if (firmware !== undefined && firmware > BigInt(DEFAULT_FIRMWARE_SIZE_MAX)) {
      this.#add("changed", memory, "firmware-size-max", `0x${firmware.toString(16)} is over 4 MiB`, "4 MiB is used");
    }
  }

  /** Only such drivers start VMs in flash, as QEMU does with firmware. */
  get #isFilledOnDemand(): boolean {
    return this.rules.onDemand || [...walk(this.root)].some(({ node }) => readStrings(node, "compatible")?.includes("cfi-flash"));
  }

  #vcpus(config: DevicetreeNode): void {
    const vcpus = findChild(config, "vcpus");
    if (vcpus === undefined) return;
    const affinity = readString(vcpus, "affinity");
    if (affinity !== undefined && !AFFINITIES.includes(affinity)) {
      const what = perhaps(`${JSON.stringify(affinity)} is not one of ${AFFINITIES.join(", ")}`, affinity, AFFINITIES);
      this.#add("changed", vcpus, "affinity", what, "static is used, with a warning in the Resource Manager's log");
    }
    if (affinity === "proxy") {
      for (const name of ["affinity-map", "sched-priority", "sched-timeslice"]) {
        if (vcpus.properties.has(name)) {
          this.#add("ignored", vcpus, name, "a proxied vCPU runs where its caller runs, at priority 0", IGNORES);
        }
      }
      return;
    }
    const at = (name: string) => vcpus.properties.has(name) ? name : undefined;
    const priority = (readCell(vcpus, "sched-priority") ?? 0) | 0;
    if (priority >= 0 || priority < -OWNER_PRIORITY) {
      const error = OWNER_PRIORITY + priority < 0 || OWNER_PRIORITY + priority > 63 ? "ARGUMENT_INVALID" : "NORESOURCE";
      const what = `sched-priority ${priority} gives ${OWNER_PRIORITY + priority}; an untrusted VM has 0..31, below its owner's 32`;
      this.#add("refused", vcpus, at("sched-priority"), what, INIT_FAILS(error));
    }
    const timeslice = readCell(vcpus, "sched-timeslice") ?? 0;
    const least = TIMESLICE_MIN / 1000, most = TIMESLICE_MAX / 1000;
    if (timeslice < least || timeslice > most) {
      const what = `sched-timeslice ${timeslice} us is outside ${least}..${most}`;
      this.#add("refused", vcpus, at("sched-timeslice"), what, INIT_FAILS("NORESOURCE"));
    }
  }

  #interrupts(config: DevicetreeNode): void {
    const interrupts = findChild(config, "interrupts");
    const given = interrupts && readString(interrupts, "config");
    const path = given?.startsWith("/") ? given : undefined;
    const phandle = (interrupts && readCell(interrupts, "config")) ?? readCell(this.root, "interrupt-parent");
    const gic = (path === undefined ? undefined : findNode(this.root, path)) ??
      (phandle === undefined ? undefined : findPhandle(this.root, phandle));
    if (gic === undefined) {
      this.#add("refused", interrupts ?? config, interrupts && "config", "no GIC is named, by path or by phandle", START_FAILS);
    } else if (interrupts !== undefined && path === undefined && readCell(interrupts, "config") !== undefined) {
      this.#add("changed", interrupts, "config", "a phandle instead of a path", "accepted, with a warning in the Resource Manager's log");
    }
  }

  /** Unread nodes of /gunyah-vm-config. */
  #children(config: DevicetreeNode): void {
    for (const child of config.children) {
      const forms = CHILDREN[child.name];
      if (forms !== undefined) {
        this.#known(child, forms, child.name === "memory" ? Object.keys(CELL_SIZES) : []);
      } else if (!child.properties.has("vdevice-type")) {
        this.#add("ignored", child, undefined, perhaps("unknown node", child.name, Object.keys(CHILDREN)), IGNORES);
      }
    }
  }

  #vdevice(node: DevicetreeNode): void {
    const type = readString(node, "vdevice-type") ?? "";
    const forms = VDEVICES[type];
    if (forms === undefined) {
      const what = perhaps(`${JSON.stringify(type)} is not a type of vdevice`, type, VDEVICE_TYPES);
      return this.#add("ignored", node, "vdevice-type", what, "the node is silently ignored");
    }
    for (const name of node.properties.keys()) {
      if (name === "source-can-clean" && "source-can-clear" in forms) {
        this.#add("ignored", node, name, "a misspelling of source-can-clear", "ignored by the real Resource Manager; el2 accepts it");
      }
    }
    this.#known(node, forms, ["source-can-clean"]);
    this.#queue(node, type);
    this.#requests(node, type);
  }

  #queue(node: DevicetreeNode, type: string): void {
    const size = readCell(node, "message-size") ?? RPC_MESSAGE_SIZE;
    const depth = readCell(node, "queue-depth") ?? 8;
    if (type === "rm-rpc" && size !== RPC_MESSAGE_SIZE) {
      this.#add("changed", node, "message-size", `${size} is not 240`, "the queues use it, the Resource Manager's packets do not");
    }
    if (!("message-size" in VDEVICES[type])) return;
    if (size < 1 || size > MESSAGE_MAX) {
      this.#add("refused", node, "message-size", `${size} is outside 1..${MESSAGE_MAX}`, INIT_FAILS("NORESOURCE"));
    }
    if (depth < 1 || depth > DEPTH_MAX) {
      this.#add("refused", node, "queue-depth", `${depth} is outside 1..${DEPTH_MAX}`, INIT_FAILS("NORESOURCE"));
    }
  }

  /** Compatibles and interrupts. */
  #requests(node: DevicetreeNode, type: string): void {
    const most = type === "rm-rpc" ? RPC_PUSH_MAX : PUSH_MAX;
    const pushed = readStrings(node, "push-compatible")?.length ?? 0;
    if (pushed > most) {
      this.#add("refused", node, "push-compatible", `has ${pushed} strings, of ${most} at most`, INIT_FAILS("MEM_INVALID"));
    }
    if (!("interrupts" in VDEVICES[type]) || !node.properties.has("interrupts")) return;
    const cells = readCells(node, "interrupts") ?? [];
    const valid = cells.length > 0 && cells.length % 3 === 0 && cells.every((cell, index) => {
      return index % 3 === 0 ? cell <= 3 : index % 3 === 1 || (cell & 0xf) === 1 || (cell & 0xf) === 4;
    });
    if (!valid) {
      const what = "is not a list of (class 0..3, number, 1 edge or 4 level)";
      this.#add("ignored", node, "interrupts", what, "ignored; the Resource Manager chooses a vIRQ, edge-triggered");
    }
  }

  /** The requirements of VM_START on the rest of the tree. */
  #guest(): void {
    const hypervisor = findChild(this.root, "hypervisor");
    if (hypervisor !== undefined) this.#add("refused", hypervisor, undefined, "the Resource Manager creates /hypervisor", START_FAILS);
    if (findChild(this.root, "chosen") === undefined) this.#add("refused", this.root, undefined, "no /chosen", START_FAILS);
    const reserved = findChild(this.root, "reserved-memory");
    for (const child of reserved?.children ?? []) {
      if (child.properties.has("size") && !child.properties.has("reg")) continue;
      if (child.properties.has("qcom,label") || this.#isBuffer(child, reserved!) || this.rules.reservedMemory === "never") continue;
      if (isFence(this.root, child, reserved!)) {
        const what = "keeps the VM off memory that the Resource Manager adds below its RAM";
        this.#add(
          "refused",
          child,
          undefined,
          what,
          "needed with android15-6.6 and later; android14-6.1 has no parcel there, and refuses VM_START",
        );
        continue;
      }
      const what = "has no qcom,label: it must be exactly where a parcel of the VM lies";
      this.#add("refused", child, undefined, what, `without such a parcel ${START_FAILS}`);
    }
  }

  /** Whether a child of /reserved-memory is where a shm vdevice has its buffer. */
  #isBuffer(child: DevicetreeNode, reserved: DevicetreeNode): boolean {
    const base = firstAddress(child, reserved);
    return base !== undefined && bufferAddresses(this.root).includes(base);
  }

  /** The reader's verdict, if the findings so far do not include a refusal. */
  #asTheReaderSays(): void {
    let config: VmConfig;
    try {
      config = readVmConfig(this.root);
    } catch (failure) {
      if (!(failure instanceof Refusal)) throw failure;
      const path = typeof failure.values.path === "string" ? failure.values.path : "/gunyah-vm-config";
      const node = findNode(this.root, path) ?? this.root;
      const named = failure.values.property;
      const property = typeof named === "string" && node.properties.has(named) ? named : undefined;
      const about = Object.entries(failure.values).filter(([name, value]) => !["path", "property"].includes(name) && value !== undefined);
      const values = about.map(([name, value]) => `${name} ${typeof value === "bigint" ? `0x${value.toString(16)}` : value}`).join(", ");
      const what = values === "" ? failure.rule : `${failure.rule} (${values})`;
      return this.#add("refused", node, property, what, INIT_FAILS(rmErrorName(failure.error)));
    }
    const links = config.vdevices.filter(({ type }) => type === "rm-rpc");
    for (const { path } of links.slice(1)) {
      this.#add("refused", findNode(this.root, path)!, undefined, "a second rm-rpc: a VM has one link", INIT_FAILS("NORESOURCE"));
    }
    for (const { type, path } of config.vdevices) {
      if (type !== "vrtc-pl031") continue;
      this.#add("refused", findNode(this.root, path)!, "vdevice-type", "the platform has no virtual RTC", INIT_FAILS("NORESOURCE"));
    }
  }
}
