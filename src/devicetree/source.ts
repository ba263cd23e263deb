// The text of a devicetree in the source format (Devicetree Specification 0.4, chapter 6): what a
// property holds is guessed from its bytes, as a flattened tree does not say it.

import type { Devicetree, DevicetreeNode } from "./tree.ts";
import { hex } from "../support/number-text.ts";

const CELL = 4;
const INDENT = "\t";

/** The tree as a file for `dtc`. */
export function devicetreeSource({ root, reservations }: Devicetree): string {
  const reserved = reservations.map(({ address, size }) => `/memreserve/ ${hex(address)} ${hex(size)};\n`);
  return `/dts-v1/;\n${reserved.join("")}\n${nodeText(root, 0)}`;
}

function nodeText({ name, properties, children }: DevicetreeNode, depth: number): string {
  const indent = INDENT.repeat(depth);
  const lines = Array.from(properties, ([key, value]) => `${indent}${INDENT}${key}${valueText(value)};\n`);
  const inner = children.map((child) => `\n${nodeText(child, depth + 1)}`);
  return `${indent}${name === "" ? "/" : name} {\n${lines.join("")}${inner.join("")}${indent}};\n`;
}

function valueText(value: Uint8Array): string {
  if (value.length === 0) return "";
  const texts = textsOf(value);
  if (texts) return ` = ${texts.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(", ")}`;
  if (value.length % CELL) return ` = [${Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}]`;
  const view = new DataView(value.buffer, value.byteOffset, value.length), cells: string[] = [];
  for (let at = 0; at < value.length; at += CELL) cells.push(`0x${view.getUint32(at).toString(16)}`);
  return ` = <${cells.join(" ")}>`;
}

/** The printable texts that fill a value, each with its NUL; undefined if it is something else. */
function textsOf(value: Uint8Array): string[] | undefined {
  if (value.at(-1) !== 0) return undefined;
  if (value.length === 1) return [""];
  const texts = String.fromCharCode(...value.subarray(0, -1)).split("\0");
  return texts.every((text) => /^[\x20-\x7e]+$/.test(text)) ? texts : undefined;
}
