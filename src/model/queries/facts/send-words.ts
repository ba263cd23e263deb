// The words of evidence about queues and doorbells: sends that do nothing, polls that find nothing.

import type { PolledEnd } from "./verdict.ts";

/** Why a send has done nothing. */
export const SWALLOWED = {
  "empty": "it has no bytes",
  "too-big": "it has more bytes than a message of this queue",
  "unreadable": "its bytes cannot be read",
  "no-flag": "it names no flag",
} as const;

/** The send that would do something. */
export const BETTER_SEND: { readonly [W in keyof typeof SWALLOWED]: string } = {
  "empty": "send a byte or more",
  "too-big": "send no more bytes than the queue's messages have",
  "unreadable": "name memory that the VM has",
  "no-flag": "name a flag in new_flags",
};

/** The thing that a poll does not find, by what the other end has to do. */
export const POLLED: Readonly<Record<PolledEnd, string>> = {
  "send to": "no message in",
  "receive from": "no room in",
  "ring": "no flag in",
};

/** The bytes that a message may have, where a send was refused for having more. */
export function limitText(limit: number | null): string {
  return limit === null ? "" : ` (limit ${limit})`;
}
