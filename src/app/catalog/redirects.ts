// Requests whose redirects el2 follows itself. A URL that a user writes names one server, and a
// server on the internet could send el2 on to this computer, its local network, or a cloud's
// metadata.

import { lookup } from "node:dns/promises";
import { parseIp, parseIp6 } from "../../kit/formats/ip-addresses.ts";
import { type AddressKind, kindOfAddress } from "../../machine/virtio/net/nat/policy.ts";
import { type Problem, UserError } from "../../kit/support/problem.ts";

/** Redirects that one request follows. */
const MOST = 10;
/** Characters of a refused redirect in its error. */
const SHOWN = 200;
/** Statuses that name another place for the same request (RFC 9110 §15.4). */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

const KIND_TEXTS: Readonly<Record<Exclude<AddressKind, "internet">, string>> = {
  host: "is an address of this computer",
  lan: "is a private address",
  link: "is a link-local or metadata address",
  none: "is not an address of a server",
};

/** A redirect that is not followed. The message says why, to follow the first URL. */
export class RefusedRedirect extends UserError {}

/**
 * The answer to a GET or HEAD request, after redirects.
 * @throws RefusedRedirect; an error of fetch
 */
export async function requested(
  url: string,
  init: { readonly method?: "HEAD"; readonly headers?: Record<string, string> },
): Promise<Response> {
  const first = new URL(url);
  let at = first;
  for (let left = MOST;; left--) {
    const response = await fetch(at, { ...init, redirect: "manual" });
    const location = response.headers.get("location");
    if (!REDIRECTS.includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (left === 0) throw new RefusedRedirect(`more than ${MOST} redirects`);
    const next = URL.parse(location, at);
    if (!next) throw new RefusedRedirect(`redirected to ${JSON.stringify(location.slice(0, SHOWN))}, which is not a URL`);
    const refusal = await refusalOf(first, next);
    if (refusal) throw new RefusedRedirect(`redirected to ${next.href.slice(0, SHOWN)}, which ${refusal.what}`, refusal.wayOut);
    at = next;
  }
}

/**
 * Why a redirect from the URL that the user named is not followed; undefined if it is. An address
 * outside of the internet is right only where the user's URL has one of its kind.
 */
export async function refusalOf(from: URL, to: URL): Promise<Problem | undefined> {
  if (to.protocol !== "https:" && to.protocol !== from.protocol) {
    return { what: from.protocol === "https:" ? "is not https" : `is neither https nor ${from.protocol.slice(0, -1)}` };
  }
  const inside = (await kindsOf(to)).filter((kind) => kind !== "internet");
  if (inside.length === 0) return undefined;
  const named = await kindsOf(from);
  const wrong = inside.find((kind) => !named.includes(kind));
  return wrong && { what: KIND_TEXTS[wrong], wayOut: "if you trust the server, name that URL yourself" };
}

/**
 * Kinds of the addresses of a URL's host; none for a name that nobody here knows, to which only a
 * proxy can connect.
 */
async function kindsOf({ hostname }: URL): Promise<AddressKind[]> {
  const literal = addressOf(hostname.replace(/^\[(.*)\]$/, "$1"));
  if (literal !== undefined) return [kindOfAddress(literal)];
  const found = await lookup(hostname, { all: true }).catch((error) => {
    if (error instanceof Error && "code" in error) return [];
    throw error;
  });
  return found.map(({ address }) => addressOf(address)).filter((address) => address !== undefined).map(kindOfAddress);
}

const addressOf = (text: string) => parseIp(text) ?? parseIp6(text);
