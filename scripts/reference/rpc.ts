// docs/reference/rpc.md: every RPC message with its fields and errors, made from the
// declarations.

import { RmError, rmErrorName } from "../../src/machine/abi/rpc/errors.ts";
import { shapeName } from "../../src/machine/abi/rpc/text/describe.ts";
import type { Layout, Shape, Shapes } from "../../src/machine/abi/rpc/layout.ts";
import type { RpcNotification, RpcRequest } from "../../src/machine/abi/rpc/message.ts";
import { RPC_MESSAGES, RPC_UNIMPLEMENTED } from "../../src/machine/abi/rpc/messages/all.ts";
import { RPC_FRAGMENT_SIZE, RPC_MAX_FRAGMENTS, RPC_MAX_PAYLOAD, RPC_PACKET_SIZE } from "../../src/machine/abi/rpc/packet.ts";

const idText = (id: number) => `0x${id.toString(16).padStart(8, "0")}`;

/** Bytes that a field always takes; undefined if that depends on its value. */
function fixedSize(shape: Shape): number | undefined {
  return shape.kind === "unsigned" || shape.kind === "reserved" || shape.kind === "bytes" ? shape.size : undefined;
}

/** One line per field: offset, while it is fixed, type and name; entries of lists are indented. */
function fieldLines(shapes: Shapes, start: number, indent = ""): string[] {
  let offset: number | undefined = start;
  return Object.entries(shapes).flatMap(([name, shape]) => {
    const at = offset === undefined ? "" : String(offset);
    const size = fixedSize(shape);
    offset = offset === undefined || size === undefined ? undefined : offset + size;
    const shown = shape.kind === "reserved" ? shape.mustBeZero ? "must be 0" : "reserved" : name;
    const line = `${indent}${at.padStart(4)}  ${shapeName(shape).padEnd(13)} ${shown}${noteOf(shape)}`;
    const inner = shape.kind === "when" ? shape.shape : shape;
    if (shape.kind === "when") offset = at === "" ? undefined : Number(at);
    return inner.kind === "list" ? [line, ...fieldLines(inner.entry, 0, `${indent}      `)] : [line];
  });
}

function noteOf(shape: Shape): string {
  if (shape.kind === "when") return ` (when ${shape.selector} is ${shape.values.join(" or ")})${noteOf(shape.shape)}`;
  if (shape.kind === "counted") return `: length${shape.gap > 0 ? ", u16 of nothing" : ""}, bytes${shape.padded ? ", zeros up to 4" : ""}`;
  if (shape.kind !== "list") return "";
  if (shape.rpcList === undefined) return ": count and entries";
  const { maximum, annotated } = shape.rpcList;
  return `: count, u16 ${annotated ? "annotation" : "of nothing"}, up to ${maximum} entries, padded to 4; may be missing at the end`;
}

function block(lines: readonly string[]): string {
  if (lines.length === 0) return "No fields.\n";
  // Formatters remove the indentation that all lines share.
  const indent = Math.min(...lines.map((line) => line.search(/\S/)));
  return `\`\`\`text\n${lines.map((line) => line.slice(indent)).join("\n")}\n\`\`\`\n`;
}

function lengthRules({ rules }: Layout): string {
  const minimum = rules.minimum === undefined ? "" : ` At least ${rules.minimum} bytes.`;
  return `${minimum}${rules.longer === undefined ? "" : " Bytes after the last field are ignored."}`;
}

function requestSection({ name, id, section, errors, request, reply, errorDetail }: RpcRequest): string {
  const replied = Object.keys(reply.fields).length === 0
    ? "Reply: the error word alone.\n"
    : `Reply, when it is OK, after the error word:\n\n${block(fieldLines(reply.shapes, 4))}`;
  const detail = errorDetail === undefined ? "" : ` After the error, a word of ${errorDetail}.`;
  return [
    `### ${name}\n`,
    `Request ${idText(id)}, section ${section}.${lengthRules(request)}\n`,
    block(fieldLines(request.shapes, 0)),
    replied,
    `Errors: ${errors.join(", ")}.${detail}\n`,
  ].join("\n");
}

function notificationSection({ name, id, section, layout }: RpcNotification): string {
  return [`### ${name}\n`, `Notification ${idText(id)}, section ${section}.\n`, block(fieldLines(layout.shapes, 0))].join("\n");
}

export function rpcReference(): string {
  const messages = [...RPC_MESSAGES.values()].sort((a, b) => a.id - b.id);
  const codes = Object.values(RmError).map((code) => `${idText(code)}  ${rmErrorName(code)}`);
  const unimplemented = [...RPC_UNIMPLEMENTED].map(([id, name]) => `${idText(id)}  ${name}`);
  return [
    "# RPC messages\n",
    "Messages between VMs and the Resource Manager, generated from the declarations in `src/machine/abi/rpc/messages`. Sections are those of",
    "`docs/spec/resource-manager.md`. Integers are little endian; numbers before fields are offsets in the payload.\n",
    "## Packets\n",
    block([
      "   0  u8            0x21: version 1, a header of two words",
      `   1  u8            bits 1:0 type (0 continuation, 1 request, 2 reply, 3 notification), bits 7:2 continuations (up to ${RPC_MAX_FRAGMENTS})`,
      "   2  u16           sequence number; a reply has its request's",
      "   4  u32           message id",
      "   8  u8[..]        payload",
    ]),
    `A packet has up to ${RPC_PACKET_SIZE} bytes, ${RPC_FRAGMENT_SIZE} of them payload; a message up to ${RPC_MAX_PAYLOAD}.\n`,
    "## Errors\n",
    block(codes),
    "## Messages\n",
    ...messages.map((message) => message.kind === "request" ? requestSection(message) : notificationSection(message)),
    "## Ids that are answered with UNIMPLEMENTED\n",
    block(unimplemented),
  ].join("\n").trimEnd() + "\n";
}
