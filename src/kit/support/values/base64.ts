// Bytes as base64 text and back (RFC 4648 section 4).

import { node } from "../node-modules.ts";

export function encodeBase64(bytes: Uint8Array): string {
  return node.buffer.Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Characters outside of base64 are skipped, as by the platform's decoder. */
export function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(node.buffer.Buffer.from(text, "base64"));
}
