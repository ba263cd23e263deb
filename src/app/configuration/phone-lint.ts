// Rules of `el2 vm lint` about phones, and about the trees that VMMs write for them
// (docs/spec/phones.md §A4 and §C). Each rule has a name, which its tests use.

import { PPI, SPI } from "../../machine/devicetree/gic.ts";
import {
  cellSizes,
  type DevicetreeNode,
  findChild,
  findNode,
  readCell,
  readCells,
  readNumber,
  readRanges,
  readString,
  readStrings,
  walk,
} from "../../machine/devicetree/tree.ts";

export const PHONE_RULES = [
  ...["tree-size", "memory-ranges", "newer-property", "pool-alignment", "pool-vdevice", "pool-buffer", "default-pool", "pool-unused"],
  ...["no-fence", "ram-below", "gic-order", "initrd-alignment", "serial-level", "clock-missing", "ppi-bell", "message-parent"],
  ...["bell-label", "size-max"],
] as const;
export type PhoneRule = typeof PHONE_RULES[number];

/** A finding of one of them. */
interface PhoneFinding {
  readonly rule: PhoneRule;
  readonly kind: "changed" | "ignored";
  readonly node: DevicetreeNode;
  readonly property: string | undefined;
  readonly what: string;
  readonly does: string;
}

/** Bytes that EDK2 on phones has for its copy of the devicetree (docs/spec/phones.md §C6). */
const EDK2_TREE_SIZE = 0x8000;
/** Pools for DMA are aligned for the largest pages of guests. */
const POOL_ALIGNMENT = 0x1_0000;
/** The pool that crosvm adds to VMs that are not unprotected (§A4). */
const DEFAULT_POOL = 0x400_0000n;
/** Where the Resource Manager of later drivers adds memory to a VM. */
const LOW_MEMORY = 0x4000_0000n;
/** crosvm's RAM, and the alignment of its initial ramdisk (§C1). */
const CROSVM_RAM = 0x8000_0000n;
const INITRD_ALIGNMENT = 0x100_0000n;
/** Trigger of an interrupt specifier: edges. */
const EDGES = 3;
const TRIGGER = 0xf;

/** First address of a node's `reg`. */
export function firstAddress(child: DevicetreeNode, parent: DevicetreeNode): bigint | undefined {
  return rangesOf(child, parent)[0]?.address;
}

function rangesOf(child: DevicetreeNode, parent: DevicetreeNode) {
  const { addressCells, sizeCells } = cellSizes(parent);
  return readRanges(child, "reg", addressCells, sizeCells) ?? [];
}

/** Addresses of the buffers of shm vdevices that have one. */
export function bufferAddresses(root: DevicetreeNode): bigint[] {
  return [...walk(root)].flatMap(({ node }) => {
    const memory = readString(node, "vdevice-type") === "shm" ? findChild(node, "memory") : undefined;
    const base = memory && readNumber(memory, "base", readCell(memory, "#address-cells") ?? cellSizes(node).addressCells);
    return base === undefined ? [] : [base];
  });
}

/** Whether a child of /reserved-memory lies between 1 GiB and the RAM. */
export function isFence(root: DevicetreeNode, child: DevicetreeNode, reserved: DevicetreeNode): boolean {
  const base = firstAddress(child, reserved), memory = findChild(root, "memory");
  const ram = memory && firstAddress(memory, root);
  return base !== undefined && ram !== undefined && base >= LOW_MEMORY && base < ram && child.properties.has("no-map");
}

/**
 * Checks a tree.
 * @param size bytes of the blob
 * @param onDemand whether the Resource Manager of the phone adds memory below the RAM
 */
export function lintPhone(root: DevicetreeNode, size: number, onDemand: boolean): PhoneFinding[] {
  return [...firmwareRules(root, size), ...poolRules(root), ...fenceRule(root, onDemand), ...platformRules(root), ...configRules(root)];
}

const changed = (rule: PhoneRule, node: DevicetreeNode, property: string | undefined, what: string, does: string): PhoneFinding => {
  return { rule, kind: "changed", node, property, what, does };
};

