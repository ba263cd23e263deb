// An explanation of logs: their lines, the known causes by the evidence, and open questions.

import type { Cause } from "./cause.ts";
import { bookOf } from "./calls.ts";
import { messageBook } from "./forms/form.ts";
import { rank, type Ranked } from "./rank.ts";
import { type LogFile, readFiles } from "./read.ts";
import type { Explained } from "./forms/sign.ts";
import { HYPERCALL_ERRORS } from "../../machine/abi/hypercall-errors.ts";
import { RPC_MESSAGES } from "../../machine/abi/rpc/messages/all.ts";

export interface Explanation {
  readonly files: readonly string[];
  readonly lines: readonly Explained[];
  readonly causes: readonly Ranked[];
  /** Parts of the files that were not read. */
  readonly notes: readonly string[];
}

/** The most causes that are shown. */
const CAUSES_MAX = 8;
/** Points of a cause that follows from a refusal alone. */
const POINTS_OF_BOOKS = 9;
/** With a cause of so many points, other refusals are its consequences. */
const POINTS_ENOUGH = 20;

export async function explain(files: readonly LogFile[]): Promise<Explanation> {
  const { lines, notes } = await readFiles(files), known = rank(lines);
  const used = new Set(known.flatMap((one) => one.lines)), isExplained = known.some(({ points }) => points >= POINTS_ENOUGH);
  const open = isExplained ? [] : lines.filter((line) => !line.quiet && !used.has(line)).flatMap((line) => causeOfBooks(line) ?? []);
  const causes = [...known, ...open].sort((a, b) => b.points - a.points).slice(0, CAUSES_MAX);
  return { files: files.map(({ name }) => name), lines, causes, notes };
}

/** The rules of the books for a refusal that no known cause explains. */
function causeOfBooks(line: Explained): Ranked | undefined {
  const { kind, values: { message, call, error, errno } } = line.sign;
  const made = (id: string, says: string, book: Cause["book"]): Ranked => ({
    cause: {
      id,
      says,
      certain: false,
      evidence: [],
      tries: [],
      ...book && { book },
      asks: ["the cause of this refusal: no report that el2 knows has it"],
    },
    points: POINTS_OF_BOOKS,
    lines: [line],
    against: [],
  });
  if (kind === "rpc" && message !== undefined && error !== undefined) {
    return made(
      "refused-message",
      `the Resource Manager refused ${message} with ${error}; ${rulesOfMessage(String(message), String(error))}`,
      messageBook(message),
    );
  }
  if (kind === "hypercall" && call !== undefined) {
    const rules = Object.entries(HYPERCALL_ERRORS).find(([name]) => name === call)?.[1];
    const listed = rules?.errors.some((one) => one === error);
    return made(
      "refused-hypercall",
      `the hypervisor refused ${call} with ${error}${listed ? "" : ", which its book does not list for this call"}`,
      line.book,
    );
  }
  if (kind === "call" && call !== undefined) {
    return made("failed-call", `${call} failed with ${errno ?? "an error"}`, line.book ?? bookOf(String(call)).book);
  }
  if (kind === "step" || kind === "reclaim" || kind === "page-fault" || kind === "scm") return made("failed-step", line.says, line.book);
  return undefined;
}

/** Where an error is in the order of a message's checks. */
function rulesOfMessage(name: string, error: string): string {
  for (const message of RPC_MESSAGES.values()) {
    if (message.name !== name || message.kind !== "request") continue;
    const at = message.errors.findIndex((one) => one === error);
    if (at < 0) return "the open Resource Manager never does so: this phone's is another";
    return at === 0 ? "it is the first of its checks" : `checked before it: ${message.errors.slice(0, at).join(", ")}`;
  }
  return "el2 knows this message by its number alone";
}
