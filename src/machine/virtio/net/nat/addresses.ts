// Addresses of the network behind the NAT (`nat.ts`), and which of them are of one owner.

import { type Address, DNS_PORT, ip, type Ip6, ip6 } from "../../../../kit/formats/ip-addresses.ts";

/** Addresses of the network. */
export const NatAddress = {
  Network: ip("10.0.2.0"),
  Netmask: ip("255.255.255.0"),
  Router: ip("10.0.2.2"),
  Dns: ip("10.0.2.3"),
  Guest: ip("10.0.2.15"),
} as const;

/** Addresses of the network of IPv6. */
export const NatAddress6 = {
  Network: ip6("fd10:0:2::"),
  Link: ip6("fe80::2"),
  Router: ip6("fd10:0:2::2"),
  Dns: ip6("fd10:0:2::3"),
} as const;

export const ROUTER_MAC = Uint8Array.of(0x52, 0x55, 0x0a, 0x00, 0x02, 0x02);
export const BROADCAST = 0xffff_ffff;
const NETWORK_BROADCAST = ip("10.0.2.255");
/** The first address that is not of one host: multicast, reserved ones, broadcast. */
const MULTICAST = ip("224.0.0.0");
/** The router's and the name server's addresses. */
export const OURS: readonly Address[] = [NatAddress.Router, NatAddress.Dns];
export const OURS6: readonly Ip6[] = [NatAddress6.Link, NatAddress6.Router, NatAddress6.Dns];

/** Whether an address has no single owner: `::` and its like, broadcast, multicast. */
export function isManyOrNobody(address: Address): boolean {
  if (typeof address === "string") return address.startsWith("ff") || /^0+$/.test(address);
  return address === 0 || address >= MULTICAST || address === NETWORK_BROADCAST;
}

/** Whether a port is that of the name server of the network. */
export function isDns(address: Address, port: number): boolean {
  return (address === NatAddress.Dns || address === NatAddress6.Dns) && port === DNS_PORT;
}
