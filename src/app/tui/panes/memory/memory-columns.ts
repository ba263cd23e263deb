// Columns of the lists on the screen of memory: limits, and memory parcels.

import { gauge } from "../../terminal/glyphs.ts";
import type { ListColumn } from "../../look/list.ts";
import { countText, shareMark, shareText } from "../../look/numbers.ts";
import { chipPiece, type Piece } from "../../look/pieces.ts";
import type { Look, Role } from "../../look/theme.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { type RowOf } from "../../../../model/queries/table.ts";
import type { LIMITS, PARCELS } from "../../../../model/queries/tables.ts";

type LimitRow = RowOf<typeof LIMITS>;
type ParcelRow = RowOf<typeof PARCELS>;

/** Columns of a limit's gauge: in a narrow list, and of a wide one what its name leaves. */
const GAUGE = 4, WIDE_GAUGE = 20;
/** Columns of a limit's name before a wide gauge grows. */
const NAME = 29;
/** Narrower lists leave the amount out. */
const WITH_AMOUNT = 32;
const SHARE = 6;
const AMOUNT = 5, WIDE_AMOUNT = 14;

/** A limited resource, its use, and how near the limit is. */
export function limitColumns(width: number): ListColumn<LimitRow>[] {
  const wide = width >= 50;
  const amount = (row: LimitRow, name: "used" | "limit") =>
    row.unit === "bytes" ? sizeText(Number(row[name])) : countText(Number(row[name]));
  const amounts = (row: LimitRow) =>
    row.limit === null ? amount(row, "used") : wide ? `${amount(row, "used")} of ${amount(row, "limit")}` : amount(row, "limit");
  const amountWidth = wide ? WIDE_AMOUNT : width < WITH_AMOUNT ? 0 : AMOUNT;
  const others = SHARE + amountWidth + (wide ? 6 : amountWidth ? 3 : 2);
  const cells = wide ? Math.min(Math.max(width - others - NAME, GAUGE), WIDE_GAUGE) : GAUGE;
  const what = Math.max(width - cells - others, 10);
  return [
    {
      name: "what",
      title: "Limit",
      width: what,
      pieces: (row, { look }) => {
        const { vm } = row;
        if (vm === null) return [{ text: row.what }];
        const mark = look.vm(vm);
        const what: Piece = { text: `${wide ? "" : " "}${row.what}` };
        return wide ? [what, { text: ` ${nameOf(vm)}`, role: mark.ink }] : [chipPiece(mark), what];
      },
    },
    {
      name: "used",
      title: "",
      width: cells,
      pieces: ({ share }, { look }) => share === null ? [] : gaugePieces(look, share, cells),
    },
    {
      name: "share",
      title: "Used ",
      width: SHARE,
      right: true,
      pieces({ share }) {
        if (share === null) return [{ text: "- ", role: "dim" }];
        const { role, alarm } = shareMark(share);
        return [{ text: shareText(share), role }, { text: alarm ? "!" : " ", role }];
      },
    },
    ...amountWidth
      ? [{
        name: "limit",
        title: wide ? "Amount" : "Of",
        width: amountWidth,
        right: true,
        pieces: (row: LimitRow): Piece[] => [{ text: amounts(row), role: "dim" }],
      }]
      : [],
  ];
}

function gaugePieces({ glyphs }: Look, share: number, cells: number): Piece[] {
  const text = gauge(glyphs.gauge, share, cells), full = text.lastIndexOf(glyphs.gauge[0]) + 1;
  const { role } = shareMark(share);
  return [{ text: text.slice(0, full), role: role === "text" ? "accent" : role }, { text: text.slice(full), role: "faint" }];
}

/** The nearest limits first; resources without one last. */
export function byNearness(a: LimitRow, b: LimitRow): number {
  return (b.share ?? -1) - (a.share ?? -1);
}

/** How a parcel's state looks. */
const STATES: Readonly<Record<string, readonly [shape: "runs" | "ready" | "fault" | "ended" | "new", ink: Role]>> = {
  blocked: ["fault", "bad"],
  accepted: ["runs", "ok"],
  offered: ["ready", "warn"],
  open: ["new", "warn"],
  released: ["ended", "dim"],
};

/** Columns of all but the borrowers in a list of parcels: where it has all columns, and else. */
const OTHERS = 80, FEWER_OTHERS = 51;
const LEAST_BORROWERS = 16;

/** A parcel: whose it is, for whom, and what they have done with it. */
export function parcelColumns(width: number): ListColumn<ParcelRow>[] {
  return [
    { name: "id", title: "Parcel", width: 12, pieces: ({ id }, { bad }) => [{ text: id, role: bad ? "text" : "link" }] },
    { name: "kind", title: "Kind", width: 6, pieces: ({ kind }) => [{ text: kind }] },
    { name: "size", title: "Size", width: 6, right: true, pieces: ({ size }) => [{ text: sizeText(size) }] },
    { name: "owner", title: "From", width: 10, pieces: ({ owner }, context) => vmPieces(owner, context.look, context.bad) },
    {
      name: "borrowers",
      title: "To",
      width: Math.max(width - (width < 110 ? FEWER_OTHERS : OTHERS), LEAST_BORROWERS),
      pieces: ({ borrowers }, { look, bad }) =>
        borrowers.flatMap((text, index): Piece[] => {
          const [vm, ...rest] = text.split(" ");
          return [...index ? [{ text: "  " }] : [], ...vmPieces(vm, look, bad), { text: ` ${rest.join(" ")}`, role: bad ? "text" : "dim" }];
        }),
    },
    {
      name: "state",
      title: "State",
      width: 11,
      pieces({ state }, { look, bad }) {
        const [shape, ink] = STATES[state] ?? ["new", "text"];
        return [{ text: `${look.glyphs.shapes[shape]} ${state}`, role: bad ? "bad" : ink }];
      },
    },
    { name: "label", title: "Label", width: 10, right: true, from: 110, pieces: ({ label }) => [{ text: String(label), role: "dim" }] },
    {
      name: "extent",
      title: "Extent",
      width: 9,
      from: 110,
      pieces: ({ extent }) => [{ text: extent ?? "-", role: extent ? "link" : "dim" }],
    },
  ];
}

function vmPieces(vm: string, look: Look, bad: boolean): Piece[] {
  const mark = look.vm(vm);
  return [chipPiece(mark), { text: ` ${nameOf(vm)}`, role: bad ? "text" : mark.ink }];
}
