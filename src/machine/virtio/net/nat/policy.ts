// Network access of a guest behind the NAT: data of the plan, applied to addresses as the guest
// writes them and as they lead outside. First rules that deny, then rules that allow, then the kind
// of address.

import {
  type Address,
  addressText,
  inNetwork,
  type Ip,
  ip,
  type Ip6,
  ip6,
  IP6_BITS,
  IP_BITS,
  ipWithin6,
  readIp6,
} from "../../../../kit/formats/ip-addresses.ts";
import { once } from "../../../../kit/support/values/once.ts";
import type { NetPolicy, NetRule } from "../../plan.ts";

/**
 * Kinds of addresses: `host`: this computer; `lan`: private networks; `link`: link-local ones,
 * where clouds answer with credentials; `none`: no single computer; `internet`: all others.
 */
export type AddressKind = "host" | "lan" | "link" | "none" | "internet";

/** By prefix (IANA's registries of special-purpose addresses, RFC 6890); the first that fits. */
const kinds = once((): readonly (readonly [network: Address, bits: number, kind: AddressKind])[] => [
  [ip("0.0.0.0"), 8, "host"],
  [ip("127.0.0.0"), 8, "host"],
  // Metadata services of clouds outside of 169.254.0.0/16: Alibaba's, Oracle's, Azure's.
  [ip("100.100.100.200"), 32, "link"],
  [ip("192.0.0.192"), 32, "link"],
  [ip("168.63.129.16"), 32, "link"],
  [ip("169.254.0.0"), 16, "link"],
  [ip("10.0.0.0"), 8, "lan"],
  [ip("100.64.0.0"), 10, "lan"],
  [ip("172.16.0.0"), 12, "lan"],
  [ip("192.0.0.0"), 24, "lan"],
  [ip("192.168.0.0"), 16, "lan"],
  [ip("198.18.0.0"), 15, "lan"],
  [ip("224.0.0.0"), 4, "none"],
  [ip("240.0.0.0"), 4, "none"],
  [ip("0.0.0.0"), 0, "internet"],
  // The unspecified address and loopback.
  [ip6("::"), 127, "host"],
  [ip6("fe80::"), 10, "link"],
  // Metadata services: Amazon's, Google's, Oracle's.
  [ip6("fd00:ec2::254"), 128, "link"],
  [ip6("fd20:ce::254"), 128, "link"],
  [ip6("fd00:c1::a9fe:a9fe"), 128, "link"],
  [ip6("fc00::"), 7, "lan"],
  [ip6("fec0::"), 10, "lan"],
  // Prefixes of NAT64 that a local network chooses (RFC 8215).
  [ip6("64:ff9b:1::"), 48, "lan"],
  // Teredo (RFC 4380), whose addresses hide one of IPv4.
  [ip6("2001::"), 32, "none"],
  [ip6("2000::"), 3, "internet"],
]);

/** IPv6 prefixes that are followed by an IPv4 address, with its bit offset. */
const embeddings = once((): readonly (readonly [network: Ip6, bits: number])[] => [
  // Mapped, translated and compatible ones (RFC 4291, 2765), NAT64 (RFC 6052), 6to4 (RFC 3056).
  [ip6("::ffff:0:0"), 96],
  [ip6("::ffff:0:0:0"), 96],
  [ip6("::"), 96],
  [ip6("64:ff9b::"), 96],
  [ip6("2002::"), 16],
]);
const LOOPBACK = ip("127.0.0.1"), LOOPBACK6 = ip6("::1");
const MAPPED = ip6("::ffff:0:0");

/** The IPv4 address that an IPv6 address leads to; undefined for none. */
export function embedded(address: Address): Ip | undefined {
  if (typeof address === "number" || inNetwork(address, ip6("::"), 127)) return undefined;
  const bits = embeddings().find(([network, bits]) => inNetwork(address, network, bits))?.[1];
  return bits === undefined ? undefined : ipWithin6(address, bits);
}

/** An IPv4-mapped address of IPv6 is one of IPv4 in another spelling; others are as they are. */
export function plainAddress(address: Address): Address {
  const plain = inNetwork(address, MAPPED, 96) ? embedded(address) : undefined;
  return plain ?? address;
}

/**
 * The kind of an address that is not one of the NAT's addresses; one that leads to an IPv4 address
 * has that one's kind.
 */
export function kindOfAddress(address: Address): AddressKind {
  const inside = embedded(address);
  if (inside !== undefined) return kindOfAddress(inside);
  return kinds().find(([network, bits]) => inNetwork(address, network, bits))?.[2] ?? "none";
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
export function judge(policy: NetPolicy, address: Address, outside: Address, port: number): Verdict {
  const kind = kindOfAddress(outside);
  const spellings = [address, plainAddress(outside)];
  if (policy.deny.some((rule) => isAbout(rule, [...spellings, ...otherSpellings(outside)], port))) {
    return { allowed: false, kind, own: false };
  }
  // A rule for an address means that address; one for all of the internet does not mean this
  // computer.
  const named = policy.allow.find((rule) => isAbout(rule, spellings, port));
  if (named) return { allowed: true, kind, own: policy.host || isOneAddress(named) };
  return { allowed: allowsKind(policy, kind), kind, own: policy.host };
}

/** Whether a rule is about a port at one of these addresses. */
function isAbout({ network, bits, port: only }: NetRule, addresses: readonly Address[], port: number): boolean {
  return (only === undefined || only === port) && addresses.some((address) => inNetwork(address, network, bits));
}

function isOneAddress({ network, bits }: NetRule): boolean {
  return bits === (typeof network === "number" ? IP_BITS : IP6_BITS);
}

/** Other addresses of the same computer: a rule that denies one denies all. */
function otherSpellings(address: Address): Address[] {
  if (address === LOOPBACK6) return [LOOPBACK];
  if (address === LOOPBACK) return [LOOPBACK6];
  const inside = embedded(address);
  return inside === undefined ? [] : [inside];
}

/**
 * Whether the computer's resolver may be asked: names lead to the internet or to the local network.
 */
export function mayResolve({ internet, lan }: NetPolicy): boolean {
  return internet || lan;
}

/** Whether a name may lead to an address of 4 or 16 bytes, at whatever port. */
export function mayAnswer(policy: NetPolicy, bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const address = plainAddress(bytes.length === 4 ? view.getUint32(0) : readIp6(bytes));
  const whole = (rule: NetRule) => rule.port === undefined && isAbout(rule, [address, ...otherSpellings(address)], 0);
  if (policy.deny.some(whole)) return false;
  return policy.allow.some(({ network, bits }) => inNetwork(address, network, bits)) || allowsKind(policy, kindOfAddress(address));
}

/** `internet=yes lan=no host=no allow=10.0.0.5/32:80 deny=[fd00::]/8:22`. */
export function policyText({ internet, lan, host, allow, deny }: NetPolicy): string {
  const word = (name: string, value: boolean) => `${name}=${value ? "yes" : "no"}`;
  const rules = (name: string, list: readonly NetRule[]) => list.map((rule) => `${name}=${ruleText(rule)}`);
  return [word("internet", internet), word("lan", lan), word("host", host), ...rules("allow", allow), ...rules("deny", deny)].join(" ");
}

function ruleText({ network, bits, port }: NetRule): string {
  const text = addressText(network);
  if (port === undefined) return `${text}/${bits}`;
  return typeof network === "number" ? `${text}/${bits}:${port}` : `[${text}]/${bits}:${port}`;
}
