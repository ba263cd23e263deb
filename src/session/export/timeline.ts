// Events as rows of a timeline: per physical CPU the running vCPU; per VM its vCPUs with their run
// time, calls and other activity, the world switches of a hypervisor at their EL2, its interrupts,
// and the threads of its Linux with their system calls and run time. Slices of one track nest:
// overlapping calls get another track.

import { afterVm, vmIn, vmOfName, withoutKind } from "../../model/queries/ids.ts";
import type { EventRow } from "../../model/queries/event-row.ts";
import { SWITCHES } from "../inspection/trace/event-log.ts";

export interface Track {
  readonly uuid: number;
  readonly name: string;
  readonly parent: number | undefined;
  /** Of a VM. */
  readonly pid: number | undefined;
}

/** A slice, or without duration an instant. */
export interface Item {
  readonly track: number;
  readonly name: string;
  readonly category: string;
  /** ns. */
  readonly start: number;
  readonly end: number;
  readonly instant: boolean;
  readonly fields: readonly (readonly [name: string, text: string])[];
}

/** Kinds that are operations: they have a beginning and an end. */
const OPERATIONS: ReadonlySet<string> = new Set(["hvc", "rpc", "ioctl", "psci", "sched"]);

/** Makes tracks and items of events. */
export class Timeline {
  readonly tracks: Track[] = [];
  readonly items: Item[] = [];
  readonly #byKey = new Map<string, number>();
  /** When the open slices of a track end (ns), by lane. */
  readonly #lanes = new Map<string, number[][]>();
  /** The vCPU that runs on each physical CPU, and since when. */
  readonly #running = new Map<string, { vcpu: string; since: number }>();
  /** The thread of Linux that runs on each vCPU, and since when. */
  readonly #tasks = new Map<string, { thread: Thread; since: number }>();

  /** The guest of a vCPU's EL2 that runs on it, or the exit that EL2 handles, and since when. */
  readonly #worlds = new Map<string, { readonly name: string; readonly since: number }>();

  /** @param vmids known VMIDs of the VMs by name: they become process ids */
  constructor(readonly vmids: ReadonlyMap<string, number>, rows: readonly EventRow[]) {
    const ordered = rows.map((row) => ({ row, start: Number(row.t), end: Number(row.end) }));
    ordered.sort((a, b) => a.start - b.start || b.end - a.end);
    let last = 0;
    for (const { row, start, end } of ordered) {
      last = Math.max(last, end);
      this.#add(row, start, end);
    }
    for (const pcpu of this.#running.keys()) this.#leave(pcpu, last);
    for (const vcpu of this.#tasks.keys()) this.#stop(vcpu, last);
    for (const vcpu of this.#worlds.keys()) this.#leaveWorld(vcpu, last);
  }

  #add(row: EventRow, start: number, end: number): void {
    if (row.kind === "sched" && row.pcpu !== null && SWITCHES.has(row.name)) return this.#switch(row, row.pcpu, start);
    const vcpu = withoutKind("vcpu", row.vcpu ?? "");
    const fields: (readonly [string, string])[] = [["event", row.id], ["text", row.text]];
    if (row.why !== null) fields.push(["reason", row.why]);
    const item = { name: row.name, category: row.kind, start, end, fields };
    if (row.task !== null) return this.#addTask(row, item, vcpu);
    if (row.kind === "trap" && typeof row.fields.guest === "number") this.#switchWorld(row, row.fields.guest, vcpu, start);
    if (OPERATIONS.has(row.kind) && row.res !== null) {
      const name = row.refused ? `${row.name} -> ${row.res}` : row.name;
      this.items.push({ ...item, name, instant: false, track: this.#lane(vcpu, start, end) });
    } else {
      const track = row.kind === "virq" ? this.#irqTrack(row, vcpu) : this.#vcpuTrack(vcpu, "events");
      this.items.push({ ...item, instant: true, track });
    }
  }

  /** Something that a thread of Linux does. */
  #addTask(row: EventRow, item: Omit<Item, "track" | "instant">, vcpu: string): void {
    const vm = vmOfName(vcpu), thread = threadOf(vm, row.fields, "");
    if (row.kind === "task" && row.name === "switch") {
      this.#stop(vcpu, item.start);
      this.#tasks.set(vcpu, { thread: threadOf(vm, row.fields, "next_"), since: item.start });
      return;
    }
    const failed = row.kind === "syscall" && row.res !== null && /^E[A-Z]/.test(row.res);
    const name = failed ? `${row.name} -> ${row.res}` : row.name;
    this.items.push({ ...item, name, instant: item.start === item.end, track: this.#threadTrack(thread, "") });
  }

  /** The thread that runs on a vCPU stops. */
  #stop(vcpu: string, time: number): void {
    const running = this.#tasks.get(vcpu);
    if (!running) return;
    this.#tasks.delete(vcpu);
    const { thread, since } = running;
    if (thread.pid === 0) return;
    const name = `runs on vCPU ${afterVm(vcpu).slice(1)}`, track = this.#threadTrack(thread, " runs");
    this.items.push({ name, category: "task", start: since, end: time, instant: false, track, fields: [] });
  }

  /** A track of a thread, below its process. The first name of either stays. */
  #threadTrack({ vm, pid, tgid, comm }: Thread, what: string): number {
    const process = this.#track("process", String(tgid), this.#vmTrack(vm), vm, undefined, `${comm} ${tgid}`);
    return this.#track("thread", `${pid}${what}`, process, vm, undefined, `${comm} ${pid}${what}`);
  }

  /**
   * EL2 of a vCPU enters a guest, or a guest leaves to it. A protecting hypervisor has its host as
   * VMID 0.
   */
  #switchWorld({ name, fields: { guest_vcpu: own } }: EventRow, guest: number, vcpu: string, time: number): void {
    this.#leaveWorld(vcpu, time);
    const world = name !== "ERET" ? `EL2: ${name}` : guest === 0 ? "host (VMID 0)" : `VMID ${guest} vCPU ${own}`;
    this.#worlds.set(vcpu, { name: world, since: time });
  }

  #leaveWorld(vcpu: string, time: number): void {
    const world = this.#worlds.get(vcpu);
    if (!world) return;
    this.#worlds.delete(vcpu);
    const { name, since } = world, track = this.#vcpuTrack(vcpu, "worlds");
    this.items.push({ name, category: "trap", start: since, end: time, instant: false, track, fields: [] });
  }

  /** Another vCPU runs on a physical CPU. */
  #switch(row: EventRow, pcpu: string, time: number): void {
    this.#leave(pcpu, time);
    const to = typeof row.fields.to === "string" ? withoutKind("vcpu", row.fields.to) : undefined;
    if (to !== undefined) this.#running.set(pcpu, { vcpu: to, since: time });
  }

