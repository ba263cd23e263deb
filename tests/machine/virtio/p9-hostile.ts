// Requests of a hostile 9P client: each of the protocol's, with fields that are right, nearly right
// or wrong.

import { P9, type P9Name, writeFields, writeMessage } from "../../../src/machine/virtio/p9/messages.ts";
import type { Random } from "../../support/random.ts";

const NAMES = ["a", "b", "c", "up", "..", ".", "", "a/b", "/etc", "../secret", "\0", "n".repeat(300)];
const TARGETS = ["/", "..", "../secret", "a", ""];
const P9_NAMES = Object.keys(P9) as P9Name[];
const FIDS = 12;

const number = (random: Random) => random.pick([0, 1, 2, 8, 0o100, 0o1002, 0x7ff, 512, random.below(2 ** 31), 0xffff_ffff]);

const VALUES = {
  u8: (random: Random) => random.below(256),
  u16: (random: Random) => random.below(8),
  u32: number,
  u64: (random: Random) => random.pick([0n, 1n, 100n, BigInt(number(random)), 2n ** 53n, 2n ** 64n - 1n]),
  text: (random: Random) => random.pick(random.below(4) ? NAMES.slice(0, 5) : NAMES),
  texts: (random: Random) => Array.from({ length: random.below(5) }, () => random.pick(random.below(4) ? NAMES.slice(0, 5) : NAMES)),
  data: (random: Random) => random.bytes(random.below(200)),
} as const;

/** One request. */
export function hostileP9Request(random: Random): Uint8Array {
  const name = random.below(6) === 0 ? random.pick(["version", "attach"] as const) : random.pick(P9_NAMES);
  const { type, request } = P9[name];
  const fields = Object.entries(request).map(([field, kind]) => {
    if (/fid|folder/i.test(field) && kind === "u32") return [field, field === "authFid" ? 0xffff_ffff : random.below(FIDS)];
    if (field === "version") return [field, random.below(20) ? "9P2000.L" : "9P2000"];
    if (name === "version") return [field, random.pick([100, 4096, 65_536, 2 ** 31])];
    if (field === "target") return [field, random.pick(TARGETS)];
    return [field, VALUES[kind as keyof typeof VALUES](random)];
  });
  const bytes = writeMessage(type, random.below(4), writeFields(request, Object.fromEntries(fields)));
  if (random.below(30) === 0) bytes.set(random.bytes(4), random.below(bytes.length - 4));
  return bytes;
}
