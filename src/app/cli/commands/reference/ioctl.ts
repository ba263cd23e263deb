// `el2 reference ioctl CODE`: the meaning of a request code in every generation of the drivers of
// Gunyah and GenieZone, and the structure that it takes.

import { Argument } from "@commander-js/extra-typings";
import type { ReferencePage } from "./page.ts";
import { requestAsJson } from "./personas.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { decodeRequest } from "../../../../machine/abi/ioctl/decode.ts";
import { personasWith } from "../../../../machine/abi/ioctl/personas.ts";
import { describeCode, type Request } from "../../../../machine/abi/ioctl/request.ts";
import { documentText, type FieldsOf, IOCTL_DECODED } from "../../../../model/queries/documents.ts";

export const IOCTL_PAGE: ReferencePage = {
  name: "ioctl",
  doc: "explain a request code of /dev/gunyah or /dev/gzvm: its name, the drivers that have it, and its structure",
  words: [new Argument("<code>", "request code, such as strace shows")],
  form: "json",
  examples: ["ioctl 0xB201", "ioctl 0x40204701"],
  print([text = ""], { json }) {
    const code = parseCode(text);
    output(`${json ? documentText(IOCTL_DECODED, decodedAsJson(code)) : decodedAsText(code)}\n`);
  },
};

/**
 * A 32-bit number.
 * @throws Failure for anything else
 */
function parseCode(text: string): number {
  const code = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!(code <= 0xffff_ffff)) throw new Failure(`reference ioctl: "${text}" is not a 32-bit request code`, "use for example 0x40204701");
  return code;
}

/** A decoded request code, as plain data. */
export function decodedAsJson(code: number): FieldsOf<typeof IOCTL_DECODED> {
  const { request, personas, geniezone, near } = decodeRequest(code);
  return {
    code: `0x${code.toString(16).padStart(8, "0")}`,
    request: request ? requestAsJson(request) : null,
    personas,
    geniezone,
    near: near.map(requestAsJson),
  };
}

/** A decoded request code, in words. */
export function decodedAsText(code: number): string {
  const { request, geniezone, near } = decodeRequest(code);
  const lines = [describeCode(code)];
  if (request) lines.push(...requestLines(request, geniezone));
  else if (near.length === 0) lines.push("no driver that el2 knows has this request");
  for (const each of near) lines.push("not a request; its magic and number match", ...requestLines(each, false));
  return lines.join("\n");
}

function requestLines(request: Request, geniezone: boolean): string[] {
  const { name, code, on, struct } = request;
  const who = geniezone || personasWith(code).length === 0 ? "/dev/gzvm" : `/dev/gunyah of ${personasWith(code).join(", ")}`;
  const lines = [`${name} (0x${code.toString(16)}) on the ${on} descriptor: ${who}`];
  if (struct === undefined) return lines;
  lines.push(`struct ${struct.name}, ${struct.size} bytes`);
  for (const { name, offset, type } of struct.fields) {
    lines.push(
      `  ${String(offset).padStart(3)}  ${(typeof type === "string" ? type : `${type.array}[${type.length}]`).padEnd(7)}  ${name}`,
    );
  }
  return lines;
}
