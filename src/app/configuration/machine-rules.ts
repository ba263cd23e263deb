// The rules between the keys of a machine, its host, VMs and links: what each key needs, which
// values fit together, and which may occur only once.

import { GH } from "../../machine/abi/ioctl/gunyah.ts";
import { PERSONAS } from "../../machine/abi/ioctl/personas.ts";
import { rulesOf } from "../../machine/host/interface.ts";
import { DEFAULT_BEHAVIOUR } from "../../machine/hypervisor/options.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PLATFORM_MEMORY } from "../../machine/hardware/memory-map.ts";
import { DEFAULT_HOST_MEMORY, TAKEN_NAMES, VM_NAME, VM_NAME_MAX } from "../../model/plans/limits.ts";
import { type ConfigFact, ruled } from "../../model/plans/config-fact.ts";
import { FIRST_CID, PRIMARY_CID } from "../../model/plans/plan.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { needsOf } from "./keys/key.ts";
import { meets, needFact } from "./keys/needs.ts";
import { VM } from "./keys/vm.ts";
import type { File, FileDevice, FileLink, FileVm } from "./schema.ts";

/** Where a key is: the names of the tables that it is in, and its own. */
type KeyPath = readonly (string | number)[];

/** Collects what is wrong. */
export interface KeyErrors {
  atKey(path: KeyPath, fact: ConfigFact): void;
  atValue(path: KeyPath, fact: ConfigFact): void;
}

/** Keys whose values are wrong by themselves, so that nothing follows from them. */
export interface UnknownKeys {
  /** Whether one of these keys, or something in them, is wrong. */
  has(...keys: readonly KeyPath[]): boolean;
}

/** A file, and the keys whose values are not known. */
interface Known {
  readonly file: File;
  readonly spoilt: UnknownKeys;
}

export const NO_VM = ruled("no VM", "add [vm.NAME] with a kernel or an image");

/** Checks the rules between keys. */
export function checkMachine({ file, spoilt }: Known, errors: KeyErrors): void {
  if (file.rm.kind === "image" && !spoilt.has(["rm"]) && file.machine.hypervisor_node !== DEFAULT_BEHAVIOUR.hypervisorNode) {
    const wayOut = 'remove it with [rm] kind = "image"', needs = "the native Resource Manager";
    errors.atValue(["machine", "hypervisor_node"], { code: "needs", what: "hypervisor_node", needs, wayOut });
  }
  if (file.host.kind === "image") checkPrimary(file, errors);
  else checkVms({ file, spoilt }, errors);
}

/** Keys of [machine] by which a VM asks el2's own hypervisor. */
const ASKS_HYPERVISOR = ["geniezone", "pv_time"] as const;

/** An image as the primary VM makes its own VMs. */
function checkPrimary({ vm, link, host, machine }: File, errors: KeyErrors): void {
  for (const key of host.el2 === undefined ? [] : ASKS_HYPERVISOR) {
    const needs = "el2's own hypervisor, which [host] el2 replaces";
    if (machine[key]) errors.atValue(["machine", key], { code: "needs", what: key, needs, wayOut: "remove it" });
  }
  const way = 'remove it, or use [host] kind = "native"';
  for (const name of Object.keys(vm)) errors.atKey(["vm", name], ruled("the primary VM is an image, which creates its own VMs", way));
  for (const name of Object.keys(link)) errors.atKey(["link", name], ruled("links connect VMs of the native host", way));
  if (host.platform_devices?.includes("pvpanic") && host.bus !== "pci") {
    errors.atValue(["host", "platform_devices"], ruled("pvpanic is a function of the PCI host", 'add bus = "pci"'));
  }
  checkConsoles(["host"], host, errors);
  checkContextIds([{ path: ["host"], host, cid: PRIMARY_CID, owner: "the primary VM" }], errors);
}

