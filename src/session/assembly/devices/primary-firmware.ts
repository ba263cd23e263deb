// Firmware of the primary VM: its flash, and what it finds besides (docs/own-guests.md,
// "Firmware"). The machine's last RAM is the flash's array.

import * as v from "valibot";
import { BUFFER_WRITES, CfiFlash, type FlashArray, READ_MODES, WRITE_STATES } from "../../../machine/devices/cfi-flash.ts";
import { contentSize, ERASED } from "../../../machine/host/boards/flash-size.ts";
import { FW_CFG_SIZE, FW_CFG_TURN_INTERVAL, FwCfg } from "../../../machine/devices/fw-cfg.ts";
import type { FlashBank, FlashPlan, PrimaryImages } from "../../../machine/hypervisor/boot.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import { FLASH_BASES, FLASH_MAX, FW_CFG_BASE, RAM_BASE } from "../../../machine/hardware/memory-map.ts";
import type { BlockBacking } from "../../../machine/virtio/block/backing.ts";
import { machineDisk } from "../../outside/computer.ts";
import type { OutsideDoor } from "../../outside/outside.ts";
import type { FirmwareLayout } from "../layout/firmware-layout.ts";
import { Vmid } from "../../inspection/readers/guest-names.ts";
import type { GuestSystem } from "../system/guest-system.ts";
import type { BootPlan, FirmwarePlan } from "../../../model/plans/plan.ts";
import type { SavedPart } from "../../state/parts.ts";
import { SavedEvent } from "../../state/saved-event.ts";
import { count } from "../../../kit/support/values/forms.ts";
import { devId, HOST } from "../../../model/queries/ids.ts";
import { VmMemory } from "./vm-memory.ts";

const whole = (max: number = Number.MAX_SAFE_INTEGER) => v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(max));

/**
 * Fills the flash of a layout, and returns what the hypervisor needs to place it. The machine of
 * `outside` owns the variables file, unless its sources are recorded: it is a second one.
 */
export function makeFlash(machine: Machine, { code, vars }: FirmwarePlan, layout: FirmwareLayout, outside: OutsideDoor): FlashPlan[] {
  const kept = vars === undefined || outside.replayed ? undefined : machineDisk(vars.path, false, outside);
  return layout.banks.map(({ size, storage }, index) => {
    const content = new Uint8Array(size).fill(ERASED);
    content.set(index === 0 ? code.subarray(0, contentSize(code)) : vars?.content ?? []);
    machine.ram.write(storage, content);
    const device = new CfiFlash(flashArray(machine, storage, size, index === 0 ? undefined : kept));
    return { device, ipa: FLASH_BASES[index], storage, size };
  });
}

/**
 * Where the primary starts when it starts from flash. Firmware looks for the devicetree at the
 * first byte of RAM.
 */
export function firmwareImages({ memory }: FirmwareLayout): PrimaryImages {
  return { entry: FLASH_BASES[0], devicetree: RAM_BASE, ramdisk: RAM_BASE, memory };
}

/** Saved state of fw_cfg, with the event of a transfer's next turn. */
const SAVED_FW_CFG = v.strictObject({
  key: whole(0x3fff),
  offset: whole(0xffff_ffff),
  dmaHigh: whole(0xffff_ffff),
  transfer: v.exactOptional(v.strictObject({ descriptor: count, address: count, left: whole(0xffff_ffff) })),
  turn: v.exactOptional(v.strictObject({ at: v.number(), order: whole() })),
});

/** Puts fw_cfg on the bus, with the kernel that firmware may boot by itself. */
export function attachFwCfg(machine: Machine, system: Pick<GuestSystem, "parts" | "hypervisor">, boot: BootPlan): void {
  const items = { cpus: machine.cpus.length, kernel: boot.image, initrd: boot.initrd, commandLine: boot.append, files: new Map() };
  const turn = new SavedEvent(machine.events);
  const later = (act: () => void) => turn.schedule(machine.time + FW_CFG_TURN_INTERVAL, act);
  const device = new FwCfg(items, new VmMemory(system.hypervisor, Vmid.Primary, devId(HOST, "fw_cfg")), later);
  machine.bus.attach({ name: "fw_cfg", base: FW_CFG_BASE, size: FW_CFG_SIZE, device });
  system.parts.push({
    name: "fw_cfg",
    save() {
      const state = device.save();
      return v.parse(SAVED_FW_CFG, state.transfer ? { ...state, turn: turn.place } : state);
    },
    restore(state) {
      const { turn: place, ...saved } = v.parse(SAVED_FW_CFG, state);
      turn.load(place, saved.transfer !== undefined, () => device.restore(saved));
    },
  });
}

/** Saved state of a flash besides its array. */
const SAVED_FLASH = v.pipe(
  v.strictObject({
    mode: v.picklist(READ_MODES),
    expects: v.picklist(WRITE_STATES),
    status: whole(0xff),
    left: whole(BUFFER_WRITES),
    buffer: v.pipe(v.array(v.tuple([whole(FLASH_MAX), v.picklist([1, 2, 4, 8]), whole(0xffff_ffff)])), v.maxLength(BUFFER_WRITES)),
  }),
  v.check(({ expects, left }) => expects !== "buffer" || left > 0, "a buffer that is being filled has writes to come"),
  v.check(({ expects, buffer }) => expects !== "confirm" || buffer.length > 0, "what is to be confirmed was written"),
);

export function savedFlash(bank: FlashBank): SavedPart {
  const { device } = bank.plan;
  return {
    name: bank.name,
    save: () => v.parse(SAVED_FLASH, device.save()),
    restore(state) {
      device.restore(v.parse(SAVED_FLASH, state));
      if (!bank.isMappedRight) throw new Error("a flash is mapped while reads give its array");
    },
  };
}

/** @param kept the variables file, which is outdated after a load until something is written */
function flashArray(machine: Machine, storage: number, size: number, kept: BlockBacking | undefined): FlashArray {
  const bytes = machine.ram.bytes(storage, size);
  let behind = false, changed = false;
  return {
    size,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    write(offset, from) {
      machine.ram.write(storage + offset, from);
      changed = true;
      if (behind) kept?.write(0, bytes);
      else kept?.write(offset, from);
      behind = false;
    },
    // A guest that changes between commands and the array does not wait for the computer's disk.
    flush() {
      if (changed) kept?.flush();
      changed = false;
    },
    replaced: () => void (behind = true),
  };
}
