// Records of a session: events for export, hashes of its state, symbols.

import { maybe, option, optionOr, word } from "./argument.ts";
import { command, type Group } from "./command.ts";
import { eventKinds, file, filterOf, idOf, whole } from "./kinds.ts";
import { listOfTable } from "./lists.ts";
import { KERNEL_KINDS, MACHINE_KINDS, TRACE_KINDS } from "../../machine/abi/trace.ts";
import { withoutKind } from "../queries/ids.ts";
import { SYMBOLS as SYMBOL_ROWS } from "../queries/tables.ts";

/** Default limit on the rows of `symbols`. */
const ROWS = 1000;

export const TRACES: Group = { name: "trace", doc: "record, count and export events; list hypercalls" };

export const TRACE_START = command("trace.start", {
  doc: "start recording events for export; discards earlier ones",
  args: {
    kinds: option(eventKinds, `kinds to record: ${TRACE_KINDS.join(",")} (default: all but ${KERNEL_KINDS.join(" and ")})`),
  },
  right: "changes",
  examples: ["trace start", "trace start --kinds hvc,msg"],
  steps: ({ kinds = MACHINE_KINDS }) => [{ kind: "trace", kinds: [...kinds] }],
  ask: () => ({ table: "trace.stats", args: { filter: "recorded=yes" } }),
});

export const TRACE_STOP = command("trace.stop", {
  doc: "stop recording; the recorded events can still be exported",
  args: {},
  right: "changes",
  examples: ["trace stop"],
  steps: () => [{ kind: "trace", kinds: [] }],
  ask: () => ({ table: "trace.stats", args: { filter: "events>0" } }),
});

export const TRACE_STATS = listOfTable("trace.stats", {
  doc: "count the recorded events by kind",
  table: "trace.stats",
  examples: ["trace stats"],
});

export const STATES: Group = { name: "state", doc: "hash the state of a session's whole machine" };

export const STATE_HASH = {
  ...listOfTable("state.hash", { doc: "print hashes of registers and memory", table: "hash", examples: ["state hash --json"] }),
  prints: { hash: {} },
};

export const SYMBOLS = command("symbols", {
  doc: "list a VM's symbols, from its ELF files and from its Linux kernel",
  args: {
    vm: word(idOf("vm"), "the VM: NAME or vm:NAME"),
    filter: maybe(filterOf(SYMBOL_ROWS), "only matching rows: a part of the name, name~^vfs_, type=T"),
    limit: optionOr(whole(1, 10_000_000), "at most this many rows", ROWS, { value: "rows" }),
    add: option(file, "first add the symbols of this ELF file, or of the Linux modules in this folder, to the VM", {
      value: "file",
      changes: true,
      lineOnly: true,
    }),
    output: option(
      file,
      "write an ELF file with all symbols and call frames, for gdb's symbol-file; wide, tsv or json: print the list in that form",
      { value: "file", short: "o", changes: true, lineOnly: true },
    ),
  },
  right: "looks",
  notes: "el2 finds a kernel's own table (kallsyms) in memory, without the guest's help, while the VM runs.",
  examples: [
    "symbols debian vfs_open",
    "symbols debian -o kernel.elf                 then in gdb: symbol-file kernel.elf",
    "symbols ping --add assets/guests/ping.elf",
  ],
  prints: { "symbols.frames": {} },
  ask: ({ vm, filter, limit }) => ({ table: "symbols", args: { vm: withoutKind("vm", vm), filter, limit } }),
});
