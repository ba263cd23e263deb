// Addresses that a kernel asks its networks for (net/ipv4/arp.c and net/ipv6/ndisc.c in its
// sources), and to which nobody answers.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { addressText } from "../../../kit/formats/ip-addresses.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const OF = "neighbors";
/** `nud_state`: it is being asked for, or nobody has answered. */
const INCOMPLETE = 0x01, FAILED = 0x20;
/** Requests without an answer: the first one may be under way. */
const UNANSWERED = 2;
const BUCKET_BITS_MAX = 16, NEIGHBORS_MAX = 4096, SHOWN_MAX = 3;

/** The tables of IPv4 and IPv6, the bytes of their addresses, and these as text. */
const TABLES: readonly (readonly [symbol: string, size: number, text: (address: Uint8Array) => string])[] = [
  ["arp_tbl", 4, (address) => address.join(".")],
  ["nd_tbl", 16, (address) => addressText(address.toHex())],
];

function* neighbors(reading: Reading, symbol: string): Generator<Struct> {
  const all = reading.global("neigh_table", symbol);
  if (all.number("entries.counter") === 0) return;
  const table = all.at("nht", "neigh_hash_table"), bits = table?.number("hash_shift") ?? 0;
  if (!table || bits > BUCKET_BITS_MAX) return;
  // 6.13 made lists of the buckets, whose members have their links elsewhere.
  const isChained = table.has("hash_buckets"), buckets = table.pointer(isChained ? "hash_buckets" : "hash_heads");
  const link = isChained ? "next" : "hash.next", offset = isChained ? 0n : reading.struct("neighbour", 0n).addressOf("hash");
  let count = 0;
  for (let bucket = 0; bucket < 1 << bits; bucket++) {
    for (let at = reading.memory.u64(buckets + BigInt(8 * bucket)); at !== 0n;) {
      if (++count > NEIGHBORS_MAX) throw new BadMemory("invalid", "too many neighbors", at);
      const neighbor = reading.struct("neighbour", at - offset);
      yield neighbor;
      at = neighbor.pointer(link);
    }
  }
}

function isUnanswered(neighbor: Struct): boolean {
  const state = neighbor.number("nud_state");
  return (state & FAILED) !== 0 || (state & INCOMPLETE) !== 0 && neighbor.number("probes.counter") >= UNANSWERED;
}

/** The addresses for which a kernel has asked in vain; undefined if there is none. */
export function unansweredNeighbors(reading: Reading): LinuxFinding | undefined {
  const found = TABLES.flatMap(([symbol, size, text]) =>
    reading.rows(OF, () => neighbors(reading, symbol), (one) => {
      if (!isUnanswered(one)) return undefined;
      const address = text(reading.memory.bytes(one.addressOf("primary_key"), size));
      return { address, device: one.at("dev", "net_device")?.text("name") ?? "?" };
    })
  );
  return found.length ? { code: "no-neighbor", neighbors: found.slice(0, SHOWN_MAX) } : undefined;
}
