// A list of rows of one table: filter, sort, selection by id, marks. Rows come from the session;
// the selection follows its id while they move.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import { ColumnNeeds } from "./column-needs.ts";
import { type Blank, blankOf, drawBlank, HOW_ROWS_COME, spokenBlank } from "./blank.ts";
import type { Scroll, Title } from "../look/box.ts";
import {
  columnsOf,
  drawCell,
  drawHeadings,
  fittingColumns,
  type ListColumn,
  placeColumns,
  type Placement,
  type Sort,
} from "../look/list.ts";
import { type FilteredPane, nothingPasses, type PaneState } from "./pane.ts";
import { drawGap, RowGaps } from "./row-gaps.ts";
import type { RowGap } from "../../../model/queries/texts/row-gaps.ts";
import { PaneFilter } from "./pane-filter.ts";
import type { TablePaneOptions } from "./table-options.ts";
import { isBad, sortRows } from "./table-rows.ts";
import { keyPieces, type Piece } from "../look/pieces.ts";
import { WordChanges } from "./word-changes.ts";
import { beginRow, ROW_MARGIN } from "../look/row.ts";
import { spokenCells, type SpokenLine, spokenPieces, type SpokenSize } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";
import type { FilterError } from "../../../model/queries/filters/filter.ts";
import { type Answer, type Query, queryOf, rowsOf } from "../../../model/queries/query.ts";
import { type RowOf, type Selected, usualColumns } from "../../../model/queries/table.ts";
import { EVENTS, type SessionTable, SLICES } from "../../../model/queries/tables.ts";

/** Logs whose rows stay as they are: those of others get their answers later. */
const UNCHANGING: ReadonlySet<string> = new Set([EVENTS.name, SLICES.name]);
/** Rows requested from a stream: when the selection is away from its end, and when it follows. */
const STREAM_ROWS = 2000;
const FOLLOWED_ROWS = 16;
/** Rows of a card, with the blank one below it. */
const CARD_ROWS = 4;
/** Number of answers in which a row is sought. */
const SOUGHT = 3;

/** A line of a list. */
type ShownLine<R> = { readonly row: R; readonly selected: boolean } | { readonly gap: RowGap };

/** A list. */
export class TablePane<T extends SessionTable = SessionTable> implements FilteredPane {
  readonly name: string;
  readonly table: T;
  #rows: readonly RowOf<T>[] = [];
  #shown: readonly RowOf<T>[] = [];
  #unrecorded: NonNullable<Answer["unrecorded"]> = [];
  /** Gaps between the rows that are shown. */
  #gaps = new RowGaps();
  #dropped = 0;
  #error: ReturnType<typeof blankOf>;
  #loaded = false;
  /** When it was first drawn without an answer (wall ms). */
  #asked: number | undefined;
  #selected: string | undefined;
  /** Which row is sought: it may come with the next answer. */
  #sought: { isMeant(row: RowOf<T>): boolean; answers: number } | undefined;
  /** The row that it was about last. */
  #current: string | undefined;
  /** Index of the selected row: if it disappears, the row there is selected instead. */
  #at = 0;
  /** The first line: rows and gaps have one each. */
  #top = 0;
  /** Virtual time (ns) of the rows. */
  #answered = 0;
  #height = 1;
  readonly #filter: PaneFilter<T>;
  #sort: Sort | undefined;
  readonly #changes: WordChanges<T>;
  readonly #marked = new Set<string>();
  #following: boolean;
  /** Rows that can be folded are; so many of them. */
  #isFolded = true;
  #foldedRows = 0;
  /** It was last drawn in the past. */
  #past = false;
  /** Hidden columns after the first, and whether more exist than were drawn. */
  #left = 0;
  #cut = false;
  /** The columns as they were last drawn. */
  #headings: Placement<RowOf<T>> = { columns: [], cut: false };
  readonly #needs = new ColumnNeeds<RowOf<T>>();
  /** Names of the columns that the user wants, instead of the pane's. */
  #chosen: readonly string[] | undefined;
  /** Columns in which every row has the usual value. */
  #usual: ReadonlySet<string> = new Set();

  constructor(readonly options: TablePaneOptions<T>) {
    this.name = options.name;
    this.table = options.table;
    this.#filter = new PaneFilter(this.table);
    this.#changes = new WordChanges(this.table);
    this.#following = options.stream ?? false;
    if (options.filter !== undefined) this.setFilter(options.filter);
  }

