// The devices of crosvm's platform as its VMM has them (docs/spec/phones.md §C1 and §C2): three of
// the four serial ports, clock, stall detector, battery, virtual cpufreq, and the PCI host with its
// functions. The first serial port is the VM's console.

import { GoldfishBattery } from "../../../devices/goldfish-battery.ts";
import { CAM_SHIFT, PciBus, PciFunction, type PciFunctionState } from "../../../devices/pci.ts";
import { Pl030 } from "../../../devices/pl030.ts";
import { PANIC_REPORT, pvpanicFunction } from "../../../devices/pvpanic.ts";
import type { SeenRegister } from "../../../devices/seen-register.ts";
import { StallDetector, type StallDetectorState } from "../../../devices/stall-detector.ts";
import { VirtualCpufreq, type VirtualCpufreqState } from "../../../devices/virtual-cpufreq.ts";
import { VirtioId } from "../../../virtio/device.ts";
import { type PciTransport, virtioFunction } from "../../../virtio/pci-transport.ts";
import type { BoardDevices, BoardProcess } from "../board.ts";
import { offsetIn, type Range } from "../layout.ts";
import {
  CROSVM_BATTERY,
  CROSVM_CAM,
  CROSVM_RTC,
  CROSVM_SERIAL_SIZE,
  CROSVM_SERIALS,
  CROSVM_STALL,
  crosvmBar,
  crosvmCpufreq,
  crosvmPciSpi,
} from "./map.ts";
import type { VmPlan } from "../vm-plan.ts";
import { uart16550Console, type VmConsole, type VmConsoleState } from "../vm-console.ts";

const BRIDGE = { vendor: 0x8086, device: 0x1237, revision: 0, classCode: 0x06_00_00 };
/** Classes of virtio functions: the subclass is always 0x80, "other". */
const VIRTIO_CLASSES: Readonly<Record<number, number>> = {
  [VirtioId.Net]: 0x02_80_00,
  [VirtioId.Block]: 0x01_80_00,
  [VirtioId.Console]: 0x07_80_00,
  [VirtioId.Entropy]: 0x08_80_00,
  [VirtioId.Balloon]: 0x08_80_00,
  [VirtioId.P9]: 0x02_80_00,
  [VirtioId.Input]: 0x09_80_00,
  [VirtioId.Vsock]: 0x02_80_00,
};

/** Plain data. */
interface CrosvmDevicesState {
  /** Ports 2 to 4. */
  readonly serials: readonly VmConsoleState[];
  readonly stall: StallDetectorState;
  readonly battery: number;
  readonly cpufreq: VirtualCpufreqState;
  readonly functions: readonly PciFunctionState[];
}

/** A device that answers loads and stores by offset. */
interface RegisterDevice {
  read(offset: number, size: number): bigint | undefined;
  write(offset: number, size: number, value: bigint): boolean;
}

/** Ports but the first, which are connected to nothing. */
const OTHER_SERIALS = CROSVM_SERIALS.slice(1).map((serial) => ({ ...serial, size: CROSVM_SERIAL_SIZE }));

/** The index of the serial port at an address; -1 if none is there. */
const serialAt = (address: number) => OTHER_SERIALS.findIndex((range) => offsetIn(range, address) !== undefined);

/** The devices of one VM, for one life of it. */
export class CrosvmDevices implements BoardDevices {
  readonly #process: BoardProcess;
  readonly #serials: readonly VmConsole[];
  readonly #clock: Pl030;
  readonly #stall: StallDetector;
  readonly #battery = new GoldfishBattery();
  /** Without frequencies it has no frames. */
  readonly #cpufreq: VirtualCpufreq;
  /** The devices of single registers, with their ranges. */
  readonly #places: readonly (readonly [Range, RegisterDevice])[];
  readonly #bus: PciBus;

