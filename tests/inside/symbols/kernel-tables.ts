// A kernel's own symbol table, made here in each layout.

import type { GuestSymbol } from "../../../src/inside/symbols/symbol-table.ts";

export const BASE = 0xffff_8000_8000_0000n;
const CODE = BASE + 0x1_0000n;

/**
 * The layouts of tables: as until 6.1.0, with the table by name of 6.1 to 6.3, since 6.4, with
 * offsets from their own places, at a multiple of 8 and of 4, and that of Xen.
 */
export const LAYOUTS = ["oldest", "by-name", "behind", "self-relative", "self-relative-4", "xen"] as const;
export type Layout = typeof LAYOUTS[number];

/** A token of Xen that is not the character itself, as no name has a 9; here another is that. */
const NINE = "9".charCodeAt(0), OTHER_NINE = 2;

/** Symbols in the order of addresses: `_stext`, some hundred others, and a long name. */
export function exampleSymbols(): GuestSymbol[] {
  const symbols: GuestSymbol[] = [{ name: "_stext", type: "T", address: CODE }];
  for (let index = 0; index < 2600; index++) {
    symbols.push({ name: `function_${index}`, type: index % 3 ? "t" : "T", address: CODE + BigInt(16 * index) });
  }
  return [...symbols, { name: "long_".repeat(40), type: "D", address: CODE + 0x2_0000n }];
}

/**
 * A kernel's image with the tables of these symbols; a token is one character, but for one of
 * several.
 */
export function kernelImage(symbols: readonly GuestSymbol[], layout: Layout, base = BASE): Uint8Array {
  const bytes = new Uint8Array(0x8_0000), view = new DataView(bytes.buffer);
  let at = 0x2_0000;
  const half = layout === "self-relative-4", isXen = layout === "xen", alignment = half ? 4 : isXen ? 256 : 8;
  const align = () => at = at + alignment - 1 & -alignment;
  const offset = ({ address }: GuestSymbol) => Number(address - base);
  const based = () => {
    for (const symbol of symbols) view.setUint32((at += 4) - 4, offset(symbol), true);
    align();
    view.setBigUint64(at, base, true);
    at += 8;
  };
  const early = layout === "oldest" || layout === "by-name";
  if (early) based();
  if (isXen) {
    for (const { address } of symbols) view.setBigUint64((at += 8) - 8, address, true);
    align();
  }
  view.setUint32(at, symbols.length, true);
  at += Math.max(8, alignment);
  const names = at, markers: number[] = [];
  symbols.forEach(({ name, type }, index) => {
    if (index % 256 === 0) markers.push(at - names);
    const text = `${type}${name}`.replaceAll("function", "\x01").replaceAll("9", isXen ? "\x02" : "9");
    if (text.length >= 0x80) bytes[at++] = 0x80 | text.length & 0x7f;
    bytes[at++] = text.length >= 0x80 ? text.length >> 7 : text.length;
    for (const character of text) bytes[at++] = character.charCodeAt(0);
  });
  align();
  for (const marker of markers) view.setUint32((at += 4) - 4, marker, true);
  if (layout === "by-name") {
    for (let index = 0; index < symbols.length; index++) {
      bytes.set([0, index >> 8, index & 0xff], (at += 3) - 3);
    }
  }
  align();
  // The offsets then begin at 4 bytes, too.
  if (half) at = (at & ~7) + 12;
  const tokens = at, index: number[] = [];
  for (let token = 0; token < 256; token++) {
    index.push(at - tokens);
    const text = token === 1 || isXen && token === NINE
      ? "function"
      : token === OTHER_NINE
      ? "9"
      : token >= 0x20 && token < 0x7f
      ? String.fromCharCode(token)
      : "";
    for (const character of text) bytes[at++] = character.charCodeAt(0);
    at++;
  }
  align();
  for (const one of index) view.setUint16((at += 2) - 2, one, true);
  align();
  if (layout === "behind") based();
  if (layout.startsWith("self-relative")) { for (const symbol of symbols) view.setInt32((at += 4) - 4, offset(symbol) - at + 4, true); }
  // The table by name, which follows, continues the order of what is read as offsets.
  if (half) bytes.fill(0x11, at, at + 3 * symbols.length);
  return bytes;
}
