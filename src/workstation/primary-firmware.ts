// Firmware of the primary VM: its flash, and what it finds besides (docs/own-guests.md, "Firmware"). The machine's last RAM is the flash's array.

import { CfiFlash, type FlashArray } from "../devices/cfi-flash.ts";
import { FW_CFG_SIZE, FwCfg } from "../devices/fw-cfg.ts";
import type { FlashPlan } from "../hypervisor/traps/flash.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { PrimaryImages } from "../hypervisor/root-vm.ts";
import type { Machine } from "../machine/machine.ts";
import { FLASH_BASES, FW_CFG_BASE, RAM_BASE } from "../machine/memory-map.ts";
import type { BlockBacking } from "../virtio/block/backing.ts";
import { DiskFile } from "./disk-file.ts";
import { contentSize, ERASED, type FirmwareLayout } from "./firmware-layout.ts";
import { Vmid } from "./guest-names.ts";
import type { BootPlan, FirmwarePlan } from "./plan.ts";
import { VmMemory } from "./vm-memory.ts";

/** Fills the flash of a layout, and gives what the hypervisor needs to place it. */
export function makeFlash(machine: Machine, { code, vars }: FirmwarePlan, layout: FirmwareLayout): FlashPlan[] {
  const kept = vars === undefined ? undefined : new DiskFile(vars.path, false);
  return layout.banks.map(({ size, storage }, index) => {
    const content = new Uint8Array(size).fill(ERASED);
    if (index === 0) content.set(code.subarray(0, contentSize(code)));
    else kept?.read(0, content);
    machine.ram.write(storage, content);
    const device = new CfiFlash(flashArray(machine, storage, size, index === 0 ? undefined : kept));
    return { device, ipa: FLASH_BASES[index], storage, size };
  });
}

/** Where the primary starts when it starts from flash. Firmware looks for the devicetree at the first byte of RAM. */
export function firmwareImages({ memory }: FirmwareLayout): PrimaryImages {
  return { entry: FLASH_BASES[0], devicetree: RAM_BASE, ramdisk: RAM_BASE, memory };
}

/** Puts fw_cfg on the bus, with the kernel that firmware may boot by itself. */
export function attachFwCfg(machine: Machine, hypervisor: Hypervisor, boot: BootPlan): void {
  const items = { cpus: machine.cpus.length, kernel: boot.image, initrd: boot.initrd, commandLine: boot.append, files: new Map() };
  const device = new FwCfg(items, new VmMemory(hypervisor, Vmid.Primary));
  machine.bus.attach({ name: "fw_cfg", base: FW_CFG_BASE, size: FW_CFG_SIZE, device });
}

function flashArray(machine: Machine, storage: number, size: number, kept: BlockBacking | undefined): FlashArray {
  return {
    size,
    bytes: machine.ram.bytes(storage, size),
    write(offset, bytes) {
      machine.ram.write(storage + offset, bytes);
      kept?.write(offset, bytes);
    },
    flush: () => kept?.flush(),
  };
}