function checkVms({ file, spoilt }: Known, errors: KeyErrors): void {
  // Without a known number of CPUs, none is out of range.
  const cpus = spoilt.has(["machine", "cpus"]) ? Infinity : file.machine.cpus;
  const vms = Object.entries(file.vm);
  if (vms.length === 0 && !spoilt.has(["vm"])) errors.atKey(["vm"], NO_VM);
  if (file.machine.geniezone) {
    const wayOut = "the native host has /dev/gzvm with [host] gzvm = true";
    errors.atValue(["machine", "geniezone"], { code: "needs", what: "geniezone", needs: '[host] kind = "image"', wayOut });
  }
  if (file.host.vcpus !== undefined && file.host.vcpus > cpus) {
    errors.atValue(["host", "vcpus"], { code: "over", key: "vcpus", count: file.host.vcpus, cpus });
  }
  for (const [name, vm] of vms) {
    checkName(name, errors);
    checkVm(name, vm, { cpus, spoilt }, errors);
    if (!spoilt.has(["vm", name, "memory"], ["vm", name, "base"])) checkBase(name, vm, 2 ** file.machine.ipa_bits, errors);
    checkStart(name, vm.start, file, errors);
    checkDriver(name, vm, { file, spoilt }, errors);
    if (vm.hypervisor === "geniezone" && !file.host.gzvm && !spoilt.has(["host", "gzvm"])) {
      errors.atValue(["vm", name, "hypervisor"], {
        code: "needs",
        what: 'hypervisor "geniezone"',
        needs: "/dev/gzvm",
        wayOut: "add gzvm = true to [host]",
      });
    }
    checkConsoles(["vm", name], vm, errors);
  }
  if (vms.some(([, { msi }]) => msi === "its") && file.rm.kind === "image" && !spoilt.has(["rm"])) {
    const wayOut = 'use msi = "gicv2m"';
    errors.atValue(["rm", "kind"], { code: "needs", what: 'msi = "its"', needs: '[rm] kind = "native"', wayOut });
  }
  checkVariables(vms, errors);
  checkMemory({ file, spoilt }, errors);
  checkContextIds(
    vms.map(([name, host], index) => ({
      path: ["vm", name],
      host,
      cid: FIRST_CID + index,
      owner: `vm ${JSON.stringify(name)}`,
    })),
    errors,
  );
  checkLinks(Object.entries(file.link), file, errors);
}

/** The name of a VM in ids, and of its threads and processes. */
function checkName(name: string, errors: KeyErrors): void {
  if (!VM_NAME.test(name)) errors.atKey(["vm", name], { code: "name", of: "vm", name });
  if (TAKEN_NAMES.includes(name)) errors.atKey(["vm", name], ruled(`every machine has a VM ${JSON.stringify(name)}`, "use another name"));
  if (new TextEncoder().encode(name).length > VM_NAME_MAX) errors.atKey(["vm", name], ruled(`vm name is longer than ${VM_NAME_MAX} bytes`));
}

/** The memory of the machine is that of its host and VMs. */
function checkMemory({ file, spoilt }: Known, errors: KeyErrors): void {
  const vms = Object.entries(file.vm);
  const buffers = Object.values(file.link).reduce((sum, link) => link.kind === "shm" ? sum + link.size : sum, 0);
  const needed = vms.reduce((sum, [, vm]) => sum + ramOf(vm) + firmwareRoom(vm), (file.host.memory ?? DEFAULT_HOST_MEMORY) + buffers);
  const unknown = spoilt.has(["machine", "memory"], ["host", "memory"], ...vms.map(([name]) => ["vm", name, "memory"]));
  const has = formatSize(file.machine.memory);
  if (file.machine.memory < MINIMUM_PLATFORM_MEMORY && !unknown) {
    const range = `${formatSize(MINIMUM_PLATFORM_MEMORY)}..${formatSize(MAXIMUM_PRIMARY_MEMORY)}`;
    errors.atValue(["machine", "memory"], { code: "value", key: "memory", shown: `"${has}"`, fact: { code: "outside", range } });
  } else if (needed > file.machine.memory && !unknown) {
    const what = `memory "${has}" is under the ${formatSize(needed)} that host and VMs need together`;
    errors.atValue(["machine", "memory"], ruled(what, `use [machine] memory = "${formatSize(needed)}" or more`));
  }
}

/** Consoles of one VM have different names. */
function checkConsoles(path: KeyPath, { devices = [] }: { readonly devices?: readonly FileDevice[] }, errors: KeyErrors): void {
  const names = new Set<string>();
  devices.forEach((device, index) => {
    if (device.kind !== "console") return;
    for (const port of device.ports) {
      if (names.has(port)) {
        const way = 'give each console its own ports, such as ports = ["log"]';
        errors.atValue([...path, "devices", index, "ports"], ruled(`there is a console ${JSON.stringify(port)} already`, way));
      }
      names.add(port);
    }
  });
}