function* firmwareRules(root: DevicetreeNode, size: number): Generator<PhoneFinding> {
  if (size > EDK2_TREE_SIZE) {
    const does = `EDK2 copies it to a place for ${EDK2_TREE_SIZE} bytes, and overruns that`;
    yield changed("tree-size", root, undefined, `the devicetree has ${size} bytes`, does);
  }
  const { addressCells, sizeCells } = cellSizes(root);
  const memory = findChild(root, "memory");
  const cells = (memory && readCells(memory, "reg"))?.length ?? 0;
  if (memory && cells > addressCells + sizeCells) {
    yield changed("memory-ranges", memory, "reg", "has several ranges", "EDK2 uses the first one only");
  }
}

function* poolRules(root: DevicetreeNode): Generator<PhoneFinding> {
  const reserved = findChild(root, "reserved-memory");
  const nodes = [...walk(root)].map(({ node }) => node);
  for (const pool of reserved?.children ?? []) {
    if (!readStrings(pool, "compatible")?.includes("restricted-dma-pool")) continue;
    const alignment = readNumber(pool, "alignment", readCells(pool, "alignment")?.length ?? 1);
    if (alignment !== undefined && Number(alignment) % POOL_ALIGNMENT !== 0) {
      const what = `is not a multiple of 0x${POOL_ALIGNMENT.toString(16)}`;
      yield changed("pool-alignment", pool, "alignment", what, "guests with 64 KiB pages cannot use the pool; crosvm aligns all pools so");
    }
    const named = nodes.some((node) => readString(node, "vdevice-type") === "shm");
    const place = firstAddress(pool, reserved!), buffers = bufferAddresses(root);
    if (place !== undefined && !named) {
      const does = "phones with android14-6.1 refuse its parcel at VM_START";
      yield changed("pool-vdevice", pool, undefined, "no shm vdevice is for this pool", does);
    } else if (place !== undefined && buffers.length > 0 && !buffers.includes(place)) {
      const what = `no shm vdevice has its buffer at 0x${place.toString(16)}`;
      yield changed("pool-buffer", pool, "reg", what, "the parcel is elsewhere than the pool: phones with android14-6.1 refuse VM_START");
    }
    const config = findNode(root, "/gunyah-vm-config/memory");
    const bytes = rangesOf(pool, reserved!)[0]?.size ?? readNumber(pool, "size", readCells(pool, "size")?.length ?? 1);
    if (bytes === DEFAULT_POOL && config && !config.properties.has("firmware-address")) {
      const what = "is the pool of 64 MiB that crosvm adds by default, and the VM has no firmware";
      yield changed("default-pool", pool, undefined, what, "a VM that shares its RAM bounces all DMA through it; tell crosvm --swiotlb 0");
    }
    const phandle = readCell(pool, "phandle");
    for (const node of nodes) {
      const host = readString(node, "device_type") === "pci" || readStrings(node, "compatible")?.includes("virtio,mmio");
      if (!host || phandle !== undefined && readCells(node, "memory-region")?.includes(phandle)) continue;
      const does = "the guest's driver does not use the pool: queues and buffers lie in memory that a protected VM lends";
      yield changed(
        "pool-unused",
        node,
        node.properties.has("memory-region") ? "memory-region" : undefined,
        "does not name the pool",
        does,
      );
    }
  }
}

function* fenceRule(root: DevicetreeNode, onDemand: boolean): Generator<PhoneFinding> {
  const memory = findChild(root, "memory"), reserved = findChild(root, "reserved-memory");
  const ram = memory && firstAddress(memory, root);
  if (!onDemand || memory === undefined || ram === undefined || ram <= LOW_MEMORY) return;
  if (reserved?.children.some((child) => isFence(root, child, reserved))) return;
  const does = "the Resource Manager of android15-6.6 and later adds memory there, which cannot be executed, and the guest uses it";
  yield changed("no-fence", memory, undefined, "no node of /reserved-memory keeps the guest off the memory from 0x40000000 up", does);
}

