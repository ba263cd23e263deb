// The library's face: a machine that a program steps through virtual time. `mod.ts` exports it; the command line uses the engine instead.

import { assemble } from "./assemble.ts";
import { checkBootPlan } from "./boot-plan.ts";
import { planText } from "./config-plan.ts";
import { PlanError, PRIMARY_CONSOLE, type SessionPlan } from "./plan.ts";
import type { System } from "./system.ts";

/** What a machine boots as its primary VM. */
export interface BootOptions {
  /** arm64 Linux Image (also gzip or EFI zboot) or ELF. */
  readonly image: Uint8Array;
  /** Initial ramdisk. */
  readonly initrd?: Uint8Array;
  /** Flattened devicetree, instead of the generated one. */
  readonly devicetree?: Uint8Array;
  /** Kernel command line. */
  readonly commandLine?: string;
  /** Physical CPUs, each with one vCPU: 1 to 8. One unless given. */
  readonly cpus?: number;
  /** Bytes of RAM, a multiple of 2 MiB. 512 MiB unless given. */
  readonly memory?: number;
  /** Seed of all randomness that guests see. */
  readonly seed?: number;
}

/** How far a machine came. */
export type Progress =
  /** The time asked for has passed. */
  | { readonly kind: "time" }
  /** Nothing can happen any more unless something is typed. */
  | { readonly kind: "waiting"; readonly for: readonly string[] }
  /** The guests ended it; `code` is the exit code of the command line. */
  | { readonly kind: "ended"; readonly code: number; readonly message: string };

const DEFAULT_MEMORY = 512 * 1024 * 1024;

/** A Gunyah machine: hypervisor, resource manager and guests. Equal options and input give equal runs. */
export class GunyahMachine {
  readonly #system: System;

  private constructor(plan: SessionPlan) {
    this.#system = assemble(plan);
  }

  /**
   * A machine whose primary VM is an image.
   * @throws PlanError that names what is wrong with the options.
   */
  static boot(options: BootOptions): GunyahMachine {
    const plan = {
      cpus: options.cpus ?? 1,
      memory: options.memory ?? DEFAULT_MEMORY,
      turbo: true,
      seed: options.seed ?? 1,
      duration: undefined,
      hashAt: [],
      what: {
        kind: "boot",
        image: options.image,
        initrd: options.initrd,
        dtb: options.devicetree,
        append: options.commandLine,
      },
    } as const;
    checkBootPlan(plan, plan.what, "image");
    return new GunyahMachine(plan);
  }

  /**
   * A machine with the native host and the VMs of a configuration (the text of an el2.toml).
   * @param folder what paths in it are relative to
   * @throws PlanError with every error of the configuration, a line each.
   */
  static async configured(toml: string, folder: string): Promise<GunyahMachine> {
    const result = await planText(toml, "el2.toml", folder);
    if (!result.ok) throw new PlanError(result.errors.join("\n"));
    const { cpus, memory, seed, host } = result.run;
    return new GunyahMachine({ cpus, memory, seed, turbo: true, duration: undefined, hashAt: [], what: { kind: "run", host } });
  }

  /** Virtual time in ns. */
  get time(): number {
    return this.#system.machine.time;
  }

  /** Instructions that all guests have retired. */
  get instructions(): number {
    return this.#system.instructions();
  }

  /** Runs until virtual time `until` (ns); idle time is skipped. */
  run(until: number): Progress {
    const { machine } = this.#system;
    for (;;) {
      const result = machine.run(until);
      const end = this.#system.ended();
      if (end) return { kind: "ended", ...end };
      if (result.kind === "time") return { kind: "time" };
      if (result.kind !== "idle") continue;
      if (result.next === Infinity) return { kind: "waiting", for: this.#system.describeWaits() };
      machine.skipTo(Math.min(result.next, until));
    }
  }

  /** Types into a console: the primary VM's, or that of the VM of this name. @throws RangeError where there is no such console. */
  type(text: string, console: string = PRIMARY_CONSOLE): void {
    if (!this.#system.input(console, new TextEncoder().encode(text))) throw new RangeError(`there is no console ${console}`);
  }

  /** What guests wrote since the last call: bytes by console, in order. */
  output(): { console: string; bytes: Uint8Array }[] {
    return this.#system.takeOutput();
  }
}
