// Requirements of a DAP session: machines to start or attach to, and the stops of one.

import type { WatchHit } from "../../../cpu/core/interface.ts";
import type { DebugAccess, DebugAnswer, StepRange } from "../../../machine/hypervisor/interface.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";

/** Why the machine is stopped: `model/protocol/protocol.ts` has the same words. */
export interface DapStop {
  readonly cause: "start" | "kernel" | "breakpoint" | "watchpoint" | "step" | "event" | "asked" | "history-start" | "history-end";
  readonly note?: string;
  readonly vcpu: number;
  readonly pc: bigint;
  readonly watch?: WatchHit;
}

/** A machine under the debugger. */
export interface DapTarget {
  /** The session's name. */
  readonly name: string;
  /** The VMs that the debugger has; undefined: all, also those that start later. */
  readonly vms: readonly string[] | undefined;
  /** vCPUs have the numbers of `DebuggedVcpu`, and their names have their VM in front: `rt/0`. */
  ask(access: DebugAccess): Promise<DebugAnswer>;
  query(query: Query): Promise<Answer>;
  /** Stops at events from now on; resolves to the error of the filter. */
  stopAtEvents(filter: string | undefined): Promise<string | undefined>;
  /** Adds the symbols of an ELF file to a VM; resolves to an error. */
  addSymbols(vm: string, path: string): Promise<string | undefined>;
  /** Stops the machine; `stopped` follows, unless it has come already. */
  stop(): void;
  /** Continues; with `step` until that vCPU has executed an instruction that leaves `range`. */
  go(step: number | undefined, range?: StepRange): void;
  /** Goes back: to the stop before, or with `step` to before that vCPU's last instruction. */
  back(step: number | undefined): void;
  /** Lets the machine run without a debugger, and closes the connection. */
  detach(): void;
  kill(): Promise<void>;
}

export interface DapEvents {
  stopped(stop: DapStop): void;
  console(console: string, bytes: Uint8Array): void;
  /** A sample of the machine; `changed`: VMs or vCPUs have started or ended. */
  sampled(changed: boolean): void;
  /** The machine has ended; `code` is what its process would exit with. */
  ended(code: number, message: string): void;
}

export interface LaunchWanted {
  /** The VMs to debug; undefined: all. */
  readonly vms: readonly string[] | undefined;
  /** As `el2 run` has it: FILE.toml, an image, `debian`, `demo`, a snapshot. */
  readonly what: string | undefined;
  /** An image that is the primary VM by itself, as `el2 boot` has it. */
  readonly boot: string | undefined;
  readonly initrd: string | undefined;
  readonly append: string | undefined;
  readonly cpus: number;
  /** Of `boot`: a size such as `256MiB`. */
  readonly memory: string | undefined;
  /** Skips idle time. */
  readonly turbo: boolean;
}

/** A session to attach to; undefined: the only one. */
export interface AttachWanted {
  /** The VMs to debug; undefined: all. */
  readonly vms: readonly string[] | undefined;
  readonly session: string | undefined;
}

/** Where machines come from. Both reject with an Error whose message is for the user. */
export interface DapMachines {
  /** No VM has executed an instruction: the machine stops before the first. */
  launch(wanted: LaunchWanted, events: DapEvents): Promise<DapTarget>;
  attach(wanted: AttachWanted, events: DapEvents): Promise<DapTarget>;
}
