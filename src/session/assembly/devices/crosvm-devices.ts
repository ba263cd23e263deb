// Devices of crosvm's platform that the primary VM may have (docs/spec/phones.md §C2): PL030, vCPU
// stall detector and battery. pvpanic is a function of the PCI host.

import * as v from "valibot";
import { GoldfishBattery } from "../../../machine/devices/goldfish-battery.ts";
import { Pl030 } from "../../../machine/devices/pl030.ts";
import { StallDetector } from "../../../machine/devices/stall-detector.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import { BATTERY_BASE, EXTRA_SIZE, PL030_BASE, STALL_BASE, STALL_INTID } from "../../../machine/hardware/memory-map.ts";
import type { PlatformDevice } from "../../../model/plans/plan.ts";
import { SavedEvent } from "../../state/saved-event.ts";
import { demand, inForm, list, maybe, ofBits } from "../../../kit/support/values/forms.ts";
import type { GuestSystem } from "../system/guest-system.ts";

type Attached = Pick<GuestSystem, "parts" | "hypervisor">;

/** A device's registers; undefined and false mean that there is none. */
interface Registers {
  read(offset: number, size: number): bigint | undefined;
  write(offset: number, size: number, value: bigint): boolean;
}

/**
 * Puts them on the bus.
 * @param start time of the clock at the start, seconds since 1970
 */
export function attachPlatformDevices(kinds: readonly PlatformDevice[], machine: Machine, system: Attached, start: number): void {
  if (kinds.includes("pl030")) {
    attach(machine, "PL030", PL030_BASE, new Pl030(() => start + Math.floor(machine.time / 1e9)));
  }
  if (kinds.includes("stall-detector")) attachStallDetector(machine, system);
  if (kinds.includes("battery")) attachBattery(machine, system);
}

function attach(machine: Machine, name: string, base: number, registers: Registers): void {
  machine.bus.attach({
    name,
    base,
    size: EXTRA_SIZE,
    device: {
      read: (offset, size) => registers.read(offset, size) ?? 0n,
      write: (offset, size, value) => void registers.write(offset, size, value),
    },
  });
}

function attachBattery(machine: Machine, system: Attached): void {
  const battery = new GoldfishBattery();
  attach(machine, "battery", BATTERY_BASE, battery);
  system.parts.push({
    name: "battery",
    save: () => battery.save(),
    restore: (state) => battery.restore(inForm(ofBits(32), state)),
  });
}

const time = v.pipe(v.number(), v.finite(), v.minValue(0));
const TIMER = v.strictObject({
  on: v.boolean(),
  hz: ofBits(32),
  load: ofBits(32),
  since: time,
  expired: v.boolean(),
  lookAt: maybe(time),
});
const SAVED_STALL = v.strictObject({
  timers: list(TIMER),
  event: maybe(v.strictObject({ at: time, order: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) })),
});

function attachStallDetector(machine: Machine, system: Attached): void {
  const stall = new StallDetector(machine.cpus.length, {
    now: () => machine.time,
    ran: (cpu) => Math.floor(system.hypervisor.scheduler.primaryRunTime(cpu)),
  }, {
    interrupt: (cpu) => system.hypervisor.hwirqs.get(STALL_INTID)?.pulse(cpu),
    reset: (cpu) => system.hypervisor.stop(`vCPU ${cpu} of the primary VM ran twice its time without restarting its stall detector`),
  });
  const event = new SavedEvent(machine.events);
  /** The detector's time of the pending event. */
  let due: number | undefined;
  const arm = () => {
    if (stall.wakeAt === due) return;
    if (due !== undefined) event.cancel();
    due = stall.wakeAt;
    if (due === undefined) return;
    event.schedule(Math.max(due, machine.time), () => {
      due = undefined;
      stall.timer();
      arm();
    });
  };
  attach(machine, "stall detector", STALL_BASE, {
    read: (offset, size) => stall.read(offset, size),
    write(offset, size, value) {
      const known = stall.write(offset, size, value);
      arm();
      return known;
    },
  });
  system.parts.push({
    name: "stall detector",
    save: () => ({ timers: stall.save(), event: due === undefined ? undefined : event.place }),
    restore(state) {
      const { timers, event: place } = inForm(SAVED_STALL, state);
      demand(timers.length === machine.cpus.length, "timers", "each CPU has a timer");
      stall.restore(timers);
      due = undefined;
      event.load(place, stall.wakeAt !== undefined, arm);
    },
  });
}