/** The devices of a VM, and the context id that those without one get. */
interface CidOwner {
  readonly path: KeyPath;
  readonly owner: string;
  /** The table that has the devices. */
  readonly host: { readonly devices?: readonly FileDevice[] };
  readonly cid: number;
}

/** Context ids of devices: the network of sockets has each once. */
function checkContextIds(owners: readonly CidOwner[], errors: KeyErrors): void {
  const users = new Map<number, string>();
  for (const { path, owner, host: { devices = [] }, cid: usual } of owners) {
    devices.forEach((device, index) => {
      if (device.kind !== "vsock") return;
      const { cid = usual } = device, other = users.get(cid);
      if (other !== undefined) {
        const at = [...path, "devices", index, device.cid === undefined ? "kind" : "cid"];
        errors.atValue(at, ruled(`cid ${cid} is already that of ${other}`, "change one"));
      }
      users.set(cid, owner);
    });
  }
}

/** A VM's RAM and windows are in its addresses, which end at `limit`, one after the other. */
function checkBase(name: string, { base, memory, windows = [], ...vm }: FileVm, limit: number, errors: KeyErrors): void {
  const end = Math.min(limit, base + (vm.size_max ?? Infinity));
  if (base + memory > limit) {
    const what = `base ${hex(base)} leaves no room for ${formatSize(memory)}`;
    return errors.atValue(["vm", name, "base"], ruled(what, `use at most ${hex(limit - memory)}`));
  }
  let free = base + memory;
  for (const [index, window] of windows.entries()) {
    const at = ["vm", name, "windows", index];
    if (window.base < free) {
      const wayOut = `begin at ${hex(free)} or above, in ascending order`;
      errors.atValue(at, ruled(`the window at ${hex(window.base)} overlaps the RAM below it`, wayOut));
    } else if (window.base + window.size > end) {
      const wayOut = limit < 2 ** 40 ? "[machine] ipa_bits = 40 has addresses up to 0xffffffffff" : undefined;
      errors.atValue(at, ruled(`the window at ${hex(window.base)} ends above ${hex(end)}`, wayOut));
    }
    free = window.base + window.size;
  }
}

/** A file of variables has one writer. */
function checkVariables(vms: readonly (readonly [string, FileVm])[], errors: KeyErrors): void {
  for (const [index, [name, { bios_vars: path }]] of vms.entries()) {
    const other = path === undefined ? undefined : vms.slice(0, index).find(([, vm]) => vm.bios_vars === path)?.[0];
    if (other !== undefined) {
      errors.atValue(["vm", name, "bios_vars"], ruled(`vm ${JSON.stringify(other)} keeps its variables there`, "use another file"));
    }
  }
}

function checkVm(
  name: string,
  vm: FileVm,
  { cpus, spoilt }: { readonly cpus: number; readonly spoilt: UnknownKeys },
  errors: KeyErrors,
): void {
  const path = ["vm", name];
  const unknown = (...keys: string[]) => spoilt.has(...keys.map((key) => [...path, key]));
  if (vm.kernel === undefined && vm.image === undefined && vm.bios === undefined && !unknown("kernel", "image", "bios")) {
    errors.atKey(path, { code: "needs", what: `vm ${JSON.stringify(name)}`, needs: "a kernel or an image" });
  }
  if (vm.kernel !== undefined && vm.image !== undefined) {
    const wayOut = "use kernel for Linux, image for bare metal";
    errors.atKey([...path, "image"], ruled("image and kernel are mutually exclusive", wayOut));
  }
  if (vm.bios !== undefined && (vm.kernel ?? vm.image) !== undefined) {
    errors.atKey([...path, "bios"], ruled("bios replaces kernel and image", "remove it, or them"));
  }
  for (const [key, need] of needsOf(VM)) {
    const { value, when = {}, keys } = need, given = vm[key as keyof FileVm];
    if (given === undefined || value !== undefined && given !== value || !meets(vm, when) || meets(vm, keys)) continue;
    if (unknown(...Object.keys({ ...when, ...keys }))) continue;
    if (value === undefined) errors.atKey([...path, key], needFact(key, need));
    else errors.atValue([...path, key], needFact(key, need));
  }
  checkBoard(path, vm, errors);
  if (vm.schedule === "own") checkOwnSchedule(path, unknown("vcpus") ? undefined : vm.vcpus, vm, cpus, errors);
  if (vm.vcpus > cpus) {
    errors.atValue([...path, "vcpus"], { code: "over", key: "vcpus", count: vm.vcpus, cpus });
  }
}

