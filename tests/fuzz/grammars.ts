// Files and texts of an attacker who knows their formats: a grammar for each, with damage. The same
// seed gives the same input.

import { gzipSync } from "node:zlib";
import { type Devicetree, devicetree, type DevicetreeNode, node, type PropertyValue } from "../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../src/machine/devicetree/writer.ts";
import { Random } from "../support/random.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";

/** Numbers at which lengths, offsets and addresses turn over. */
const EDGES = [0n, 1n, 2n, 7n, 8n, 0x3fn, 0x40n, 0xfffn, 0x1000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_fff8n, 0xffff_ffffn, 0x1_0000_0000n]
  .concat([1n << 36n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 4096n, (1n << 64n) - 1n]);

const encoder = new TextEncoder();

export const chance = (random: Random, one: number) => random.below(one) === 0;
export const edge = (random: Random) => random.pick(EDGES);

function many<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: random.below(most + 1) }, make);
}

/** Bytes cut off, changed, doubled or filled up; most often as they are. */
export function damaged(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes);
  switch (random.below(8)) {
    case 0:
      return out.slice(0, random.below(out.length + 1));
    case 1:
      for (let i = random.below(8); i >= 0 && out.length; i--) out[random.below(out.length)] = random.word();
      return out;
    case 2: {
      const at = random.below(out.length + 1);
      return joined([out.subarray(0, at), random.bytes(random.below(64)), out.subarray(at)]);
    }
    case 3: {
      const view = new DataView(out.buffer);
      if (out.length >= 8) view.setBigUint64(random.below(out.length - 7) & ~3, edge(random), chance(random, 2));
      return out;
    }
    default:
      return out;
  }
}

/** Some words of a file exchanged: for another of its words, or for a number that turns over. */
export function patched(random: Random, bytes: Uint8Array, most = 8): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes), view = new DataView(out.buffer);
  if (out.length < 16) return out;
  const place = () => random.below(out.length - 8) & (chance(random, 4) ? ~0 : ~3);
  for (let left = random.below(most + 1); left > 0; left--) {
    const at = place();
    if (chance(random, 3)) view.setBigUint64(at, edge(random), true);
    else if (chance(random, 2)) view.setUint32(at, view.getUint32(place(), true) + random.below(16) - 8, true);
    else out.copyWithin(at, place(), place());
  }
  return out;
}

// ---- Texts ----

const CHARACTERS = [
  "a",
  "\\",
  '"',
  "'",
  "\n",
  "\r",
  "\t",
  "\0",
  "\x1b",
  "\x7f",
  "\u0080",
  "\u202e",
  "\ud800",
  "\u{1f600}",
  "{",
  "[",
  "=",
  ".",
];

export function word(random: Random): string {
  return chance(random, 12) ? many(random, 12, () => random.pick(CHARACTERS)).join("") : random.pick(["a", "b", "vm", "rt", "x-1", "0"]);
}

/** Texts cut, doubled, or with a character that does not belong there. */
export function damagedText(random: Random, text: string): string {
  const at = random.below(text.length + 1), to = at + random.below(20);
  switch (random.below(8)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + random.pick(CHARACTERS) + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(to);
    case 3:
      return text.slice(0, to) + text.slice(at, to) + text.slice(to);
    default:
      return text;
  }
}

/** A list that is long, or deep, once in a while. */
const far = (random: Random, usual: number, most: number) => chance(random, 100) ? random.below(most) : random.below(usual);

function tomlValue(random: Random, depth: number): string {
  switch (random.below(depth > 0 ? 11 : 8)) {
    case 0:
      return String(edge(random));
    case 1:
      return random.pick(["true", "false", "inf", "-nan", "1e400", "0x10", "0o7", "1_000", "-0", "1979-05-27T07:32:00Z", "07:32:00"]);
    case 2:
      return `'${word(random)}'`;
    case 3:
      return `"""${many(random, 3, () => word(random)).join("\n")}"""`;
    case 4:
      return random.pick(['"256MiB"', '"10s"', '"0x8000_0000"', '"10.0.0.0/8:80"', '"/dev/null"', '"../.."', '"vm:rt"', '"a,b"', '"%s"']);
    case 5:
      return JSON.stringify(word(random).repeat(far(random, 3, 5000)));
    case 6:
      return "[".repeat(far(random, 4, 3000)) + "]".repeat(far(random, 4, 3000));
    case 7:
      return String(random.below(1000));
    case 8:
      return `[${many(random, 4, () => tomlValue(random, depth - 1)).join(", ")}]`;
    case 9:
      return `{ ${many(random, 3, () => `${tomlKey(random, [])} = ${tomlValue(random, depth - 1)}`).join(", ")} }`;
    default:
      return `[${many(random, far(random, 3, 2000), () => "1").join(",")}]`;
  }
}

function tomlKey(random: Random, known: readonly string[]): string {
  const part = () =>
    known.length && !chance(random, 5)
      ? random.pick(known)
      : chance(random, 4)
      ? JSON.stringify(word(random))
      : random.pick(["a", "b", "c-1"]);
  return Array.from({ length: 1 + (chance(random, 6) ? far(random, 4, 6000) : 0) }, part).join(chance(random, 30) ? " . " : ".");
}

