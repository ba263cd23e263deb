// Compares the machine of a VM with what its kernel will read: console= and earlycon= with the
// serial ports of the devicetree and the virtio consoles, /chosen with the ramdisk, and the ramdisk
// with its own end (Linux Documentation/admin-guide/serial-console.rst, initramfs buffer format).

import { readDevicetree } from "../../../machine/devicetree/reader.ts";
import { PPI, TIMER_PPIS } from "../../../machine/devicetree/gic.ts";
import { type DevicetreeNode, readCells } from "../../../machine/devicetree/tree.ts";
import type { BootFinding, NeededNode } from "../../../model/queries/facts/boot-finding.ts";
import { imageHeader, wholeSize } from "../../../inside/images/kernel-image.ts";
import { ramdiskDefect } from "../../../inside/images/ramdisk.ts";
import { FIRST_PPI } from "../../../machine/hardware/memory-map.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { GiB, KiB, MiB } from "../../../kit/support/values/sizes.ts";
import type { DevicePlan } from "../../../machine/virtio/plan.ts";

/** A VM before its start. */
export interface Bootable {
  /** Its devicetree, flattened. */
  readonly tree: Uint8Array;
  readonly devices: readonly DevicePlan[];
  /** Slots of virtio-mmio that its devicetree has to describe. */
  readonly slots: number;
  /** The ramdisk, and the address of its first byte. */
  readonly ramdisk: { readonly start: number; readonly bytes: Uint8Array } | undefined;
  /** The image of its first program. */
  readonly image: Uint8Array;
}

/** Prefixes of Linux's names for consoles, by a serial port's compatible. */
const SERIAL_NAMES: Readonly<Record<string, string>> = { "arm,pl011": "ttyAMA", "ns16550a": "ttyS", "ns16550": "ttyS" };
/** Consoles that need no port: virtual terminals, and none. */
const PORTLESS = /^(?:tty\d*|null|ttynull|netcon|pstore|ram|)$/;

interface Port {
  readonly name: string;
  readonly address: number;
  readonly kind: "PL011" | "16550";
  /** Bytes of a 16550's register. */
  readonly width: number;
}

/** Linux's drivers of early consoles for a port. */
const EARLY_DRIVERS: Readonly<Record<Port["kind"], readonly string[]>> = {
  "PL011": ["pl011"],
  "16550": ["uart8250", "uart", "ns16550", "ns16550a"],
};
/** Bytes of a register by the second word of an early console's argument. */
const WIDTHS: Readonly<Record<string, number>> = { mmio: 1, mmio16: 2, mmio32: 4, mmio32be: 4 };
/** An early console with an address: one of `earlycon`, or one of the driver of 16550s. */
const EARLY = /^(earlycon=|console=(?=uart))(\w+)(?:,(io|mmio\w*))?,(0x[0-9a-f]+|\d+)\b/i;

export function bootFindings({ tree: blob, devices, slots, ramdisk, image }: Bootable): BootFinding[] {
  const read = readDevicetree(blob);
  // Another tree than a flattened one is the guest's own affair.
  if (!read.ok) return [];
  const nodes = [...allNodes(read.tree.root)], chosen = nodes.find(({ name }) => name === "chosen");
  const words = textOf(chosen, "bootargs").split(/\s+/);
  const ports = serialPorts(nodes), header = imageHeader(image);
  return [
    ...consoles(words, ports, devices),
    ...earlyConsole(words, ports, textOf(chosen, "stdout-path") || textOf(chosen, "linux,stdout-path")),
    ...ramdisk ? ramdiskFindings(chosen, ramdisk) : [],
    ...undescribed(nodes, slots),
    // A Linux kernel has such a header.
    ...header
      ? [...imageCut(image), ...limited(words, header.imageSize), ...absentNodes(nodes), ...otherTimer(nodes), ...cpusNotStarted(nodes)]
      : [],
  ];
}