  /** @param transports the VM's virtio devices, in the order of their slots */
  constructor({ vcpus, cpuFrequencies }: VmPlan, transports: readonly PciTransport[], process: BoardProcess) {
    this.#process = process;
    this.#serials = OTHER_SERIALS.map(({ spi }) => {
      const serial = uart16550Console(() => {});
      serial.connect(() => process.signal(spi));
      return serial;
    });
    this.#clock = new Pl030(() => Math.floor(process.now() / 1e9));
    this.#stall = new StallDetector(vcpus, { now: () => process.now(), ran: (vcpu) => process.ran(vcpu) }, {
      interrupt: () => process.signal(CROSVM_STALL.interrupt),
      reset: (vcpu) => process.end(`vCPU ${vcpu} ran twice its time without restarting its stall detector`),
    });
    const clocked = cpuFrequencies === undefined ? 0 : vcpus;
    this.#cpufreq = new VirtualCpufreq(clocked, cpuFrequencies ?? []);
    this.#places = [
      [CROSVM_RTC, this.#clock],
      [CROSVM_STALL, this.#stall],
      [CROSVM_BATTERY, this.#battery],
      [crosvmCpufreq(clocked), this.#cpufreq],
    ];
    this.#bus = new PciBus([
      new PciFunction(BRIDGE),
      ...transports.map((transport, index) =>
        virtioFunction(transport, { classCode: VIRTIO_CLASSES[transport.device.id], address: crosvmBar(index), line: crosvmPciSpi(index) })
      ),
      // The VM continues: `panic=-1` has the kernel reset it.
      pvpanicFunction(crosvmBar(transports.length), () => process.problem(PANIC_REPORT)),
    ], CAM_SHIFT);
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    return this.#stall.wakeAt;
  }

  /** Some time has passed. */
  timer(): void {
    this.#stall.timer();
  }

  /** Whether INTA of a virtio device reaches its line. */
  interrupts(slot: number): boolean {
    return this.#bus.functions[slot + 1].interrupts;
  }

  /** Nothing takes messages here. */
  message(): void {}

  /** An access of the guest: the value of a load, 0 for a store; undefined if no device is. */
  access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    const serial = serialAt(address);
    if (serial >= 0) return this.#accessSerial(serial, address - OTHER_SERIALS[serial].base, size, value);
    const config = offsetIn(CROSVM_CAM, address);
    if (config !== undefined) {
      if (value === undefined) return this.#bus.readConfig(config, size);
      this.#bus.writeConfig(config, size, value);
      return 0n;
    }
    for (const [place, device] of this.#places) {
      const offset = offsetIn(place, address);
      if (offset === undefined) continue;
      if (value === undefined) return device.read(offset, size);
      return device.write(offset, size, value) ? 0n : undefined;
    }
    return this.#bus.access(address, size, value);
  }

  seen(address: number, size: number): SeenRegister | undefined {
    const serial = serialAt(address);
    return serial < 0 ? undefined : this.#serials[serial].seen(address - OTHER_SERIALS[serial].base, size);
  }

  /** None of them writes memory by itself. */
  get isBusy(): boolean {
    return false;
  }

  save(): CrosvmDevicesState {
    return {
      serials: this.#serials.map((serial) => serial.save()),
      stall: this.#stall.save(),
      battery: this.#battery.save(),
      cpufreq: this.#cpufreq.save(),
      functions: this.#bus.functions.map((each) => each.save()),
    };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { serials, stall, battery, cpufreq, functions } = saved as CrosvmDevicesState;
    this.#serials.forEach((serial, index) => serial.restore(serials[index]));
    this.#stall.restore(stall);
    this.#battery.restore(battery);
    this.#cpufreq.restore(cpufreq);
    this.#bus.functions.forEach((each, index) => each.restore(functions[index]));
  }

  #accessSerial(index: number, offset: number, size: number, value: bigint | undefined): bigint {
    const serial = this.#serials[index], now = this.#process.now();
    if (value === undefined) return serial.read(now, offset, size);
    serial.write(now, offset, size, value);
    return 0n;
  }
}