  #leave(pcpu: string, time: number): void {
    const running = this.#running.get(pcpu);
    if (!running) return;
    this.#running.delete(pcpu);
    const { vcpu, since } = running;
    const slice = { category: "sched", start: since, end: time, instant: false };
    this.items.push({ ...slice, track: this.#track("cpus", pcpu, this.#track("", "physical CPUs")), name: vcpu, fields: [] });
    this.items.push({ ...slice, track: this.#vcpuTrack(vcpu, ""), name: `runs on ${pcpu}`, fields: [] });
  }

  /** The first lane of a vCPU's calls into which a slice fits: after or inside the slices there. */
  #lane(vcpu: string, start: number, end: number): number {
    let lanes = this.#lanes.get(vcpu);
    if (!lanes) this.#lanes.set(vcpu, lanes = []);
    for (let lane = 0;; lane++) {
      const open = lanes[lane] ??= [];
      let inner = open.at(-1);
      for (; inner !== undefined && inner <= start; inner = open.at(-1)) open.pop();
      if (inner !== undefined && inner < end) continue;
      open.push(end);
      return this.#vcpuTrack(vcpu, lane === 0 ? "calls" : `calls ${lane + 1}`);
    }
  }

  #irqTrack(row: EventRow, vcpu: string): number {
    const irq = typeof row.fields.irq === "string" ? row.fields.irq : "";
    const vm = vmIn(irq) ?? vmOfName(vcpu);
    return this.#track("irq", "interrupts", this.#vmTrack(vm), vm);
  }

  #vcpuTrack(vcpu: string, what: string): number {
    if (vcpu === "") return this.#track("", "machine");
    const vm = vmOfName(vcpu), index = afterVm(vcpu).slice(1) || "?";
    return this.#track("vcpu", `vCPU ${index}${what && ` ${what}`}`, this.#vmTrack(vm), vm);
  }

  #vmTrack(vm: string): number {
    return this.#track("vm", vm, undefined, "", this.vmids.get(vm) ?? UNKNOWN_PID + this.tracks.length);
  }

  /** @param shown its name for display */
  #track(kind: string, name: string, parent?: number, of = "", pid?: number, shown = name): number {
    const key = `${kind} ${of} ${name}`;
    let uuid = this.#byKey.get(key);
    if (uuid === undefined) {
      this.#byKey.set(key, uuid = this.tracks.length + 1);
      this.tracks.push({ uuid, name: shown, parent, pid });
    }
    return uuid;
  }
}

/** A thread of a Linux. */
interface Thread {
  readonly vm: string;
  readonly pid: number;
  /** Of its process. */
  readonly tgid: number;
  readonly comm: string;
}

/** The thread of an event's fields whose names begin so. */
function threadOf(vm: string, fields: EventRow["fields"], prefix: "" | "next_"): Thread {
  const pid = Number(prefix === "" ? fields.pid : fields.next);
  return { vm, pid, tgid: Number(fields[`${prefix}tgid`]), comm: String(fields[`${prefix}comm`]) };
}

/** VMs that are gone have numbers that no VMID has. */
const UNKNOWN_PID = 0x1_0000;
