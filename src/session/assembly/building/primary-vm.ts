// The primary VM of `el2 boot`: its images or firmware, its devicetree and its devices.

import type { TransportState, VirtioTransport } from "../../../machine/virtio/transport.ts";
import type { SavedPart } from "../../state/parts.ts";
import type { SavedEvent } from "../../state/saved-event.ts";
import { PANIC_REPORT, pvpanicFunction } from "../../../machine/devices/pvpanic.ts";
import { DEFAULT_PRIMARY_IMAGES, type FlashPlan, type PrimaryImages } from "../../../machine/hypervisor/boot.ts";
import type { EventOrder } from "../../../machine/hardware/events.ts";
import { RAM_BASE } from "../../../machine/hardware/memory-map.ts";
import { Vmid } from "../../inspection/readers/guest-names.ts";
import { attachPlatformDevices } from "../devices/crosvm-devices.ts";
import { type BootPlan, PRIMARY_CONSOLE } from "../../../model/plans/plan.ts";
import { attachClock } from "../devices/platform-devices.ts";
import { attachVirtio } from "../devices/primary-devices.ts";
import { attachPci } from "../devices/primary-pci.ts";
import { bootFindings } from "../layout/boot-findings.ts";
import { refusing } from "../layout/boot-plan.ts";
import { layoutFirmware } from "../layout/firmware-layout.ts";
import { attachFwCfg, firmwareImages, makeFlash, savedFlash } from "../devices/primary-firmware.ts";
import { layoutPrimary } from "../layout/primary-image.ts";
import { devId } from "../../../model/queries/ids.ts";
import { type Building, deviceMaker, generatedTree, writeTree } from "./building.ts";

/**
 * The primary VM before its first instruction: where its images are, and its flash where it starts
 * from firmware.
 */
export interface Primary {
  readonly images: PrimaryImages;
  readonly flash: readonly FlashPlan[];
}

/** Puts image, ramdisk and devicetree of the primary VM into RAM, or firmware into its flash. */
export function loadPrimary(building: Building, boot: BootPlan): Primary {
  const { plan, map, system, system: { machine, outside } } = building;
  const { append, clock, devices, bus, uart, platformDevices } = boot;
  const geniezone = plan.behaviour?.geniezone;
  const virtioSlots = bus === "pci" ? 0 : devices?.length;
  const platform = { append, clock: clock !== undefined, virtioSlots, geniezone, bus, uart, platformDevices };
  if (boot.firmware) {
    const { firmware } = boot, layout = refusing("firmware", () => layoutFirmware(firmware, map.primarySize));
    const flash = makeFlash(machine, boot.firmware, layout, outside);
    const images = firmwareImages(layout);
    const tree = boot.dtb ?? generatedTree(building, layout.memory, { ...platform, flash: layout.banks.map(({ size }) => size) });
    writeTree(system, images, tree);
    return { images, flash };
  }
  const { image } = boot;
  if (!image) return { images: DEFAULT_PRIMARY_IMAGES, flash: [] };
  const layout = refusing("image", () => layoutPrimary({ ...boot, image }, RAM_BASE, map.primarySize, plan.cpu));
  for (const { address, bytes } of layout.placements) machine.ram.write(address, bytes);
  system.vms.images.set(PRIMARY_CONSOLE, layout.placements);
  const images = { entry: layout.entry, devicetree: layout.devicetree, ramdisk: layout.initrd?.start ?? layout.devicetree };
  const tree = boot.dtb ?? generatedTree(building, map.primarySize, { ...platform, initrd: layout.initrd, modules: layout.modules });
  const ramdisk = layout.initrd && boot.initrd && { start: layout.initrd.start, bytes: boot.initrd };
  building.system.vms.findings.set(
    PRIMARY_CONSOLE,
    bootFindings({ tree, devices: devices ?? [], slots: virtioSlots ?? 0, ramdisk, image }),
  );
  writeTree(system, images, tree);
  return { images, flash: [] };
}

const PVPANIC_ID = devId(PRIMARY_CONSOLE, "pvpanic");

/** The primary's devices other than its UART. */
export function attachDevices(building: Building, boot: BootPlan): void {
  const { system } = building, { machine } = system;
  if (boot.clock !== undefined) attachClock(machine, system, boot.clock);
  const extras = boot.platformDevices ?? [];
  attachPlatformDevices(extras, machine, system, boot.clock ?? 0);
  if (boot.firmware) attachFwCfg(machine, system, boot);
  system.parts.push(...system.hypervisor.flash.map(savedFlash));
  const maker = deviceMaker(building, system.outside);
  const devices = boot.devices?.map((device, index) => maker.make(device, PRIMARY_CONSOLE, index)) ?? [];
  const reports = {
    onProblem: (id: string, message: string) => system.events.deviceProblem(id, message),
    onBug: (id: string, error: unknown) => system.bug(id, error),
  };
  const others = extras.includes("pvpanic") ? [pvpanicFunction(0, () => reports.onProblem(PVPANIC_ID, PANIC_REPORT))] : [];
  const pci = boot.bus === "pci" ? attachPci(system, { vmid: Vmid.Primary, devices, reports, others }) : undefined;
  const slots = attachVirtio(machine, system.hypervisor, Vmid.Primary, pci ? [] : devices, reports);
  for (const place of pci?.places ?? slots) {
    const { id, transport, turn, size, intid } = place;
    system.parts.push(savedTransport(id, transport, turn));
    system.addVirtio({
      vm: PRIMARY_CONSOLE,
      device: transport.device,
      id,
      size,
      intid,
      // The guest moves a function's registers.
      get ipa() {
        return place.ipa;
      },
    });
  }
  if (pci) system.parts.push(pci.part);
  system.parts.push(...maker.parts);
}

/** A virtio slot with its device, and the event that the device waits for. */
function savedTransport(name: string, transport: VirtioTransport, turn: SavedEvent): SavedPart {
  return {
    name,
    save: () => transport.waits ? { ...transport.save(), turn: turn.place } : transport.save(),
    restore(state) {
      const saved = state as TransportState & { turn?: EventOrder };
      turn.load(saved.turn, saved.turn !== undefined, () => transport.restore(saved));
    },
  };
}