/**
 * A file that is accepted, with other values, or TOML with these keys, and keys that nobody knows.
 * @param accepted the lines of such a file, of which the first begins every file
 */
export function toml(random: Random, accepted: readonly string[], tables: readonly string[], known: readonly string[]): string {
  if (chance(random, 2)) {
    const changed = (line: string) => chance(random, 20) ? line.replace(/=.*/, () => `= ${tomlValue(random, 3)}`) : line;
    return damagedText(random, accepted.map(changed).join("\n"));
  }
  const lines = [accepted[0]];
  for (let i = far(random, 8, 400); i >= 0; i--) {
    const table = chance(random, 4) ? tomlKey(random, tables) : random.pick(tables);
    lines.push(chance(random, 3) ? `[[${table}]]` : `[${table}]`);
    for (let j = far(random, 5, 200); j >= 0; j--) {
      lines.push(`${tomlKey(random, known)} = ${tomlValue(random, 3)}${chance(random, 9) ? " # c" : ""}`);
    }
  }
  return damagedText(random, lines.join(chance(random, 50) ? "\r\n" : "\n"));
}

/** JSON of any shape, with some of these keys. */
export function json(random: Random, known: readonly string[], depth = 4): unknown {
  switch (random.below(depth > 0 ? 10 : 7)) {
    case 0:
      return null;
    case 1:
      return chance(random, 2);
    case 2:
      return Number(edge(random)) * (chance(random, 4) ? -1 : 1);
    case 3:
      return random.below(1000) / 8;
    case 4:
      return word(random).repeat(far(random, 3, 2000));
    case 5:
      return random.pick(known);
    case 6:
      return String(edge(random));
    case 7:
      return many(random, far(random, 4, 300), () => json(random, known, depth - 1));
    default:
      return Object.fromEntries(
        many(random, 5, () => [chance(random, 6) ? word(random) : random.pick(known), json(random, known, depth - 1)]),
      );
  }
}

/** A value of JSON with one part exchanged: for another of any shape, or for nothing. */
export function exchanged(random: Random, value: unknown, known: readonly string[]): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || chance(random, 4)) return json(random, known, 2);
  const keys = Object.keys(value);
  if (!keys.length) return json(random, known, 2);
  const key = random.pick(keys);
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  if (chance(random, 6)) delete copy[key];
  else copy[key] = exchanged(random, copy[key], known);
  return copy;
}

/** Words and marks of expressions, rules and options, one after the other. */
export function phrase(random: Random, words: readonly string[]): string {
  const marks = [" ", ",", "=", ":", "/", "|", "&", "!", "~", "->", "(", ")", '"', "'", "..", "*", "+", "-", "0x", "\\", "?"];
  const parts = Array.from({ length: far(random, 8, 3000) }, () => {
    if (chance(random, 3)) return random.pick(marks);
    if (chance(random, 5)) return String(edge(random));
    return chance(random, 8) ? word(random) : random.pick(words);
  });
  return damagedText(random, parts.join(chance(random, 3) ? " " : ""));
}

// ---- Binary files ----

const NODE_NAMES = [
  "memory@40000000",
  "cpus",
  "cpu@0",
  "chosen",
  "reserved-memory",
  "psci",
  "timer",
  "intc@0",
  "a",
  "a@",
  "@",
  "hypervisor",
  "vm-config",
];
const PROPERTIES = [
  ...["#address-cells", "#size-cells", "reg", "compatible", "device_type", "phandle", "interrupt-parent", "interrupts", "ranges", "status"],
  ...["bootargs", "linux,initrd-start", "method", "vendor", "image-name", "qcom,vmid", "memory-regions", "base-address", "size-min"],
];

function anyNode(random: Random, depth: number): DevicetreeNode {
  const values = (): PropertyValue => {
    switch (random.below(5)) {
      case 0:
        return random.bytes(random.below(20));
      case 1:
        return Number(edge(random) & 0xffff_ffffn);
      case 2:
        return random.pick(["memory", "arm,psci-1.0", "gunyah-vm-config", "okay", word(random).replaceAll("\0", "")]);
      case 3:
        return [random.word(), random.word(), Number(edge(random) & 0xffff_ffffn)];
      default:
        return true;
    }
  };
  const properties = Object.fromEntries(many(random, 5, () => [random.pick(PROPERTIES), values()]));
  const children = depth ? many(random, far(random, 4, 60), () => anyNode(random, depth - 1)) : [];
  return node(random.pick(NODE_NAMES), properties, children);
}

/** A devicetree; sometimes one node inside another, very deep. */
export function dtb(random: Random): Uint8Array<ArrayBuffer> {
  let root = anyNode(random, 3);
  for (let depth = chance(random, 50) ? random.below(3000) : 0; depth > 0; depth--) root = node("a", {}, [root]);
  const tree: Devicetree = devicetree({ ...root, name: "" });
  const blob = writeDevicetree(tree, random.below(64));
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  // Fields of the header: sizes and offsets.
  if (chance(random, 3)) view.setUint32(4 * random.below(10), Number(edge(random) & 0xffff_ffffn));
  return damaged(random, blob);
}

