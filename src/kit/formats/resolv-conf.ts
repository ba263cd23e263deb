// The resolvers that a computer names: resolv.conf(5).

import { type Address, ip, parseIp, parseIp6 } from "./ip-addresses.ts";

export const RESOLV_CONF = "/etc/resolv.conf";
/** As the C library has it. */
const RESOLVERS_MAX = 3;
/** Where queries go when the computer names no resolver. */
const LOCAL_RESOLVER = ip("127.0.0.53");

/** The resolvers that the file names, those of IPv4 first; there is always one. */
export function resolversOf(text: string): Address[] {
  const named = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, name]) => parseIp(name) ?? parseIp6(name))
    .filter((address) => address !== undefined).slice(0, RESOLVERS_MAX);
  const isFour = (address: Address) => typeof address === "number";
  return named.length ? [...named.filter(isFour), ...named.filter((address) => !isFour(address))] : [LOCAL_RESOLVER];
}
