// The VM tree: a row a VM, a row a vCPU below it, with state, load and what it waits for, and where
// people want it a row a virtio device with its counters. Selection goes by identity, not by row.
// Of what a filter lets through, the VM is shown too.

import { fit, type Rectangle, type Screen } from "./cells.ts";
import { ASCII_GLYPHS, sparkline } from "./glyphs.ts";
import { drawPieces, LinkLines } from "./link-lines.ts";
import { type FilteredPane, nothingPasses } from "./pane.ts";
import { PaneFilter } from "./pane-filter.ts";
import type { Look, Role } from "./theme.ts";
import type { FilterError } from "../queries/filter.ts";
import { countText } from "../queries/format.ts";
import type { Answer, Query } from "../queries/query.ts";
import { defineTable, hex, type Row, type Table } from "../queries/table.ts";
import { DEVICES, VCPUS, VMS } from "../queries/tables.ts";
import type { DeviceSample, MachineSample, VcpuSample, VmSample } from "../protocol/protocol.ts";

/** What filters of the tree see of its rows. */
const TREE = defineTable({
  name: "tree",
  version: 1,
  command: "vm ls",
  doc: "VMs, their vCPUs and devices",
  empty: "no VM yet: the resource manager is starting",
  columns: {
    id: { kind: "id", doc: "vm:NAME, vcpu:VM/INDEX or dev:VM/NAME" },
    vm: { kind: "id", doc: "its VM" },
    kind: { kind: "word", doc: "vm, vcpu or what device it is" },
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
  readonly vcpu: VcpuSample | undefined;
  readonly device: DeviceSample | undefined;
}

/** Loads that a sparkline shows. */
const LOADS = 4;
const WIDE = 100;
/**
 * The tree itself is drawn from pictures of the machine; what VMs have in common is asked for every
 * other second (ms).
 */
const LINKS_STAY_GOOD = 2000;

/** List of VMs and vCPUs. Its rows come with each sample. */
export class TreePane implements FilteredPane {
  readonly name = "tree";
  readonly staysGood = LINKS_STAY_GOOD;
  #rows: TreeRow[] = [];
  readonly #folded = new Set<string>();
  readonly #loads = new Map<string, number[]>();
  #selected = "";
  /** The row that a person has chosen, which a filter or a fold may hide. */
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

  title(): string {
    const below = this.#rows.length - this.#top - this.#height;
    const filter = this.filterText && `  /${this.filterText}  ${this.#passing} of ${this.#all}`;
    return `VMs${this.#devices ? " and devices" : ""}  by vmid${filter}${below > 0 ? `  ${below} below` : ""}`;
  }

  wants(): readonly Query[] {
    return this.#links.wants();
  }

  take(answer: Answer): void {
    this.#links.take(answer);
  }

  /** Takes a new sample; the selected id stays selected while it exists. */
  update(sample: MachineSample): void {
    this.#sample = sample;
    for (const vm of sample.vms) for (const vcpu of vm.vcpus) this.#noteLoad(`vcpu:${vm.name}/${vcpu.index}`, vcpu.load);
    this.#arrange();
  }

  /** Id of the selected row. */
  get selected(): string {
    return this.#selected;
  }

  /** Whether a person has chosen the selected row. */
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

  get selection(): { table: Table; row: Row } | undefined {
    const row = this.#rows.find(({ id }) => id === this.#selected);
    if (!row) return undefined;
    const { id, vm, vcpu, device } = row;
    if (device) return { table: DEVICES, row: { id, vm: `vm:${vm.name}`, kind: device.kind, metrics: { ...device.metrics } } };
    if (!vcpu) return { table: VMS, row: { id, state: vm.state.toLowerCase(), console: vm.console ? `con:${vm.name}/0` : null } };
    return { table: VCPUS, row: { id, state: vcpu.state.toLowerCase(), waits: vcpu.waitsFor, vcpu: id } };
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

  /**
   * How many lines about queues, doorbells and parcels there are below the rows, where there is
   * room for them.
   */
  linkLines(width: number): number {
    return this.#links.lines(width, Infinity, ASCII_GLYPHS).length;
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
    this.select(folded ? `vm:${vm.name}` : this.#selected);
    this.#arrange();
  }

  click(row: number): void {
    const hit = this.#rows[this.#top + row - 1];
    if (hit) this.select(hit.id);
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const below = Math.max(this.#rows.length, 1);
    const links = this.#links.lines(area.width, area.height - 1 - below, look.glyphs);
    this.#height = Math.max(area.height - 1 - links.length, 1);
    const wide = area.width >= WIDE;
    const heading = wide
      ? "  vm         id   state    schedule pcpu  cpu       instr waits for                  pc"
      : "  vm         id   state    pcpu  cpu  instr waits for";
    screen.text(area.x, area.y, fit(heading, area.width), look.style("dim"));
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    this.#top = Math.min(Math.max(this.#top, at - this.#height + 1), Math.max(at, 0), Math.max(this.#rows.length - this.#height, 0));
    this.#rows.slice(this.#top, this.#top + this.#height).forEach((row, index) => {
      const y = area.y + 1 + index, chosen = row.id === this.#selected;
      const role = rowRole(row);
      const text = this.#rowText(row, wide, look);
      if (chosen) screen.fill({ ...area, y, height: 1 }, look.selected("text"));
      const mark = role === "refused" ? "!" : chosen ? ">" : " ";
      screen.text(area.x, y, fit(`${mark} ${text}`, area.width), chosen ? look.selected(role) : look.style(role));
    });
    links.forEach((pieces, line) => drawPieces(screen, { ...area, y: area.y + 1 + below + line, height: 1 }, look, pieces));
    if (this.#rows.length) return;
    const empty = this.#all ? nothingPasses(this.filterText) : TREE.empty;
    screen.text(area.x + 2, area.y + 1, fit(empty, area.width - 2), look.style("dim"));
  }

  #noteLoad(id: string, load: number): void {
    const loads = this.#loads.get(id) ?? [];
    this.#loads.set(id, [...loads.slice(1 - LOADS), load]);
  }

  #arrange(): void {
    const all = (this.#sample?.vms ?? []).map((vm): [TreeRow, ...TreeRow[]] => [
      { id: `vm:${vm.name}`, vm, vcpu: undefined, device: undefined },
      ...vm.vcpus.map((vcpu) => ({ id: `vcpu:${vm.name}/${vcpu.index}`, vm, vcpu, device: undefined })),
      ...this.#devices ? vm.devices.map((device) => ({ id: device.id, vm, vcpu: undefined, device })) : [],
    ]);
    const passing = new Set(all.flat().filter((row) => this.#filter.passes(filteredRow(row))));
    this.#all = all.flat().length;
    this.#passing = passing.size;
    this.#rows = all.flatMap(([vm, ...inside]) => {
      const found = inside.filter((row) => passing.has(row));
      if (!passing.has(vm) && !found.length) return [];
      return [vm, ...this.#folded.has(vm.vm.name) ? [] : found];
    });
    const chosen = all.flat().find(({ id }) => id === this.#chosen);
    if (!chosen) this.#chosen = undefined;
    // What is hidden is chosen again when it comes back; until then its VM stands for it.
    const shown = chosen && (this.#rows.find(({ id }) => id === chosen.id) ?? this.#rows.find(({ vm }) => vm === chosen.vm));
    this.#selected = (shown ?? this.#rows.find(({ vm }) => vm.console !== undefined) ?? this.#rows[0])?.id ?? "";
  }

  #rowText({ id, vm, vcpu, device }: TreeRow, wide: boolean, look: Look): string {
    return device ? deviceText(device) : vcpu ? this.#vcpuText(id, vcpu, wide, look) : this.#vmText(vm, wide);
  }

  #vmText(vm: VmSample, wide: boolean): string {
    const instructions = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.instructions, 0);
    const load = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.load, 0);
    return [
      `${this.#folded.has(vm.name) ? "+" : "v"} ${fit(vm.name, 8)}`.padEnd(10),
      `0x${vm.vmid.toString(16)}`.padEnd(4),
      fit(vm.state, 8).padEnd(8),
      ...(wide ? [vm.schedule.padEnd(8)] : []),
      "    ",
      percent(load),
      ...(wide ? ["    "] : []),
      (instructions ? countText(instructions) : "-").padStart(6),
    ].join(" ");
  }

  #vcpuText(id: string, vcpu: VcpuSample, wide: boolean, look: Look): string {
    const waits = vcpu.waitsFor || "-";
    return [
      `   ${vcpu.index}`.padEnd(10),
      "    ",
      vcpu.state.padEnd(8),
      ...(wide ? ["        "] : []),
      (vcpu.pcpu === undefined ? "-" : `p${vcpu.pcpu}`).padEnd(4),
      percent(vcpu.load),
      ...(wide ? [sparkline(look.glyphs, this.#loads.get(id) ?? []).padStart(4)] : []),
      (vcpu.instructions ? countText(vcpu.instructions) : "-").padStart(6),
      wide ? fit(waits, 26).padEnd(26) : waits,
      ...(wide ? [vcpu.pc] : []),
    ].join(" ");
  }
}

/** A row as filters see it. */
function filteredRow({ id, vm, vcpu, device }: TreeRow): Row {
  const vcpus: readonly VcpuSample[] = device ? [] : vcpu ? [vcpu] : vm.vcpus;
  const sum = (of: (one: VcpuSample) => number) => device ? null : vcpus.reduce((total, one) => total + of(one), 0);
  const instructions = sum((one) => one.instructions);
  return {
    id,
    vm: `vm:${vm.name}`,
    kind: device?.kind ?? (vcpu ? "vcpu" : "vm"),
    vmid: hex(vm.vmid),
    state: device ? null : (vcpu ?? vm).state.toLowerCase(),
    schedule: vm.schedule,
    cpu: sum((one) => one.load),
    pcpu: vcpu?.pcpu ?? null,
    instructions: instructions === null ? null : String(instructions),
    waits: vcpu?.waitsFor || null,
    pc: vcpu?.pc || null,
  };
}

/** `blk0  virtio-block  reads 12  writes 3`: counters that are not 0. */
function deviceText({ id, kind, metrics }: DeviceSample): string {
  const counters = Object.entries(metrics).filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${countText(value)}`);
  return `   ${id.slice(id.indexOf("/") + 1).padEnd(8)} ${kind.padEnd(14)} ${counters.join("  ") || "-"}`;
}

function rowRole({ vm, vcpu, device }: TreeRow): Role {
  if (device) return "waiting";
  if (!vcpu) return /FAIL|CRASH/.test(vm.state) ? "refused" : "text";
  return vcpu.state === "RUN" || vcpu.state === "READY" ? "running" : vcpu.state === "FAULT" ? "refused" : "waiting";
}

/** A share as a percentage of three columns and the sign. */
function percent(share: number): string {
  return `${Math.round(Math.min(Math.max(share, 0), 1) * 100)}%`.padStart(4);
}
