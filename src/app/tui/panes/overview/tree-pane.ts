// The VM tree: one row per VM, below it one per vCPU, with state, load and what it waits for, and
// optionally one per virtio device with its counters. Selection goes by identity, not by row. The
// VM of a matching row is shown too.

import { blocksText, type Wait } from "../../../../model/queries/facts/wait.ts";
import type { Scroll, Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { stateMark } from "../../look/chip.ts";
import { glyphsOf } from "../../terminal/glyphs.ts";
import { fit, fitName } from "../../../../kit/support/text/text-width.ts";
import { drawLinks, LinkLines } from "./link-lines.ts";
import { drawCell, drawHeadings, type ListColumn, loadPieces, placeColumns, type Placement, quietPieces } from "../../look/list.ts";
import { countText } from "../../look/numbers.ts";
import { type FilteredPane, nothingPasses, type PaneState } from "../pane.ts";
import { PaneFilter } from "../pane-filter.ts";
import { chipPiece, drawPieces, historyPieces, type Piece, piecesWidth, statePiece } from "../../look/pieces.ts";
import { wrap } from "../row-lines.ts";
import { beginRow } from "../../look/row.ts";
import { spokenCells, type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { waitText } from "../vcpus/waits.ts";
import type { Activity } from "./activity.ts";
import { afterVm, conId, isOf, nameOf, vcpuId, vcpuName, vmId } from "../../../../model/queries/ids.ts";
import type { FilterError } from "../../../../model/queries/filters/filter.ts";
import { hex, sizeText } from "../../../../kit/support/text/number-text.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import { defineTable, type RowOf, type Selected } from "../../../../model/queries/table.ts";
import { DEVICES, QUEUES, VCPUS, VMS } from "../../../../model/queries/tables.ts";
import type { DeviceSample, MachineSample, VcpuSample, VcpuWord, VmSample } from "../../../../model/protocol/protocol.ts";

type VmRow = RowOf<typeof VMS>;

/** Fields of the rows for filters of the tree. */
const TREE = defineTable({
  name: "tree",
  version: 1,
  command: "vm ls",
  doc: "VMs, their vCPUs and devices",
  empty: "no VM yet: the Resource Manager is starting",
  columns: {
    id: { kind: "id", doc: "vm:NAME, vcpu:VM/INDEX or dev:VM/NAME" },
    vm: { kind: "id", doc: "its VM" },
    kind: { kind: "word", doc: "vm, vcpu or the kind of device" },
    vmid: { kind: "address", doc: "VMID of its VM" },
    state: { kind: "word", doc: "state of the VM, or of the vCPU; in lower case", optional: true },
    schedule: { kind: "word", doc: "how the VM's vCPUs are scheduled: native, proxy or own" },
    cpu: { kind: "share", doc: "share of one physical CPU", optional: true },
    pcpu: { kind: "number", doc: "the vCPU's physical CPU", optional: true },
    instructions: { kind: "count", doc: "instructions retired", optional: true },
    waits: { kind: "text", doc: "what the vCPU waits for", optional: true },
    pc: { kind: "address", doc: "the vCPU's program counter", optional: true },
  },
});

interface TreeRow {
  readonly id: string;
  readonly vm: VmSample;
  /** The vCPU of the row, also of a VM with only one. */
  readonly vcpu: VcpuSample | undefined;
  readonly device: DeviceSample | undefined;
  /** It is below the row of its VM, as the last one there or not. */
  readonly below?: "more" | "last";
}

/** Details of VMs and vCPUs from lists, in addition to the samples. */
interface Details {
  readonly vms: ReadonlyMap<string, VmRow>;
  readonly vcpus: ReadonlyMap<string, RowOf<typeof VCPUS>>;
  /** Virtual time (ns) of the vCPUs. */
  readonly at: number;
}

const QUERIES: readonly Query[] = [{ table: "vm.ls", args: {} }, { table: "vcpu.ls", args: {} }];
/** Columns before a row's text: the selection's mark. */
const MARGIN = 1;
/** From this width on names have wide chips, and there are all usual columns. */
const WIDE = 96;
const VERY_WIDE = 190;
/** Columns of a size. */
const RAM = 5;
/**
 * The tree itself is drawn from samples; shared objects of VMs are queried every other second (ms).
 */
const LINKS_STAY_GOOD = 2000;

/** List of VMs and vCPUs. Its rows come with each sample. */
export class TreePane implements FilteredPane {
  readonly name = "tree";
  readonly staysGood = LINKS_STAY_GOOD;
  #rows: TreeRow[] = [];
  readonly #folded = new Set<string>();
  #selected = "";
  /** The row that the user has chosen, which a filter or a fold may hide. */
  #chosen: string | undefined;
  readonly #filter = new PaneFilter(TREE);
  readonly #links = new LinkLines();
  /** Rows that the filter lets through, and all. */
  #passing = 0;
  #all = 0;
  #devices = false;
  #top = 0;
  #height = 1;
  #sample: MachineSample | undefined;
  #details: Details = { vms: new Map(), vcpus: new Map(), at: 0 };

  /** @param activity what the machine has done lately */
  constructor(readonly activity: Activity) {}

  title(): Title {
    const right: Piece[][] = [[{ text: "by VMID", role: "dim" }]];
    if (this.filterText) {
      right.push([{ text: `/${this.filterText}`, role: "accent" }, { text: ` ${this.#passing} of ${this.#all}`, role: "dim" }]);
    }
    const at = this.#rows.findIndex(({ id }) => id === this.#selected);
    return {
      text: `Virtual machines${this.#devices ? " and devices" : ""}`,
      count: this.#sample?.vms.length,
      right,
      bottom: at < 0 ? undefined : [{ text: `${at + 1} of ${this.#rows.length}`, role: "dim" }],
    };
  }

  get scroll(): Scroll {
    return { top: this.#top, height: this.#height, count: this.#rows.length };
  }

  queries(): readonly Query[] {
    return [...this.#links.queries(), ...QUERIES];
  }

  receive(answer: Answer): void {
    const { table } = answer;
    if (table === "vm.ls") {
      this.#details = { ...this.#details, vms: new Map(rowsOf(VMS, answer).map((row) => [row.id, row])) };
    } else if (table === "vcpu.ls") {
      const rows = rowsOf(VCPUS, answer);
      this.#details = { ...this.#details, vcpus: new Map(rows.map((row) => [row.id, row])), at: Number(answer.at.ns) };
      this.activity.rate("exits", rows.reduce((all, { exits_rate }) => all + exits_rate, 0));
    } else this.#links.receive(answer);
    if (table === "queue.ls") this.activity.rate("messages", rowsOf(QUEUES, answer).reduce((all, { rate }) => all + rate, 0));
  }

  /** Takes a new sample; the selected id stays selected while it exists. */
  update(sample: MachineSample): void {
    this.#sample = sample;
    this.#arrange();
  }

  /** Id of the selected row. */
  get selected(): string {
    return this.#selected;
  }

  /** Whether the user has chosen the selected row. */
  get chosen(): boolean {
    return this.#chosen !== undefined;
  }

  get filterText(): string {
    return this.#filter.text;
  }

  get filterError(): FilterError | undefined {
    return this.#filter.error;
  }

  setFilter(text: string): void {
    this.#filter.set(text);
    if (!this.#filter.error) this.#arrange();
  }

  shows(id: string): boolean {
    return this.#rows.some((row) => row.id === id);
  }

  /** The VM of the selected row. */
  get selectedVm(): VmSample | undefined {
    return this.#rows.find((row) => row.id === this.#selected)?.vm;
  }

  get selection(): Selected | undefined {
    const row = this.#rows.find(({ id }) => id === this.#selected);
    if (!row) return undefined;
    const { id, vm, vcpu, device } = row;
    if (device) return { table: DEVICES, row: { id, vm: vmId(vm.name), kind: device.kind, metrics: { ...device.metrics } } };
    if (!isOf("vcpu", id) || !vcpu) {
      const row = { id, state: vm.state.toLowerCase(), console: vm.console ? conId(vm.console) : null };
      return { table: VMS, row: vcpu ? { ...row, waits: blocksText(vcpu.waits) } : row };
    }
    return { table: VCPUS, row: { id, state: vcpu.state.toLowerCase(), waits: blocksText(vcpu.waits), vcpu: id } };
  }

  /** Names of the VMs that are folded. */
  get folded(): readonly string[] {
    return [...this.#folded];
  }

  /** Folds these VMs. */
  foldAll(vms: readonly string[]): void {
    for (const vm of vms) this.#folded.add(vm);
    this.#arrange();
  }

  /** Shows the devices, or shows them no more. */
  nextView(): boolean {
    this.#devices = !this.#devices;
    this.#arrange();
    return true;
  }

  /** How many rows there are. */
  get length(): number {
    return this.#rows.length;
  }

  /** Lines below the rows, if they fit: VMs inside of VMs, queues, doorbells, parcels. */
  linkLines(width: number): number {
    return this.#guestLines(width).length + this.#links.lines(width, Infinity, glyphsOf("ascii")).length;
  }

  /** Selects a row by id. */
  select(id: string): void {
    this.#chosen = this.#selected = id;
  }

  move(by: number): void {
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    const to = this.#rows[Math.min(Math.max(at + by, 0), this.#rows.length - 1)];
    if (to) this.select(to.id);
  }

  get page(): number {
    return this.#height;
  }

  fold(folded: boolean): void {
    const vm = this.selectedVm;
    if (!vm) return;
    if (folded) this.#folded.add(vm.name);
    else this.#folded.delete(vm.name);
    this.select(folded ? vmId(vm.name) : this.#selected);
    this.#arrange();
  }

  click(row: number): boolean {
    const hit = row > 0 ? this.#rows[this.#top + row - 1] : undefined;
    if (hit) this.select(hit.id);
    return hit !== undefined;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { focused }: PaneState): void {
    const { below, place, whole, links, rows } = this.#listed(area, look);
    drawHeadings(screen, look, { ...area, x: area.x + MARGIN }, place);
    rows.forEach((row, index) => {
      const y = area.y + 1 + index, chosen = row.id === this.#selected;
      const bad = stateMark(row.vcpu?.state ?? row.vm.state).ink === "bad";
      beginRow(screen, look, { ...area, y, height: 1 }, { selected: chosen ? focused ? "here" : "elsewhere" : undefined, bad }, false);
      for (const { column, x, width } of place.columns) {
        const own = column.right ? Math.min(column.width, width) : width;
        drawCell(
          screen,
          look,
          { x: area.x + MARGIN + x, y, width: own },
          column.pieces(row, { look, width: own, at: this.#details.at, bad, first: false }),
          column.right,
        );
      }
    });
    whole.forEach((pieces, line) => drawPieces(screen, look, area.x + 1, area.y + 1 + below + line, pieces, area.width - 2));
    const above = below + whole.length;
    links.forEach((pieces, line) => drawLinks(screen, { ...area, y: area.y + 1 + above + line, height: 1 }, look, pieces));
    if (!rows.length) screen.text(area.x + 2, area.y + 1, fit(this.#empty, area.width - 2), look.style("dim"));
  }

  spoken(look: Look, size: SpokenSize): readonly SpokenLine[] {
    const { place: { columns }, whole, links, rows } = this.#listed(size, look);
    const lines = rows.map((row): SpokenLine => {
      const bad = stateMark(row.vcpu?.state ?? row.vm.state).ink === "bad";
      return spokenCells(
        columns.map(({ column, width }) => column.pieces(row, { look, width, at: this.#details.at, bad, first: false })),
        row.id === this.#selected,
      );
    });
    return [
      spokenCells(columns.map(({ column }) => [{ text: column.title }])),
      ...lines.length ? lines : [{ parts: [this.#empty] }],
      ...[...whole, ...links].map((pieces) => spokenCells(pieces.map((piece) => [piece]))),
    ];
  }

  /** Columns and rows that fit, scrolled to the selected row, and the lines below them. */
  #listed({ width, height }: SpokenSize, look: Look) {
    const below = Math.max(this.#rows.length, 1);
    const place = placeColumns(this.#columns(width), width - MARGIN);
    const whole = [...this.#wholeText(place, width), ...this.#guestLines(width)].slice(0, Math.max(height - 1 - below, 0));
    const links = this.#links.lines(width, height - 1 - below - whole.length, look.glyphs);
    this.#height = Math.max(height - 1 - whole.length - links.length, 1);
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    this.#top = Math.min(Math.max(this.#top, at - this.#height + 1), Math.max(at, 0), Math.max(this.#rows.length - this.#height, 0));
    return { below, place, whole, links, rows: this.#rows.slice(this.#top, this.#top + this.#height) };
  }

  get #empty(): string {
    return this.#all ? nothingPasses(this.filterText) : TREE.empty;
  }

  /** Lines about what the selected row does or waits for, where its column cuts that. */
  #wholeText({ columns }: Placement<TreeRow>, width: number): Piece[][] {
    const row = this.#rows.find(({ id }) => id === this.#selected), last = columns.at(-1);
    const pieces = row ? this.#doing(row) : [];
    if (!row || !last || piecesWidth(pieces) <= last.width) return [];
    const name = `${nameOf(row.id)}  `, [{ role }] = pieces;
    const text = pieces.map(({ text }) => text).join("");
    return wrap(text, 0, width - name.length - 2).map((line, index): Piece[] => [
      { text: index ? " ".repeat(name.length) : name, role: "dim" },
      { text: line, role },
    ]);
  }

  /** Lines about the VMs of hypervisors that run inside of these. */
  #guestLines(width: number): Piece[][] {
    return [...this.#details.vms.values()].flatMap(({ id, guests }) => {
      const name = `${nameOf(id)}  `;
      return (guests ?? []).flatMap((guest) =>
        wrap(guest, 0, width - name.length - 2).map((line, index): Piece[] => [
          { text: index ? " ".repeat(name.length) : name, role: "dim" },
          { text: line, role: "text" },
        ])
      );
    });
  }

  #columns(width: number): ListColumn<TreeRow>[] {
    const wide = width >= WIDE, samples = width >= VERY_WIDE ? 30 : wide ? 10 : 8;
    const column = (title: string, width: number, pieces: ListColumn<TreeRow>["pieces"], right = false): ListColumn<TreeRow> => {
      return { name: title, title, width, pieces, right };
    };
    return [
      column("VM", wide ? 14 : 13, (row, { look, width }) => this.#name(row, look, wide, width)),
      ...wide
        ? [column("VMID", 4, ({ vm, below }) => below ? [] : [{ text: vm.vmid === 0 ? "-" : `0x${vm.vmid.toString(16)}`, role: "dim" }])]
        : [],
      column("State", 11, ({ vm, vcpu, device }, { look }) => device ? [] : [statePiece(look, vcpu?.state ?? activityOf(vm))]),
      column("CPU ", 6, (row) => row.device ? [] : loadPieces(loadOf(row)), true),
      column(`last ${samples} s`, samples, (row, { look, width }) => this.#history(row, look, width)),
      ...wide
        ? [
          column("RAM", RAM, ({ vm, below }) => below ? [] : this.#memory(vm), true),
          column("exits/s", 7, (row) => row.device ? [] : quietPieces(this.#exits(row)), true),
        ]
        : [],
      ...width >= VERY_WIDE
        ? [
          column("instr", 7, (row) => row.device ? [] : quietPieces(countText(instructionsOf(row)) || "-"), true),
          column("pCPU", 4, ({ vcpu }) => vcpu ? [{ text: vcpu.pcpu === undefined ? "-" : `p${vcpu.pcpu}`, role: "dim" }] : []),
          column("PC", 18, ({ vcpu }) => vcpu ? [{ text: vcpu.pc || "native", role: "dim" }] : []),
        ]
        : [],
      column("Activity or wait", 25, (row, { width }) => this.#doing(row, width)),
    ];
  }

  #name({ vm, vcpu, device, below }: TreeRow, look: Look, wide: boolean, width: number): Piece[] {
    const { glyphs } = look;
    if (below) {
      const [more, last] = glyphs.branch;
      const branch = below === "last" ? last : more;
      const name = device ? afterVm(device.id).slice(1) : `vCPU ${vcpu?.index}`;
      return [{ text: `${wide ? " " : ""}${wide ? branch : branch[0]} `, role: "faint" }, { text: name, role: device ? "dim" : "text" }];
    }
    const mark = look.vm(vm.name);
    const folds = vm.vcpus.length > 1 || this.#devices && vm.devices.length > 0;
    const arrow = folds ? ` ${this.#folded.has(vm.name) ? glyphs.folded : glyphs.unfolded}` : "";
    const room = width - (wide ? 4 : 2) - arrow.length;
    return [chipPiece(mark, wide), { text: ` ${fitName(vm.name, room)}`, role: mark.ink, bold: true }, { text: arrow, role: "dim" }];
  }

  #history(row: TreeRow, look: Look, width: number): Piece[] {
    if (row.device) return [];
    return historyPieces(look, this.activity.histories.of(row.id), width, look.vm(row.vm.name).fill);
  }

  #memory(vm: VmSample): Piece[] {
    const bytes = this.#details.vms.get(vmId(vm.name))?.memory ?? this.activity.memory.get(vm.name) ?? null;
    if (bytes === null) return [{ text: "-", role: "dim" }];
    const text = sizeText(bytes);
    // The column has no room for tenths of hundreds.
    return [{ text: text.length > RAM ? text.replace(/\.\d+/, "") : text }];
  }

  #exits(row: TreeRow): string {
    const rows = vcpusOf(row).map(({ index }) => this.#details.vcpus.get(vcpuId(vcpuName(row.vm.name, index))));
    const known = rows.filter((row) => row !== undefined);
    return known.length ? countText(Math.round(known.reduce((sum, { exits_rate }) => sum + exits_rate, 0))) : "-";
  }

  /** Where it runs or what it waits for; on the row of a VM, its verdict or how it ended. */
  #doing({ id, vm, vcpu, device }: TreeRow, width?: number): Piece[] {
    if (device) return [{ text: deviceText(device), role: "dim" }];
    const verdict = this.#details.vms.get(id);
    if (verdict && verdict.verdict !== null && (!verdict.healthy || !vcpu)) {
      const text = verdict.doing ?? "";
      return [verdict.healthy ? { text, role: "dim" } : { text: `${verdict.verdict}: ${text}`, role: "bad" }];
    }
    if (!vcpu) return [];
    const { ink } = stateMark(vcpu.state);
    const known = this.#details.vcpus.get(vcpuId(vcpuName(vm.name, vcpu.index)));
    if (ink === "ok") return [{ text: (known?.symbol ?? "") || vcpu.pc || "el2's own code" }];
    const waits = known?.waits.length ? known.waits : vcpu.waits.map((code): Wait => ({ code }));
    return [{ text: waitText(waits, this.#details.at, width), role: ink === "warn" || ink === "bad" ? ink : "dim" }];
  }

  #arrange(): void {
    const all = (this.#sample?.vms ?? []).map((vm): [TreeRow, ...TreeRow[]] => {
      const single = vm.vcpus.length === 1 ? vm.vcpus[0] : undefined;
      const vcpus = single ? [] : vm.vcpus.map((vcpu) => ({ id: vcpuId(vcpuName(vm.name, vcpu.index)), vm, vcpu, device: undefined }));
      const devices = this.#devices ? vm.devices.map((device) => ({ id: device.id, vm, vcpu: undefined, device })) : [];
      const below = [...vcpus, ...devices];
      const placed = below.map((row, index): TreeRow => ({ ...row, below: index === below.length - 1 ? "last" : "more" }));
      return [{ id: vmId(vm.name), vm, vcpu: single, device: undefined }, ...placed];
    });
    const passing = new Set(all.flat().filter((row) => filteredRows(row).some((one) => this.#filter.passes(one))));
    this.#all = all.flat().length;
    this.#passing = passing.size;
    this.#rows = all.flatMap(([vm, ...inside]) => {
      const found = inside.filter((row) => passing.has(row));
      if (!passing.has(vm) && !found.length) return [];
      return [vm, ...this.#folded.has(vm.vm.name) ? [] : found];
    });
    const chosen = all.flat().find(({ id }) => id === this.#chosen) ??
      all.map(([vm]) => vm).find(({ vm, vcpu }) => vcpu && vcpuId(vcpuName(vm.name, vcpu.index)) === this.#chosen);
    this.#chosen = chosen?.id;
    // A hidden row is selected again when it comes back; until then its VM replaces it.
    const shown = chosen && (this.#rows.find(({ id }) => id === chosen.id) ?? this.#rows.find(({ vm }) => vm === chosen.vm));
    this.#selected = (shown ?? this.#rows.find(({ vm }) => vm.console !== undefined) ?? this.#rows[0])?.id ?? "";
  }
}

/** Activities that count for a VM with several vCPUs, the first that one of these has. */
const ACTIVITIES: readonly VcpuWord[] = ["RUN", "READY", "FAULT", "KILLED", "VMMIO", "PROXY", "WFI", "SUSPEND"];

/** The activity of a running VM, or its state. */
function activityOf({ state, vcpus }: VmSample): string {
  const of = state === "RUNNING" ? ACTIVITIES.find((word) => vcpus.some((vcpu) => vcpu.state === word)) : undefined;
  return of ?? state;
}

/** The vCPUs that a row is about. */
function vcpusOf({ vm, vcpu }: TreeRow): readonly VcpuSample[] {
  return vcpu ? [vcpu] : vm.vcpus;
}

/** CPU time of a row, as a share of one physical CPU. */
function loadOf(row: TreeRow): number {
  return vcpusOf(row).reduce((sum, { load }) => sum + load, 0);
}

function instructionsOf(row: TreeRow): number {
  return vcpusOf(row).reduce((sum, { instructions }) => sum + instructions, 0);
}

/** A row as filters see it. One that stands for a VM and its only vCPU is both. */
function filteredRows(row: TreeRow): RowOf<typeof TREE>[] {
  const { id, vm, vcpu } = row;
  if (!vcpu || isOf("vcpu", id)) return [filteredRow(row)];
  return [filteredRow({ ...row, vcpu: undefined }), filteredRow({ ...row, id: vcpuId(vcpuName(vm.name, vcpu.index)) })];
}

function filteredRow({ id, vm, vcpu, device }: TreeRow): RowOf<typeof TREE> {
  const vcpus: readonly VcpuSample[] = device ? [] : vcpu ? [vcpu] : vm.vcpus;
  const sum = (of: (one: VcpuSample) => number) => device ? null : vcpus.reduce((total, one) => total + of(one), 0);
  const instructions = sum((one) => one.instructions);
  return {
    id,
    vm: vmId(vm.name),
    kind: device?.kind ?? (isOf("vcpu", id) ? "vcpu" : "vm"),
    vmid: hex(vm.vmid),
    state: device ? null : (vcpu ?? vm).state.toLowerCase(),
    schedule: vm.schedule,
    cpu: sum((one) => one.load),
    pcpu: vcpu?.pcpu ?? null,
    instructions: instructions === null ? null : String(instructions),
    waits: vcpu && blocksText(vcpu.waits) || null,
    pc: vcpu?.pc || null,
  };
}

/** `virtio-block  reads 12  writes 3`: counters that are not 0. */
function deviceText({ kind, metrics }: DeviceSample): string {
  const counters = Object.entries(metrics).filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${countText(value)}`);
  return `${kind}  ${counters.join("  ") || "-"}`;
}
