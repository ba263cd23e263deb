// The devices of QEMU's `virt` platform as its VMM has them: flash, clock, fw_cfg, a frame for
// messages, empty virtio-mmio slots, and the PCI host with its functions.

import { CfiFlash, type CfiFlashState } from "../../../devices/cfi-flash.ts";
import { FW_CFG_TURN_INTERVAL, FwCfg, type FwCfgState } from "../../../devices/fw-cfg.ts";
import { Gicv2m } from "../../../devices/gicv2m.ts";
import type { PciBus, PciFunctionState } from "../../../devices/pci.ts";
import { Pl031, type Pl031State } from "../../../devices/pl031.ts";
import type { SeenRegister } from "../../../devices/seen-register.ts";
import { VirtioMmioRegister } from "../../../devices/virtio-mmio-registers.ts";
import { FIRST_SPI } from "../../../devicetree/gic.ts";
import type { PciTransport } from "../../../virtio/pci-transport.ts";
import type { BoardDevices, BoardProcess } from "../board.ts";
import { offsetIn, type Range } from "../layout.ts";
import type { VmPlan } from "../vm-plan.ts";
import { qemuPciBus } from "./pci.ts";
import { QEMU_ECAM, QEMU_FW_CFG, QEMU_ITS, QEMU_RTC, QEMU_SLOTS, QEMU_V2M, qemuDeviceId, qemuFlash, qemuMessages } from "./map.ts";

/** Registers of an empty slot: a device of no kind. */
const EMPTY_SLOT: ReadonlyMap<number, bigint> = new Map([
  [VirtioMmioRegister.MagicValue, 0x7472_6976n],
  [VirtioMmioRegister.Version, 2n],
  [VirtioMmioRegister.VendorID, 0x554d_4551n],
]);

/** Plain data. */
interface QemuDevicesState {
  readonly clock: Pl031State;
  /** When the clock's match is due, virtual ns. */
  readonly alarm: number | undefined;
  readonly fwCfg: FwCfgState;
  /** When fw_cfg continues with a transfer, virtual ns. */
  readonly turn: number | undefined;
  readonly functions: readonly PciFunctionState[];
  /** By bank; its arrays are memory of the process. */
  readonly flash?: readonly CfiFlashState[];
}

/** A device that answers loads and stores by offset. */
interface RegisterDevice {
  read(offset: number, size: number): bigint | undefined;
  write(offset: number, size: number, value: bigint): unknown;
  seen?(offset: number, size: number): SeenRegister | undefined;
}

/** The devices of one VM, for one life of it. */
export class QemuDevices implements BoardDevices {
  readonly #process: BoardProcess;
  readonly #clock: Pl031;
  #alarm: { readonly at: number; readonly ring: () => void } | undefined;
  /** The next turn of fw_cfg's transfer. */
  #turn: { readonly at: number; readonly act: () => void } | undefined;
  /** The time (virtual ns) of the alarm or turn that is being restored. */
  #restored: number | undefined;
  readonly #fwCfg: FwCfg;
  /** The frame for messages, unless an ITS takes them. */
  readonly #messages: Gicv2m | undefined;
  readonly #bus: PciBus;
  /** The banks of flash, if the VM starts there. */
  readonly #flash: readonly (Range & { readonly device: CfiFlash })[];
  /** Devices of registers alone, with their ranges. */
  readonly #registers: readonly (readonly [Range, RegisterDevice])[];

