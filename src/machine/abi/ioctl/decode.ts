// Decodes a request code in every generation of the interface, for `el2 reference ioctl` and for
// the reasons of refused calls.

import { GZVM_REQUESTS } from "./geniezone.ts";
import { GH_EL2, LEGACY_MAGIC, MAGIC } from "./gunyah.ts";
import { ALL_REQUESTS, type PersonaName, PERSONAS, personasWith } from "./personas.ts";
import { type DescriptorKind, type Request, requestParts } from "./request.ts";

export interface DecodedRequest {
  /** The request with exactly this code. */
  readonly request: Request | undefined;
  /** Gunyah generations that answer it. */
  readonly personas: readonly PersonaName[];
  /** It is one of GenieZone's. */
  readonly geniezone: boolean;
  /** Requests with this magic and number, but another size or direction. */
  readonly near: readonly Request[];
}

/** KVM's magic. */
export const KVM_MAGIC = 0xae;

const ALL: readonly Request[] = [...ALL_REQUESTS, ...Object.values(GH_EL2), ...GZVM_REQUESTS];
const BY_CODE = new Map(ALL.map((request) => [request.code, request]));

/** Names of all requests, of any driver. */
export function requestNames(): string[] {
  return [...new Set(ALL.map(({ name }) => name))];
}

/** The request with exactly this code, of any driver. */
export function findRequest(code: number): Request | undefined {
  return BY_CODE.get(code >>> 0);
}

/** Looks a code up everywhere. */
export function decodeRequest(code: number): DecodedRequest {
  const { magic, number } = requestParts(code);
  const request = findRequest(code);
  const near = request ? [] : ALL.filter((each) => {
    const parts = requestParts(each.code);
    return parts.magic === magic && parts.number === number;
  });
  return { request, personas: personasWith(code), geniezone: GZVM_REQUESTS.some((each) => each === request), near };
}

/**
 * Why a generation does not answer a code on this kind of descriptor, as a phrase; and what to do
 * about it.
 */
export function explainUnknown(
  code: number,
  on: DescriptorKind,
  persona: PersonaName,
): { rule: string; looksLike: string; wayOut?: string } {
  const { request, personas, geniezone, near } = decodeRequest(code);
  const magic = requestParts(code).magic;
  const hex = `0x${(code >>> 0).toString(16)}`;
  const here = `${persona} (${PERSONAS[persona].title})`;
  if (geniezone && request) {
    return { rule: `${hex} is ${request.name}, a request of GenieZone's`, looksLike: "geniezone", wayOut: "open /dev/gzvm for it" };
  }
  if (request && personas.includes(persona)) {
    return { rule: `${request.name} is a request on the ${request.on} descriptor, not on the ${on}'s`, looksLike: persona };
  }
  if (request) {
    const others = personas.join(", ");
    const rule = `${hex} is ${request.name} of ${others}; this device speaks ${here}`;
    return { rule, looksLike: others, wayOut: `[host] device = "${personas.at(-1)}"` };
  }
  if (near.length > 0) {
    const { name, code } = near[0];
    const generations = personasWith(code);
    const rule = `${hex} has magic and number of ${name} (0x${code.toString(16)}), but another size or direction`;
    return { rule, looksLike: generations.join(", ") };
  }
  if (magic === KVM_MAGIC) return { rule: `${hex} has KVM's magic; this device speaks ${here}`, looksLike: "kvm" };
  if (magic === LEGACY_MAGIC) return { rule: `${hex} has the vendor driver's magic; this device speaks ${here}`, looksLike: "legacy" };
  const known = magic === MAGIC ? "Gunyah's magic and an unknown number" : "an unknown magic";
  return { rule: `${hex} has ${known}; this device speaks ${here}`, looksLike: "" };
}
