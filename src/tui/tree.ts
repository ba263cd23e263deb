// The VM tree: a row a VM, a row a vCPU below it, with state, instructions and what it waits for. Selection goes by identity, not by row.

import { fit, type Rectangle, type Screen } from "./cells.ts";
import { count, percent } from "./format.ts";
import { style } from "./theme.ts";
import type { MachineSample, VcpuSample, VmSample } from "../workstation/protocol.ts";

interface Row {
  readonly id: string;
  readonly vm: VmSample;
  readonly vcpu: VcpuSample | undefined;
}

/** List of VMs and vCPUs. */
export class TreeView {
  #rows: Row[] = [];
  #folded = new Set<string>();
  #selected = "";
  /** Whether a person has chosen the selected row. */
  #chosen = false;
  #top = 0;
  #height = 1;

  /** Takes a new sample; the selected id stays selected while it exists. */
  update(sample: MachineSample): void {
    this.#rows = sample.vms.flatMap((vm) => [
      { id: `vm:${vm.name}`, vm, vcpu: undefined },
      ...(this.#folded.has(vm.name) ? [] : vm.vcpus.map((vcpu) => ({ id: `vcpu:${vm.name}/${vcpu.index}`, vm, vcpu }))),
    ]);
    if (this.#chosen && this.#rows.some((row) => row.id === this.#selected)) return;
    this.#chosen = false;
    this.#selected = (this.#rows.find((row) => row.vm.console !== undefined) ?? this.#rows[0])?.id ?? "";
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

  /** Moves the selection by rows; Infinity is the end. */
  move(by: number): void {
    this.#chosen = true;
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    const to = Math.min(Math.max(at + by, 0), this.#rows.length - 1);
    this.#selected = this.#rows[to]?.id ?? "";
  }

  /** Rows of a page. */
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
  }

  /** Selects the row drawn at a row of the list. */
  click(row: number): void {
    const hit = this.#rows[this.#top + row - 1];
    if (!hit) return;
    this.#chosen = true;
    this.#selected = hit.id;
  }

  draw(screen: Screen, area: Rectangle): void {
    this.#height = Math.max(area.height - 1, 1);
    const wide = area.width >= 100;
    const heading = wide
      ? "  vm           id    state    schedule pcpu  cpu  instr  waits for                pc"
      : "  vm           id    state    pcpu  cpu  instr  waits for";
    screen.text(area.x, area.y, fit(heading, area.width), style("dim"));
    const at = this.#rows.findIndex((row) => row.id === this.#selected);
    this.#top = Math.min(Math.max(this.#top, at - this.#height + 1), Math.max(at, 0), Math.max(this.#rows.length - this.#height, 0));
    const shown = this.#rows.slice(this.#top, this.#top + this.#height);
    shown.forEach((row, i) => {
      const y = area.y + 1 + i, chosen = row.id === this.#selected;
      const text = row.vcpu ? vcpuText(row.vcpu, wide) : vmText(row.vm, wide, this.#folded.has(row.vm.name));
      screen.text(area.x, y, fit(`${chosen ? ">" : " "} ${text}`, area.width), rowStyle(row));
    });
    const below = this.#rows.length - this.#top - shown.length;
    if (below > 0) screen.text(area.x + area.width - 12, area.y, fit(` ${below} below`.padStart(12), 12), style("dim"));
    if (!this.#rows.length) screen.text(area.x + 2, area.y + 1, "no VM yet: the resource manager is starting", style("dim"));
  }
}

function rowStyle(row: Row) {
  if (!row.vcpu) return style(/FAIL|CRASH/.test(row.vm.state) ? "refused" : "text");
  return style(row.vcpu.state === "RUN" || row.vcpu.state === "READY" ? "running" : row.vcpu.state === "FAULT" ? "refused" : "waiting");
}

function vmText(vm: VmSample, wide: boolean, folded: boolean): string {
  const instructions = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.instructions, 0);
  const load = vm.vcpus.reduce((sum, vcpu) => sum + vcpu.load, 0);
  return [
    `${folded ? "+" : "v"} ${fit(vm.name, 10)}`.padEnd(12),
    `0x${vm.vmid.toString(16)}`.padEnd(5),
    fit(vm.state, 8).padEnd(8),
    ...(wide ? [vm.schedule.padEnd(8)] : []),
    "    ",
    percent(load),
    (instructions ? count(instructions) : "-").padStart(6),
  ].join(" ");
}

function vcpuText(vcpu: VcpuSample, wide: boolean): string {
  const waits = vcpu.waitsFor || "-";
  return [
    `   ${vcpu.index}`.padEnd(12),
    "     ",
    vcpu.state.padEnd(8),
    ...(wide ? ["        "] : []),
    (vcpu.pcpu === undefined ? "-" : `p${vcpu.pcpu}`).padEnd(4),
    percent(vcpu.load),
    (vcpu.instructions ? count(vcpu.instructions) : "-").padStart(6),
    wide ? ` ${fit(waits, 24).padEnd(24)}` : ` ${waits}`,
    ...(wide ? [vcpu.pc] : []),
  ].join(" ");
}
