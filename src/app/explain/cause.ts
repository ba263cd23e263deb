// A known cause: the signs that speak for it, what to try, and where el2 shows it.

import type { Book, SignKind, SignValue } from "./forms/sign.ts";
import type { WayOut } from "../../kit/support/text/way-out.ts";

/** A value that evidence has to have: this one, one of several, one within bounds, or "any". */
export type Wanted = SignValue | readonly SignValue[] | { readonly from: number; readonly to?: number };

/** A sign that speaks for a cause, or against it with points below zero. */
export interface Evidence {
  readonly of: SignKind;
  /** The values of the sign, by their names. */
  readonly where?: Readonly<Record<string, Wanted>>;
  readonly points: number;
  /** The cause needs one of those so marked. */
  readonly must?: true;
}

export interface Cause {
  readonly id: string;
  readonly says: string;
  /** It was read in a source; otherwise it is a guess that fits. */
  readonly certain: boolean;
  readonly evidence: readonly Evidence[];
  /** Advice for the phone, the surest first. */
  readonly tries: readonly WayOut[];
  /** Facts that the files do not have, and how to get them. */
  readonly asks?: readonly WayOut[];
  readonly book?: Book;
  /** The folder of examples/mysteries that shows it. */
  readonly mystery?: string;
}

/** Any sign of a kind, whatever its values. */
export const sign = (of: SignKind, points: number, must?: true): Evidence => ({ of, points, ...must && { must } });

/** Evidence of the driver's generation. */
export const platform = (generation: string | readonly string[], points: number): Evidence => ({
  of: "platform",
  where: { generation },
  points,
});

/** Evidence of a request that failed. */
export const call = (
  name: SignValue | readonly SignValue[],
  errno: SignValue | readonly SignValue[],
  points: number,
  must?: true,
): Evidence => ({
  of: "call",
  where: { call: name, errno },
  points,
  ...must && { must },
});

/** Evidence of a refused message. */
export const rpc = (
  message: SignValue | readonly SignValue[],
  error: SignValue | readonly SignValue[],
  points: number,
  must?: true,
): Evidence => ({
  of: "rpc",
  where: { message, error },
  points,
  ...must && { must },
});

/** Evidence of a step of VM_START that failed. */
export const step = (
  name: SignValue | readonly SignValue[],
  errno: SignValue | readonly SignValue[],
  points: number,
  must?: true,
): Evidence => ({
  of: "step",
  where: { step: name, errno },
  points,
  ...must && { must },
});
