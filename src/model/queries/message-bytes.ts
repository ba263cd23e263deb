// Messages as `rpc.ls` has them: the result of a request, and the bytes of each by field.

import type { MessagePart } from "../../machine/abi/rpc/text/message-bytes.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { type Json, membersOf } from "./table.ts";

/** The result of a request: `ok`, or code and name of its error. */
export function resultText(code: number, name: string): string {
  return code === 0 ? "ok" : `${hex(code, 2)} ${name}`;
}

/** The name in such a result; a state that a notification reports is a name. */
export function resultName(result: string): string {
  return result.slice(result.indexOf(" ") + 1);
}

/** Messages that a row may have, in their order. */
export const MESSAGE_KINDS = ["request", "reply", "notification"] as const;

/** The parts of a message; none if its bytes were not recorded. */
export function recordedParts(bytes: Json, kind: string): readonly MessagePart[] {
  const parts = membersOf(bytes)[kind];
  if (!Array.isArray(parts)) return [];
  return parts.map(membersOf).map(({ name, hex, filler }) => ({ name: String(name), hex: String(hex), filler: filler === true }));
}

/** A line for each message: `request  header=2101 seq=0700 message=04000056 vmid=8000 0000`. */
export function messageLines(bytes: Json): string[] {
  return MESSAGE_KINDS.flatMap((kind) => {
    const parts = recordedParts(bytes, kind).map(({ name, hex, filler }) => filler ? hex : `${name}=${hex}`);
    return parts.length ? [`${kind}  ${parts.join(" ")}`] : [];
  });
}
