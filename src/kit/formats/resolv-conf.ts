// The resolvers that a computer names: resolv.conf(5).

import { type Address, ip, parseIp, parseIp6 } from "./ip-addresses.ts";
import { readIfThere } from "../support/files/cache.ts";

/** Where systems have it; without the file, a query goes to the usual local one. */
export const RESOLV_CONF = "/etc/resolv.conf";
/**
 * Milliseconds to wait for a resolver's answer before the next one is asked: guests repeat a query
 * after 5 s.
 */
export const ANSWER_MS = 1_000;
/** As the C library has it. */
const RESOLVERS_MAX = 3;
/** Where queries go when the computer names no resolver. */
const LOCAL_RESOLVER = ip("127.0.0.53");

/** The resolvers of this computer, now: a VPN changes them while a machine runs. */
export function computerResolvers(): Address[] {
  return resolversOf(new TextDecoder().decode(readIfThere(RESOLV_CONF)));
}

/** The resolvers that such a file names, those of IPv4 first; there is always one. */
export function resolversOf(text: string): Address[] {
  const named = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map(([, name]) => parseIp(name) ?? parseIp6(name))
    .filter((address) => address !== undefined).slice(0, RESOLVERS_MAX);
  if (named.length === 0) return [LOCAL_RESOLVER];
  const isFour = (address: Address) => typeof address === "number";
  return [...named.filter(isFour), ...named.filter((address) => !isFour(address))];
}
