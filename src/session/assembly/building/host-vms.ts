// The native host of `el2 run` as the primary VM's program, and what the system knows of its VMs.

import * as v from "valibot";
import { CONSOLE_INPUT_INTID, ConsoleInput, type HostEvent, type VmPhase, type VmPlan } from "../../../machine/host/interface.ts";
import { boardOf, devicetreeOf, nativeHost } from "../../../machine/host/boot.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import { VIRTIO_BAR_SIZE } from "../../../machine/devices/virtio-pci-registers.ts";
import { FIRST_SPI } from "../../../machine/devicetree/gic.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../../machine/hypervisor/boot.ts";
import type { GuestSystem } from "../system/guest-system.ts";
import type { RunPlan } from "../../../model/plans/plan.ts";
import { KeptVariables } from "../devices/kept-variables.ts";
import { bootFindings } from "../layout/boot-findings.ts";
import { treeRoom } from "../../../inside/images/images.ts";
import { deviceName } from "../../../machine/virtio/plan.ts";
import type { DeviceMaker } from "../devices/virtio-devices.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { devId, vmId } from "../../../model/queries/ids.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { type Building, deviceMaker, generatedTree, writeTree } from "./building.ts";

/** Input typed into VMs of the native host, and the VMs to stop. */
const SAVED_INPUT = v.array(v.union([
  v.strictObject({ vm: v.string(), bytes: v.instance(Uint8Array) }),
  v.strictObject({ vm: v.string(), break: v.literal(true) }),
  v.strictObject({ vm: v.string(), start: v.picklist(["start", "create", "reset"]) }),
  v.strictObject({ request: v.strictObject({ id: v.number(), payload: v.instance(Uint8Array) }) }),
  v.strictObject({ vm: v.string(), stop: v.strictObject({ force: v.boolean() }) }),
  v.strictObject({ taker: v.number(), data: v.unknown() }),
]));

/** Puts the native host where the Resource Manager starts the primary VM. */
export function startHost(building: Building, { host }: RunPlan): void {
  const { map, system, own } = building, { machine } = system;
  writeTree(system, DEFAULT_PRIMARY_IMAGES, generatedTree(building, map.primarySize));
  const input = new ConsoleInput(() => {
    machine.interrupt(CONSOLE_INPUT_INTID, true);
    machine.interrupt(CONSOLE_INPUT_INTID, false);
  });
  input.onTaken = (vm) => system.consoles.onTyped(vm);
  for (const vm of host.vms) introduce(vm, system, input);
  system.control.host = input;
  system.parts.push({
    name: "console input",
    save: () => v.parse(SAVED_INPUT, input.save()),
    restore: (state) => input.restore(v.parse(SAVED_INPUT, state)),
  });
  system.control.configured = host.vms.map(({ name }) => name);
  // Input from outside reaches the devices through the host's program, which has their memory and
  // interrupts.
  const outside = system.outside.through((taker, data) => input.forDevice(taker, data));
  const maker = deviceMaker(building, outside);
  // They are there before the host is, which may be loaded in the middle of its life.
  const devices = new Map(host.vms.map((vm) => [vm.name, own ? [] : vmDevices(vm, maker, system)]));
  system.parts.push(...maker.parts);
  const variables = new Map(
    own ? [] : host.vms.flatMap(({ name, flash }) => {
      return flash?.vars === undefined ? [] : [[name, new KeptVariables(name, flash.vars, outside)] as const];
    }),
  );
  for (const { part } of variables.values()) system.parts.push(part);
  const program = own ?? nativeHost({
    plan: host,
    events: (event: HostEvent) => system.hostEvent(event),
    input,
    device: (_plan, vm, slot) => devices.get(vm)![slot],
    variables: (vm) => variables.get(vm),
    takeInput: (taker, data) => outside.take(taker, data),
  });
  system.hypervisor.registerNative(DEFAULT_PRIMARY_IMAGES.entry, program);
}

/** Tells the system of a VM of the native host, and of its console. */
function introduce(vm: VmPlan, system: GuestSystem, input: ConsoleInput): void {
  const { name, console, schedule, hypervisor = "gunyah", memory: ram, windows = [], start = "auto", stale } = vm;
  const room = vm.devicetreeFirst ? treeRoom(vm.image.bytes) : undefined;
  const memory = windows.reduce((sum, { size }) => sum + size, ram);
  system.devicetrees.set(name, vm.base + boardOf(vm).layout(vm).devicetree);
  system.vms.plans.set(name, {
    restarts: vm.onExit === "restart",
    shares: vm.links.flatMap((link) => link.kind === "shared-memory" ? [link.label] : []),
    schedule: schedule === "proxy" ? "proxy" : "own",
    hypervisor,
    memory,
    stale,
    ...room && { bios: { tree: devicetreeOf(vm).length, room } },
  });
  const { initrd } = boardOf(vm).layout(vm), { devices = [] } = vm;
  const ramdisk = vm.initrd && initrd !== undefined ? { start: vm.base + initrd, bytes: vm.initrd } : undefined;
  const slots = schedule === "proxy" && (vm.platform ?? "el2") === "el2" ? devices.length : 0;
  system.vms.findings.set(
    name,
    bootFindings({ tree: devicetreeOf(vm), devices, slots, ramdisk, image: vm.image.bytes }),
  );
  system.vms.images.set(name, [{ address: vm.base + vm.image.offset, bytes: vm.image.bytes }]);
  // The output of semihosting has a console, too.
  if (!console && vm.semihosting) return system.consoles.add(name, { type: () => {}, closed: () => NO_INPUT });
  if (!console) return;
  system.consoles.add(name, {
    type: (bytes: Uint8Array) => input.push(name, bytes),
    sendBreak: () => input.pushBreak(name),
    input: () => input.devices(name)?.unread,
    take: (limit) => input.devices(name)?.take(limit) ?? new Uint8Array(0),
    closed: () => closedConsole(system.vms.lifeOf(name) ?? (start === "auto" ? "creating" : undefined), name) ?? input.closed,
  });
}

const NO_INPUT: Problem = { what: "the VM has no serial port that takes input" };

/** Why a VM in this state takes no input; undefined if it does. */
function closedConsole(life: VmPhase | undefined, vm: string): Problem | undefined {
  const start = hint("vm start", vm);
  switch (life) {
    case undefined:
      return { what: "the VM is not started", wayOut: way`start it with ${start}` };
    case "exited":
    case "stopped":
      return { what: "the VM has stopped", wayOut: way`start it again with ${start}` };
    case "failed":
      return { what: "the VM has failed", wayOut: way`see ${hint("why", { about: vmId(vm) })}, or start it again with ${start}` };
    case "creating":
    case "ready":
    case "running":
      return undefined;
  }
}

/** The virtio devices of a secondary VM, in the order of their slots. */
function vmDevices(
  { name: vm, devices = [], schedule, platform }: VmPlan,
  maker: DeviceMaker,
  system: Pick<GuestSystem, "addVirtio">,
): VirtioDevice[] {
  const { virtio } = boardOf({ platform });
  return devices.map((plan, slot) => {
    const device = maker.make(plan, vm, slot);
    const object = schedule !== "proxy";
    const registers = object ? undefined : virtio.place(slot);
    // The hypervisor, or the guest, gives them their place.
    const size = registers?.size ?? (object ? PAGE_SIZE : VIRTIO_BAR_SIZE);
    const place = { ipa: registers?.base, size, intid: FIRST_SPI + virtio.spi(slot) };
    system.addVirtio({ vm, id: devId(vm, deviceName(device.name, slot)), device, ...place });
    return device;
  });
}
