// `el2 irq`: the interrupts of a session.

import { option, optionOr, word } from "./argument.ts";
import { act, action, BACK, command, type Group } from "./command.ts";
import { duration, idOf, whole } from "./kinds.ts";
import { listOfVm } from "./lists.ts";
import { hintFor } from "./words.ts";
import { name } from "../queries/fields.ts";

/** Time (ns) over which `irq top` counts. */
export const TOP_TIME = 1e9;
const TOP_ROWS = 10;

export const INTERRUPTS: Group = { name: "irq", doc: "the interrupts of a session" };

const IRQ = word(idOf("irq"), "irq:VM/INTID, or an INTID that one VM uses");

export const IRQ_LS = listOfVm("irq.ls", {
  doc: "list interrupts in use: enabled, pending, active, or raised before",
  table: "irq.ls",
  examples: ["irq ls ping", "irq ls --filter finding!=-   those that storm or cannot be delivered"],
});

/** Gives an interrupt a pulse (GICD_ISPENDR). */
export const RAISE = action("irq.raise", { irq: name });
export const IRQ_RAISE = command("irq.raise", {
  doc: "make an interrupt pending",
  args: { irq: IRQ },
  right: "changes",
  examples: ["irq raise irq:ping/961", "irq raise 963"],
  steps: ({ irq }) => act(RAISE.of({ irq })),
  done: ({ irq }) => `${irq} is pending; a level stays pending until the guest clears it`,
  next: ({ irq }) => ({ hint: hintFor(IRQ_CLEAR, { irq }), does: "clears it" }),
  menus: [{
    on: ["irq"],
    key: "i",
    label: "make it pending",
    of: (id) => ({ irq: id }),
    asks: (id) => ({
      question: `Make ${id} pending?`,
      act: `raise ${id}`,
      effect: "The VM gets the interrupt as if its source had raised it.",
      lost: "nothing; a guest that does not expect it may misbehave",
      stays: BACK,
    }),
  }],
});

/** Makes an interrupt no longer pending (GICD_ICPENDR); a line that is high keeps it pending. */
export const CLEAR = action("irq.clear", { irq: name });
export const IRQ_CLEAR = command("irq.clear", {
  doc: "make an interrupt no longer pending",
  args: { irq: IRQ },
  right: "changes",
  examples: ["irq clear irq:ping/961"],
  steps: ({ irq }) => act(CLEAR.of({ irq })),
  done: ({ irq }) => `cleared ${irq}`,
});

export const IRQ_TOP = command("irq.top", {
  doc: "list the most frequent interrupts, and those with a finding",
  args: {
    for: option(duration, `count over this much wall time (default: ${TOP_TIME / 1e9}s)`, { value: "time", lineOnly: true }),
    limit: optionOr(whole(1, 10_000), "at most this many rows", TOP_ROWS, { value: "rows" }),
  },
  right: "looks",
  examples: ["irq top", "irq top --for 2s"],
  lists: true,
  ask: ({ limit }) => ({ table: "irq.ls", args: { filter: "rate>0 | finding!=-", limit } }),
});

export const IRQ_COMMANDS = [IRQ_LS, IRQ_RAISE, IRQ_CLEAR, IRQ_TOP];
