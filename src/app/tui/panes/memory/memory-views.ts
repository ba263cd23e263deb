// Views of the memory map: a run by access, by owner, or by state (docs/design/workstation.md §4).

import type { Look, Role } from "../../look/theme.ts";
import { HYPERVISOR_MARK } from "../../look/vm-marks.ts";
import { HOST, nameOf, vmId, withoutKind } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { MEMORY } from "../../../../model/queries/tables.ts";

type MemoryRow = RowOf<typeof MEMORY>;

/** How a run looks on the map. Runs of one key are drawn as one. */
export interface Patch {
  readonly key: string;
  /** Its name in labels and in the legend. */
  readonly name: string;
  /** Stands for it where it is small, and where colors cannot show. */
  readonly letter: string;
  /** Its background; undefined: the page. */
  readonly fill: Role | undefined;
  /** A second one has it too: cells show both fills. */
  readonly also?: Role;
  /** Text on it. */
  readonly ink: Role;
  /** Of several runs in a cell the highest shows. */
  readonly rank: number;
  /** Its letter shows in every cell. */
  readonly alert?: true;
}

export interface MemoryView {
  readonly name: "access" | "owner" | "state";
  patch(row: MemoryRow, look: Look): Patch;
  /** The same of one run, in words. */
  text(row: MemoryRow): string;
}

/** Possible problems are shown before normal states. */
const RANKS = { free: 0, owned: 1, lent: 2, shared: 3, offered: 4, blocked: 5 } as const;

function rankOf({ state, access, parcel }: MemoryRow): number {
  if (state === "blocked" || state === "offered") return RANKS[state];
  if (state === "open") return RANKS.offered;
  if (access === "shared" || access === "host") return RANKS.shared;
  if (parcel !== null) return RANKS.lent;
  return access === "free" || access === "unmapped" ? RANKS.free : RANKS.owned;
}

const BLOCKED: Patch = { key: "blocked", name: "blocked", letter: "!", fill: "bad", ink: "ink", rank: RANKS.blocked, alert: true };
const OFFERED: Patch = { key: "offered", name: "offered", letter: "?", fill: "warn", ink: "ink", rank: RANKS.offered, alert: true };
const FREE: Patch = { key: "free", name: "free", letter: ".", fill: undefined, ink: "dim", rank: RANKS.free };

/** Patches that are the same in every view. */
function common(row: MemoryRow): Patch | undefined {
  if (row.state === "blocked") return BLOCKED;
  if (row.access === "hypervisor") {
    const { letter, fill } = HYPERVISOR_MARK;
    return { key: "hypervisor", name: "hypervisor", letter, fill, ink: "fink", rank: RANKS.owned };
  }
  return row.access === "free" ? FREE : undefined;
}

/** A VM alone is a capital, that VM and the host a small letter. */
const ACCESS: MemoryView = {
  name: "access",
  patch(row, look) {
    const found = common(row);
    if (found) return found;
    if (row.state === "offered" || row.state === "open") return OFFERED;
    const guests = row.vm.filter((vm) => vm !== vmId(HOST));
    const first = guests[0] ?? row.vm[0];
    if (first === undefined) return { ...FREE, key: "unmapped", name: "unmapped", letter: "-" };
    const { letter, fill } = look.vm(first), rank = rankOf(row);
    if (row.vm.length === 1) return { key: first, name: nameOf(first), letter, fill, ink: "fink", rank };
    const other = row.vm.find((vm) => vm !== first)!;
    return {
      key: row.vm.join(" "),
      name: row.vm.length > 2 ? "three or more" : row.vm.map(nameOf).join(" and "),
      letter: row.vm.length > 2 ? "*" : letter.toLowerCase(),
      fill: look.vm(other).fill,
      also: fill,
      ink: "fink",
      rank,
    };
  },
  text(row) {
    const vms = row.vm.map(nameOf);
    if (vms.length === 0) return row.access === "hypervisor" ? "the hypervisor only" : "mapped nowhere";
    return vms.length === 1 ? `${vms[0]} alone` : `${vms.slice(0, -1).join(", ")} and ${vms.at(-1)}`;
  },
};

/** A capital is the owner's own, a small letter what it has lent or shared in a parcel. */
const OWNER: MemoryView = {
  name: "owner",
  patch(row, look) {
    const found = common(row);
    if (found) return found;
    if (row.owner_vm === null) return { ...FREE, key: "unmapped", name: "unmapped", letter: "-" };
    const { letter, fill } = look.vm(row.owner_vm), lent = row.parcel !== null;
    return {
      key: `${row.owner_vm}${lent ? " lent" : ""}`,
      name: `${nameOf(row.owner_vm)}${lent ? ", in parcels" : ""}`,
      letter: lent ? letter.toLowerCase() : letter,
      fill,
      ink: "fink",
      rank: rankOf(row),
    };
  },
  text: (row) => withoutKind("vm", row.owner_vm ?? row.owner),
};

/** Letters and fills of states that are neither blocked, free nor the hypervisor's. */
const STATES: Readonly<Record<string, Pick<Patch, "letter" | "fill" | "ink">>> = {
  open: { letter: "o", fill: "warn", ink: "ink" },
  accepted: { letter: "a", fill: "ok", ink: "ink" },
  private: { letter: "P", fill: "g1", ink: "fink" },
  unmapped: { letter: "-", fill: undefined, ink: "dim" },
};

const STATE: MemoryView = {
  name: "state",
  patch(row) {
    const found = common(row);
    if (found) return found;
    if (row.state === "offered") return OFFERED;
    const state = STATES[row.state];
    if (!state) throw new Error(`memory in state ${row.state} has no letter`);
    return { key: row.state, name: row.state, rank: rankOf(row), ...state };
  },
  text: (row) => row.state,
};

/** The views, in the order of `v`. */
export const MEMORY_VIEWS: readonly MemoryView[] = [ACCESS, OWNER, STATE];