  title(): Title {
    const { title, stream } = this.options;
    const shown = this.#shown.length;
    const right: Piece[][] = [];
    if (this.#sort) right.push([{ text: `by ${this.#sort.column}${this.#sort.reverse ? ", reversed" : ""}`, role: "dim" }]);
    if (this.#left) right.push([{ text: `${this.#left} column${this.#left > 1 ? "s" : ""} left`, role: "dim" }]);
    // The pane's own filter selects its subject, and is not shown.
    const chosen = this.filterText === this.options.filter ? "" : this.filterText;
    if (chosen) right.push([{ text: `/${chosen}`, role: "accent" }]);
    if (chosen || shown < this.#rows.length) right.push([{ text: `${shown} of ${this.#rows.length}`, role: "dim" }]);
    if (this.#dropped) right.push([{ text: `${this.#dropped} older gone`, role: "dim" }]);
    const { folds } = this.options;
    if (folds && this.#foldedRows > 0) right.push(keyPieces("v", `${this.#foldedRows} ${folds.what} folded`));
    const own = this.options.right?.();
    if (own) right.push([...own]);
    if (stream) {
      if (!this.#following) right.push(keyPieces("G", "follows"));
      else if (this.#past) right.push([{ text: "until then", role: "dim" }]);
      else right.push([{ text: "● ", role: "ok" }, { text: "follows", role: "dim" }]);
    }
    const position = shown > 0 && !stream ? [{ text: `${this.#index() + 1} of ${shown}`, role: "dim" } as const] : undefined;
    return { text: title, ...this.options.about?.(), count: stream || !shown ? undefined : shown, right, bottom: position };
  }

  get scroll(): Scroll {
    return { top: this.#top, height: this.#height, count: this.#lineCount };
  }

  get needs(): number {
    return this.options.card ? this.#shown.length * CARD_ROWS : this.#lineCount + 1;
  }

  get #lineCount(): number {
    return this.#shown.length + this.#gaps.gaps.length;
  }

  queries(): Query | undefined {
    const { stream, table, args } = this.options, given = args?.();
    if (args && !given) {
      // Its content was about another row.
      this.#rows = [];
      this.#arrange();
      return undefined;
    }
    // Events are filtered at their source, so that the newest rows are matching ones.
    const newest = stream && { limit: this.#limit, filter: this.#filter.text || undefined };
    return queryOf(table.name, { ...newest, ...given });
  }

  get marksUntil(): number {
    return this.#changes.marksUntil;
  }

  get streams(): boolean {
    return this.options.stream ?? false;
  }

  get staysGood(): number | undefined {
    return this.options.staysGood;
  }

  /** Rows that do not change in the log are not asked for again. */
  get onward(): boolean {
    return UNCHANGING.has(this.options.table.name) && this.options.stream === true;
  }

  /** Rows of a stream: a following view needs only the end, another one the surroundings. */
  get #limit(): number {
    if (!this.options.stream) return Infinity;
    return this.#following ? Math.max(this.#height, FOLLOWED_ROWS) : STREAM_ROWS;
  }

  receive(answer: Answer): void {
    this.#loaded = true;
    this.#answered = Number(answer.at.ns);
    this.#error = blankOf(answer);
    const kept: { readonly rows: readonly RowOf<T>[]; readonly dropped: number } = answer.after === undefined
      ? { rows: [], dropped: 0 }
      : { rows: this.#rows, dropped: this.#dropped };
    this.#dropped = this.options.stream ? kept.dropped + answer.dropped : 0;
    const rows = [...kept.rows, ...rowsOf(this.table, answer)].slice(-this.#limit);
    if (!this.options.stream) this.#changes.note(this.#rows, rows);
    this.options.taken?.(rows);
    this.#rows = rows;
    this.#unrecorded = answer.unrecorded ?? [];
    const { usual = {} } = this.options;
    const own = Object.keys(usual).filter((name) => rows.every((row) => row[name] === usual[name]));
    this.#usual = usualColumns(this.table, rows).union(new Set(own));
    const current = this.options.current?.(rows)?.id;
    if (current !== this.#current) this.#selected = current;
    this.#current = current;
    this.#arrange();
    if (this.#sought && this.#sought.answers-- === 0) this.#sought = undefined;
    this.#seek();
  }

  get selection(): Selected<T> | undefined {
    // While a filter hides the selected row, the one that replaces it counts.
    const row = this.#shown[this.#index()];
    return row && { table: this.table, row };
  }

  get selectedId(): string | undefined {
    return this.#shown[this.#index()]?.id;
  }

  get page(): number {
    return this.#height;
  }

  get filterText(): string {
    return this.#filter.text;
  }

  get filterError(): FilterError | undefined {
    return this.#filter.error;
  }

  /** All rows that the filter lets through. */
  get rows(): readonly RowOf<T>[] {
    return this.#shown;
  }

  /** Sets the filter; a bad one leaves the last good one in force. */
  setFilter(text: string): void {
    this.#filter.set(text);
    if (!this.#filter.error) this.#arrange();
  }

  /** Unfolds rows, or folds them and has the next pane show another view. */
  nextView(): boolean {
    if (!this.options.folds || this.#isFolded && this.#foldedRows === 0) return false;
    this.#isFolded = !this.#isFolded;
    this.#arrange();
    return !this.#isFolded;
  }

  /** Whether the list has a row, and it matches the filter. */
  shows(id: string): boolean {
    return this.#shown.some((row) => row.id === id);
  }

  /** Selects a row by id, now or when it comes. */
  select(id: string): void {
    this.#selected = id;
    this.#following = false;
    // A row that is gone to is not folded away.
    if (this.#foldedRows > 0 && !this.shows(id) && this.#rows.some((row) => row.id === id)) this.nextView();
    const at = this.#shown.findIndex((row) => row.id === id);
    if (at >= 0) this.#at = at;
  }

  /**
   * Selects the first matching row, now and in the next answers: a following list has few rows, and
   * more come.
   */
  seek(isMeant: (row: RowOf<T>) => boolean): void {
    this.#following = false;
    this.#sought = { isMeant, answers: SOUGHT };
    this.#seek();
  }

  #seek(): void {
    const at = this.#sought ? this.#shown.findIndex(this.#sought.isMeant) : -1;
    if (at >= 0) this.select(this.#shown[at].id);
    if (at > 0) this.#sought = undefined;
  }

  /** Shows these columns of its table, in this order. */
  choose(columns: readonly string[]): void {
    this.#chosen = columns;
  }

  /** Sorts by the next column that is shown, after the last by none. */
  sortNext(): void {
    const names = this.#headings.columns.map(({ column }) => column.name).filter((name) => this.table.columns[name] !== undefined);
    const next = names[this.#sort ? names.indexOf(this.#sort.column) + 1 : 0];
    this.#sort = next === undefined ? undefined : { column: next, reverse: false };
    this.#arrange();
  }

  sortReverse(): void {
    if (this.#sort) this.#sort = { ...this.#sort, reverse: !this.#sort.reverse };
    this.#arrange();
  }

  get following(): boolean {
    return this.#following;
  }

  /** Shows columns further right, or left; the first one stays. False at the end. */
  pan(by: number): boolean {
    const to = this.#left + by;
    if (to < 0 || by > 0 && !this.#cut) return false;
    this.#left = to;
    return true;
  }

  /** Follows what comes, or stops. */
  follow(following: boolean): void {
    this.#following = following && this.options.stream === true;
    this.#arrange();
  }

  toggleMark(): void {
    const { selectedId: id } = this;
    if (id !== undefined && !this.#marked.delete(id)) this.#marked.add(id);
  }

  get marked(): readonly RowOf<T>[] {
    return this.#shown.filter(({ id }) => this.#marked.has(id));
  }

  move(by: number): void {
    if (!this.#shown.length) return;
    const to = Math.min(Math.max(this.#index() + by, 0), this.#shown.length - 1);
    this.#following = this.options.stream === true && to === this.#shown.length - 1;
    this.#at = to;
    this.#selected = this.#shown[to].id;
  }

  click(row: number, column: number): boolean {
    if (row === 0 && !this.options.card) {
      this.#clickHeading(column - ROW_MARGIN);
      return false;
    }
    const line = this.#gaps.at(this.#top + (this.options.card ? Math.floor(row / CARD_ROWS) : row - 1));
    const hit = typeof line === "number" ? this.#shown[line] : undefined;
    if (hit) this.select(hit.id);
    return hit !== undefined;
  }

  /** A heading sorts by its column, then the other way round, then not at all. */
  #clickHeading(x: number): void {
    const name = this.#headings.columns.findLast((one) => one.x <= x)?.column.name;
    if (name === undefined || this.table.columns[name] === undefined) return;
    if (this.#sort?.column !== name) this.#sort = { column: name, reverse: false };
    else this.#sort = this.#sort.reverse ? undefined : { column: name, reverse: true };
    this.#arrange();
  }

  draw(screen: Screen, area: Rectangle, look: Look, { focused, past }: PaneState): void {
    this.#past = past;
    this.#changes.begin();
    if (this.options.card) return this.#drawCards(screen, area, look, focused, this.options.card);
    const { place, rows } = this.#listed(look, area, focused);
    drawHeadings(screen, look, { ...area, x: area.x + ROW_MARGIN }, place, this.#sort);
    rows.forEach((shown, index) => {
      const line = { ...area, y: area.y + 1 + index, height: 1 };
      if ("gap" in shown) drawGap(screen, look, line, shown.gap);
      else this.#drawRow(screen, line, look, place, shown.row, { focused, selected: shown.selected });
    });
    if (!this.#shown.length) {
      drawBlank(screen, look, { ...area, x: area.x + 1, y: area.y + 1, width: area.width - 1, height: area.height - 1 }, this.blank);
    }
  }

  spoken(look: Look, size: SpokenSize, focused: boolean): readonly SpokenLine[] {
    const { card } = this.options;
    if (card && this.#shown.length) {
      return this.#scrolledTo(Math.max(Math.floor((size.height + 1) / CARD_ROWS), 1), focused).flatMap((shown) =>
        "gap" in shown ? [] : card(shown.row, look).map((pieces, line) => spokenPieces(pieces, shown.selected && line === 0))
      );
    }
    const { place: { columns }, rows } = this.#listed(look, size, focused);
    if (!rows.length) return spokenBlank(look, size.width, this.blank);
    return [
      spokenCells(columns.map(({ column }) => [{ text: column.title }])),
      ...rows.map((shown) => {
        if ("gap" in shown) return { parts: [shown.gap.text] };
        const { row, selected } = shown;
        const bad = isBad(row), context = (width: number, first: boolean) => ({ look, width, at: this.#answered, bad, first });
        const cells = columns.map(({ column, width }, index) => column.pieces(row, context(width, index === 0)));
        return spokenCells(bad ? [[{ text: "!" }, ...cells[0] ?? []], ...cells.slice(1)] : cells, selected);
      }),
    ];
  }

  /** The columns that fit, and the rows, scrolled to the selected one. */
  #listed(look: Look, { width, height }: SpokenSize, focused: boolean): { place: Placement<RowOf<T>>; rows: ShownLine<RowOf<T>>[] } {
    const place = this.#headings = this.#place(look, width - ROW_MARGIN);
    return { place, rows: this.#scrolledTo(Math.max(height - 1, 1), focused) };
  }

  /** As many lines, that of the selected row among them. */
  #scrolledTo(height: number, focused: boolean): ShownLine<RowOf<T>>[] {
    this.#height = height;
    const index = this.#index(), at = this.#gaps.lineOf(index);
    this.#top = Math.min(Math.max(this.#top, at - height + 1), Math.max(at, 0), Math.max(this.#lineCount - height, 0));
    // A following stream is at its end, which is not a selection of the user's.
    const chosen = focused || !this.#following ? index : -1;
    return Array.from({ length: Math.min(height, this.#lineCount - this.#top) }, (_, line) => {
      const shown = this.#gaps.at(this.#top + line);
      return typeof shown === "number" ? { row: this.#shown[shown], selected: shown === chosen } : { gap: shown };
    });
  }

  #drawCards(screen: Screen, area: Rectangle, look: Look, focused: boolean, card: NonNullable<TablePaneOptions<T>["card"]>): void {
    this.#height = Math.max(Math.floor((area.height + 1) / CARD_ROWS), 1);
    const at = this.#index();
    this.#top = Math.min(Math.max(this.#top, at - this.#height + 1), Math.max(at, 0), Math.max(this.#shown.length - this.#height, 0));
    this.#shown.slice(this.#top, this.#top + this.#height + 1).forEach((row, index) => {
      const selected = this.#top + index === at ? focused ? "here" : "elsewhere" : undefined;
      card(row, look).forEach((pieces, line) => {
        const y = area.y + index * CARD_ROWS + line;
        if (y >= area.y + area.height) return;
        beginRow(screen, look, { ...area, y, height: 1 }, { selected, marked: this.#marked.has(row.id) && line === 0 }, true);
        if (line === 0 && row.failed === true) screen.text(area.x + 1, y, "!", look.bold("bad"));
        drawCell(screen, look, { x: area.x + ROW_MARGIN + 1, y, width: area.width - ROW_MARGIN - 2 }, pieces);
      });
    });
    if (!this.#shown.length) drawBlank(screen, look, area, this.blank);
  }

  /** Why it shows no row. */
  get emptyText(): string {
    if (this.#error !== undefined) return this.#error.what;
    if (this.options.args && !this.options.args()) return this.options.unasked ?? this.table.empty;
    if (!this.#loaded) return "loading";
    return this.#rows.length || this.filterText ? nothingPasses(this.filterText) : this.table.empty;
  }

  get blank(): Blank {
    if (this.#error !== undefined) return this.#error;
    const { args, empty, table } = this.options, isAsked = !args || args() !== undefined;
    if (isAsked && !this.#loaded) {
      this.#asked ??= performance.now();
      return { kind: "loading", since: performance.now() - this.#asked };
    }
    const isFiltered = this.#rows.length > 0 || this.filterText !== "";
    if (empty && !isFiltered) return { kind: "empty", what: empty[0], how: empty[1] };
    return { kind: "empty", what: this.emptyText, how: isFiltered || !isAsked ? undefined : HOW_ROWS_COME[table.name] };
  }

  #place(look: Look, width: number): Placement<RowOf<T>> {
    const own = this.options.columns?.(width) ?? columnsOf(this.table), chosen = this.#chosen;
    const all = chosen ? columnsCalled(chosen, [...own, ...columnsOf(this.table)]) : own.filter(({ name }) => !this.#usual.has(name));
    // Scrolling right also shows columns that narrow terminals omit.
    const listed = this.#left === 0 && !chosen ? fittingColumns(all.filter(({ from = 0 }) => from <= width + ROW_MARGIN), width) : all;
    const [first, ...rest] = listed, context = { look, at: this.#answered, bad: false, first: false };
    this.#left = Math.min(this.#left, Math.max(rest.length - 1, 0));
    const shown = first ? [first, ...rest.slice(this.#left)] : rest;
    const place = placeColumns(this.#needs.grown(shown, this.#shown, context, width), width);
    this.#cut = rest.length > this.#left + 1 && (place.cut || listed.length < all.length);
    return place;
  }

  #drawRow(
    screen: Screen,
    area: Rectangle,
    look: Look,
    { columns }: Placement<RowOf<T>>,
    row: RowOf<T>,
    state: { focused: boolean; selected: boolean },
  ): void {
    const bad = isBad(row);
    const selected = state.selected ? state.focused ? "here" : "elsewhere" : undefined;
    beginRow(screen, look, area, { selected, bad, marked: this.#marked.has(row.id), tint: this.options.tint?.(row) });
    const now = performance.now();
    columns.forEach(({ column, x: offset, width: room }, index) => {
      const x = area.x + ROW_MARGIN + offset, { name } = column;
      const width = column.right ? Math.min(column.width, room) : room;
      const pieces = column.pieces(row, { look, width, at: this.#answered, bad, first: index === 0 });
      const changed = this.#changes.isMarked(row.id, name, now);
      drawCell(screen, look, { x, y: area.y, width }, changed ? pieces.map((piece) => ({ ...piece, bold: true })) : pieces, column.right);
      if (changed && index > 0) screen.text(x - 1, area.y, "*", look.bold("warn"));
    });
  }

  #index(): number {
    const at = this.#shown.findIndex(({ id }) => id === this.#selected);
    return at >= 0 ? at : Math.min(this.#at, Math.max(this.#shown.length - 1, 0));
  }

  #arrange(): void {
    const passing = this.#rows.filter((row) => this.#filter.passes(row)), { folds } = this.options;
    const rows = folds && this.#isFolded && !this.filterText ? passing.filter((row) => !folds.of(row)) : passing;
    this.#foldedRows = passing.length - rows.length;
    if (this.#sort) sortRows(rows, this.table, this.#sort.column, this.#sort.reverse);
    else if (this.options.order) rows.sort(this.options.order);
    this.#shown = rows;
    const isInOrder = !this.#sort && this.#unrecorded.length > 0;
    this.#gaps = isInOrder ? RowGaps.of(this.#unrecorded, rows, (row) => this.#filter.passes(row)) : new RowGaps();
    if (!rows.length) return;
    if (this.#following) this.#at = rows.length - 1;
    const at = this.#following ? this.#at : rows.findIndex(({ id }) => id === this.#selected);
    if (at >= 0) {
      this.#at = at;
      this.#selected = rows[at].id;
    } else if (this.#selected === undefined) {
      this.#selected = (this.options.first?.(rows) ?? rows[Math.min(this.#at, rows.length - 1)]).id;
    }
  }
}

function columnsCalled<R>(names: readonly string[], columns: readonly ListColumn<R>[]): ListColumn<R>[] {
  return names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
}
