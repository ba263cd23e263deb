// The instructions around a vCPU's program counter: branches and their targets stand out, and the
// line of the PC.

import { vcpuTitle } from "../../look/box.ts";
import type { ListColumn } from "../../look/list.ts";
import { digitPieces, type Piece } from "../../look/pieces.ts";
import { TablePane } from "../table-pane.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { CODE } from "../../../../model/queries/tables.ts";

type CodeRow = RowOf<typeof CODE>;

/** Instructions before the PC, and in all. */
const BEFORE = 5, SHOWN = 48;
/** Columns of an address, of a word, and of an instruction. */
const ADDRESS = 16, WORD = 8, TEXT = 28;

/**
 * The pane.
 * @param vcpu the id of the vCPU that is selected, such as `vcpu:debian/0`
 */
export function codePane(vcpu: () => string | undefined): TablePane<typeof CODE> {
  return new TablePane({
    name: "code",
    table: CODE,
    title: "Code",
    about: () => vcpuTitle(vcpu()) ?? {},
    columns: () => COLUMNS,
    tint: ({ pc }) => pc ? "accbg" : undefined,
    current: (rows) => rows.find(({ pc }) => pc),
    args: () => {
      const id = vcpu();
      return id === undefined ? undefined : { at: `${nameOf(id)}:pc-${BEFORE}`, size: SHOWN };
    },
  });
}

const COLUMNS: readonly ListColumn<CodeRow>[] = [
  {
    name: "address",
    title: "Address",
    width: ADDRESS,
    pieces: ({ address }) => digitPieces(address.replace(/^0x/, "").padStart(ADDRESS, "0"), "dim"),
  },
  { name: "word", title: "Word", width: WORD, from: 70, pieces: ({ word }) => [{ text: word.slice(2), role: "dim" }] },
  { name: "text", title: "Instruction", width: TEXT, pieces: (row) => instructionPieces(row) },
];

/** An instruction; at the start of a symbol, followed by its name. */
function instructionPieces({ mnemonic, operands, target, leaves, label }: CodeRow): Piece[] {
  return [
    { text: mnemonic, role: leaves ? "vm1" : "text" },
    { text: " ".repeat(Math.max(MNEMONIC - mnemonic.length, 0) + 1) },
    { text: operands, role: "text" },
    { text: target === null ? "" : `<${target}>`, role: "link" },
    ...label === null ? [] : [{ text: `  ${label}:`, role: "link" } as const],
  ];
}

/** Columns of a mnemonic. */
const MNEMONIC = 6;
