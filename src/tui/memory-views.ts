// What the cells of the memory map say: who can reach memory, whose it is, or in what state it is
// (docs/design/workstation.md §4).

import type { Role } from "./theme.ts";
import type { RowOf } from "../queries/table.ts";
import type { MEMORY } from "../queries/tables.ts";

type Row = RowOf<typeof MEMORY>;

/** What a cell shows. */
export interface Cell {
  readonly letter: string;
  readonly role: Role;
}

/** Letters of VMs, by `vm:NAME`. */
export type Letters = ReadonlyMap<string, string>;

/** A way to look at memory. */
export interface MemoryView {
  readonly name: "access" | "owner" | "state";
  /** What the cells of these runs mean. */
  legend(letters: Letters, rows: readonly Row[]): string;
  cell(row: Row, letters: Letters): Cell;
  /** The same of one run, in words. */
  text(row: Row): string;
}

/** `D debian  H host  `. */
function lettersText(letters: Letters): string {
  return [...letters].map(([vm, letter]) => `${letter} ${vm.slice("vm:".length)}  `).join("");
}

const HYPERVISOR: Cell = { letter: "#", role: "dim" };
const NOBODY: Cell = { letter: ".", role: "dim" };

/** A VM alone is a capital, that VM and the host a small letter. */
const ACCESS: MemoryView = {
  name: "access",
  legend: (letters) => `${lettersText(letters)}small: with the host  * three or more  # hypervisor  . free`,
  cell(row, letters) {
    const vms = row.vm;
    switch (row.access) {
      case "hypervisor":
        return HYPERVISOR;
      case "free":
      case "unmapped":
        return NOBODY;
      case "exclusive":
        return { letter: letters.get(vms[0]) ?? "?", role: "text" };
      case "host":
        return { letter: (letters.get(vms.find((vm) => vm !== "vm:host") ?? "") ?? "?").toLowerCase(), role: "link" };
      default:
        return { letter: "*", role: "warn" };
    }
  },
  text: (row) => String(row.access),
};

/** A capital is the owner's own, a small letter what it has lent or shared in a parcel. */
const OWNER: MemoryView = {
  name: "owner",
  legend: (letters) => `${lettersText(letters)}small: in a parcel  # hypervisor  . nobody's`,
  cell(row, letters) {
    if (row.access === "hypervisor") return HYPERVISOR;
    if (row.owner_vm === null) return NOBODY;
    const letter = letters.get(String(row.owner_vm)) ?? "?";
    return row.parcel === null ? { letter, role: "text" } : { letter: letter.toLowerCase(), role: "link" };
  },
  text: (row) => `of ${row.owner_vm ?? row.owner}`,
};

/** By what matters most. */
const STATES: Readonly<Record<string, Cell>> = {
  blocked: { letter: "!", role: "bad" },
  offered: { letter: "?", role: "warn" },
  open: { letter: "o", role: "warn" },
  accepted: { letter: "a", role: "link" },
  private: { letter: "P", role: "text" },
  unmapped: { letter: "-", role: "dim" },
  free: NOBODY,
  hypervisor: HYPERVISOR,
};

const STATE: MemoryView = {
  name: "state",
  legend(_letters, rows) {
    const found = new Set(rows.map(({ state }) => state));
    return Object.entries(STATES).filter(([state]) => found.has(state)).map(([state, { letter }]) => `${letter} ${state}`).join("  ");
  },
  cell(row) {
    const cell = STATES[String(row.state)];
    if (!cell) throw new Error(`memory in state ${row.state} has no letter`);
    return cell;
  },
  text: (row) => String(row.state),
};

/** The views, in the order of `v`. */
export const MEMORY_VIEWS: readonly MemoryView[] = [ACCESS, OWNER, STATE];

/**
 * Of several runs in a cell, the one that comes first here is shown: what can go wrong before what
 * is as usual.
 */
export const ROLE_ORDER: readonly Role[] = ["bad", "warn", "link", "text", "dim"];
