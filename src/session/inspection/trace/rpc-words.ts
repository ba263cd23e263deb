// The fields of an RPC in the words of its line: sizes instead of lists of pages, rights by their
// letters, and nothing that each message has or that is zero. The row's fields stay exact.

import type { TraceFields } from "../../../machine/abi/trace.ts";
import { parcelId } from "../../../model/queries/ids.ts";
import { accessText } from "../../../model/queries/texts/format.ts";
import { hex, sizeText } from "../../../kit/support/text/number-text.ts";

/** Fields of the transport, which the lanes of a list show. */
const TRANSPORT: ReadonlySet<string> = new Set(["from", "to", "sequence"]);
/** Fields that say nothing if they are zero. */
const DEFAULTS: ReadonlySet<string> = new Set(["mem_type", "flags", "label", "mem_info_tag"]);

/** The fields as the line shows them. @param name of the message */
export function rpcWords(name: string, fields: TraceFields): TraceFields {
  const isMemory = name.startsWith("MEM_");
  const words: Record<string, unknown> = {};
  // The amount first, as in a sentence: 64K to 0x81.
  if (Array.isArray(fields.sgl)) words.size = sizeText(fields.sgl.reduce((sum: number, { size }) => sum + Number(size), 0));
  for (const [field, value] of Object.entries(fields)) {
    if (TRANSPORT.has(field) || field === "sgl" || value === 0 && DEFAULTS.has(field) || Array.isArray(value) && value.length === 0) {
      continue;
    }
    if (isMemory && field === "handle" && typeof value === "number") words.handle = parcelId(value);
    else if (field === "acl" && Array.isArray(value)) words.to = value.map(accessOf).join(", ");
    else if (field === "vmids" && Array.isArray(value)) words.to = value.map(({ vmid }) => hex(vmid)).join(", ");
    else words[field] = value;
  }
  return words as TraceFields;
}

/** `0x81 rwx`. */
function accessOf({ vmid, rights }: { readonly vmid: number; readonly rights: number }): string {
  return `${hex(vmid)} ${accessText(rights)}`;
}
