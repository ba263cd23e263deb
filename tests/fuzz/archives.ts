// Archives, disks and compressed files of an attacker who knows their formats: packages of Debian,
// qcow2 images, gzip, xz and zstd.

import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { DISK, QCOW2 } from "../support/disk-images.ts";
import type { Random } from "../support/random.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";
import { chance, damaged, edge } from "./grammars.ts";

const BLOCK = 512;
const encoder = new TextEncoder();

/** Names that lead elsewhere, or may: `outside` is beside the folder that is unpacked into. */
const NAMES = [
  ".",
  "./",
  "a",
  "a/b",
  "a/b/c",
  "l",
  "l/x",
  "l/d/x",
  "../outside/x",
  "a/../../outside/x",
  "/etc/el2-fuzz",
  "d",
  "d/x",
  "a\0b",
  "",
];
const TARGETS = [
  "a",
  "../outside",
  "../../outside",
  "..",
  ".",
  "/",
  "/tmp",
  "l",
  "l/x",
  "d/x",
  "../outside/canary",
  "/etc/passwd",
  "nowhere/at/all",
];
const TYPES = ["0", "0", "0", "2", "2", "1", "5", "5", "3", "4", "6", "7", "\0", "L", "K", "x", "g", "S", "?"];

/** A number of a header: right, octal, binary, negative, or not a number. */
function field(random: Random, value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  switch (chance(random, 8) ? random.below(5) : 0) {
    case 0:
      encoder.encodeInto(value.toString(8).padStart(size - 1, "0"), bytes);
      return bytes;
    case 1:
      return random.bytes(size);
    case 2:
      return bytes.fill(0xff);
    case 3:
      bytes[0] = 0x80;
      return bytes.fill(random.below(256), 1 + random.below(size - 1));
    default:
      encoder.encodeInto((edge(random) % (1n << 33n)).toString(8).slice(0, size - 1), bytes);
      return bytes;
  }
}

function tarEntry(random: Random): Uint8Array {
  const header = new Uint8Array(BLOCK), type = random.pick(TYPES), name = random.pick(NAMES);
  const content = type === "x" || type === "g"
    ? encoder.encode(`${random.below(99)} ${random.pick(["path", "linkpath", "size"])}=${random.pick([...NAMES, ...TARGETS])}\n`)
    : type === "L" || type === "K"
    ? encoder.encode(random.pick([...NAMES, ...TARGETS]))
    : type === "0"
    ? random.bytes(random.below(chance(random, 20) ? 4000 : 40))
    : new Uint8Array();
  encoder.encodeInto(name, header);
  header.set(field(random, random.pick([0o644, 0o755, 0o4755, 0]), 8), 100);
  header.set(field(random, 0, 8), 108);
  header.set(field(random, 0, 8), 116);
  header.set(field(random, content.length, 12), 124);
  header.set(field(random, random.below(2 ** 31), 12), 136);
  header[156] = type.charCodeAt(0);
  encoder.encodeInto(random.pick(TARGETS), header.subarray(157));
  encoder.encodeInto(random.pick(["ustar\0", "ustar  ", ""]), header.subarray(257));
  if (chance(random, 4)) encoder.encodeInto(random.pick(["p", "..", "l"]), header.subarray(345));
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, chance(random, 30) ? 1 : 0);
  encoder.encodeInto(`${sum.toString(8).padStart(6, "0")}\0`, header.subarray(148));
  const padding = chance(random, 30) ? random.below(BLOCK) : (BLOCK - content.length % BLOCK) % BLOCK;
  return joined([header, content, new Uint8Array(padding)]);
}

function tar(random: Random): Uint8Array<ArrayBuffer> {
  const entries = Array.from({ length: random.below(8) }, () => tarEntry(random));
  return damaged(random, joined([...entries, new Uint8Array(chance(random, 12) ? random.below(1024) : 1024)]));
}

/** A text, packed by the program xz. */
const XZ = Uint8Array.fromBase64(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AqLAB5dADKbAkBy2zcHPSJeWYu7l+JT3vy9R9sAAGvtFW+oAAAAAIh8ZOQ4fOEGAAE6jBUAAAAoCmV1scRn+wIAAAAABFla",
);