  /** @param transports the VM's virtio devices, in the order of their slots */
  constructor(plan: VmPlan, transports: readonly PciTransport[], process: BoardProcess) {
    this.#process = process;
    this.#clock = new Pl031({
      seconds: () => Math.floor((this.#restored ?? process.now()) / 1e9),
      at: (seconds, ring) => this.#alarm = { at: seconds * 1e9, ring },
    }, 0);
    this.#clock.onInterrupt = (level) => {
      if (level) process.signal(QEMU_RTC.spi);
    };
    const items = { cpus: plan.vcpus, kernel: undefined, initrd: undefined, commandLine: undefined, files: new Map<string, Uint8Array>() };
    this.#fwCfg = new FwCfg(items, {
      read: (address, into) => process.read(address, into) || this.#lost(address, into.length),
      write: (address, from) => process.write(address, from) || this.#lost(address, from.length),
    }, (act) => this.#turn = { at: this.#restored ?? process.now() + FW_CFG_TURN_INTERVAL, act });
    const { spi, count } = qemuMessages(plan);
    this.#messages = plan.msi === "its" ? undefined : new Gicv2m(FIRST_SPI + spi, count, (intid) => process.signal(intid - FIRST_SPI));
    this.#bus = qemuPciBus(transports);
    this.#flash = qemuFlash(plan).map((place, bank) => {
      const device = new CfiFlash(process.flashArray(bank));
      device.onMode = (readsArray) => process.showFlash(bank, readsArray);
      return { ...place, device };
    });
    this.#registers = [[QEMU_RTC, this.#clock], [QEMU_FW_CFG, this.#fwCfg], ...this.#flash.map((bank) => [bank, bank.device] as const)];
  }

  get wakeAt(): number | undefined {
    const at = Math.min(this.#alarm?.at ?? Infinity, this.#turn?.at ?? Infinity);
    return at === Infinity ? undefined : at;
  }

  /**
   * fw_cfg could not reach memory of the guest. If that is lent, the access ends a VMM, and without
   * that the guest waits for ever.
   */
  #lost(address: number, length: number): false {
    const why = this.#process.whyLent(address, length);
    if (why === undefined) return false;
    this.#process.end(`fw_cfg: host access to lent memory region at 0x${address.toString(16)}: ${why}`);
  }

  timer(): void {
    const now = this.#process.now(), alarm = this.#alarm, turn = this.#turn;
    if (alarm && now >= alarm.at) {
      this.#alarm = undefined;
      alarm.ring();
    }
    if (turn && now >= turn.at) {
      this.#turn = undefined;
      turn.act();
    }
  }

  interrupts(slot: number): boolean {
    return this.#bus.functions[slot + 1].interrupts;
  }

  message(slot: number, address: number, data: number): void {
    if (this.#messages === undefined && address === QEMU_ITS.translater) {
      return this.#process.signalMsi(QEMU_ITS.label, qemuDeviceId(slot), data);
    }
    const offset = offsetIn(QEMU_V2M, address);
    const known = offset !== undefined && this.#messages?.write(offset, 4, BigInt(data));
    if (!known) this.#process.problem(`a message at 0x${address.toString(16)}, where nothing takes it`);
  }

  access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    const config = offsetIn(QEMU_ECAM, address);
    if (config !== undefined) {
      if (value === undefined) return this.#bus.readConfig(config, size);
      this.#bus.writeConfig(config, size, value);
      return 0n;
    }
    const slot = offsetIn({ base: QEMU_SLOTS.base, size: QEMU_SLOTS.count * QEMU_SLOTS.stride }, address);
    if (slot !== undefined) return value === undefined ? EMPTY_SLOT.get(slot % QEMU_SLOTS.stride) ?? 0n : 0n;
    const messages = offsetIn(QEMU_V2M, address);
    if (this.#messages !== undefined && messages !== undefined) {
      if (value === undefined) return this.#messages.read(messages, size);
      return this.#messages.write(messages, size, value) ? 0n : undefined;
    }
    for (const [place, device] of this.#registers) {
      const offset = offsetIn(place, address);
      if (offset === undefined) continue;
      if (value === undefined) return device.read(offset, size);
      device.write(offset, size, value);
      return 0n;
    }
    return this.#bus.access(address, size, value);
  }

  seen(address: number, size: number): SeenRegister | undefined {
    for (const [place, device] of this.#registers) {
      const offset = offsetIn(place, address);
      if (offset !== undefined) return device.seen?.(offset, size);
    }
    return undefined;
  }

  get isBusy(): boolean {
    return this.#fwCfg.isBusy;
  }

  save(): QemuDevicesState {
    return {
      clock: this.#clock.save(),
      alarm: this.#alarm?.at,
      fwCfg: this.#fwCfg.save(),
      turn: this.#turn?.at,
      functions: this.#bus.functions.map((each) => each.save()),
      ...this.#flash.length === 0 ? {} : { flash: this.#flash.map(({ device }) => device.save()) },
    };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { clock, alarm, fwCfg, turn, functions, flash = [] } = saved as QemuDevicesState;
    // The clock arms its alarm anew, outside events, where there is no time.
    this.#restored = alarm;
    this.#clock.restore(clock);
    this.#restored = turn;
    this.#fwCfg.restore(fwCfg);
    this.#restored = undefined;
    this.#bus.functions.forEach((each, index) => each.restore(functions[index]));
    this.#flash.forEach(({ device }, bank) => device.restore(flash[bank]));
  }
}
