// Arguments of requests: a client may send anything.

import { UserError } from "../../../kit/support/problem.ts";

/** A request that cannot be done; its message is for the user. */
export class RequestError extends UserError {}

/** Elements of a list in one request. */
const LIST_MAX = 10_000;
const TEXT_MAX = 4096;

/** The arguments of a request. */
export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: unknown, readonly where = "arguments") {
    this.#values = typeof values === "object" && values !== null && !Array.isArray(values) ? values as Record<string, unknown> : {};
  }

  has(name: string): boolean {
    return this.#own(name) !== undefined;
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] ?? undefined : undefined;
  }

  /** @throws RequestError */
  text(name: string): string;
  text(name: string, otherwise: string): string;
  text(name: string, otherwise?: string): string {
    const value = this.#own(name) ?? otherwise;
    if (typeof value !== "string" || value.length > TEXT_MAX) throw this.#wrong(name, `a text of at most ${TEXT_MAX} characters`);
    return value;
  }

  /** A text of any length. */
  longText(name: string): string {
    const value = this.#own(name);
    if (typeof value !== "string") throw this.#wrong(name, "a text");
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  /** @throws RequestError */
  number(name: string, otherwise?: number): number {
    const value = this.#own(name) ?? otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value)) throw this.#wrong(name, "a whole number");
    return value;
  }

  flag(name: string, otherwise = false): boolean {
    const value = this.#own(name) ?? otherwise;
    if (typeof value !== "boolean") throw this.#wrong(name, "true or false");
    return value;
  }

  /** An object. */
  part(name: string): Arguments {
    return new Arguments(this.#own(name), name);
  }

  /** A list of objects. */
  parts(name: string): Arguments[] {
    return this.#list(name).map((value, index) => new Arguments(value, `${name}[${index}]`));
  }

  /** A list of texts. */
  texts(name: string): string[] {
    return this.#list(name).map((value) => {
      if (typeof value !== "string" || value.length > TEXT_MAX) throw this.#wrong(name, "a list of texts");
      return value;
    });
  }

  /** An object with texts. */
  map(name: string): readonly (readonly [string, string])[] {
    const value = this.#own(name) ?? {};
    if (typeof value !== "object" || Array.isArray(value)) throw this.#wrong(name, "an object with texts");
    return Object.entries(value).slice(0, LIST_MAX).map(([key, text]) => {
      if (typeof text !== "string") throw this.#wrong(name, "an object with texts");
      return [key, text] as const;
    });
  }

  #list(name: string): readonly unknown[] {
    const value = this.#own(name) ?? [];
    if (!Array.isArray(value) || value.length > LIST_MAX) throw this.#wrong(name, `a list of at most ${LIST_MAX}`);
    return value;
  }

  #wrong(name: string, wanted: string): RequestError {
    return new RequestError(`${this.where}.${name} is not ${wanted}`);
  }
}

/** An address: `0x…`, or a decimal number. @throws RequestError */
export function addressOf(text: string): bigint {
  if (!/^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) {
    throw new RequestError(`${JSON.stringify(text)} is not an address`, "use for example 0x40200000");
  }
  return BigInt.asUintN(64, BigInt(text));
}
