// Messages of the Debug Adapter Protocol: a header with the length, and JSON (DAP overview, "Base
// protocol"). A client may send anything: sizes are bounded, and broken input is reported.

import type { DebugProtocol } from "@vscode/debugprotocol";

/** Bytes of a message: the largest requests write memory. */
const MESSAGE_MAX = 4 * 1024 * 1024;
const HEADER_MAX = 4096;
const END_OF_HEADER = [13, 10, 13, 10];

/** A message that cannot be read; `fatal`: the start of the next one is unknown. */
interface BrokenMessage {
  readonly kind: "broken";
  readonly message: string;
  readonly fatal: boolean;
}

type ReceivedMessage = { readonly kind: "request"; readonly request: DebugProtocol.Request } | BrokenMessage;

/** Splits a stream into messages. */
export class DapReader {
  #bytes = new Uint8Array(0);
  /** Bytes of the message whose header was read. */
  #wanted: number | undefined;
  #ended = false;

  /** The messages that these bytes complete. */
  *push(bytes: Uint8Array): Generator<ReceivedMessage> {
    if (this.#ended) return;
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    let at = 0;
    while (!this.#ended) {
      if (this.#wanted === undefined) {
        const end = endOfHeader(all, at);
        if (end < 0) {
          if (all.length - at > HEADER_MAX) yield this.#fail(`a header of more than ${HEADER_MAX} bytes`);
          break;
        }
        const length = lengthIn(new TextDecoder().decode(all.subarray(at, end)));
        at = end + END_OF_HEADER.length;
        if (length === undefined) yield this.#fail("a header that is not fields with a Content-Length");
        else if (length > MESSAGE_MAX) yield this.#fail(`a message of ${length} bytes, and at most ${MESSAGE_MAX} are accepted`);
        else this.#wanted = length;
        continue;
      }
      if (all.length - at < this.#wanted) break;
      const body = all.subarray(at, at + this.#wanted);
      at += this.#wanted;
      this.#wanted = undefined;
      yield messageOf(body);
    }
    this.#bytes = this.#ended ? new Uint8Array(0) : all.slice(at);
  }

  #fail(message: string): BrokenMessage {
    this.#ended = true;
    return { kind: "broken", message, fatal: true };
  }
}

export function encodeMessage(message: DebugProtocol.ProtocolMessage): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder(), body = encoder.encode(JSON.stringify(message));
  const header = encoder.encode(`Content-Length: ${body.length}\r\n\r\n`);
  const bytes = new Uint8Array(header.length + body.length);
  bytes.set(header);
  bytes.set(body, header.length);
  return bytes;
}

function endOfHeader(bytes: Uint8Array, from: number): number {
  const last = Math.min(bytes.length, from + HEADER_MAX) - END_OF_HEADER.length;
  for (let at = from; at <= last; at++) if (END_OF_HEADER.every((byte, index) => bytes[at + index] === byte)) return at;
  return -1;
}

/** A page in a browser can post messages to a port: its first line is not a field. */
function lengthIn(header: string): number | undefined {
  const lines = header.split("\r\n"), match = /^content-length: *(\d{1,15})$/im.exec(lines.join("\n"));
  return match && lines.every((line) => /^[\w-]+:/.test(line)) ? Number(match[1]) : undefined;
}

function messageOf(body: Uint8Array): ReceivedMessage {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    return { kind: "broken", message: `a message that is not JSON: ${error instanceof Error ? error.message : error}`, fatal: false };
  }
  if (!isRequest(value)) return { kind: "broken", message: "a message that is not a request with seq and command", fatal: false };
  return { kind: "request", request: value };
}

function isRequest(value: unknown): value is DebugProtocol.Request {
  if (typeof value !== "object" || value === null) return false;
  const { type, seq, command } = value as Record<string, unknown>;
  return type === "request" && Number.isSafeInteger(seq) && typeof command === "string";
}