function* allNodes(node: DevicetreeNode): Generator<DevicetreeNode> {
  yield node;
  for (const child of node.children) yield* allNodes(child);
}

const strings = (node: DevicetreeNode | undefined, name: string) =>
  new TextDecoder().decode(node?.properties.get(name) ?? new Uint8Array()).split("\0").filter((text) => text !== "");
const textOf = (node: DevicetreeNode | undefined, name: string) => strings(node, name)[0] ?? "";
const isEnabled = (node: DevicetreeNode) => ["", "okay", "ok"].includes(textOf(node, "status"));

/** Serial ports in the order in which Linux numbers them, without aliases. */
function serialPorts(nodes: readonly DevicetreeNode[]): Port[] {
  const counts = new Map<string, number>();
  return nodes.filter(isEnabled).flatMap((node): Port[] => {
    const prefix = strings(node, "compatible").map((one) => SERIAL_NAMES[one]).find((one) => one !== undefined);
    if (prefix === undefined) return [];
    const index = counts.get(prefix) ?? 0, kind = prefix === "ttyAMA" ? "PL011" : "16550";
    counts.set(prefix, index + 1);
    const width = addressIn(node, "reg-io-width") ?? 1;
    return [{ name: `${prefix}${index}`, address: parseInt(node.name.split("@")[1] ?? "", 16), kind, width }];
  });
}

function consoles(words: readonly string[], ports: readonly Port[], devices: readonly DevicePlan[]): BootFinding[] {
  const named = words.filter((word) => word.startsWith("console=")).map((word) => word.slice("console=".length).split(",")[0]);
  const virtio = devices.flatMap((device) => device.kind === "console" ? device.ports : []).map((_, index) => `hvc${index}`);
  const has = [...ports.map(({ name }) => name), ...virtio];
  const known = (name: string) => has.includes(name) || PORTLESS.test(name) || /^uart/.test(name);
  return named.length > 0 && !named.some(known) ? [{ code: "console-absent", named, has }] : [];
}

function earlyConsole(words: readonly string[], ports: readonly Port[], path: string): BootFinding[] {
  return words.flatMap((word): BootFinding[] => {
    if (word === "earlycon") return path === "" ? [{ code: "earlycon-without-path" }] : [];
    const [, parameter, driver, access, address] = EARLY.exec(word) ?? [];
    if (address === undefined) return [];
    const port = ports.find((port) => port.address === Number(address));
    if (port) return otherDriver(word, driver, access, port);
    return parameter === "earlycon=" ? [{ code: "earlycon-absent", argument: word, has: ports.map((port) => hex(port.address)) }] : [];
  });
}

/** An early console for another port than the one at its address. */
function otherDriver(argument: string, driver: string, access: string | undefined, { kind, address, width }: Port): BootFinding[] {
  const isDriver = EARLY_DRIVERS[kind].includes(driver), isWidth = kind === "PL011" || (WIDTHS[access ?? "mmio"] ?? 0) === width;
  if (isDriver && isWidth) return [];
  const at = hex(address), mmio = Object.keys(WIDTHS).find((name) => WIDTHS[name] === width) ?? "mmio";
  const port = isDriver ? `${kind} with registers of ${width} ${width === 1 ? "byte" : "bytes"}` : kind;
  const named = kind === "PL011" ? `earlycon=pl011,${at}` : `earlycon=uart8250,${mmio},${at}`;
  return [{ code: "earlycon-driver", argument, port, address: at, use: `earlycon without arguments, or ${named}` }];
}

