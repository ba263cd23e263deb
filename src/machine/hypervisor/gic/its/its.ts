// An Interrupt Translation Service: the command queue and translations (Arm IHI 0069 chapter 5).
// Commands are executed when software moves GITS_CWRITER. A command with an error is ignored; if
// the queue or a table cannot be read or written, the ITS stalls until software retries. The
// register frame is in its-frame.ts.

import { ITS_RULE_CODES, ITS_RULES, type ItsRule } from "../../../abi/its-rules.ts";
import type { Archive } from "../../../hardware/archive.ts";
import {
  Baser,
  BASER_TYPES,
  BASER_WRITABLE,
  CBASER_WRITABLE,
  COLLECTION_BITS,
  Command,
  COMMAND_SIZE,
  type CommandName,
  DEVICE_BITS,
  ENTRY_SIZE,
  EVENT_BITS,
  GitsCreadr,
  GitsCwriter,
  LPI_FIRST,
} from "./its-registers.ts";
import { ItsTables, type TableError } from "./its-tables.ts";
import type { DeviceEntry, Translation } from "./its-tables.ts";
import type { TableMemory } from "./table-memory.ts";

/** LPIs of one redistributor, by INTID. */
export interface LpiSet {
  /** Makes one pending. False if it is lost. */
  set(intid: number): boolean;
  /** Makes one not pending. Returns whether it was pending. */
  clear(intid: number): boolean;
  /** Reports that an LPI's configuration may have changed. */
  invalidate(intid: number): void;
  invalidateAll(): void;
}

/** The redistributors that an ITS sends LPIs to. */
interface LpiTargets {
  /** INTID bits of the GIC. */
  readonly bits: number;
  /** LPIs of the redistributor with this processor number; undefined if there is none. */
  lpis(processor: number): LpiSet | undefined;
  /** Moves all pending LPIs of the first redistributor to the second; both exist. */
  moveAll(from: number, to: number): void;
  /** Reports that LPIs of any redistributor may have changed. */
  settle(): void;
}

/** A message that made no LPI pending. */
export interface DroppedMessage {
  readonly device: number;
  readonly event: number;
  readonly rule: ItsRule;
}

/** Called for each command and each message, for display. */
export interface ItsEvents {
  readonly wanted: boolean;
  command(name: string, fields: Readonly<Record<string, number>>, error: string | undefined): void;
}

const NAMES: ReadonlyMap<number, CommandName> = new Map(Object.entries(Command).map(([name, number]) => [number, name as CommandName]));
const QUEUE_PAGE = 0x1000;
const QUEUE_ADDRESS = 0xf_ffff_ffff_f000n, QUEUE_OFFSET = 0xf_ffe0;
const DEVICES = 0, COLLECTIONS = 1;

/** The rule that a command broke, if any. */
type Outcome = ItsRule | undefined;
/** The ITS stops here until software retries. */
class Stall {
  constructor(readonly rule: ItsRule) {}
}

/** A table cannot be read or written; that of a device has no outside. */
const INACCESSIBLE = new Stall("inaccessible-table");

/** The double words of a command by their fields. */
class CommandFields {
  readonly bytes = new Uint8Array(COMMAND_SIZE);
  readonly #view = new DataView(this.bytes.buffer);

  get number(): number {
    return this.bytes[0];
  }
  get device(): number {
    return this.#view.getUint32(4, true);
  }
  get event(): number {
    return this.#view.getUint32(8, true);
  }
  get intid(): number {
    return this.#view.getUint32(12, true);
  }
  /** EventID bits of a device. */
  get eventBits(): number {
    return (this.#view.getUint8(8) & 0x1f) + 1;
  }
  get collection(): number {
    return this.#view.getUint16(16, true);
  }
  /** IPA of a device's table. */
  get itt(): number {
    return this.#view.getUint32(16, true) - this.bytes[16] + (this.#view.getUint32(20, true) & 0xf_ffff) * 2 ** 32;
  }
  get valid(): boolean {
    return (this.#view.getUint8(23) & 0x80) !== 0;
  }
  /** RDbase is a processor number in bits 51:16; GICR_TYPER has 16 bits for it. */
  get processor(): number {
    return this.#processor(16);
  }
  get secondProcessor(): number {
    return this.#processor(24);
  }

  #processor(at: number): number {
    return this.#view.getUint16(at + 2, true) + (this.#view.getUint32(at + 4, true) & 0xf_ffff) * 2 ** 16;
  }
}

/** The ITS of a VIC. */
export class Its {
  #enabled = false;
  #cbaser = 0n;
  #cwriter = 0;
  #creadr = 0;
  #stalled = false;
  /** GITS_BASER0 and 1: the tables of devices and collections. */
  readonly #basers: [bigint, bigint] = [0n, 0n];
  readonly #tables = new ItsTables();
  readonly #fields = new CommandFields();
  #events: ItsEvents | undefined;
  #dropped: DroppedMessage | undefined;

