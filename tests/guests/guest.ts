// Linux guests in the test's own thread: what they do until a console shows something, in virtual
// time, the same in every run.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { archiveFile, archiveFolder } from "../../src/app/catalog/busybox-archive.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { fetchBusybox, fetchKernel, initramfs, ORDINARY_KERNEL, withDebianArchive } from "../../src/app/catalog/debian.ts";
import type { DebianRelease } from "../../src/app/catalog/catalog.ts";
import type { MirrorArchive } from "../../src/app/catalog/mirror-archive.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { type CpioEntry, withEntries } from "../../src/kit/formats/cpio.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { DEFAULT_CPU, planCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { VIRTIO_MODULES } from "../../src/app/catalog/kernel-modules.ts";
import { type Behaviour, type BootPlan, type DevicePlan, PRIMARY_CONSOLE, type Tier } from "../../src/model/plans/plan.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { PROMPT } from "../support/console.ts";
import { assertPlanned } from "../support/planned.ts";

/** Turns of the CPUs between two checks of the consoles. */
const TURNS = 200;
/** Text that a failure shows. */
const SHOWN = 2000;

/** A system that runs while a test waits for its consoles. */
export class Guests {
  readonly #consoles = new Map<string, GuestConsole>();

  constructor(readonly system: GuestSystem) {}

  /** The VMs of a configuration; paths in it are relative to `folder`. */
  static async configured(text: string, folder = "."): Promise<Guests> {
    const result = await planText(text, undefined, folder);
    assertPlanned(result);
    return new Guests(assemble({ ...result.run, turbo: true }));
  }

  /** A console by name. */
  console(name: string): GuestConsole {
    return this.#consoles.get(name) ?? new GuestConsole(this, name);
  }

  /** It shows what is written to it from now on. */
  add(console: GuestConsole): void {
    this.#consoles.set(console.name, console);
  }

  /**
   * Runs until `done`.
   * @param limit virtual time (ns)
   * @returns what ended it before: the machine's own end, or that the time is over; undefined when
   * it is done
   */
  async run(limit: number, done: () => boolean): Promise<string | undefined> {
    const { machine } = this.system;
    while (!done()) {
      const ended = this.system.ended();
      if (ended) return ended.message;
      if (machine.time >= limit) return "nothing of that in its time";
      const result = machine.run(limit, TURNS);
      // Answers from outside enter between two runs; a guest that waits for one has no time to
      // pass.
      const { busy } = this.system.outside;
      await Promise.resolve();
      if (result.kind === "idle" && !busy) machine.skipTo(Math.min(result.next, limit));
      for (const { console, bytes } of this.system.consoles.drain()) this.console(console).show(bytes);
    }
    return undefined;
  }

  /**
   * Runs to the machine's own end, and gives what it says. @param seconds virtual time that it may
   * take
   */
  async end(seconds: number): Promise<string | undefined> {
    return await this.run(this.system.machine.time + seconds * 1e9, () => false);
  }

  /** Counters of a device. */
  metrics(id: string): Readonly<Record<string, number>> {
    const slot = this.system.virtio.find((one) => one.id === id);
    if (!slot) throw new Error(`no ${id}`);
    return slot.device.metrics();
  }
}

/** A console of one of them. */
export class GuestConsole {
  readonly #decoder = new TextDecoder();
  #text = "";
  #seen = 0;

  constructor(readonly guests: Guests, readonly name: string) {
    guests.add(this);
  }

  /** Everything that it has shown, without carriage returns. */
  get text(): string {
    return this.#text;
  }

  /** The guest has written. */
  show(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true }).replaceAll("\r", "");
  }

  /**
   * Runs until what follows the previous match matches `pattern`; gives the match.
   * @param seconds virtual time that it may take
   */
  async expect(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    const limit = this.guests.system.machine.time + seconds * 1e9;
    const why = await this.guests.run(limit, () => (match = pattern.exec(this.#text.slice(this.#seen))) !== null);
    if (!match) throw new Error(`expected ${pattern}: ${why}. The console ${this.name} ends with:\n${this.#text.slice(-SHOWN)}`);
    const found = match as RegExpExecArray;
    this.#seen += found.index + found[0].length;
    return found;
  }

  /** Types a line. */
  type(line: string): void {
    assert.ok(this.guests.system.consoles.type(this.name, new TextEncoder().encode(`${line}\n`)), `no console ${this.name}`);
  }

  /** Types a command of a shell that waits, and expects what it prints, then the prompt. */
  async command(line: string, pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    this.type(line);
    const match = await this.expect(pattern, seconds);
    await this.expect(PROMPT, seconds);
    return match;
  }
}

/** A primary VM with virtio devices, booted from a kernel and a ramdisk. */
export class Guest extends GuestConsole {
  readonly system: GuestSystem;

  constructor(
    image: Uint8Array,
    initrd: Uint8Array,
    devices: readonly DevicePlan[],
    memory = 256 << 20,
    { msi, cpus = 1, cpu = DEFAULT_CPU, tier, counts, append: more = "", ...platform }:
      & Partial<Pick<BootPlan, "bus" | "uart" | "platformDevices" | "append">>
      & Partial<Pick<Behaviour, "msi">>
      & { readonly cpus?: number; readonly cpu?: string; readonly tier?: Tier; readonly counts?: boolean } = {},
  ) {
    const append = `console=${platform.uart === "16550a" ? "ttyS0" : "ttyAMA0"} quiet ${NO_SELF_TESTS} ${more}`.trim();
    const what = { kind: "boot", image, initrd, dtb: undefined, append, devices, ...platform } as const;
    const behaviour = msi && { msi, check: true };
    const system = assemble({ cpus, memory, turbo: true, seed: 1, cpu: planCpu(cpu), tier, behaviour, what }, undefined, counts);
    super(new Guests(system), PRIMARY_CONSOLE);
    this.system = system;
  }
}

/** A guest around Debian's ordinary kernel. */
export interface OrdinaryGuest {
  readonly image: Uint8Array;
  readonly initrd: Uint8Array;
  /** The ramdisk without the programs. */
  readonly plain: Uint8Array;
  /** `uname -r`. */
  readonly version: string;
}

/**
 * A release's ordinary kernel, which has drivers that the cloud one lacks, and the ramdisk of the
 * catalog with its modules. Everything is fetched.
 * @param packages Debian packages of programs in the ramdisk, which get what they depend on
 * @param kernel the package of another kernel
 * @param more names of modules besides those for virtio
 * @param also paths of the packages besides programs and libraries
 */
export async function ordinaryGuest(
  release: DebianRelease = "bookworm",
  packages: readonly string[] = [],
  kernel = ORDINARY_KERNEL,
  more: readonly string[] = [],
  also?: RegExp,
): Promise<OrdinaryGuest> {
  return await withDebianArchive({ release }, async (apt, work) => {
    const { image, modules, version } = await fetchKernel(apt, kernel, [...VIRTIO_MODULES, ...more], work);
    const { binary } = await fetchBusybox(apt, work);
    const plain = initramfs(binary, modules);
    const initrd = packages.length === 0 ? plain : withEntries(plain, await programs(apt, packages, work, also));
    return { image, initrd, plain, version };
  });
}

/** Files of packages that programs need when they run. */
const NEEDED = /^(usr\/)?(s?bin|lib\/aarch64-linux-gnu|share\/misc)\/[^/]+$|^(usr\/)?lib\/ld-linux-/;

async function programs(apt: MirrorArchive, packages: readonly string[], work: string, also?: RegExp): Promise<CpioEntry[]> {
  const root = `${work}/programs`, names = await apt.closure(packages);
  const entries = new Map<string, CpioEntry>();
  const folder = (path: string) => entries.set(path, archiveFolder(path));
  for (const deb of await apt.download(names, `${work}/debs`)) {
    for (const { path } of await new Deb(deb).unpack(root)) {
      const inside = path.replace(/^\//, "");
      if (!NEEDED.test(inside) && !also?.test(inside)) continue;
      const status = await Deno.lstat(`${root}/${inside}`);
      inside.split("/").slice(0, -1).forEach((_, index, parts) => folder(parts.slice(0, index + 1).join("/")));
      if (status.isSymlink) entries.set(inside, { path: inside, kind: "link", target: await Deno.readLink(`${root}/${inside}`) });
      else if (status.isFile) entries.set(inside, archiveFile(inside, await Deno.readFile(`${root}/${inside}`), status.mode! & 0o777));
    }
  }
  const loader = [...entries.keys()].find((path) => path.includes("lib/ld-linux-"));
  if (loader === undefined) throw new Error(`no dynamic loader in ${names.join(", ")}`);
  // Programs name it in /lib, which the ramdisk does not have as a link into /usr.
  const link = loader.replace(/^usr\//, "");
  return [...entries.values(), ...link === loader ? [] : [{ path: link, kind: "link", target: `/${loader}` } as const]];
}
