// An IPv6 router's announcements to its network: the prefix of addresses, the router and the DNS
// server (RFC 4861, 4862, 8106), and owners of addresses. It answers echo requests too.

import { type Ip6, ip6, ip6Bytes, readIp6 } from "../../../../kit/formats/ip-addresses.ts";
import type { IpPacket } from "../../../../kit/formats/packets.ts";
import { MTU } from "../net.ts";

/** Messages of ICMPv6. */
const Type = {
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOR_SOLICITATION: 135,
  NEIGHBOR_ADVERTISEMENT: 136,
} as const;
const Option = { SOURCE_MAC: 1, TARGET_MAC: 2, PREFIX: 3, MTU: 5, RDNSS: 25 } as const;
/** Of a neighbor advertisement. */
const Flag = { ROUTER: 0x80, SOLICITED: 0x40, OVERRIDE: 0x20 } as const;
/** Flags of a prefix: its addresses are on this link, and a guest may derive its own from it. */
const ON_LINK = 0x80, AUTONOMOUS = 0x40;
const PREFIX_BITS = 64;
/** Only a neighbor can send with it (RFC 4861 section 3.1). */
export const NEIGHBOR_HOPS = 255;
const HOP_LIMIT = 64;
/** Seconds, the most that fit; each neighbor solicitation renews them. */
const ROUTER_LIFETIME = 0xffff;
const INFINITE = 0xffff_ffff;
const SOLICITATION_SIZE = 8, NEIGHBOR_SIZE = 24, ECHO_SIZE = 8;
const UNSPECIFIED = ip6("::");
/** All nodes of the link. */
const ALL_NODES = ip6("ff02::1");

/** The announced network. */
export interface Network6 {
  readonly mac: Uint8Array;
  /** The router's link-local address. */
  readonly link: Ip6;
  readonly prefix: Ip6;
  readonly dns: Ip6;
  /** All addresses that are answered for. */
  readonly ours: readonly Ip6[];
}

/** A message for the guest. */
interface Icmp6Answer {
  readonly source: Ip6;
  readonly destination: Ip6;
  readonly message: Uint8Array;
  /** The default where there is none. */
  readonly hops?: number;
}

/** Answers to a message of a guest, none if it needs none. */
export function answerIcmp6({ source, destination, hops, payload }: IpPacket<Ip6>, network: Network6): Icmp6Answer[] {
  if (payload[0] === Type.ECHO_REQUEST) {
    if (payload.length < ECHO_SIZE || !network.ours.includes(destination)) return [];
    return [{ source: destination, destination: source, message: payload.with(0, Type.ECHO_REPLY) }];
  }
  if (hops !== NEIGHBOR_HOPS || payload[1] !== 0) return [];
  const advertisement = {
    source: network.link,
    destination: source === UNSPECIFIED ? ALL_NODES : source,
    message: routerAdvertisement(network),
    hops: NEIGHBOR_HOPS,
  };
  if (payload[0] === Type.ROUTER_SOLICITATION && payload.length >= SOLICITATION_SIZE) return [advertisement];
  if (payload[0] !== Type.NEIGHBOR_SOLICITATION || payload.length < NEIGHBOR_SIZE) return [];
  const target = readIp6(payload.subarray(8, NEIGHBOR_SIZE));
  if (!network.ours.includes(target)) return [];
  // A solicitation from an unspecified address is from a node that wants to use the address itself.
  const solicited = source === UNSPECIFIED ? 0 : Flag.SOLICITED;
  const answer = {
    ...advertisement,
    source: target,
    message: Uint8Array.from([
      ...[Type.NEIGHBOR_ADVERTISEMENT, 0, 0, 0, Flag.ROUTER | Flag.OVERRIDE | solicited, 0, 0, 0],
      ...ip6Bytes(target),
      ...macOption(Option.TARGET_MAC, network.mac),
    ]),
  };
  // Guests ask for their neighbors again and again, so that no timer has to renew their route.
  return solicited ? [answer, advertisement] : [answer];
}

function routerAdvertisement({ mac, prefix, dns }: Network6): Uint8Array {
  return Uint8Array.from([
    ...[Type.ROUTER_ADVERTISEMENT, 0, 0, 0, HOP_LIMIT, 0, ROUTER_LIFETIME >> 8, ROUTER_LIFETIME & 0xff],
    // Reachable time and retransmission timer: the guest's own.
    ...word(0),
    ...word(0),
    ...macOption(Option.SOURCE_MAC, mac),
    ...[Option.MTU, 1, 0, 0, ...word(MTU)],
    ...[Option.PREFIX, 4, PREFIX_BITS, ON_LINK | AUTONOMOUS, ...word(INFINITE), ...word(INFINITE), ...word(0), ...ip6Bytes(prefix)],
    ...[Option.RDNSS, 3, 0, 0, ...word(INFINITE), ...ip6Bytes(dns)],
  ]);
}

/** The option with the MAC address of a node. */
function macOption(type: number, mac: Uint8Array): number[] {
  return [type, 1, ...mac];
}

function word(value: number): number[] {
  return [value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}
