// The input device (virtio 1.2 section 5.8): a keyboard, or a tablet with absolute places, buttons
// and a wheel. Events come from users.

import * as v from "valibot";
import { countersLike, type Form, inForm, list, ofBits } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type VirtioDevice, VirtioId } from "../device.ts";
import type { InputType } from "../plan.ts";
import { Abs, BUTTONS, EventType, KEYS, Led, Rel, SYN_REPORT } from "./event-codes.ts";

const EVENTS = 0, STATUS = 1;
/** Values of the configuration's `select` (section 5.8.2). */
const Select = { ID_NAME: 1, ID_SERIAL: 2, ID_DEVIDS: 3, PROP_BITS: 0x10, EV_BITS: 0x11, ABS_INFO: 0x12 } as const;
const Config = { Select: 0, Subselect: 1, Size: 2, Data: 8, End: 8 + 128 } as const;
const EVENT_SIZE = 8;
const BUS_VIRTUAL = 6;
const INPUT_PROP_POINTER = 0;
/** Events that wait for buffers of the guest. */
const WAITING_MAX = 1024;
/** Places of a tablet on each axis: 0 to this. */
export const TABLET_MAX = 32_767;

/** An event: type, code and value as Linux has them; the value is 32 bits. */
export interface InputEvent {
  readonly type: number;
  readonly code: number;
  readonly value: number;
}

const EVENT: Form<InputEvent> = v.strictObject({ type: ofBits(16), code: ofBits(16), value: v.pipe(v.number(), v.integer()) });

/** Events that a device has: codes by type. */
const CODES: Readonly<Record<InputType, ReadonlyMap<number, readonly number[]>>> = {
  keyboard: new Map<number, readonly number[]>([[EventType.KEY, [...KEYS.values()]], [EventType.LED, Object.values(Led)], [EventType.REP, [
    0,
    1,
  ]]]),
  tablet: new Map<number, readonly number[]>([[EventType.KEY, Object.values(BUTTONS)], [EventType.REL, [Rel.WHEEL]], [EventType.ABS, [
    Abs.X,
    Abs.Y,
  ]]]),
};

interface InputState {
  readonly select: number;
  readonly subselect: number;
  readonly waiting: readonly InputEvent[];
  readonly metrics: Readonly<Record<string, number>>;
}

const STATE = v.strictObject({
  select: ofBits(8),
  subselect: ofBits(8),
  waiting: list(EVENT),
  metrics: countersLike({ events: 0, refused: 0, leds: 0 }),
});

/** A keyboard or tablet. */
export class InputDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Input;
  readonly name = "input";
  readonly queueCount = 2;
  readonly features = [];
  #select = 0;
  #subselect = 0;
  #waiting: InputEvent[] = [];
  #metrics = { events: 0, refused: 0, leds: 0 };

  constructor(readonly type: InputType) {
    super();
  }

  override takesInput(queue: number): boolean {
    return queue === EVENTS;
  }

  limits() {
    return LIMITS.input;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.End);
    const data = this.#selected();
    bytes[Config.Select] = this.#select;
    bytes[Config.Subselect] = this.#subselect;
    bytes[Config.Size] = data.length;
    bytes.set(data, Config.Data);
    return bytes;
  }

  configure(offset: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => {
      if (offset + index === Config.Select) this.#select = byte;
      if (offset + index === Config.Subselect) this.#subselect = byte;
    });
  }

  notify(queue: number): void {
    if (queue === EVENTS) return this.#deliver();
    if (queue !== STATUS) return;
    serve(this.port, this.port.queues[STATUS], (chain) => {
      const bytes = new Uint8Array(EVENT_SIZE);
      if (chain.read(bytes) < EVENT_SIZE) return;
      const { type, code, value } = readEvent(bytes);
      if (type !== EventType.LED || code > Led.SCROLL_LOCK) return;
      this.#metrics.leds = value ? this.#metrics.leds | 1 << code : this.#metrics.leds & ~(1 << code);
    });
  }

  /**
   * Events that happen at once; their end is added.
   * @returns false, without effect, if the guest has not taken the earlier events, or has no driver
   */
  send(events: readonly InputEvent[]): boolean {
    if (!this.port.running || this.#waiting.length + events.length + 1 > WAITING_MAX) {
      this.#metrics.refused += events.length;
      return false;
    }
    this.#waiting.push(...events, { type: EventType.SYN, code: SYN_REPORT, value: 0 });
    this.port.perform(() => this.#deliver());
    return true;
  }

  /** Whether the device has this event. */
  has({ type, code }: InputEvent): boolean {
    return CODES[this.type].get(type)?.includes(code) ?? false;
  }

  reset(): void {
    this.#waiting = [];
    this.#select = this.#subselect = 0;
    this.#metrics.leds = 0;
  }

  /** `leds` has a bit for each that is on: number lock, capitals lock, scroll lock. */
  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics, waiting: this.#waiting.length };
  }

  save(): InputState {
    return { select: this.#select, subselect: this.#subselect, waiting: [...this.#waiting], metrics: { ...this.#metrics } };
  }

  restore(state: unknown): void {
    const { select, subselect, waiting, metrics } = inForm(STATE, state);
    this.#select = select;
    this.#subselect = subselect;
    this.#waiting = [...waiting];
    Object.assign(this.#metrics, metrics);
  }

  #deliver(): void {
    const queue = this.port.queues[EVENTS];
    for (let event = this.#waiting[0]; event; event = this.#waiting[0]) {
      const chain = queue.pop();
      if (!chain) break;
      this.#waiting.shift();
      chain.write(writeEvent(event));
      queue.push(chain);
      this.#metrics.events++;
    }
    this.port.signal(queue);
  }

  /** The answer to the driver's selection: empty for an unknown one. */
  #selected(): Uint8Array {
    switch (this.#select) {
      case Select.ID_NAME:
        return new TextEncoder().encode(`el2 ${this.type}`);
      case Select.ID_SERIAL:
        return new TextEncoder().encode(this.type);
      case Select.ID_DEVIDS:
        return Uint8Array.of(BUS_VIRTUAL, 0, 0, 0, this.type === "keyboard" ? 1 : 2, 0, 1, 0);
      case Select.PROP_BITS:
        return this.type === "tablet" ? bits([INPUT_PROP_POINTER]) : new Uint8Array(0);
      case Select.EV_BITS:
        return bits(CODES[this.type].get(this.#subselect) ?? []);
      case Select.ABS_INFO: {
        const info = new Uint8Array(20);
        new DataView(info.buffer).setUint32(4, TABLET_MAX, true);
        return CODES[this.type].get(EventType.ABS)?.includes(this.#subselect) ? info : new Uint8Array(0);
      }
      default:
        return new Uint8Array(0);
    }
  }
}

/** A bit for each number, as short as they allow. */
function bits(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length ? Math.max(...numbers) / 8 + 1 : 0);
  for (const number of numbers) bytes[number >> 3] |= 1 << (number & 7);
  return bytes;
}

/** `struct virtio_input_event`. */
function writeEvent({ type, code, value }: InputEvent): Uint8Array {
  const bytes = new Uint8Array(EVENT_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type, true);
  view.setUint16(2, code, true);
  view.setUint32(4, value, true);
  return bytes;
}

function readEvent(bytes: Uint8Array): InputEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { type: view.getUint16(0, true), code: view.getUint16(2, true), value: view.getUint32(4, true) };
}
