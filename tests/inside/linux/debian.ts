// A Debian guest in this process: its console, and its memory at the same instant.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { paId } from "../../../src/model/queries/ids.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import type { DevicePlan } from "../../../src/machine/virtio/plan.ts";
import { NO_SELF_TESTS } from "../../guests/command-line.ts";
import { type Row, rowsIn } from "./rows.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";
import { rightQuery } from "../../session/inspection/system.ts";
import type { SystemState } from "../../../src/session/state/system-state.ts";
import { withPrograms } from "../../guests/programs.ts";
import { LONG } from "../../support/long.ts";

const MIB = 1 << 20, SLICE = 1e8;
/** Virtual time (ns) that a boot or a command may take. */
const PATIENCE = 300e9;
const READY = /EL2-READY[^]*# /;
/** A shell that neither edits nor echoes lines. */
const PLAIN_SHELL = `stty -echo; exec sh -c 'while read -r line; do eval "$line"; done'; true`;

/** Releases that are compared: all of them with EL2_LONG. */
export const RELEASES = LONG ? ["bookworm", "trixie", "sid"] as const : ["bookworm"] as const;

interface Options {
  readonly cpus?: number;
  /** A file of the catalog, or its bytes; null for none. */
  readonly initrd?: string | Uint8Array | null;
  readonly append?: string;
  readonly dtb?: Uint8Array;
  /** Changes the kernel's image. */
  readonly image?: (image: Uint8Array) => Uint8Array;
  readonly devices?: readonly DevicePlan[];
  /** Bytes. */
  readonly memory?: number;
  /** A CPU by its text; the default one otherwise. */
  readonly cpu?: string;
}

/** Programs of tests that a Debian with a shell has. */
const PROGRAMS = ["known-calls", "held-folder", "pi-futex"] as const;

/** A Debian at its shell: what it has shown, and its state. */
interface Booted {
  readonly plan: SessionPlan;
  readonly shown: string;
  readonly state: SystemState;
}

/** Those that have booted in this process, by release and CPUs. */
const BOOTED = new Map<string, Promise<Booted>>();

export class Debian {
  #shown = "";

  private constructor(readonly plan: SessionPlan, readonly system: GuestSystem) {}

  static async start(release: string, options: Options = {}): Promise<Debian> {
    const { initrd = "initrd" } = options, { folder } = await catalogEntry(`debian-${release}`);
    const given = await Deno.readFile(`${folder}/Image`), image = options.image?.(given) ?? given;
    return Debian.of(image, { ...options, initrd: typeof initrd === "string" ? await Deno.readFile(`${folder}/${initrd}`) : initrd });
  }

  /** One of any kernel. */
  static of(image: Uint8Array, options: Options & { readonly initrd: Uint8Array | null }): Debian {
    const { cpus = 1, initrd, append: more = "console=ttyAMA0", dtb, devices, memory = 256 * MIB, cpu } = options;
    const append = `${NO_SELF_TESTS} ${more}`;
    const what = { kind: "boot", image, initrd: initrd ?? undefined, dtb, append, devices } as const;
    const plan: SessionPlan = { cpus, memory, turbo: true, seed: 1, what, cpu: cpu === undefined ? undefined : planCpu(cpu) };
    return new Debian(plan, assemble(plan));
  }

  /** One that has a shell. It boots once: the next one continues from its state. */
  static async booted(release: string, cpus = 1): Promise<Debian> {
    const kind = `${release} ${cpus}`;
    let booted = BOOTED.get(kind);
    if (!booted) BOOTED.set(kind, booted = Debian.#boot(release, cpus));
    const { plan, shown, state } = await booted, debian = new Debian(plan, assembleEmpty(plan));
    debian.system.load(state, false);
    debian.#shown = shown;
    return debian;
  }

  static async #boot(release: string, cpus: number): Promise<Booted> {
    const { folder } = await catalogEntry(`debian-${release}`);
    const initrd = await withPrograms(await Deno.readFile(`${folder}/initrd`), ...PROGRAMS);
    const { plan, shown, system } = (await Debian.start(release, { cpus, initrd })).withShell();
    return { plan, shown, state: system.save() };
  }

  /** It boots until it has a shell. */
  withShell(): Debian {
    this.until(READY);
    this.type(`${PLAIN_SHELL}\n`);
    this.run(SLICE);
    return this;
  }

  /** The same machine, from its state. */
  copy(): Debian {
    const copy = new Debian(this.plan, assembleEmpty(this.plan));
    copy.system.load(this.system.save(), false);
    return copy;
  }

  /** All that its console has shown. */
  get shown(): string {
    for (const { bytes } of this.system.consoles.drain()) this.#shown += new TextDecoder("latin1").decode(bytes);
    return this.#shown;
  }

  /** Runs for this long, in virtual ns. False if the machine has stopped. */
  run(ns: number): boolean {
    return this.runTo(this.system.machine.time + ns);
  }

  /** Runs to this virtual time (ns). False if the machine has stopped. */
  runTo(time: number): boolean {
    const { machine } = this.system;
    while (machine.boundary < time) {
      const result = machine.run(time, 1000);
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, time));
      else if (result.kind === "stopped") return false;
    }
    return true;
  }

  /** Runs until the console has shown something. */
  until(pattern: RegExp, from = 0): void {
    const { machine } = this.system, last = machine.time + PATIENCE;
    while (!pattern.test(this.shown.slice(from))) {
      if (!this.run(SLICE) || machine.time > last) throw new Error(`the console has not shown ${pattern}: ${this.shown.slice(-2000)}`);
    }
  }

  /** The output of a command in the shell. The machine is paused when the shell waits again. */
  command(text: string): string {
    const from = this.shown.length;
    this.type(`${text}; echo EL2-"DONE"\n`);
    this.until(/^EL2-DONE\r?\n/m, from);
    this.run(SLICE);
    const shown = this.shown.slice(from).replaceAll("\r", "");
    return shown.slice(0, shown.indexOf("EL2-DONE\n"));
  }

  /** Loads the modules of the ramdisk `initrd-virtio`. */
  loadModules(): void {
    this.command("while read module; do insmod /lib/modules/$module; done < /lib/modules/order");
  }

  type(text: string): void {
    this.system.consoles.type("host", new TextEncoder().encode(text));
  }

  /** The address of a function of the kernel. */
  symbol(name: string): bigint {
    return this.system.symbols.all("host")[0].find(name)?.address ?? assert.fail(name);
  }

  /** The physical address of a virtual one of the kernel. */
  placeOf(address: bigint): number {
    const { symbols } = this.system, translation = symbols.core.questions.inspect(symbols.vcpus("host")[0].registers, address);
    assert.ok(translation.ok);
    return translation.pa;
  }

  /** Writes to memory of the kernel. */
  write(address: bigint, bytes: Uint8Array): void {
    assert.equal(this.system.inspector.act({ kind: "mem.write", at: paId(this.placeOf(address)), bytes }), undefined);
  }

  ask(table: TableName, args: AnyArguments = {}): Answer {
    const { args: taken }: Table = TABLES[table], ofVm = taken?.vm ? { vm: "vm:host" } : {};
    return this.system.inspector.answer(rightQuery(table, { ...ofVm, ...args }));
  }

  /** The rows of a table, of which nothing may be missing. */
  rows<N extends TableName>(table: N, args: AnyArguments = {}): readonly Row<N>[] {
    return rowsIn(table, this.ask(table, args));
  }
}
