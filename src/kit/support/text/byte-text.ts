// The text form of bytes.

/** Two hexadecimal digits a byte, blanks between. */
export function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Printable ASCII; every other byte is a dot. */
export function asciiText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
}

/**
 * Hexadecimal digits, blanks between allowed, or text after `text:`; undefined for anything else.
 */
export function bytesOf(text: string): Uint8Array | undefined {
  if (text.startsWith("text:")) return new TextEncoder().encode(text.slice("text:".length));
  const digits = text.replaceAll(/[\s_]|^0x/g, "");
  return /^([0-9a-f]{2})+$/i.test(digits) ? Uint8Array.fromHex(digits) : undefined;
}
