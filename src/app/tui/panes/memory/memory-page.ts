// The page under the map's cursor: its owner, the VMs that can access it, its state, and the
// extents through which its owner has it.

import { drawFrame, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { MemoryPane } from "./memory-pane.ts";
import type { Pane, PaneState } from "../pane.ts";
import { chipPiece, drawPieces, type Piece, wrapPieces } from "../../look/pieces.ts";
import { spokenCells, type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { afterVm, nameOf, vmId, vmOfName } from "../../../../model/queries/ids.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { type MEMORY, MEMORY_OWNER } from "../../../../model/queries/tables.ts";

/** Columns of the names of what is known. */
const LABEL = 8;
/** Rows from which on the chain is drawn as a tree. */
const WITH_TREE = 8;

type Run = RowOf<typeof MEMORY>;

export class PagePane implements Pane {
  readonly name = "page";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  #owner: RowOf<typeof MEMORY_OWNER> | undefined;
  #error: string | undefined;

  /** @param map the map whose cursor it follows */
  constructor(readonly map: MemoryPane) {}

  title(): Title {
    const row = this.map.selection?.row;
    if (!row) return { text: "Page" };
    return { text: "Page", detail: row.id, right: [[{ text: sizeText(row.size), role: "dim" }]] };
  }

  queries(): Query | undefined {
    const id = this.map.selection?.row.id;
    return id === undefined ? undefined : { table: "mem.owner", args: { at: id } };
  }

  receive(answer: Answer): void {
    this.#error = answer.error;
    this.#owner = rowsOf(MEMORY_OWNER, answer)[0];
  }

  move(): void {}
  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, this.title(), { boxed, kind: past ? "past" : "plain" });
    const row = this.map.selection?.row;
    const lines = row ? this.#fitted(row, look, inside) : [[{ text: "no page is selected", role: "dim" } as const]];
    lines.slice(0, inside.height).forEach((pieces, index) => {
      const isCut = index === inside.height - 1 && lines.length > inside.height;
      drawPieces(screen, look, inside.x + 1, inside.y + index, isCut ? [...pieces, { text: "…" }] : pieces, inside.width - 2);
    });
  }

  spoken(look: Look, size: SpokenSize): readonly SpokenLine[] {
    const row = this.map.selection?.row;
    if (!row) return [{ parts: ["no page is selected"] }];
    const lines = this.#fitted(row, look, size).map(([name, ...pieces]) => spokenCells([name ? [name] : [], pieces]));
    return [{ parts: ["Size", sizeText(row.size)] }, ...lines];
  }

  /** With the chain as a tree, if all of it has room. */
  #fitted(row: Run, look: Look, { width, height }: SpokenSize): (readonly Piece[])[] {
    const wrapped = (tree: boolean) => this.#lines(row, look, tree).flatMap((line) => wrapPieces(line, LABEL, width - 2));
    const tree = height >= WITH_TREE ? wrapped(true) : [];
    return tree.length && tree.length <= height ? tree : wrapped(false);
  }

  #lines(row: Run, look: Look, tree: boolean): (readonly Piece[])[] {
    const lines: (readonly Piece[])[] = [
      [label("Owner"), ...ownerPieces(row, look)],
      ...mappedPieces(row, look, tree),
      ...tree ? [[label("Access"), ...accessPieces(row, look)]] : [],
    ];
    const chain = this.#chain(row, look, tree), [state, more] = statePieces(row);
    if (!more) return [...lines, [label("State"), ...state], ...chain];
    // In the tall form the second part has the blank line's place.
    return tree
      ? [...lines, [label("State"), ...state], [label(""), ...more], ...chain.filter(({ length }) => length)]
      : [...lines, [label("State"), ...state, { text: " " }, ...more], ...chain];
  }

  /** Partition and extents, from the outermost; last who has it mapped. */
  #chain(row: Run, look: Look, tree: boolean): (readonly Piece[])[] {
    if (this.#error !== undefined) return [[{ text: "× ", role: "bad" }, { text: this.#error.split("\n")[0], role: "bad" }]];
    // The answer to where the cursor was before says nothing of where it is now.
    if (this.#owner?.id !== row.id) {
      return tree ? [[], [{ text: "loading", role: "dim" }]] : [[label("Chain"), { text: "loading", role: "dim" }]];
    }
    const steps: Piece[][] = this.#owner.chain.map((text, index) => [{ text, role: index ? "link" : "text" }]);
    const vms = row.vm.flatMap((vm, index): Piece[] => [...index ? [{ text: ", " }] : [], { text: nameOf(vm), role: look.vm(vm).ink }]);
    if (vms.length) steps.push([{ text: "mapped by ", role: "dim" }, ...vms]);
    if (tree) {
      const { branch: [, last] } = look.glyphs;
      return [
        [],
        ...steps.map((pieces, index): Piece[] =>
          index ? [{ text: `${"  ".repeat(index - 1)}${last[0]} `, role: "faint" }, ...pieces] : pieces
        ),
      ];
    }
    const joined = steps.flatMap((pieces, index): Piece[] => index ? [{ text: " → ", role: "faint" }, ...pieces] : pieces);
    return [[label("Chain"), ...joined]];
  }
}