/** Bytes of a VM's RAM. */
function ramOf({ memory, windows = [] }: FileVm): number {
  return windows.reduce((sum, { size }) => sum + size, memory);
}

/** Bytes of a VM's memory besides its RAM. */
function firmwareRoom(vm: FileVm): number {
  return rulesOf(vm).room({ isProtected: vm.type === "protected", hasBios: vm.bios !== undefined });
}

/** Values that do not fit the board of a VM. */
function checkBoard(path: KeyPath, vm: FileVm, errors: KeyErrors): void {
  const { platform } = vm, { ports, ram, movesRam } = rulesOf(vm);
  if (vm.base !== ram && !movesRam) {
    errors.atValue([...path, "base"], ruled(`the RAM of platform "${platform}" begins at 0x${ram.toString(16)}`, "remove base"));
  }
  if (ports === undefined) return;
  vm.devices?.forEach(({ kind }, index) => {
    if (kind !== "pl011") return;
    errors.atValue([...path, "devices", index, "kind"], ruled(`platform "${platform}" has ${ports}`, "remove it"));
  });
}

/** A driver without RUN has no VMs whose vCPUs their owner runs. */
function checkDriver(name: string, vm: FileVm, { file: { host }, spoilt }: Known, errors: KeyErrors): void {
  const { device } = host;
  const unknown = spoilt.has(["host", "device"], ["vm", name, "schedule"], ["vm", name, "hypervisor"]);
  const { functions, requests } = PERSONAS[device];
  if (vm.windows !== undefined && !unknown && vm.hypervisor === "gunyah" && PERSONAS[device].memory.given !== "on-demand") {
    const why = "gives memory in parcels, which the Resource Manager places one after the other";
    errors.atKey(["vm", name, "windows"], ruled(`device "${device}" ${why}`, 'windows need device = "v17" or later'));
  }
  const rules = rulesOf(vm), { vmm } = rules, inFlash = vm.bios !== undefined && rules.bios === "flash" && vm.hypervisor === "gunyah";
  if (inFlash && !unknown && PERSONAS[device].memory.given !== "on-demand") {
    const what = `device "${device}" gives memory in parcels, which are never flash`;
    errors.atKey(["vm", name, "bios"], ruled(what, 'use the default, "union"'));
  }
  const regions = requests.includes(GH.SET_USER_MEM_REGION) || device === "legacy";
  if (vmm !== undefined && !unknown && vm.hypervisor === "gunyah" && functions && !regions) {
    const what = `device "${device}" has no SET_USER_MEM_REGION, by which ${vmm} gives memory`;
    errors.atValue(["host", "device"], ruled(what, 'use "v14"'));
  }
  if (unknown || vm.hypervisor === "geniezone" || vm.schedule === "own" || functions !== undefined) return;
  errors.atValue(
    ["host", "device"],
    ruled(`device "${device}" has no ioctl to run vCPUs`, `give vm ${JSON.stringify(name)} schedule = "own" and devices = []`),
  );
}

/** `start = "after:NAME"`: another VM, which does not wait for this one in turn. */
function checkStart(name: string, start: string, { vm: vms }: File, errors: KeyErrors): void {
  const path = ["vm", name, "start"];
  const other = afterOf(start);
  if (other === undefined) return;
  if (!Object.hasOwn(vms, other)) {
    return errors.atValue(path, { code: "no-vm", vm: other, known: Object.keys(vms) });
  }
  const seen = [name];
  for (let next: string | undefined = other; next !== undefined; next = afterOf(vms[next]?.start ?? "auto")) {
    if (next === name) {
      return errors.atValue(path, ruled(`start ${JSON.stringify(start)} waits for itself: ${[...seen, name].join(" -> ")}`));
    }
    if (seen.includes(next)) return;
    seen.push(next);
  }
}