  constructor(readonly targets: LpiTargets) {}

  /** Sets the memory that queue and tables are in. */
  place(memory: TableMemory): void {
    this.#tables.place(memory);
  }

  /** Sets the listener to commands and messages. */
  report(events: ItsEvents): void {
    this.#events = events;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** The last message, if it made no LPI pending: evidence. */
  get dropped(): DroppedMessage | undefined {
    return this.#dropped;
  }

  get cbaser(): bigint {
    return this.#cbaser;
  }

  get cwriter(): number {
    return this.#cwriter;
  }

  /** GITS_CREADR. */
  get creadr(): number {
    return this.#creadr + (this.#stalled ? GitsCreadr.Stalled : 0);
  }

  /** GITS_BASER<n>: those without a table are zero. */
  baser(index: number): bigint {
    const type = BASER_TYPES[index];
    if (type === undefined) return 0n;
    return this.#basers[index] | BigInt(type) << Baser.TypeShift | BigInt(ENTRY_SIZE - 1) << Baser.EntrySizeShift;
  }

  /** GITS_CTLR.Enabled. */
  enable(on: boolean): void {
    this.#enabled = on;
    this.#execute();
  }

  /** GITS_CBASER and GITS_BASER<n> are fixed while the ITS is enabled. */
  setCbaser(value: bigint): void {
    if (this.#enabled) return;
    this.#cbaser = value & CBASER_WRITABLE;
    this.#creadr = 0;
    this.#stalled = false;
  }

  setBaser(index: number, value: bigint): void {
    if (this.#enabled || index >= BASER_TYPES.length) return;
    this.#basers[index] = value & BASER_WRITABLE;
  }

  /** GITS_CWRITER. */
  setCwriter(value: number): void {
    this.#cwriter = value & QUEUE_OFFSET;
    if (value & GitsCwriter.Retry) this.#stalled = false;
    this.#execute();
  }

  /**
   * Handles a message, a device's store to GITS_TRANSLATER. Returns why it made no LPI pending, or
   * undefined if it did.
   */
  translate(device: number, event: number): ItsRule | undefined {
    let isPending = false;
    const set = (lpis: LpiSet, { intid }: Translation) => void (isPending = lpis.set(intid));
    const error = this.#enabled ? this.#lpiOf(device, event, set) : "its-disabled";
    this.targets.settle();
    const rule = error instanceof Stall ? error.rule : error ?? (isPending ? undefined : "lpis-disabled");
    this.#dropped = rule === undefined ? undefined : { device, event, rule };
    if (this.#events?.wanted) this.#events.command("message", { device, event }, rule && ITS_RULES[rule]);
    return rule;
  }

  /** Registers, saved or loaded. */
  archive(archive: Archive): void {
    this.#enabled = archive.bool("enabled", this.#enabled);
    this.#cbaser = archive.word("cbaser", this.#cbaser, CBASER_WRITABLE);
    this.#cwriter = archive.integer("cwriter", this.#cwriter, 0, QUEUE_OFFSET);
    this.#creadr = archive.integer("creadr", this.#creadr, 0, QUEUE_OFFSET);
    archive.check(((this.#cwriter | this.#creadr) & ~QUEUE_OFFSET) === 0, "the queue's offsets are those of commands");
    this.#stalled = archive.bool("stalled", this.#stalled);
    for (const index of [DEVICES, COLLECTIONS] as const) {
      this.#basers[index] = archive.word(`baser${index}`, this.#basers[index], BASER_WRITABLE);
    }
    this.#dropped = archive.maybe("dropped", this.#dropped, (message) => ({
      device: archive.integer("device", message?.device, 0, 0xffff_ffff),
      event: archive.integer("event", message?.event, 0, 0xffff_ffff),
      rule: ruleOf(archive, archive.text("rule", message && ITS_RULES[message.rule])),
    }));
  }

  // ---- commands ----

  /** Executes commands until the queue is empty. */
  #execute(): void {
    const size = (Number(this.#cbaser & 0xffn) + 1) * QUEUE_PAGE;
    if (!this.#enabled || this.#stalled || !(this.#cbaser & Baser.Valid)) return;
    // An offset beyond the queue is UNPREDICTABLE: nothing is executed.
    if (this.#cwriter >= size || this.#creadr >= size) return;
    const base = Number(this.#cbaser & QUEUE_ADDRESS);
    while (this.#creadr !== this.#cwriter) {
      const readable = this.#tables.read(base + this.#creadr, this.#fields.bytes);
      const outcome = readable ? this.#perform() : new Stall("unreadable-queue");
      if (this.#events?.wanted) this.#report(this.#events, readable, outcome && textOf(outcome));
      if (outcome instanceof Stall) {
        this.#stalled = true;
        break;
      }
      this.#creadr = (this.#creadr + COMMAND_SIZE) % size;
    }
    this.targets.settle();
  }

  #report(events: ItsEvents, readable: boolean, error: string | undefined): void {
    const fields = this.#fields, name = readable ? NAMES.get(fields.number) : undefined;
    if (name === undefined) return events.command("command", readable ? { number: fields.number } : {}, error);
    const { device, event, collection, intid, processor, secondProcessor, eventBits, itt } = fields;
    const valid = Number(fields.valid);
    const shown: Readonly<Record<CommandName, Readonly<Record<string, number>>>> = {
      MAPD: { device, event_bits: eventBits, itt, valid },
      MAPC: { collection, processor, valid },
      MAPTI: { device, event, intid, collection },
      MAPI: { device, event, collection },
      MOVI: { device, event, collection },
      INT: { device, event },
      CLEAR: { device, event },
      DISCARD: { device, event },
      INV: { device, event },
      INVALL: { collection },
      MOVALL: { processor, to: secondProcessor },
      SYNC: { processor },
    };
    events.command(name, shown[name], error);
  }

  /** One command. */
  #perform(): Outcome | Stall {
    const fields = this.#fields;
    switch (fields.number) {
      case Command.MAPD:
        return this.#mapDevice();
      case Command.MAPC:
        return this.#mapCollection();
      case Command.MAPTI:
        return this.#map(fields.intid);
      case Command.MAPI:
        return this.#map(fields.event);
      case Command.MOVI:
        return this.#move();
      case Command.INT:
        return this.#raise(fields.device, fields.event);
      case Command.CLEAR:
        return this.#withLpi((lpis, { intid }) => void lpis.clear(intid));
      case Command.INV:
        return this.#withLpi((lpis, { intid }) => lpis.invalidate(intid));
      case Command.DISCARD:
        return this.#discard();
      case Command.INVALL:
        return this.#invalidateAll();
      case Command.MOVALL:
        return this.#moveAll();
      case Command.SYNC:
        // All commands before it have had their effects.
        return this.targets.lpis(fields.processor) === undefined ? "unknown-redistributor" : undefined;
      default:
        return "unknown-command";
    }
  }

  #mapDevice(): Outcome | Stall {
    const { device, valid, itt, eventBits } = this.#fields;
    if (device >= 2 ** DEVICE_BITS) return "device-range";
    if (valid && eventBits > EVENT_BITS) return "size-range";
    const entry = valid ? { valid, itt, eventBits } : { valid, itt: 0, eventBits: 1 };
    const error = this.#tables.setDevice(this.#basers[DEVICES], device, entry);
    return error && unreachable(error, "device-table");
  }

  #mapCollection(): Outcome | Stall {
    const { collection, valid, processor } = this.#fields;
    if (valid && this.targets.lpis(processor) === undefined) return "unknown-redistributor";
    const entry = { valid, processor: valid ? processor : 0 };
    const error = this.#tables.setCollection(this.#basers[COLLECTIONS], collection, entry);
    return error && unreachable(error, "collection-table");
  }

  #map(intid: number): Outcome | Stall {
    const { device, event, collection } = this.#fields;
    const entry = this.#device(device, event);
    if (isFailure(entry)) return entry;
    if (intid < LPI_FIRST || intid >= 2 ** this.targets.bits) return "intid-range";
    if (collection >= 2 ** COLLECTION_BITS) return "collection-range";
    const error = this.#tables.setTranslation(entry, event, { valid: true, intid, collection });
    return error && INACCESSIBLE;
  }

  #move(): Outcome | Stall {
    const { device, event, collection } = this.#fields;
    const entry = this.#device(device, event);
    if (isFailure(entry)) return entry;
    const found = this.#translation(entry, event);
    if (isFailure(found)) return found;
    const from = this.#redistributor(found.collection), to = this.#redistributor(collection);
    if (isFailure(from)) return from;
    if (isFailure(to)) return to;
    const error = this.#tables.setTranslation(entry, event, { ...found, collection });
    if (error !== undefined) return INACCESSIBLE;
    // A pending LPI moves with it.
    if (from !== to && from.clear(found.intid)) to.set(found.intid);
    return undefined;
  }

  #raise(device: number, event: number): Outcome | Stall {
    return this.#lpiOf(device, event, (lpis, { intid }) => void lpis.set(intid));
  }

  #discard(): Outcome | Stall {
    const { device, event } = this.#fields;
    const entry = this.#device(device, event);
    if (isFailure(entry)) return entry;
    const found = this.#translation(entry, event);
    if (isFailure(found)) return found;
    const lpis = this.#redistributor(found.collection);
    if (lpis instanceof Stall) return lpis;
    if (typeof lpis !== "string") lpis.clear(found.intid);
    const error = this.#tables.setTranslation(entry, event, { valid: false, intid: 0, collection: 0 });
    if (error) return INACCESSIBLE;
    return typeof lpis === "string" ? lpis : undefined;
  }

  #invalidateAll(): Outcome | Stall {
    const lpis = this.#redistributor(this.#fields.collection);
    if (isFailure(lpis)) return lpis;
    lpis.invalidateAll();
    return undefined;
  }

