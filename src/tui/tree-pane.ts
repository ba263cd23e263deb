// The VM tree: a row a VM, a row a vCPU below it, with state, load and what it waits for, and where people want it a row a virtio device with
// its counters. Selection goes by identity, not by row.

import { fit, type Rectangle, type Screen } from "./cells.ts";
import { count, percent } from "./format.ts";
import { sparkline } from "./glyphs.ts";
import type { Pane } from "./pane.ts";
import type { Look, Role } from "./theme.ts";
import type { Row, Table } from "../workstation/inspect/table.ts";
import { DEVICES, VCPUS, VMS } from "../workstation/inspect/tables.ts";
import type { DeviceSample, MachineSample, VcpuSample, VmSample } from "../workstation/protocol.ts";

interface TreeRow {
  readonly id: string;
  readonly vm: VmSample;
  readonly vcpu: VcpuSample | undefined;
  readonly device: DeviceSample | undefined;
}

/** Loads that a sparkline shows. */
const LOADS = 4;
const WIDE = 100;

/** List of VMs and vCPUs. Its rows come with each sample. */
export class TreePane implements Pane {
  readonly name = "tree";
  #rows: TreeRow[] = [];
  readonly #folded = new Set<string>();
  readonly #loads = new Map<string, number[]>();
  #selected = "";
  /** Whether a person has chosen the selected row. */
  #chosen = false;
  #devices = false;
  #top = 0;
  #height = 1;
  #sample: MachineSample | undefined;

  title(): string {
    const below = this.#rows.length - this.#top - this.#height;
    return `VMs${this.#devices ? " and devices" : ""}  by vmid${below > 0 ? `  ${below} below` : ""}`;
  }

  wants(): undefined {
    return undefined;
  }

  take(): void {}

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
    return this.#chosen;
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

  /** Selects a row by id. */
  select(id: string): void {
    this.#chosen = true;
    this.#selected = id;
  }

  move(by: number): void {
    this.#chosen = true;
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    this.#selected = this.#rows[Math.min(Math.max(at + by, 0), this.#rows.length - 1)]?.id ?? "";
  }

  get page(): number {
    return this.#height;
  }

  fold(folded: boolean): void {
    const vm = this.selectedVm;
    if (!vm) return;
    this.#chosen = true;
    if (folded) this.#folded.add(vm.name);
    else this.#folded.delete(vm.name);
    if (folded) this.#selected = `vm:${vm.name}`;
    this.#arrange();
  }

  click(row: number): void {
    const hit = this.#rows[this.#top + row - 1];
    if (hit) this.select(hit.id);
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    this.#height = Math.max(area.height - 1, 1);
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
    if (!this.#rows.length) screen.text(area.x + 2, area.y + 1, "no VM yet: the resource manager is starting", look.style("dim"));
  }

  #noteLoad(id: string, load: number): void {
    const loads = this.#loads.get(id) ?? [];
    this.#loads.set(id, [...loads.slice(1 - LOADS), load]);
  }

  #arrange(): void {
    this.#rows = (this.#sample?.vms ?? []).flatMap((vm) => [
      { id: `vm:${vm.name}`, vm, vcpu: undefined, device: undefined },
      ...this.#folded.has(vm.name) ? [] : [
        ...vm.vcpus.map((vcpu) => ({ id: `vcpu:${vm.name}/${vcpu.index}`, vm, vcpu, device: undefined })),
        ...this.#devices ? vm.devices.map((device) => ({ id: device.id, vm, vcpu: undefined, device })) : [],
      ],
    ]);
    if (this.#chosen && this.#rows.some((row) => row.id === this.#selected)) return;
    this.#chosen = false;
    this.#selected = (this.#rows.find((row) => row.vm.console !== undefined) ?? this.#rows[0])?.id ?? "";
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
      (instructions ? count(instructions) : "-").padStart(6),
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
      (vcpu.instructions ? count(vcpu.instructions) : "-").padStart(6),
      wide ? fit(waits, 26).padEnd(26) : waits,
      ...(wide ? [vcpu.pc] : []),
    ].join(" ");
  }
}

/** `blk0  virtio-block  reads 12  writes 3`: counters that are not 0. */
function deviceText({ id, kind, metrics }: DeviceSample): string {
  const counters = Object.entries(metrics).filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${count(value)}`);
  return `   ${id.slice(id.indexOf("/") + 1).padEnd(8)} ${kind.padEnd(14)} ${counters.join("  ") || "-"}`;
}

function rowRole({ vm, vcpu, device }: TreeRow): Role {
  if (device) return "waiting";
  if (!vcpu) return /FAIL|CRASH/.test(vm.state) ? "refused" : "text";
  return vcpu.state === "RUN" || vcpu.state === "READY" ? "running" : vcpu.state === "FAULT" ? "refused" : "waiting";
}