/** The VM that a VM waits for, by its `start`. */
export function afterOf(start: string): string | undefined {
  return start.startsWith("after:") ? start.slice("after:".length) : undefined;
}

/** Ports of a console on a virtio-mmio object, which has 16 queues, two of them for control. */
export const OBJECT_PORTS = 7;

function checkOwnSchedule(path: KeyPath, vcpus: number | undefined, vm: FileVm, cpus: number, errors: KeyErrors): void {
  const map = vm.affinity_map;
  if (map !== undefined && map.length !== (vcpus ?? map.length)) {
    const entries = `${map.length} ${map.length === 1 ? "entry" : "entries"}`;
    errors.atValue([...path, "affinity_map"], ruled(`affinity_map has ${entries} for ${vcpus} vcpus`, "name a physical CPU for each"));
  }
  map?.forEach((cpu, index) => {
    if (cpu < cpus) return;
    const what = `affinity_map names CPU ${cpu}; [machine] has ${cpus}`;
    errors.atValue([...path, "affinity_map", index], ruled(what, `use 0..${cpus - 1}`));
  });
  vm.devices?.forEach((device, index) => {
    const place = [...path, "devices", index, "kind"];
    if (device.kind === "pl011") {
      const needs = 'schedule = "proxy"; nothing handles device accesses of a VM that the hypervisor schedules';
      errors.atValue(place, { code: "needs", what: "a pl011", needs, wayOut: 'use { kind = "console" }' });
    } else if (device.kind === "console" && device.ports.length > OBJECT_PORTS) {
      const what = `a console of ${device.ports.length} ports has more queues than an object of the hypervisor's`;
      errors.atValue(place, ruled(what, `use ${OBJECT_PORTS}`));
    }
  });
}

/** Names that `link` mentions, with the keys that hold them. */
function linkEnds(link: FileLink): { vm: string; key: KeyPath }[] {
  if (link.kind === "msgqueue-pair") return link.between.map((vm, index) => ({ vm, key: ["between", index] }));
  if (link.kind === "shm") return Object.keys(link.access).map((vm) => ({ vm, key: ["access", vm] }));
  return [{ vm: link.from, key: ["from"] }, { vm: link.to, key: ["to"] }];
}

const LINK_NAMES = { "msgqueue-pair": "message queue pairs", doorbell: "doorbells", shm: "shared memories" } as const;

function checkLinks(links: readonly [string, FileLink][], file: File, errors: KeyErrors): void {
  const names = Object.keys(file.vm), known = new Map<string, [string, FileLink][]>();
  for (const [name, link] of links) {
    const ends = linkEnds(link);
    for (const { vm, key } of ends) {
      if (Object.hasOwn(file.vm, vm)) continue;
      errors.atValue(["link", name, ...key], { code: "no-vm", vm, known: names });
    }
    for (const { vm, key } of link.kind === "doorbell" ? ends : []) {
      const { platform } = file.vm[vm] ?? {}, { firstLabel } = rulesOf({ platform });
      if (link.label >= firstLabel) continue;
      const why = `labels below ${firstLabel} are those of the interrupts of platform "${platform}"`;
      errors.atValue(["link", name, "label"], ruled(`${why}, which vm ${JSON.stringify(vm)} (${key.join(".")}) has`, "use a higher one"));
    }
    if (link.kind !== "shm" && ends[0].vm === ends[1].vm) {
      errors.atValue(["link", name, ...ends[1].key], ruled(`${JSON.stringify(name)} connects ${ends[0].vm} to itself`));
    }
    // The first link keeps the label; each later link with the same label gets an error.
    const place = `${link.kind} ${link.label}`, same = known.get(place) ?? [];
    for (const [other, before] of same) {
      const shared = ends.find(({ vm }) => linkEnds(before).some((end) => end.vm === vm));
      if (shared === undefined) continue;
      const kind = LINK_NAMES[link.kind];
      const both = `${JSON.stringify(other)} and ${JSON.stringify(name)}`;
      const what = `label ${link.label}: ${kind} ${both} meet in vm ${JSON.stringify(shared.vm)}`;
      errors.atValue(["link", name, "label"], ruled(what, "change one"));
    }
    same.push([name, link]);
    known.set(place, same);
  }
}
