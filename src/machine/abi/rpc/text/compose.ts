// Payloads of requests from typed text: `vmid=0x80`, bytes in hexadecimal, lists as JSON. The
// layouts define the form of each field.

import type { Fields, Shape, Shapes } from "../layout.ts";
import type { RpcRequest } from "../message.ts";
import { encodeRequest } from "../message.ts";
import { RPC_MESSAGES } from "../messages/all.ts";
import { shapeName } from "./describe.ts";
import { UserError } from "../../../../kit/support/problem.ts";

/** A request that cannot be made of that: the message says why. */
export class ComposeError extends UserError {}

/** No request has this name or id. */
export class UnknownRequestError extends ComposeError {}

/** The requests that are declared, by name. */
export function requestNames(): string[] {
  return [...RPC_MESSAGES.values()].flatMap((message) => message.kind === "request" ? [message.name] : []);
}

/**
 * The request of a name or an id.
 * @throws ComposeError
 */
export function findRequest(name: string): RpcRequest<Fields, Fields> {
  const wanted = name.toUpperCase();
  const found = [...RPC_MESSAGES.values()].find((message) => message.name === wanted || /^0x/i.test(name) && message.id === Number(name));
  if (found?.kind === "request") return found;
  if (found) throw new ComposeError(`${found.name} is a notification: the Resource Manager sends it`);
  throw new UnknownRequestError(`no request ${JSON.stringify(name)}`);
}

/** Names and types of a request's fields: `vmid u16`. */
export function fieldNames({ request }: RpcRequest<Fields, Fields>): string[] {
  return written(request.shapes).map(([name, shape]) => `${name} ${shapeName(shape)}`);
}

/**
 * Names and values of fields that were typed as `FIELD=VALUE`.
 * @throws ComposeError
 */
export function splitFields(message: RpcRequest<Fields, Fields>, texts: readonly string[]): Map<string, string> {
  return new Map(texts.map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at < 1) {
      const names = fieldNames(message).join(", ") || "no fields";
      throw new ComposeError(`${JSON.stringify(text)} is not FIELD=VALUE`, `${message.name} has ${names}`);
    }
    return [text.slice(0, at), text.slice(at + 1)];
  }));
}

/**
 * The payload of a request with these typed field values.
 * @throws ComposeError that names the field
 */
export function composeRequest(message: RpcRequest<Fields, Fields>, given: ReadonlyMap<string, string>): Uint8Array {
  const shapes = written(message.request.shapes);
  const names = new Set(shapes.map(([name]) => name));
  const unknown = [...given.keys()].find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw new ComposeError(`${message.name} has no field ${JSON.stringify(unknown)}`, `it has ${[...names].join(", ") || "none"}`);
  }
  const values = shapes.map(([name, shape]) => [name, ofText(name, shape, given.get(name))]);
  return encodeRequest(message, Object.fromEntries(values));
}

/** The fields that have a value: not those that are reserved. */
function written(shapes: Shapes): [string, Shape][] {
  return Object.entries(shapes).filter(([, { kind }]) => kind !== "reserved");
}

function ofText(name: string, shape: Shape, text: string | undefined): unknown {
  switch (shape.kind) {
    case "when":
      return ofText(name, shape.shape, text ?? "[]");
    case "list":
      return ofJson(name, shape, parsed(name, text ?? "[]"));
    case "rest":
      return ofJson(name, shape, text ?? "");
    default:
      if (text === undefined) throw new ComposeError(`${name} is missing`, `add ${name}=${shape.kind === "unsigned" ? "NUMBER" : "HEX"}`);
      return ofJson(name, shape, text);
  }
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ComposeError(`${name} is a list as JSON, such as [{"vmid":3}]: ${error.message}`);
  }
}

function ofJson(name: string, shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case "unsigned":
      return integer(name, shape.size, value);
    case "list": {
      if (!Array.isArray(value)) throw new ComposeError(`${name} is a list as JSON, such as [{"vmid":3}]`);
      const entries = value.map((entry, index) => fields(`${name}[${index}]`, shape.entry, entry));
      return shape.rpcList?.annotated ? { entries, annotation: 0 } : entries;
    }
    case "bytes":
    case "rest":
    case "counted": {
      const bytes = hexBytes(name, value);
      if (shape.kind === "bytes" && bytes.length !== shape.size) {
        throw new ComposeError(`${name} has ${shape.size} bytes, not ${bytes.length}`);
      }
      return bytes;
    }
    case "when":
      return ofJson(name, shape.shape, value ?? []);
    case "reserved":
      throw new Error("a reserved field has no value");
  }
}

function fields(name: string, shapes: Shapes, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new ComposeError(`${name} is not an object, such as {"vmid":3}`);
  const given = value as Record<string, unknown>;
  const known = written(shapes);
  const unknown = Object.keys(given).find((key) => !known.some(([field]) => field === key));
  if (unknown !== undefined) throw new ComposeError(`${name} has no ${unknown}`, `it has ${known.map(([field]) => field).join(", ")}`);
  return Object.fromEntries(known.map(([field, shape]) => [field, ofJson(`${name}.${field}`, shape, given[field])]));
}

function integer(name: string, size: number, value: unknown): number | bigint {
  const text = String(value);
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new ComposeError(`${name}=${text} is not a number`, "use for example 12 or 0x80");
  const number = BigInt(text);
  if (number >> BigInt(size * 8)) throw new ComposeError(`${name}=${text} is more than ${size * 8} bits`);
  return size === 8 ? number : Number(number);
}

function hexBytes(name: string, value: unknown): Uint8Array {
  const text = String(value);
  if (text.startsWith("text:")) return new TextEncoder().encode(text.slice("text:".length));
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new ComposeError(`${name} takes bytes in hexadecimal, or text:TEXT`);
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