function label(text: string): Piece {
  return { text: text.padEnd(LABEL), role: "dim" };
}

function vmPiece(vm: string, look: Look): Piece[] {
  const mark = look.vm(vm);
  return [chipPiece(mark), { text: ` ${nameOf(vm)}`, role: mark.ink }];
}

function ownerPieces({ owner_vm, owner, parcel }: Run, look: Look): Piece[] {
  if (owner_vm === null) return [{ text: owner }];
  return [...vmPiece(owner_vm, look), ...parcel ? [{ text: " in " }, { text: parcel, role: "link" } as const] : []];
}

/** `ipa:ping/0x803f0000 rwx`: the VM, the address and the rights. */
function mappedPieces({ mapped }: Run, look: Look, tree: boolean): Piece[][] {
  const each = mapped.map((text): Piece[] => {
    const end = text.lastIndexOf(" "), name = nameOf(text.slice(0, end));
    return [...vmPiece(vmId(vmOfName(name)), look), { text: ` ${afterVm(name).slice(1)} ` }, { text: text.slice(end + 1), role: "ok" }];
  });
  if (!each.length) return [[label("Mapped"), { text: "nowhere", role: "dim" }]];
  if (tree) return each.map((pieces, index) => [label(index ? "" : "Mapped"), ...pieces]);
  return [[label("Mapped"), ...each.flatMap((pieces, index) => index ? [{ text: "  " }, ...pieces] : pieces)]];
}

/** The VMs that can access it, in words. */
function accessPieces({ vm, access, owner_vm, parcel }: Run, look: Look): Piece[] {
  if (access === "hypervisor") return [{ text: "the hypervisor only" }];
  if (!vm.length) return [{ text: "nobody", role: "dim" }];
  const names = vm.flatMap((one, index): Piece[] => [
    ...index ? [{ text: index === vm.length - 1 ? " and " : ", " }] : vm.length === 1 ? [{ text: "only " }] : [],
    { text: nameOf(one), role: look.vm(one).ink },
  ]);
  if (!parcel || owner_vm === null || vm.includes(owner_vm)) return names;
  return [...names, { text: `, not ${nameOf(owner_vm)}`, role: "dim" }];
}

/** The state, and what follows in another line where lines are short. */
function statePieces({ state, parcel }: Run): [state: Piece[], more?: Piece[]] {
  if (state === "blocked") return [[{ text: " ! BLOCKED ", role: "ink", fill: "bad", bold: true }], [{ text: "reclaim was refused" }]];
  if (state === "offered") return [[{ text: "offered", role: "warn" }, { text: ", not accepted", role: "dim" }]];
  if (state === "open") return [[{ text: "open", role: "warn" }]];
  return [[{ text: state }, ...parcel ? [] : state === "private" ? [{ text: ", in no parcel", role: "dim" } as const] : []]];
}
