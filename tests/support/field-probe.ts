// Finds fields that an object has and does not save: every field of every object that can be
// reached is changed for a moment, and what is saved must change with it, or saving must fail.

import { Buffer } from "node:buffer";
import { repositoryFiles, ROOT } from "./files.ts";
import { PrivateFields } from "./private-fields.ts";

/** Instances of a class of which a field is tried. */
const TRIALS = 8;

/** A class as its source declares it. */
interface ClassSource {
  readonly base: string | undefined;
  readonly fields: ReadonlySet<string>;
  /** Fields that are `readonly`. */
  readonly constants: ReadonlySet<string>;
}

/** The classes of some folders of src/, by name: found by the layout that `deno fmt` gives. */
export function classesOf(folders: readonly string[]): Map<string, ClassSource> {
  const found = new Map<string, ClassSource>();
  for (const folder of folders) {
    for (const path of repositoryFiles(`src/${folder}/`, ".ts")) readClasses(Deno.readTextFileSync(new URL(path, ROOT)), found);
  }
  return found;
}

function readClasses(text: string, found: Map<string, ClassSource>): void {
  for (
    const [, name, base, body] of text.matchAll(/^(?:export )?(?:abstract )?class (\w+)(?:<.*?>)?(?: extends (\w+))?[^\n]*\{\n(.*?)^\}/gms)
  ) {
    const declared = [...body.matchAll(/^ {2}(?:override )?(readonly )?(#?\w+)[?!]?(?::| =|;)/gm)];
    const parameters = [
      ...body.matchAll(/[(,]\s*(readonly|public|protected|private) (?:readonly )?(#?\w+)\??:|^ {4}(readonly) (#?\w+)\??:/gm),
    ];
    const all = [
      ...declared.map(([, constant, field]) => ({ field, constant: constant !== undefined })),
      ...parameters.map(([text, , first, , second]) => ({ field: first ?? second, constant: text.includes("readonly") })),
    ];
    found.set(name, {
      base,
      fields: new Set(all.map(({ field }) => field)),
      constants: new Set(all.filter(({ constant }) => constant).map(({ field }) => field)),
    });
  }
}

/** A place that can be changed. Saving may replace plain data by copies: it is read each time. */
interface Place {
  readonly get: () => unknown;
  readonly set: (value: unknown) => void | Promise<void>;
}

/** Tries the fields of everything that can be reached from some objects. */
export class FieldProbe {
  /** Fields that were tried, and whether any trial changed what is saved. */
  readonly #reached = new Map<string, boolean>();
  readonly #trials = new Map<string, number>();
  readonly #seen = new Set<unknown>();
  readonly #privates = new PrivateFields();
  /** The saved state while nothing is changed. */
  #before: Uint8Array = new Uint8Array();

  /**
   * @param classes whose instances are looked into
   * @param save everything that is saved, as bytes
   * @param skips classes that are not looked into
   * @param expected fields that are known not to be saved: one trial each will do
   */
  constructor(
    readonly classes: ReadonlyMap<string, ClassSource>,
    readonly save: () => Uint8Array,
    readonly skips: ReadonlySet<string>,
    readonly expected: (name: string) => boolean,
  ) {}

  /** Tries what can be reached. Gives the names of the fields that are not saved. */
  async unsaved(roots: readonly object[]): Promise<string[]> {
    this.#before = this.save();
    try {
      for (const root of roots) await this.#look("", () => root);
      if (!equal(this.#before, this.save())) throw new Error("a field was not put back");
    } finally {
      this.#privates.close();
    }
    return [...this.#reached].filter(([, reached]) => !reached).map(([name]) => name).sort();
  }

  /** Looks into a value; `name` is the path of plain data. */
  async #look(name: string, get: () => unknown): Promise<void> {
    const value = await get();
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof WeakMap) return;
    if (Array.isArray(value) || value instanceof Map || value instanceof Set) {
      const count = itemsOf(value).length;
      for (let at = 0; at < count; at++) await this.#look(`${name}[]`, async () => itemsOf(await get() as Collection)[at]);
      return;
    }
    if (this.#seen.has(value)) return;
    this.#seen.add(value);
    const kind = Object.getPrototypeOf(value)?.constructor?.name as string | undefined;
    if (kind === "Object" || kind === undefined) {
      await this.#fields(get, (field) => /^\d+$/.test(field) ? `${name}[]` : `${name}.${field}`, () => false);
    } else if (!this.skips.has(kind) && this.#chain(value).some((one) => this.classes.has(one))) {
      const owner = (field: string) => this.#declaring(value, field);
      await this.#fields(
        () => value,
        (field) => `${owner(field)}.${field}`,
        (field) => this.classes.get(owner(field))?.constants.has(field) ?? false,
      );
    }
  }

  async #fields(get: () => unknown, nameOf: (field: string) => string, isConstant: (field: string) => boolean): Promise<void> {
    const object = await get() as object;
    const names = await this.#privates.names(object);
    for (const field of [...Object.keys(object), ...names]) {
      if (names.filter((name) => name === field).length > 1) throw new Error(`two classes of ${object.constructor.name} have ${field}`);
      const place: Place = field.startsWith("#")
        ? { get: () => this.#privates.get(object, field), set: (value) => this.#privates.set(object, field, value) }
        : {
          get: async () => Reflect.get(await get() as object, field),
          set: async (value) => void Reflect.set(await get() as object, field, value),
        };
      await this.#try(nameOf(field), place, isConstant(field));
      await this.#look(nameOf(field), place.get);
    }
  }

  async #try(name: string, place: Place, isConstant: boolean): Promise<void> {
    const trials = this.#trials.get(name) ?? 0;
    if (this.#reached.get(name) || trials >= (this.expected(name) ? 1 : TRIALS)) return;
    const value = await place.get();
    const change = changeOf(value, place.set, isConstant);
    if (!change) return;
    this.#trials.set(name, trials + 1);
    await change.make();
    let reached = true;
    try {
      reached = !equal(this.#before, this.save());
    } catch {
      // State that cannot be saved is compared directly.
    }
    await change.undo();
    await place.set(value);
    this.#reached.set(name, reached);
  }

  /** The class that declares a field of an object; its own where no source is known to. */
  #declaring(object: object, field: string): string {
    const chain = this.#chain(object);
    return chain.find((name) => this.classes.get(name)?.fields.has(field)) ?? chain[0];
  }

  #chain(object: object): string[] {
    const names: string[] = [];
    for (let at = Object.getPrototypeOf(object); at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      names.push(at.constructor.name);
    }
    return names;
  }
}

type Collection = readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>;

function itemsOf(collection: Collection): unknown[] {
  return collection instanceof Map ? [...collection.keys(), ...collection.values()] : [...collection.values()];
}

interface Change {
  readonly make: () => void | Promise<void>;
  readonly undo: () => void | Promise<void>;
}

/** How a place is changed for a moment; undefined if no part of it can change. */
function changeOf(value: unknown, set: Place["set"], isConstant: boolean): Change | undefined {
  const to = (other: unknown): Change | undefined => isConstant ? undefined : { make: () => set(other), undo: () => set(value) };
  switch (typeof value) {
    case "number":
      return to(Number.isFinite(value) ? value + 1 : 0);
    case "bigint":
      return to(value ^ 1n);
    case "boolean":
      return to(!value);
    case "string":
      return to(`${value}?`);
    case "undefined":
      return to({});
    case "object":
      return value === null ? to({}) : contentChange(value) ?? to(undefined);
    default:
      return to(undefined);
  }
}

function contentChange(value: object): Change | undefined {
  if (value instanceof Uint8Array || value instanceof Uint16Array || value instanceof Int16Array || value instanceof Uint32Array) {
    const first = value[0];
    return value.length === 0 ? undefined : { make: () => void (value[0] = first + 1), undo: () => void (value[0] = first) };
  }
  if (Array.isArray(value)) {
    const items = [...value];
    const undo = () => {
      value.length = 0;
      value.push(...items);
    };
    if (items.length > 0 && typeof items[0] !== "object") return { make: () => void (value[0] = changed(items[0])), undo };
    return { make: () => void (items.length > 0 ? value.pop() : value.push({})), undo };
  }
  if (value instanceof Map) {
    const entries = [...value];
    return {
      make: () => void (entries.length > 0 ? value.delete(entries[entries.length - 1][0]) : value.set(1, {})),
      undo: () => {
        value.clear();
        for (const [key, item] of entries) value.set(key, item);
      },
    };
  }
  if (value instanceof Set) {
    const items = [...value];
    return {
      make: () => void (items.length > 0 ? value.delete(items[items.length - 1]) : value.add({})),
      undo: () => {
        value.clear();
        for (const item of items) value.add(item);
      },
    };
  }
  return undefined;
}

function changed(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "bigint") return value ^ 1n;
  return typeof value === "boolean" ? !value : {};
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
