// Devices of the platform that are not virtio: the serial port that is the primary's console, the
// PL031, its real-time clock, and the GICv2m frame.

import * as v from "valibot";
import { Gicv2m, GICV2M_SIZE } from "../../../machine/devices/gicv2m.ts";
import { Pl011, Pl011Data } from "../../../machine/devices/pl011.ts";
import { Pl031 } from "../../../machine/devices/pl031.ts";
import { TypedAhead } from "../../../machine/devices/typed-ahead.ts";
import { Uart16550 } from "../../../machine/devices/uart-16550.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import {
  PL011_BASE,
  PL011_INTID,
  PL011_SIZE,
  PL031_BASE,
  PL031_INTID,
  PL031_SIZE,
  V2M_BASE,
  V2M_COUNT,
  V2M_INTID,
} from "../../../machine/hardware/memory-map.ts";
import type { GuestSystem } from "../system/guest-system.ts";
import { PRIMARY_CONSOLE } from "../../../model/plans/plan.ts";
import { SavedEvent } from "../../state/saved-event.ts";

/** A byte, or a break. */
const character = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Pl011Data.BE));
/** Two bytes per character. */
const typedAhead = v.pipe(
  v.instance(Uint8Array),
  v.check((bytes) => bytes.length % 2 === 0 && isCharacters(bytes), "it is not characters"),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const EVENT_PLACE = v.strictObject({ at: v.number(), order: count });
const SAVED_CLOCK = v.strictObject({
  clock: v.strictObject({ offset: v.number(), match: count, mask: count, raised: v.boolean(), armed: v.boolean() }),
  alarm: v.optional(EVENT_PLACE),
});

/**
 * The platform's clock, which starts at `start` (seconds since 1970) and advances with virtual
 * time.
 */
export function attachClock(machine: Machine, system: Pick<GuestSystem, "parts">, start: number): void {
  const alarm = new SavedEvent(machine.events);
  const clock = new Pl031({
    seconds: () => Math.floor(machine.time / 1e9),
    at: (seconds, action) => alarm.schedule(Math.max(machine.time, seconds * 1e9), action),
  }, start);
  system.parts.push({
    name: "PL031",
    save() {
      const state = clock.save();
      return v.parse(SAVED_CLOCK, { clock: state, alarm: state.armed ? alarm.place : undefined });
    },
    restore(state) {
      const saved = v.parse(SAVED_CLOCK, state);
      alarm.load(saved.alarm, saved.clock.armed, () => clock.restore(saved.clock));
    },
  });
  clock.onInterrupt = (level) => machine.interrupt(PL031_INTID, level);
  machine.bus.attach({ name: "PL031", base: PL031_BASE, size: PL031_SIZE, device: clock });
}

/** The GICv2m frame, which has no state: a message is a pulse of its interrupt. */
export function attachMessages(machine: Machine): void {
  const frame = new Gicv2m(V2M_INTID, V2M_COUNT, (intid) => {
    machine.interrupt(intid, true);
    machine.interrupt(intid, false);
  });
  machine.bus.attach({
    name: "GICv2m",
    base: V2M_BASE,
    size: GICV2M_SIZE,
    device: {
      read: (offset, size) => frame.read(offset, size) ?? 0n,
      write: (offset, size, value) => void frame.write(offset, size, value),
    },
  });
}

/**
 * Saved state of the PL011: the device, the time at which it accepts input, and the input typed
 * ahead.
 */
const SAVED_UART = v.strictObject({
  uart: v.strictObject({
    fifo: v.array(character),
    registers: v.pipe(v.array(count), v.length(10)),
    line: v.boolean(),
    flagReads: count,
    settled: v.boolean(),
    settling: v.boolean(),
  }),
  settling: v.optional(EVENT_PLACE),
  waiting: typedAhead,
});

/**
 * Virtual time (ns) from the guest's enabling of receive interrupts to its first input, in which
 * its driver empties the FIFO.
 */
const UART_SETTLE_TIME = 1_000_000;

/** The platform's PL011: the console of the primary VM, if that has one (`input`). */
export function attachUart(machine: Machine, system: Pick<GuestSystem, "parts" | "consoles" | "inputCleared">, input: boolean): void {
  const settling = new SavedEvent(machine.events);
  const uart = new Pl011((action) => settling.schedule(machine.time + UART_SETTLE_TIME, action));
  uart.onTransmit = (byte) => system.consoles.transmit(PRIMARY_CONSOLE, byte);
  uart.onInterrupt = (level) => machine.interrupt(PL011_INTID, level);
  uart.onCleared = () => system.inputCleared(PRIMARY_CONSOLE);
  machine.bus.attach({
    name: "PL011",
    base: PL011_BASE,
    size: PL011_SIZE,
    device: uart,
  });
  const waiting = new TypedAhead();
  system.parts.push({
    name: "PL011",
    save() {
      const state = uart.save();
      return v.parse(SAVED_UART, { uart: state, settling: state.settling ? settling.place : undefined, waiting: waiting.save() });
    },
    restore(state) {
      const saved = v.parse(SAVED_UART, state);
      settling.load(saved.settling, saved.uart.settling, () => uart.restore(saved.uart));
      waiting.restore(saved.waiting);
    },
  });
  if (!input) return;
  const feed = () => waiting.feed((characters) => uart.receive(characters));
  uart.onReceivable = feed;
  const type = (characters: ArrayLike<number>) => {
    waiting.push(characters);
    feed();
  };
  system.consoles.add(PRIMARY_CONSOLE, {
    type,
    sendBreak: () => type([Pl011Data.BE]),
    closed: () => waiting.closed,
    input: () => uart.input,
    take: (limit) => waiting.take(limit),
  });
}

/** Saved state of a 16550A, with the input typed ahead. */
const SAVED_SERIAL = v.strictObject({
  uart: v.strictObject({
    received: v.array(character),
    registers: v.strictTuple([count, count, count, count, count]),
    emptied: v.boolean(),
    polls: count,
  }),
  line: v.boolean(),
  waiting: typedAhead,
});

/** A 16550A instead of the PL011: the console of the primary VM. */
export function attachSerial(machine: Machine, system: Pick<GuestSystem, "parts" | "consoles">): void {
  const uart = new Uart16550();
  const waiting = new TypedAhead();
  let line = false;
  uart.onTransmit = (byte) => system.consoles.transmit(PRIMARY_CONSOLE, byte);
  const settle = () => {
    waiting.feed((characters) => uart.receive(characters));
    if (uart.interrupt === line) return;
    line = uart.interrupt;
    machine.interrupt(PL011_INTID, line);
  };
  machine.bus.attach({
    name: "16550A",
    base: PL011_BASE,
    size: PL011_SIZE,
    device: {
      read(offset, size) {
        const value = uart.read(offset, size);
        settle();
        return value;
      },
      write(offset, size, value) {
        uart.write(offset, size, value);
        settle();
      },
      seen: (offset, size) => uart.seen(offset, size),
    },
  });
  system.parts.push({
    name: "16550A",
    save: () => v.parse(SAVED_SERIAL, { uart: uart.save(), line, waiting: waiting.save() }),
    restore(state) {
      const saved = v.parse(SAVED_SERIAL, state);
      uart.restore(saved.uart);
      line = saved.line;
      waiting.restore(saved.waiting);
    },
  });
  const type = (characters: ArrayLike<number>) => {
    waiting.push(characters);
    settle();
  };
  system.consoles.add(PRIMARY_CONSOLE, {
    type,
    sendBreak: () => type([Pl011Data.BE]),
    closed: () => waiting.closed,
    input: () => uart.input,
    take: (limit) => waiting.take(limit),
  });
}

/** Whether all characters are bytes or breaks. */
function isCharacters(bytes: Uint8Array): boolean {
  for (let high = 1; high < bytes.length; high += 2) {
    if (bytes[high] > Pl011Data.BE >> 8 || bytes[high] > 0 && bytes[high - 1] > 0) return false;
  }
  return true;
}