const PACKINGS = {
  "": (bytes: Uint8Array) => bytes,
  ".gz": (bytes: Uint8Array) => zlib.gzipSync(bytes, { level: 1 }),
  ".zst": (bytes: Uint8Array) => zlib.zstdCompressSync(bytes),
  // Nothing here packs by xz.
  ".xz": (_bytes: Uint8Array) => XZ,
  ".bz2": (bytes: Uint8Array) => bytes,
} as const;

/** A package: an ar archive of two tar archives. */
export function deb(random: Random): Uint8Array<ArrayBuffer> {
  const member = (name: string, bytes: Uint8Array): Uint8Array => {
    const lie = chance(random, 20) ? random.pick(["", "-1", "0x10", "1e9", "9999999999", " 12", "12x", "NaN"]) : String(bytes.length);
    const header = `${name.padEnd(16).slice(0, 16)}${"0".padEnd(32)}${lie.padEnd(10)}\`\n`;
    return joined([encoder.encode(header), bytes, new Uint8Array(bytes.length % 2)]);
  };
  const archive = (name: string) => {
    const packing = random.pick([".gz", ".zst", "", "", ...(chance(random, 10) ? [".xz", ".bz2"] as const : [])] as const);
    return member(`${name}${packing}${chance(random, 4) ? "/" : ""}`, damaged(random, PACKINGS[packing](tar(random))));
  };
  const members = [member("debian-binary", encoder.encode("2.0\n")), archive("control.tar"), archive("data.tar")];
  if (chance(random, 20)) members.splice(random.below(3), 1);
  if (chance(random, 40)) members.unshift(...Array.from({ length: 100 }, () => member("x", new Uint8Array())));
  return damaged(random, joined([encoder.encode(chance(random, 50) ? "!<arch>x" : "!<arch>\n"), ...members]));
}

/** Fields of a header of qcow2 that say where something is, and how large. */
const QCOW2_FIELDS = [4, 8, 16, 20, 24, 32, 36, 40, 48, 56, 60, 72, 88, 96, 100];

/** An image of qemu-img with another header, or tables that lead anywhere, also to themselves. */
export function qcow2(random: Random): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(random.pick(Object.values(QCOW2))), view = new DataView(image.buffer);
  const place = () => BigInt(random.below(image.length >> 9)) << 9n;
  if (chance(random, 3)) {
    const at = random.pick(QCOW2_FIELDS);
    if (chance(random, 2)) view.setUint32(at, Number(edge(random) & 0xffff_ffffn));
    else view.setBigUint64(at & ~7, chance(random, 2) ? edge(random) : place());
  }
  const flags = [0n, 0n, 1n << 63n, 1n << 62n, 1n, 1n << 63n | 1n << 62n];
  for (let changes = random.below(12); changes > 0; changes--) {
    // After the header there are tables and clusters.
    const at = 512 + (random.below(image.length - 520) & ~7);
    view.setBigUint64(at, (chance(random, 3) ? edge(random) : place()) | random.pick(flags));
  }
  if (chance(random, 6)) {
    // One table for all parts of the disk.
    const l1 = Number(view.getBigUint64(40) & 0xffff_ffffn), first = l1 + 8 <= image.length ? view.getBigUint64(l1) : 0n;
    for (let at = l1; at + 8 <= Math.min(image.length, l1 + 512); at += 8) view.setBigUint64(at, first);
    view.setBigUint64(24, BigInt(random.below(1 << 24)) << 9n);
  }
  return damaged(random, image);
}

/** A disk or image in a packing, whole or damaged, of a size that its frame may lie about. */
export function packed(random: Random): Uint8Array<ArrayBuffer> {
  const plain = random.pick([
    () => DISK,
    () => new Uint8Array(random.below(1 << 20)),
    () => new Uint8Array(random.below(1 << 18)).fill(7),
    () => new Uint8Array(qcow2(random)),
    () => random.bytes(random.below(4096)),
  ])();
  const packing = random.pick([".gz", ".zst", ".zst", "", ".xz"] as const);
  const bytes = new Uint8Array(PACKINGS[packing](plain));
  const twice = chance(random, 10) ? joined([bytes, bytes]) : bytes;
  // A skippable frame of zstd, and one that claims to be larger than the file.
  const skipped = Buffer.alloc(8);
  skipped.writeUInt32LE(0x184d2a50 + random.below(16), 0);
  skipped.writeUInt32LE(chance(random, 2) ? 0 : Number(edge(random) & 0xffff_ffffn), 4);
  return damaged(random, chance(random, 10) ? joined([skipped, twice]) : twice);
}