/** Rules of the platform that crosvm builds (§C1 to §C3). */
function* platformRules(root: DevicetreeNode): Generator<PhoneFinding> {
  const nodes = [...walk(root)].map(({ node }) => node);
  const crosvm = nodes.some((node) => readString(node, "image-name") === "crosvm-vm");
  const memory = findChild(root, "memory"), low = memory && rangesOf(memory, root).find(({ address }) => address < CROSVM_RAM);
  const firmware = findNode(root, "/gunyah-vm-config/memory")?.properties.has("firmware-address");
  if (crosvm && memory && low && !firmware) {
    const what = `has RAM at 0x${low.address.toString(16)}`;
    yield changed(
      "ram-below",
      memory,
      "reg",
      what,
      "crosvm has none below 0x80000000: devices, or memory of the Resource Manager, lie there",
    );
  }
  const chosen = findChild(root, "chosen");
  const initrd = chosen && readNumber(chosen, "linux,initrd-start", readCells(chosen, "linux,initrd-start")?.length ?? 1);
  if (crosvm && chosen && initrd !== undefined && initrd % INITRD_ALIGNMENT !== 0n) {
    const what = `0x${initrd.toString(16)} is not a multiple of 16 MiB`;
    yield changed("initrd-alignment", chosen, "linux,initrd-start", what, "crosvm does not put an initial ramdisk there");
  }
  for (const node of nodes) {
    const compatible = readStrings(node, "compatible") ?? [], interrupts = readCells(node, "interrupts") ?? [];
    const [kind, number, trigger] = interrupts;
    const gic = compatible.includes("arm,gic-v3") ? rangesOf(node, root) : [];
    if (crosvm && gic.length > 1 && gic[1].address + gic[1].size !== gic[0].address) {
      yield changed(
        "gic-order",
        node,
        "reg",
        "the redistributors do not end at the distributor",
        "crosvm places them there, for each vCPU",
      );
    }
    if (compatible.includes("ns16550a") && trigger !== undefined && (trigger & TRIGGER & EDGES) === 0) {
      yield changed("serial-level", node, "interrupts", "is level-triggered", "crosvm's irqfd is an edge: the guest waits for a level");
    }
    const clocked = readString(node, "clock-names") === "apb_pclk" || compatible.some((name) => name.startsWith("arm,pl"));
    if (compatible.includes("arm,primecell") && clocked && !node.properties.has("clocks")) {
      yield changed("clock-missing", node, "clocks", "has no clock apb_pclk", "Linux does not probe the device");
    }
    if (compatible.includes("qemu,vcpu-stall-detector") && kind === PPI) {
      const what = `names PPI ${number}`;
      yield changed("ppi-bell", node, "interrupts", what, `the VMM rings a doorbell, which is SPI ${number}: the first expiry is not seen`);
    }
    for (const property of ["msi-parent", "msi-map"]) {
      if (!node.properties.has(property)) continue;
      yield changed("message-parent", node, property, "asks for messages", "Gunyah and GenieZone have no ITS: devices have INTx alone");
    }
  }
}

/** Rules of the gunyah-vm-config that crosvm writes (§C4), and of newer builds. */
function* configRules(root: DevicetreeNode): Generator<PhoneFinding> {
  const config = findNode(root, "/gunyah-vm-config");
  const vcpus = config && findChild(config, "vcpus");
  if (vcpus?.properties.has("no-timer-wakeups")) {
    const rest = { property: "no-timer-wakeups", what: "is a property of newer builds", does: 'ignored unless [machine] abi = "newer"' };
    yield { rule: "newer-property", kind: "ignored", node: vcpus, ...rest };
  }
  for (const { node } of walk(root)) {
    if (readString(node, "vdevice-type") !== "doorbell") continue;
    const name = /^\/hypervisor\/bell-([0-9a-f]+)$/.exec(readString(node, "generate") ?? "")?.[1];
    const label = readCell(node, "label"), [kind, spi] = readCells(node, "interrupts") ?? [];
    if (name === undefined || label === undefined || kind !== SPI || label === spi) continue;
    yield changed("bell-label", node, "label", `${label} is not the interrupt, SPI ${spi}`, "crosvm's irqfd finds its doorbell by the SPI");
  }
  const memory = findChild(root, "memory"), span = config && findChild(config, "memory");
  if (config === undefined || memory === undefined || span === undefined) return;
  const { addressCells, sizeCells } = cellSizes(config);
  const base = readNumber(span, "base-address", addressCells), most = readNumber(span, "size-max", sizeCells);
  if (base === undefined || most === undefined) return;
  const beyond = rangesOf(memory, root).find(({ address, size }) => address >= base && address + size > base + most);
  if (beyond === undefined) return;
  const what = `ends before the RAM at 0x${beyond.address.toString(16)}`;
  yield changed("size-max", span, "size-max", what, "it is the span of the VM's addresses: phones answer MEM_INVALID for parcels beyond");
}