/** An arm64 Image's header and some content. */
export function image(random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64 + random.below(200));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x14000010, true);
  view.setBigUint64(8, chance(random, 2) ? 0n : edge(random), true);
  view.setBigUint64(16, chance(random, 2) ? 0x10000n : edge(random), true);
  view.setBigUint64(24, edge(random), true);
  view.setUint32(56, 0x644d5241, true);
  return damaged(random, bytes);
}

/** An EFI zboot file around a payload. */
function zboot(random: Random, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64 + payload.length);
  bytes.set(encoder.encode("MZ\0\0zimg"));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, chance(random, 4) ? Number(edge(random) & 0xffff_ffffn) : 64, true);
  view.setUint32(12, chance(random, 4) ? Number(edge(random) & 0xffff_ffffn) : payload.length, true);
  bytes.set(encoder.encode(random.pick(["gzip", "zstd", "zstd22", "xz", "", "gzip\0\0", "a".repeat(40)])).subarray(0, 32), 24);
  bytes.set(payload, 64);
  return bytes;
}

/** gzip with all fields of its header, several members, and sometimes what unpacks to much. */
export function gzip(random: Random): Uint8Array<ArrayBuffer> {
  const member = () => {
    const content = chance(random, 100) ? new Uint8Array(1 << 20 + random.below(6)) : image(random);
    const packed = gzipSync(content, { level: random.below(10) });
    if (!chance(random, 3)) return packed;
    // FHCRC, FEXTRA, FNAME, FCOMMENT, as the flags say, or not.
    const flags = random.word() & 0x1e;
    const extra = flags & 4 ? [random.below(9), 0, ...random.bytes(random.below(12))] : [];
    const text = (bit: number) => flags & bit ? [...encoder.encode("name"), ...chance(random, 8) ? [] : [0]] : [];
    return joined([Uint8Array.of(0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255, ...extra, ...text(8), ...text(16)), packed.subarray(10)]);
  };
  const members = Array.from({ length: 1 + random.below(chance(random, 10) ? 20 : 2) }, member);
  const all = joined(members);
  return damaged(random, chance(random, 4) ? zboot(random, all) : all);
}

/** An ELF executable with program headers of any kind, and symbols. */
export function elf(random: Random): Uint8Array<ArrayBuffer> {
  const count = far(random, 5, 400), size = 64 + 56 * count + random.below(300);
  const bytes = random.bytes(size), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  view.setUint16(16, random.pick([2, 2, 2, 3, 1]), true);
  view.setUint16(18, chance(random, 20) ? random.word() : 183, true);
  view.setBigUint64(24, chance(random, 2) ? 0x8000_0000n : edge(random), true);
  view.setBigUint64(32, chance(random, 6) ? edge(random) : 64n, true);
  view.setBigUint64(40, chance(random, 2) ? 64n : edge(random), true);
  view.setUint16(54, chance(random, 10) ? random.word() : 56, true);
  view.setUint16(56, chance(random, 10) ? random.word() : count, true);
  view.setUint16(58, chance(random, 4) ? random.word() : 64, true);
  view.setUint16(60, chance(random, 2) ? random.word() : random.below(6), true);
  view.setUint16(62, random.below(4), true);
  for (let i = 0; i < count; i++) {
    const at = 64 + 56 * i;
    view.setUint32(at, random.pick([1, 1, 1, 2, 6, 0x6474e551]), true);
    const place = [8, 16, 24, 32, 40, 48];
    const usual = [BigInt(64), 0x8000_0000n + BigInt(i) * 0x1000n, 0x8000_0000n + BigInt(i) * 0x1000n, 16n, 0x1000n, 0x1000n];
    place.forEach((field, j) => view.setBigUint64(at + field, chance(random, 5) ? edge(random) : usual[j], true));
  }
  return damaged(random, bytes);
}

/** A newc archive with sizes and names that lie. */
export function cpio(random: Random): Uint8Array<ArrayBuffer> {
  const hex = (value: number) => (value >>> 0).toString(16).padStart(8, "0");
  const entry = () => {
    const name = `${random.pick(["init", "bin/sh", "../etc", "/abs", "TRAILER!!!", word(random)])}\0`, data = "x".repeat(random.below(40));
    const lie = (value: number) => chance(random, 6) ? Number(edge(random) & 0xffff_ffffn) : value;
    const fields = [1, 0o100644, 0, 0, 1, 0, lie(data.length), 0, 0, 0, 0, lie(encoder.encode(name).length), 0];
    const head = `070701${fields.map(hex).join("")}${name}`;
    const padded = head + "\0".repeat(-head.length & 3) + data;
    return padded + "\0".repeat(-padded.length & 3);
  };
  const bytes = encoder.encode(many(random, 8, entry).join(""));
  return damaged(random, chance(random, 3) ? gzipSync(bytes) : bytes);
}
