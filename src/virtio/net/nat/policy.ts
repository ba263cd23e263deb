// Network access of a guest behind the NAT: data of the plan, applied to addresses as the guest
// writes them and as they lead outside. First rules that deny, then rules that allow, then the kind
// of address.

import { type Ip, ip, ipText } from "../../../formats/packets.ts";
import type { NetPolicy, NetRule } from "../../plan.ts";

/**
 * Kinds of addresses: `host`: this computer; `lan`: private networks; `link`: link-local ones,
 * where clouds answer with credentials; `none`: no single computer; `internet`: all others.
 */
export type AddressKind = "host" | "lan" | "link" | "none" | "internet";

/** IPv4 by prefix (IANA's registry of special-purpose addresses, RFC 6890). */
const KINDS: readonly (readonly [network: Ip, bits: number, kind: AddressKind])[] = [
  [ip("0.0.0.0"), 8, "host"],
  [ip("127.0.0.0"), 8, "host"],
  [ip("10.0.0.0"), 8, "lan"],
  [ip("100.64.0.0"), 10, "lan"],
  [ip("172.16.0.0"), 12, "lan"],
  [ip("192.0.0.0"), 24, "lan"],
  [ip("192.168.0.0"), 16, "lan"],
  [ip("198.18.0.0"), 15, "lan"],
  [ip("169.254.0.0"), 16, "link"],
  // Azure's WireServer, which is not in a network of this kind.
  [ip("168.63.129.16"), 32, "link"],
  [ip("224.0.0.0"), 4, "none"],
  [ip("240.0.0.0"), 4, "none"],
];

/** Whether an address is in a network. */
function within(address: Ip, network: Ip, bits: number): boolean {
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(network / size);
}

/** The kind of an address that is not one of the NAT's own. */
export function kindOfAddress(address: Ip): AddressKind {
  return KINDS.find(([network, bits]) => within(address, network, bits))?.[2] ?? "internet";
}

/**
 * Kind of an IPv6 address, of 16 bytes; one that stands for an IPv4 address has that one's kind.
 */
export function kindOfAddress6(bytes: Uint8Array): AddressKind {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const zeros = (count: number) => bytes.subarray(0, count).every((byte) => byte === 0);
  const embedded = (at: number) => kindOfAddress(view.getUint32(at));
  // ::, ::1, and IPv4-compatible ones.
  if (zeros(12)) return view.getUint32(12) <= 1 ? "host" : embedded(12);
  if (zeros(10) && view.getUint16(10) === 0xffff) return embedded(12);
  // NAT64 (RFC 6052), 6to4 (RFC 3056).
  if (view.getUint32(0) === 0x0064_ff9b && bytes.subarray(4, 12).every((byte) => byte === 0)) return embedded(12);
  if (view.getUint16(0) === 0x2002) return embedded(2);
  if ((view.getUint16(0) & 0xffc0) === 0xfe80) return "link";
  if ((bytes[0] & 0xfe) === 0xfc || (view.getUint16(0) & 0xffc0) === 0xfec0) return "lan";
  return bytes[0] === 0xff ? "none" : "internet";
}

/** The policy's decision on a kind alone. */
function allowsKind(policy: NetPolicy, kind: AddressKind): boolean {
  return (kind === "host" || kind === "lan" || kind === "internet") && policy[kind];
}

/** The policy's decision on an address and port. */
export interface Verdict {
  readonly allowed: boolean;
  readonly kind: AddressKind;
  /** Whether it is allowed even where the address turns out to be one of this computer's. */
  readonly own: boolean;
}

/**
 * Whether a guest may reach a port.
 * @param address as the guest writes it
 * @param outside where that leads: the computer's loopback for the router
 */
export function judge(policy: NetPolicy, address: Ip, outside: Ip, port: number): Verdict {
  const kind = kindOfAddress(outside);
  const matches = ({ network, bits, port: only }: NetRule) =>
    (only === undefined || only === port) && (within(address, network, bits) || within(outside, network, bits));
  if (policy.deny.some(matches)) return { allowed: false, kind, own: false };
  // A rule for an address means that address; one for all of the internet does not mean this
  // computer.
  const named = policy.allow.find(matches);
  if (named) return { allowed: true, kind, own: policy.host || named.bits === 32 };
  return { allowed: allowsKind(policy, kind), kind, own: policy.host };
}

/**
 * Whether the computer's resolver may be asked: names lead to the internet or to the local network.
 */
export function mayResolve({ internet, lan }: NetPolicy): boolean {
  return internet || lan;
}

/** Whether a name may lead to an address of 4 or 16 bytes, at whatever port. */
export function mayAnswer(policy: NetPolicy, bytes: Uint8Array): boolean {
  if (bytes.length !== 4) return allowsKind(policy, kindOfAddress6(bytes));
  const address = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  const whole = ({ network, bits, port }: NetRule) => port === undefined && within(address, network, bits);
  if (policy.deny.some(whole)) return false;
  return policy.allow.some(({ network, bits }) => within(address, network, bits)) || allowsKind(policy, kindOfAddress(address));
}

/** `internet=yes lan=no host=no allow=10.0.0.5/32:80`. */
export function policyText({ internet, lan, host, allow, deny }: NetPolicy): string {
  const word = (name: string, value: boolean) => `${name}=${value ? "yes" : "no"}`;
  const rules = (name: string, list: readonly NetRule[]) =>
    list.map(({ network, bits, port }) => `${name}=${ipText(network)}/${bits}${port === undefined ? "" : `:${port}`}`);
  return [word("internet", internet), word("lan", lan), word("host", host), ...rules("allow", allow), ...rules("deny", deny)].join(" ");
}
