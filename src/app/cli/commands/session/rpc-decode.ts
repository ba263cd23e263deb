// `el2 rpc decode HEX`: decodes a packet between a VM and the Resource Manager. Needs no session.

import type { Command } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { parseBytes } from "../../common/values.ts";
import { describeMessage, describePackets } from "../../../../machine/abi/rpc/text/describe.ts";
import { documentText, RPC_DECODED } from "../../../../model/queries/documents.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** Adds the command to the group `rpc`. */
export function addDecode(rpc: Command, { exit }: CommandContext): void {
  rpc.command("decode")
    .description("decode a packet between a VM and the Resource Manager, field by field")
    .argument("<hex...>", "bytes of the packet; of a message in several packets, all in order", (text, bytes: Uint8Array[] = []) => [
      ...bytes,
      parseBytes(text),
    ])
    .addOption(jsonOption)
    .addHelpText("after", "\nExamples:\n  el2 rpc decode 210101000100005600000000\n  el2 rpc decode 21 02 07 00 04 00 00 56 03 00 00 00")
    .action((parts, { json }) => {
      const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
      const decoded = describeMessage(bytes);
      if (json) output(`${decodedText(decoded)}\n`);
      else if (!decoded.packets.length && decoded.problem) throw failed(`not an RM RPC packet: ${decoded.problem}`);
      else output(`${describePackets(bytes).join("\n")}\n`);
      exit(decoded.problem === undefined ? ExitCode.Done : ExitCode.Failed);
    });
}

function decodedText({ packets, fields, problem }: ReturnType<typeof describeMessage>): string {
  return documentText(RPC_DECODED, {
    packets: packets.map((packet) => ({ ...packet, id: hex(packet.id), sequence: hex(packet.sequence) })),
    fields: fields.map((field) => ({ ...field })),
    problem: problem ?? null,
  });
}