  #moveAll(): Outcome | Stall {
    const { processor, secondProcessor } = this.#fields;
    const exist = [processor, secondProcessor].every((one) => this.targets.lpis(one) !== undefined);
    if (!exist) return "unknown-redistributor";
    this.targets.moveAll(processor, secondProcessor);
    return undefined;
  }

  // ---- lookups ----

  /** Acts on the LPI of the command's device and event. */
  #withLpi(act: (lpis: LpiSet, translation: Translation) => void): Outcome | Stall {
    return this.#lpiOf(this.#fields.device, this.#fields.event, act);
  }

  #lpiOf(device: number, event: number, act: (lpis: LpiSet, translation: Translation) => void): Outcome | Stall {
    const entry = this.#device(device, event);
    if (isFailure(entry)) return entry;
    const found = this.#translation(entry, event);
    if (isFailure(found)) return found;
    const lpis = this.#redistributor(found.collection);
    if (isFailure(lpis)) return lpis;
    act(lpis, found);
    return undefined;
  }

  /** A mapped device that has this EventID. */
  #device(device: number, event: number): DeviceEntry | ItsRule | Stall {
    if (device >= 2 ** DEVICE_BITS) return "device-range";
    const entry = this.#tables.device(this.#basers[DEVICES], device);
    if (typeof entry === "string") return unreachable(entry, "device-table");
    if (!entry.valid) return "device-unmapped";
    return event < 2 ** entry.eventBits ? entry : "event-range";
  }

  #translation(device: DeviceEntry, event: number): Translation | ItsRule | Stall {
    const found = this.#tables.translation(device, event);
    if (typeof found === "string") return INACCESSIBLE;
    if (!found.valid) return "event-unmapped";
    // The table is the guest's memory, which may hold anything.
    return found.intid >= LPI_FIRST && found.intid < 2 ** this.targets.bits ? found : "corrupt-entry";
  }

  /** The LPIs of a mapped collection's redistributor. */
  #redistributor(collection: number): LpiSet | ItsRule | Stall {
    const entry = this.#tables.collection(this.#basers[COLLECTIONS], collection);
    if (typeof entry === "string") return unreachable(entry, "collection-table");
    if (!entry.valid) return "collection-unmapped";
    return this.targets.lpis(entry.processor) ?? "corrupt-entry";
  }
}

function isFailure<T extends object>(value: T | ItsRule | Stall): value is ItsRule | Stall {
  return typeof value === "string" || value instanceof Stall;
}

/** The outcome if an entry could not be reached. */
function unreachable(error: TableError, outside: ItsRule): ItsRule | Stall {
  return error === "outside" ? outside : INACCESSIBLE;
}

function textOf(outcome: ItsRule | Stall): string {
  return outcome instanceof Stall ? `stalled: ${ITS_RULES[outcome.rule]}` : ITS_RULES[outcome];
}

/** The rule that a saved state has in words. */
function ruleOf(archive: Archive, text: string): ItsRule {
  return ITS_RULE_CODES.find((code) => ITS_RULES[code] === text) ?? archive.fail("there is no such rule of an ITS");
}
