// The keys of a configuration that would make a given plan. The rules between keys
// (machine-rules.ts) so hold for a plan that a file brings, too.

import { type NativeHostPlan, rulesOf, type SharedBuffer, type VmLink, type VmPlan } from "../../../machine/host/interface.ts";
import { DEFAULT_BEHAVIOUR } from "../../../machine/hypervisor/options.ts";
import type { BootPlan, SessionPlan } from "../../../model/plans/plan.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";
import type { DeviceKeys, LinkKeys, MachineKeys, VmKeys } from "./machine-rules.ts";
import { UserError } from "../../../kit/support/problem.ts";

/**
 * The keys of a plan.
 * @throws Error if no keys make such a plan
 */
export function keysOf({ cpus, memory, behaviour: given, root, what }: SessionPlan): MachineKeys {
  const { ipaBits, hypervisorNode, geniezone } = { ...DEFAULT_BEHAVIOUR, ...given };
  const machine = { cpus, memory, ipa_bits: ipaBits, hypervisor_node: hypervisorNode, geniezone };
  const rm = { kind: root ? "image" : "native" } as const;
  return what.kind === "boot" ? { machine, rm, ...primaryKeys(what) } : { machine, rm, ...nativeKeys(what.host) };
}

function primaryKeys({ bus, devices, platformDevices }: BootPlan): Pick<MachineKeys, "host" | "vm" | "link"> {
  const host = { kind: "image", device: "union", gzvm: false, bus, devices, platform_devices: platformDevices } as const;
  return { host, vm: {}, link: {} };
}

function nativeKeys({ memory, vcpus, vms, buffers = [], driver }: NativeHostPlan): Pick<MachineKeys, "host" | "vm" | "link"> {
  const links = linksBetween(vms, buffers), byVm = linksByVm(links);
  for (const { name, links: own } of vms) {
    if (!sameLists(own, byVm.get(name) ?? [])) {
      throw new Error(`the links of vm ${JSON.stringify(name)} are not those of the other VMs to it`);
    }
  }
  if (!sameLists(buffers, buffersOf(links))) throw new Error("two buffers, or two accesses to one, are the same");
  const [first, ...others] = vms.flatMap(({ firmware }) => firmware ?? []);
  if (others.some(({ bytes }) => !sameBytes(bytes, first.bytes))) {
    throw new UserError("two VMs have different firmware", "RM holds one for all");
  }
  return {
    host: { kind: "native", memory, vcpus, device: driver.device, gzvm: driver.gzvm },
    vm: Object.fromEntries(vms.map((vm) => [vm.name, vmKeys(vm)])),
    link: Object.fromEntries(links.map((link, index) => [`${index}`, link])),
  };
}

function vmKeys(vm: VmPlan): VmKeys {
  const { platform = "el2", hypervisor = "gunyah", schedule, flash, firmware, base, start = "auto", console, devices = [] } = vm;
  const rules = rulesOf({ platform }), bios = flash ?? (vm.devicetreeFirst || undefined), inFlash = flash && rules.flashRam;
  if (inFlash !== undefined && base !== inFlash) throw new Error(`vm ${JSON.stringify(vm.name)} starts in flash, and has other RAM`);
  const serial: DeviceKeys[] = console && (rules.ports === undefined || schedule !== "proxy") ? [{ kind: "pl011" }] : [];
  return {
    ...{ platform, hypervisor, type: firmware ? "protected" : "unauthenticated", schedule: schedule === "proxy" ? "proxy" : "own" },
    ...{ bios, bios_vars: flash?.vars?.path, bios_tree: vm.biosTree, kernel: bios ? undefined : true, initrd: vm.initrd, firmware },
    ...{ memory: vm.memory, base: inFlash === undefined ? base : rules.ram, windows: vm.windows, size_max: vm.sizeMax, msi: vm.msi },
    ...{ swiotlb: vm.swiotlb, cpu_frequencies: vm.cpuFrequencies, datamatch_flag: vm.datamatchFlag },
    ...{ without_access_platform: vm.withoutAccessPlatform, vcpus: vm.vcpus },
    affinity_map: schedule === "proxy" ? undefined : schedule.affinityMap,
    start: typeof start === "string" ? start : `after:${start.after}`,
    devices: [...serial, ...devices],
  };
}

/** The links that VMs have together: each is known to both of its ends. */
function linksBetween(vms: readonly VmPlan[], buffers: readonly SharedBuffer[]): LinkKeys[] {
  const order = new Map(vms.map(({ name }, index) => [name, index]));
  const before = (a: string, b: string) => (order.get(a) ?? Infinity) <= (order.get(b) ?? Infinity);
  const found = vms.flatMap(({ name, links }) =>
    links.flatMap((link): LinkKeys[] => {
      if (link.kind === "shared-memory") return [];
      const { label, peer } = link;
      if (link.kind === "message-queue-pair") {
        const between: [string, string] = before(name, peer) ? [name, peer] : [peer, name];
        return [{ kind: "msgqueue-pair", label, between, depth: link.depth, size: link.size }];
      }
      const [from, to] = link.kind === "doorbell" ? [peer, name] : [name, peer];
      return [{ kind: "doorbell", label, from, to, source_can_clear: link.sourceCanClear }];
    })
  );
  const shared = buffers.map(({ label, size, access }): LinkKeys => ({
    ...{ kind: "shm", label, size },
    access: Object.fromEntries(access.map(({ vm, write }) => [vm, write ? "rw" : "r"])),
  }));
  return [...new Map(found.map((link) => [JSON.stringify(link), link])).values(), ...shared];
}

/** Whether two lists have the same elements, in any order. */
function sameLists(a: readonly object[], b: readonly object[]): boolean {
  const texts = (list: readonly object[]) => list.map((each) => JSON.stringify(Object.entries(each).sort())).sort().join();
  return texts(a) === texts(b);
}

/** The links by VM, as each sees them, in their order. */
export function linksByVm(links: readonly LinkKeys[]): ReadonlyMap<string, readonly VmLink[]> {
  const found = new Map<string, VmLink[]>();
  const add = (vm: string, link: VmLink) => {
    const known = found.get(vm);
    if (known) known.push(link);
    else found.set(vm, [link]);
  };
  for (const link of links) {
    const { label } = link;
    if (link.kind === "msgqueue-pair") {
      const { between: [a, b], depth, size } = link;
      add(a, { kind: "message-queue-pair", label, peer: b, depth, size });
      add(b, { kind: "message-queue-pair", label, peer: a, depth, size });
    } else if (link.kind === "doorbell") {
      const { from, to, source_can_clear: sourceCanClear } = link;
      add(to, { kind: "doorbell", label, peer: from, sourceCanClear });
      add(from, { kind: "doorbell-source", label, peer: to, sourceCanClear });
    } else for (const vm of Object.keys(link.access)) add(vm, { kind: "shared-memory", label });
  }
  return found;
}

/** The memory that the host shares. */
export function buffersOf(links: readonly LinkKeys[]): SharedBuffer[] {
  return links.flatMap((link) => {
    if (link.kind !== "shm") return [];
    const { label, size, access } = link;
    return [{ label, size, access: Object.entries(access).map(([vm, rights]) => ({ vm, write: rights === "rw" })) }];
  });
}
