// The primary machine of mod.ts: hypervisor and Resource Manager in the caller's own thread, turbo,
// one VM's console as text.

import { assemble } from "../../session/assembly/assemble.ts";
import { checkBootPlan } from "../../session/assembly/layout/boot-plan.ts";
import { type DevicePlan, PRIMARY_CONSOLE, type SessionPlan } from "../../model/plans/plan.ts";
import type { RunningSystem, System } from "../../session/assembly/system/system.ts";
import { GiB } from "../../kit/support/values/sizes.ts";

/**
 * Options of a `PrimaryMachine`.
 *
 * ```ts
 * import { PrimaryMachine, type PrimaryMachineOptions } from "@el2/el2";
 *
 * const options: PrimaryMachineOptions = {
 *   image: await Deno.readFile("assets/guests/hello.bin"),
 *   append: "ticks=1",
 *   memory: 64 << 20,
 *   cpus: 2,
 *   devices: [{ kind: "rng" }],
 * };
 * console.log(new PrimaryMachine(options).run(1e9));
 * ```
 */
export interface PrimaryMachineOptions {
  /** arm64 Linux Image (also in gzip or EFI zboot), or ELF executable. */
  image: Uint8Array;
  /** Initial ramdisk. */
  initrd?: Uint8Array;
  /** Devicetree to use instead of the generated one. */
  dtb?: Uint8Array;
  /** Kernel command line. */
  append?: string;
  /** RAM in bytes, a multiple of 2 MiB. Default 1 GiB. */
  memory?: number;
  /** Physical CPUs, each with one vCPU, 1 to 8. Default 1. */
  cpus?: number;
  /** Seed of all randomness that the guest sees. Default 1. */
  seed?: number;
  /** Virtio devices, in the order of their slots. */
  devices?: readonly DevicePlan[];
}

/**
 * Why `PrimaryMachine.run` came back.
 *
 * ```ts
 * import { PrimaryMachine, type PrimaryMachineState } from "@el2/el2";
 *
 * const image = await Deno.readFile("assets/guests/hello.bin");
 * const machine = new PrimaryMachine({ image, append: "ticks=1", memory: 64 << 20 });
 * let state: PrimaryMachineState = "running";
 * while (state === "running") state = machine.run(machine.time + 1e9);
 * console.log(state); // off
 * ```
 */
export type PrimaryMachineState =
  /** Virtual time has reached the limit. */
  | "running"
  /** Every CPU waits, and only input can change that. */
  | "waiting"
  /** The guest has switched the machine off. */
  | "off"
  /** The guest has asked for a reset, or it or the machine crashed: see `message`. */
  | "failed";

/**
 * A machine whose primary VM is an image of the caller's. It runs while `run` is called, and idle
 * time costs nothing. The same options, input and limits give the same run, instruction for
 * instruction.
 *
 * ```ts
 * import { PrimaryMachine } from "@el2/el2";
 *
 * const image = await Deno.readFile("assets/guests/hello.bin");
 * const machine = new PrimaryMachine({ image, append: "ticks=3", memory: 64 << 20 });
 * while (machine.run(machine.time + 1e9) === "running");
 * console.log(machine.takeOutput(), machine.instructions);
 * ```
 */
export class PrimaryMachine {
  readonly #system: RunningSystem & Pick<System, "consoles">;
  readonly #decoder = new TextDecoder();

  /**
   * Builds the machine; nothing has run yet.
   * @throws Error that names the invalid option.
   */
  constructor(options: PrimaryMachineOptions) {
    const plan = {
      cpus: options.cpus ?? 1,
      memory: options.memory ?? GiB,
      turbo: true,
      seed: options.seed ?? 1,
      what: {
        kind: "boot",
        image: options.image,
        initrd: options.initrd,
        dtb: options.dtb,
        append: options.append,
        devices: options.devices,
      },
    } as const satisfies SessionPlan;
    checkBootPlan(plan.what, plan, "of the primary VM");
    this.#system = assemble(plan);
  }

  /** Virtual time in ns. */
  get time(): number {
    return this.#system.machine.time;
  }

  /** Instructions that guests have retired. */
  get instructions(): number {
    return this.#system.instructions();
  }

  /** How the run ended, or an empty text. */
  get message(): string {
    return this.#system.ended()?.message ?? "";
  }

  /** Runs until `until` (virtual time in ns), or until nothing can happen without input. */
  run(until: number): PrimaryMachineState {
    const { machine } = this.#system;
    for (;;) {
      const ended = this.#system.ended();
      if (ended) return ended.code === 0 ? "off" : "failed";
      if (machine.time >= until) return "running";
      const result = machine.run(until);
      if (result.kind !== "idle") continue;
      if (result.next === Infinity) return "waiting";
      machine.skipTo(Math.min(result.next, until));
    }
  }

  /** Types into the VM's console. */
  type(text: string): void {
    this.#system.consoles.type(PRIMARY_CONSOLE, new TextEncoder().encode(text));
  }

  /** Output of the VM's console since the last call. */
  takeOutput(): string {
    const bytes = this.#system.consoles.drain().filter(({ console }) => console === PRIMARY_CONSOLE);
    return bytes.map((output) => this.#decoder.decode(output.bytes, { stream: true })).join("");
  }
}
