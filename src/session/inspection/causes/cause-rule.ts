// A candidate for the cause of an exception: what it asks of the machine, as it is now, before it
// claims to be the cause. Its way out holds where the answer is yes.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { ExceptionCause, FaultingAccess } from "../../../model/queries/facts/exception-cause.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { instructionText } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";
import type { Walk } from "./stage1-walk.ts";
import type { Taken } from "./taken.ts";

/** An exception whose cause is sought. */
export interface Suspect {
  readonly view: View;
  readonly vcpu: Vcpu;
  readonly taken: Taken;
  /** The word at ELR; undefined if no RAM is mapped there. */
  readonly word: number | undefined;
  /** The access of an abort; of others it means nothing. */
  readonly access: FaultingAccess;
  /** The walk of stage 1 for the address of an abort; undefined while stage 1 is off. */
  readonly walk: () => Walk | undefined;
}

/** The instruction at ELR. */
export const instructionOf = ({ word, taken }: Pick<Suspect, "word" | "taken">): string | undefined =>
  word === undefined ? undefined : instructionText(word, taken.elr);

type Code = ExceptionCause["code"];

export interface CauseRule {
  /** Codes of the causes that it may give. */
  readonly codes: readonly Code[];
  /** The question that tells it from the other candidates of a symptom. */
  readonly asks: string;
  readonly judge: (suspect: Suspect) => ExceptionCause | undefined;
}

interface Declared<C extends Code> extends CauseRule {
  readonly codes: readonly C[];
  readonly judge: (suspect: Suspect) => OfCode<ExceptionCause, C> | undefined;
}

/** Declares a candidate: its causes have its codes. */
export const causeRule = <const C extends Code>(rule: Declared<C>): CauseRule => rule;
