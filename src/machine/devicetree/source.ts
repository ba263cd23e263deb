// The text of a devicetree in the source format (Devicetree Specification 0.4, chapter 6). A
// flattened tree has no types: they are guessed from the bytes of each property.

import { type Devicetree, type DevicetreeNode, readCells, readStrings } from "./tree.ts";
import { bytesText } from "../../kit/support/text/byte-text.ts";
import { hex } from "../../kit/support/text/number-text.ts";

const INDENT = "\t";

/** The tree as a file for `dtc`. */
export function devicetreeSource({ root, reservations }: Devicetree): string {
  const reserved = reservations.map(({ address, size }) => `/memreserve/ ${hex(address)} ${hex(size)};\n`);
  return `/dts-v1/;\n${reserved.join("")}\n${nodeText(root, 0)}`;
}

function nodeText(node: DevicetreeNode, depth: number): string {
  const { name, properties, children } = node, indent = INDENT.repeat(depth);
  const lines = Array.from(properties.keys(), (key) => `${indent}${INDENT}${key}${valueText(node, key)};\n`);
  const inner = children.map((child) => `\n${nodeText(child, depth + 1)}`);
  return `${indent}${name === "" ? "/" : name} {\n${lines.join("")}${inner.join("")}${indent}};\n`;
}

function valueText(node: DevicetreeNode, key: string): string {
  const value = node.properties.get(key)!;
  if (value.length === 0) return "";
  const texts = readStrings(node, key);
  if (texts && (value.length === 1 || texts.every((text) => /^[\x20-\x7e]+$/.test(text)))) {
    return ` = ${texts.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(", ")}`;
  }
  const cells = readCells(node, key);
  return cells ? ` = <${cells.map((cell) => hex(cell)).join(" ")}>` : ` = [${bytesText(value)}]`;
}
