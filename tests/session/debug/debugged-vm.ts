// A whole machine without a worker, whose primary VM belongs to a gdb session that a test plays.

import * as v from "valibot";
import { REQUESTS } from "../../../src/model/protocol/requests.ts";
import { answerDebugger } from "../../../src/machine/hypervisor/debug/debug-access.ts";
import { GdbSession, type GdbTarget } from "../../../src/session/debug/gdb-session.ts";
import { encodePacket, PacketReader } from "../../../src/session/debug/packets.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { imageOf } from "../../app/cli/program.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";

const MIB = 0x10_0000;
/** Virtual time (ns) in which the VM starts, and in which it stops. */
const START_TIME = 50_000_000, PATIENCE = 1_000_000;

/** Where the program is. */
export const ENTRY = 0x4020_0000;
/** Its first instruction after the image's header. */
export const CODE = ENTRY + 64;

/**
 * A machine with a program as its primary VM; `debugged`: it has stopped before the first
 * instruction.
 */
export function machineWith(words: readonly number[], cpus = 1, debugged = true): System {
  return assemble({
    cpus,
    memory: 64 * MIB,
    turbo: true,
    seed: 1,
    debug: debugged ? oneVm("host") : undefined,
    what: { kind: "boot", image: imageOf(words), initrd: undefined, dtb: undefined, append: undefined },
  });
}

/** A session's two ends. */
export class DebuggedVm {
  readonly system: System;
  readonly session: GdbSession;
  /** The session's actions on the machine. */
  readonly done: ("stop" | "detach" | "kill" | "close" | "back" | `back ${number}`)[] = [];
  /** Times that the session has sent something. */
  sent = 0;
  /** Where its Linux has moved itself to. */
  movedTo: bigint | undefined;
  /** Resolves when gdb has read what was sent; undefined: at once. */
  reading: Promise<void> | undefined;
  readonly #reader = new PacketReader();
  #answers: string[] = [];
  #wantsToRun = false;

  /** @param program its words; or a machine that has one, and whose primary VM is debugged */
  constructor(program: readonly number[] | System, cpus = 1) {
    this.system = "machine" in program ? program : machineWith(program, cpus);
    const { control: debug } = this.system.debugger;
    if (!debug) throw new Error("the machine has no debugger");
    const target: GdbTarget = {
      ask: (access) => {
        // A session ends the connection of whoever asks for something else.
        v.parse(REQUESTS.debug.schema, { kind: "debug", access });
        return Promise.resolve(answerDebugger(debug, access));
      },
      stop: () => void this.done.push("stop"),
      go: (step, range) => {
        debug.goOn(debug.vcpus().find(({ index }) => index === step), range);
        this.#wantsToRun = true;
      },
      back: (step) => void this.done.push(step === undefined ? "back" : `back ${step}`),
      movedTo: () => Promise.resolve(this.movedTo),
      monitor: (command, _vcpu, ...args) => Promise.resolve(command === "known" ? `${args.join(" and ")}\n` : undefined),
      detach: () => {
        debug.clear();
        this.done.push("detach");
      },
      kill: () => void this.done.push("kill"),
    };
    const stop = this.#run(START_TIME);
    if (!stop) throw new Error("the VM did not start");
    this.session = new GdbSession(target, stop, (bytes) => {
      this.sent++;
      this.#take(bytes);
      return this.reading;
    }, () => void this.done.push("close"));
  }

  /** Whether the session has continued the machine, and it has not stopped yet. */
  get running(): boolean {
    return this.#wantsToRun;
  }

  /**
   * Sends packets; returns the answer to the last, if any. A continued VM runs until it stops, or
   * for a while.
   */
  async ask(...packets: string[]): Promise<string | undefined> {
    for (const packet of packets) {
      this.#answers = [];
      await this.raw(encodePacket(packet));
      if (!this.#wantsToRun) continue;
      this.#wantsToRun = false;
      const stop = this.#run(PATIENCE);
      if (stop) this.session.stopped(stop);
      else if (this.system.ended()) this.session.ended(this.system.ended()!.code);
    }
    return this.#answers.at(-1);
  }

  /** Sends bytes. */
  raw(bytes: Uint8Array): Promise<void> {
    return this.session.receive(bytes);
  }

  /** A register by its number, as gdb reads it. */
  async register(number: number): Promise<bigint> {
    const digits = await this.ask(`p${number.toString(16)}`) ?? "";
    return BigInt(`0x${digits.match(/../g)!.reverse().join("")}`);
  }

  #take(bytes: Uint8Array): void {
    for (const received of this.#reader.push(bytes)) if (received.kind === "packet") this.#answers.push(received.data);
  }

  #run(patience: number) {
    const { machine, debugger: { control: debug } } = this.system;
    const end = machine.time + patience;
    for (;;) {
      const result = machine.run(end);
      if (result.kind === "idle") machine.skipTo(Math.min(end, result.next));
      else if (result.kind !== "suspended") return undefined;
      const stop = debug?.takeStop();
      if (stop) return { cause: stop.cause, vcpu: stop.vcpu.index, pc: stop.vcpu.registers.pc, watch: stop.watch };
    }
  }
}
