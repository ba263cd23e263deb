// Facts in other words, for tests that a fact's words are in one place.

import type { WayOut } from "../../../src/kit/support/text/way-out.ts";
import type { Facts } from "../../../src/model/queries/facts/fact.ts";
import { BOARD_FINDINGS } from "../../../src/model/queries/facts/board-finding.ts";
import { BOOT_FINDINGS } from "../../../src/model/queries/facts/boot-finding.ts";
import { EXCEPTION_CAUSES } from "../../../src/model/queries/facts/exception-cause.ts";
import { GAPS } from "../../../src/model/queries/facts/gap.ts";
import { BARRIERS, IRQ_FINDINGS } from "../../../src/model/queries/facts/irq-finding.ts";
import { LINUX_FINDINGS } from "../../../src/model/queries/facts/linux-finding.ts";
import { SLICE_REASONS } from "../../../src/model/queries/facts/slice-reason.ts";
import { SOURCE_STATES } from "../../../src/model/queries/facts/source-state.ts";
import { EVIDENCE } from "../../../src/model/queries/facts/evidence.ts";
import { VERDICT_FACTS } from "../../../src/model/queries/facts/verdict.ts";
import { WAITS } from "../../../src/model/queries/facts/wait.ts";
import { WHO_FACTS } from "../../../src/model/queries/facts/who.ts";
import { CONFIG_FACTS, VALUE_FACTS } from "../../../src/model/plans/config-fact.ts";

/** Every kind of facts. */
export const KINDS: Readonly<Record<string, Facts<never>>> = {
  ...{
    BARRIERS,
    BOARD_FINDINGS,
    BOOT_FINDINGS,
    CONFIG_FACTS,
    EVIDENCE,
    EXCEPTION_CAUSES,
    GAPS,
    IRQ_FINDINGS,
    LINUX_FINDINGS,
    SLICE_REASONS,
  },
  ...{ SOURCE_STATES, VALUE_FACTS, VERDICT_FACTS, WAITS, WHO_FACTS },
};

/** Other words of the same length: those outside of ids and numbers, in capitals. */
function otherWords(text: string): string {
  return text.replaceAll(/(?<![\w:/.<+-])[a-z]{2,}(?![\w:/.]*[:/]\w)/g, (word) => word.toUpperCase());
}

/** A way out in other words; its commands stay. */
function otherWayOut(wayOut: WayOut): WayOut {
  if (typeof wayOut === "string") return otherWords(wayOut);
  return "command" in wayOut ? wayOut : wayOut.map((part) => typeof part === "string" ? otherWords(part) : part);
}

/** Rewords all facts while `work` is done. */
export async function reworded<T>(work: () => Promise<T>): Promise<T> {
  const undo: (() => void)[] = [];
  for (const { texts, waysOut } of Object.values(KINDS)) {
    for (const words of [texts, waysOut] as unknown as Record<string, (fact: unknown) => WayOut | undefined>[]) {
      for (const [code, write] of Object.entries(words)) {
        words[code] = (fact) => otherWayOut(write(fact) ?? "") || undefined;
        undo.push(() => words[code] = write);
      }
    }
  }
  try {
    return await work();
  } finally {
    undo.forEach((one) => one());
  }
}
