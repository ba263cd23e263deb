// Gaps in an answer: where a guest's memory could not be read, and when events were not recorded.
// The rest of the answer is right.

import * as v from "valibot";
import { Facts } from "./fact.ts";
import { TRACE_KINDS } from "../../../machine/abi/trace.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

const of = v.string(), address = v.string(), what = v.string(), name = v.string();

/** `of`: what was being read. */
export const gap = v.variant("code", [
  v.object({ code: v.literal("unmapped"), of, what, address }),
  v.object({ code: v.literal("invalid"), of, what, address }),
  /** A list comes back to a member that was there before. */
  v.object({ code: v.literal("cycle"), of, address }),
  v.object({ code: v.literal("many"), of, limit: v.number() }),
  /** The rest of a list was not read: so many of its members cannot be. */
  v.object({ code: v.literal("unread"), of, limit: v.number() }),
  /** Reading was ended: it took too many steps. */
  v.object({ code: v.literal("work"), of }),
  /** The registers of a task are in the vCPU that runs it, not in memory. */
  v.object({ code: v.literal("running"), of, vcpu: v.string() }),
  v.object({ code: v.literal("type"), of, name }),
  v.object({ code: v.literal("symbol"), of, name }),
  /** There is nothing to read: no VM was named, and none has such a kernel. */
  v.object({ code: v.literal("no-kernel") }),
  /** Its bytes have codes that correct errors, which were not used. */
  v.object({ code: v.literal("uncorrected"), of }),
  /** It was built without CONFIG_IKCONFIG. */
  v.object({ code: v.literal("no-config") }),
]);
export type Gap = Readonly<v.InferOutput<typeof gap>>;

/** A span of virtual time (ns) in which a kind of events was not recorded, as it was after it. */
export const unrecorded = v.object({
  from: v.number(),
  to: v.number(),
  kind: v.picklist(TRACE_KINDS),
  /** Some of its events were recorded: views that show only a few want no more. */
  some: v.boolean(),
});
export type Unrecorded = Readonly<v.InferOutput<typeof unrecorded>>;

export const GAPS = new Facts<Gap>({
  "unmapped": ({ of, address }) => `${of}: nothing is mapped at ${address}`,
  "invalid": ({ of, what, address }) => `${of}: ${what} (${address})`,
  "cycle": ({ of, address }) => `${of}: the list comes back to ${address}`,
  "many": ({ of, limit }) => `${of}: more than ${limit} members`,
  "unread": ({ of, limit }) => `${of}: more than ${limit} members cannot be read; the rest was not tried`,
  "work": ({ of }) => `${of}: its structures are too large to be a kernel's; the rest was not read`,
  "running": ({ of, vcpu }) => `${of}: it runs now, in ${vcpu}`,
  "type": ({ of, name }) => `${of}: the kernel's types have no ${name}`,
  "symbol": ({ of, name }) => `${of}: the kernel's symbols have no ${name}`,
  "no-kernel": () => "no VM's memory has a Linux kernel",
  "uncorrected": ({ of }) => `${of}: its error-correcting codes (ECC) are not read; some characters may be damaged`,
  "no-config": () => "the kernel does not keep its configuration (CONFIG_IKCONFIG)",
}, {
  "running": ({ vcpu }) => way`see ${hint("vcpu stack", vcpu)}`,
  "no-kernel": () => "it is read once it has turned its MMU on, if its memory has symbols (kallsyms, --symbols); name a VM that has ended",
  "no-config": () => "its package has it as /boot/config-RELEASE",
});
