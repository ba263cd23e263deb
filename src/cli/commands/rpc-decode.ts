// `el2 rpc decode HEX`: what the bytes of a packet between a VM and the resource manager say. Needs
// no session.

import type { Command } from "@commander-js/extra-typings";
import { output } from "../common/print.ts";
import { parseBytes } from "../common/values.ts";
import { describeMessage, describePackets } from "../../abi/rpc/text/describe.ts";
import { documentText, RPC_DECODED } from "../../queries/documents.ts";
import { hex } from "../../queries/table.ts";

/** Adds the command to the group `rpc`. */
export function addDecode(rpc: Command): void {
  rpc.command("decode")
    .description("say what a packet between a VM and the resource manager is, field by field")
    .argument("<hex...>", "its bytes; of a message of several packets one behind the other", (text, bytes: Uint8Array[]) => [
      ...bytes,
      parseBytes(text),
    ], [])
    .option("--json", "print JSON: el2 schema rpc.decode describes it")
    .addHelpText("after", "\nExamples:\n  el2 rpc decode 210101000100005600000000\n  el2 rpc decode 21 02 07 00 04 00 00 56 03 00 00 00")
    .action((parts, { json }) => {
      const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
      output(`${json ? decodedText(bytes) : describePackets(bytes).join("\n")}\n`);
    });
}

function decodedText(bytes: Uint8Array): string {
  const { packets, fields, problem = null } = describeMessage(bytes);
  return documentText(RPC_DECODED, {
    packets: packets.map((packet) => ({ ...packet, id: hex(packet.id), sequence: hex(packet.sequence) })),
    fields: fields.map((field) => ({ ...field })),
    problem,
  });
}