/** An address of one or two cells. */
function addressIn(node: DevicetreeNode | undefined, name: string): number | undefined {
  const bytes = node?.properties.get(name);
  if (!bytes || bytes.length !== 4 && bytes.length !== 8) return undefined;
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function ramdiskFindings(chosen: DevicetreeNode | undefined, { start, bytes }: NonNullable<Bootable["ramdisk"]>): BootFinding[] {
  const place = { start: hex(start), end: hex(start + bytes.length) };
  const from = addressIn(chosen, "linux,initrd-start"), to = addressIn(chosen, "linux,initrd-end");
  const found = ramdiskDefect(bytes), defects = found ? [found] : [];
  if (from === undefined || to === undefined) return [{ code: "ramdisk-not-named", ...place }, ...defects];
  const isThere = from === start && to >= start + bytes.length;
  return [...isThere ? [] : [{ code: "ramdisk-elsewhere" as const, ...place, named: `${hex(from)}..${hex(to)}` }], ...defects];
}

/** Of an Image that is shorter than its own header says. */
function imageCut(image: Uint8Array): BootFinding[] {
  const whole = wholeSize(image);
  return whole !== undefined && image.length < whole ? [{ code: "image-cut", size: image.length, whole }] : [];
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: KiB, m: MiB, g: GiB };

/** `mem=` below the bytes of the image. */
function limited(words: readonly string[], needs: number): BootFinding[] {
  const argument = words.findLast((word) => word.startsWith("mem="));
  const [, number, unit] = /^mem=(0x[0-9a-f]+|\d+)([kmg]?)$/i.exec(argument ?? "") ?? [];
  if (argument === undefined || number === undefined || Number(number) * UNITS[unit.toLowerCase()] >= needs) return [];
  return [{ code: "memory-limited", argument, needs }];
}

const TIMER = /^arm,armv[78]-timer/;
/** Cells of an interrupt without an affinity, and which of the timer's is the virtual one. */
const CELLS = 3, VIRTUAL = 2;

function otherTimer(nodes: readonly DevicetreeNode[]): BootFinding[] {
  const node = nodes.find((one) => strings(one, "compatible").some((text) => TIMER.test(text)));
  const interrupts = node && readCells(node, "interrupts") || [], [kind, ppi] = interrupts.slice(CELLS * VIRTUAL);
  // An interrupt of four cells has an affinity as its fourth.
  if (interrupts.length % CELLS !== 0 || interrupts.length < CELLS * (VIRTUAL + 1) || kind !== PPI) return [];
  const is = TIMER_PPIS[VIRTUAL];
  return ppi === is ? [] : [{ code: "timer-elsewhere", named: FIRST_PPI + ppi, is: FIRST_PPI + is }];
}

/** Nodes that a kernel needs, by compatible; memory by the beginning of its name. */
const NEEDED: readonly (readonly [NeededNode, RegExp])[] = [
  ["memory", /^memory(?:@|$)/],
  ["interrupt controller", /^arm,(?:gic-v[345]|cortex-a15-gic|gic-400)$/],
  ["timer", TIMER],
  ["cpu", /^cpu@/],
  ["psci", /^arm,psci/],
];

function absentNodes(nodes: readonly DevicetreeNode[]): BootFinding[] {
  return NEEDED.flatMap(([node, pattern]): BootFinding[] => {
    const has = nodes.some((one) => pattern.test(one.name) || strings(one, "compatible").some((text) => pattern.test(text)));
    return has ? [] : [{ code: "node-absent", node }];
  });
}

/** CPUs after the first that PSCI does not start. */
function cpusNotStarted(nodes: readonly DevicetreeNode[]): BootFinding[] {
  const cpus = nodes.filter((node) => textOf(node, "device_type") === "cpu" && isEnabled(node)).slice(1);
  const methods = Map.groupBy(cpus, (node) => textOf(node, "enable-method"));
  methods.delete("psci");
  return [...methods].map(([method, found]) => ({ code: "cpus-not-started", cpus: found.map(({ name }) => name), method: method || null }));
}

/** Slots of virtio-mmio that the tree does not have. */
function undescribed(nodes: readonly DevicetreeNode[], slots: number): BootFinding[] {
  const found = nodes.filter((node) => strings(node, "compatible").includes("virtio,mmio")).length;
  return found < slots ? [{ code: "devices-not-described", devices: slots, nodes: found }] : [];
}
