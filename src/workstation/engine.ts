// Runs a system: slices of a few milliseconds, idle time slept through or skipped, input entered between slices, output and samples
// posted. DESIGN "Seven decisions", 3: busy phases are not throttled; idle ones last as long as their virtual time unless `turbo`.

import { createHash } from "node:crypto";
import { answerDebugger } from "../hypervisor/debug-access.ts";
import type { SessionPlan } from "./plan.ts";
import type { DebugRequest, DebugStopped, SessionEvent } from "./protocol.ts";
import type { System } from "./system.ts";

/** Wall time (ms) after which a slice ends. */
const SLICE = 5;
/** Turns of the physical CPUs between two looks at the clock. */
const TURNS = 8;
/** Wall time (ms) between samples. */
const SAMPLE_INTERVAL = 200;
/** Bytes of console output that may be under way to the client; a guest that floods its console waits here and takes no memory. */
const OUTPUT_LIMIT = 1 << 20;
/** Idle time (ns) that is worth a sleep; less is owed until it adds up. */
const SHORTEST_SLEEP = 2e6;

/** What the engine needs of the worker that it runs in. */
export interface EnginePort {
  readonly post: (event: SessionEvent) => void;
  /** Wraps every piece of work, so that a bug of ours is reported and not lost. */
  readonly guarded: (work: () => void) => void;
  /** Whether a request waits to be let in. */
  readonly requested: () => boolean;
}

/** The loop of one session. */
export class Engine {
  readonly #channel = new MessageChannel();
  readonly #console = createHash("sha256");
  #hashes: number[];
  #paused = false;
  /** A debugger has stopped the machine. */
  #held = false;
  #done = false;
  #inputEnded = false;
  #outputUnderWay = 0;
  /** Idle virtual time (ns) not slept yet. */
  #owed = 0;
  #sleep: { timer: ReturnType<typeof setTimeout>; since: number; until: number } | undefined;
  #scheduled = false;
  #sampled = { wall: 0, time: 0, instructions: 0 };

  constructor(
    readonly system: System,
    readonly plan: SessionPlan,
    readonly port: EnginePort,
  ) {
    this.#hashes = [...plan.hashAt];
    this.#channel.port1.onmessage = () => port.guarded(() => this.#scheduledSlice());
  }

  start(): void {
    this.#sampled.wall = performance.now();
    this.#sample();
    this.#schedule();
  }

  /** Input from outside, now. */
  input(console: string, bytes: Uint8Array): void {
    if (this.#done) return;
    this.#wake();
    this.system.input(console, bytes);
    this.#schedule();
  }

  /** The client has dealt with console output. */
  taken(bytes: number): void {
    this.#outputUnderWay -= bytes;
    this.#schedule();
  }

  endInput(): void {
    this.#inputEnded = true;
    this.#schedule();
  }

  pause(paused: boolean): void {
    if (this.#done || paused === this.#paused) return;
    this.#wake();
    this.#paused = paused;
    this.#flush();
    this.#sample();
    this.port.post({ kind: "paused", paused });
    this.#schedule();
  }

  /** A debugger's request. */
  debug(request: DebugRequest): void {
    if (this.#done) return;
    const control = this.system.debug;
    if (!control) throw new Error("no VM of this session is for a debugger");
    switch (request.kind) {
      case "debug":
        return this.port.post({ kind: "debug-answer", answer: answerDebugger(control, request.access) });
      case "debug-stop":
        if (this.#held) return;
        this.#wake();
        control.stepping = undefined;
        return this.#hold({ cause: "asked", vcpu: 0, pc: control.vcpus()[0]?.registers.pc ?? 0n });
      case "debug-continue":
        control.stepping = request.step === undefined ? undefined : control.vcpus().find(({ index }) => index === request.step);
        return this.#release();
      case "debug-detach":
        control.clear();
        return this.#release();
    }
  }

  stop(): void {
    if (!this.#done) this.#end(0, "stopped");
  }

  /** Nothing runs any more. */
  halt(): void {
    this.#done = true;
    this.#channel.port1.close();
    if (this.#sleep) clearTimeout(this.#sleep.timer);
  }

  #schedule(): void {
    if (this.#done || this.#scheduled || this.#sleep || this.#outputUnderWay > OUTPUT_LIMIT) return;
    this.#scheduled = true;
    // Messages between ports overtake the worker's own; a timer lets those in, and costs more.
    if (this.port.requested()) setTimeout(() => this.port.guarded(() => this.#scheduledSlice()), 0);
    else this.#channel.port2.postMessage(null);
  }

  #scheduledSlice(): void {
    this.#scheduled = false;
    this.#slice();
  }

  #hold(stop: DebugStopped): void {
    this.#held = true;
    this.#flush();
    this.#sample();
    this.port.post({ kind: "debug-stopped", stop });
  }

  #release(): void {
    this.#held = false;
    this.#schedule();
  }

  #slice(): void {
    if (this.#done || this.#paused || this.#held) return;
    const limit = performance.now() + SLICE;
    while (!this.#done && !this.#sleep && performance.now() < limit && !this.port.requested()) {
      if (!this.#run()) {
        this.#flush();
        return;
      }
    }
    this.#flush();
    if (performance.now() - this.#sampled.wall >= SAMPLE_INTERVAL) this.#sample();
    this.#schedule();
  }

  /** Lets the machine run a little; false when it cannot go on before something comes from outside. */
  #run(): boolean {
    const { machine } = this.system;
    const end = this.plan.duration ?? Infinity;
    const result = machine.run(Math.min(end, this.#nextHash()), TURNS);
    this.#takeHash();
    const ended = this.system.ended();
    if (ended) {
      this.#end(ended.code, ended.message);
      return true;
    }
    switch (result.kind) {
      case "turns":
        return true;
      case "time":
        if (machine.time >= end) this.#end(0, `${end / 1e9} s of virtual time passed`);
        return true;
      case "suspended": {
        const stop = this.system.debug?.takeStop();
        if (!stop) throw new Error("the machine was suspended for nobody");
        this.#hold({ cause: stop.cause, vcpu: stop.vcpu.index, pc: stop.vcpu.registers.pc });
        return false;
      }
      case "stopped":
        throw new Error(`the machine stopped, and the system does not say why: ${JSON.stringify(result.reason)}`);
      case "idle":
        return this.#idle(Math.min(result.next, end));
    }
  }

  /** All wait until `next` (ns, Infinity: for input). */
  #idle(next: number): boolean {
    const { machine } = this.system;
    if (next === Infinity) {
      if (!this.#inputEnded) return false;
      this.#end(1, ["nothing can ever happen again", ...this.system.describeWaits()].join("; "));
      return true;
    }
    if (this.plan.turbo) {
      machine.skipTo(next);
      return true;
    }
    this.#owed += next - machine.time;
    if (this.#owed < SHORTEST_SLEEP) {
      machine.skipTo(next);
      return true;
    }
    // What is owed from before has passed in virtual time already: sleep it too, but only the rest counts when input wakes us.
    const wait = this.#owed / 1e6;
    this.#owed = 0;
    const since = performance.now();
    const timer = setTimeout(() => this.port.guarded(() => this.#wake()), wait);
    this.#sleep = { timer, since: since + wait - (next - machine.time) / 1e6, until: next };
    return true;
  }

  /** Ends a sleep: as much virtual time has passed as wall time, at most until the event that was waited for. */
  #wake(): void {
    const sleep = this.#sleep;
    if (!sleep) return;
    this.#sleep = undefined;
    clearTimeout(sleep.timer);
    const { machine } = this.system;
    const passed = Math.max(0, performance.now() - sleep.since) * 1e6;
    machine.skipTo(Math.min(sleep.until, Math.floor(machine.time + passed)));
    if (performance.now() - this.#sampled.wall >= SAMPLE_INTERVAL) this.#sample();
    this.#schedule();
  }

  /** Virtual time before which the next wanted instruction count cannot be passed: each CPU retires at most one instruction a ns. */
  #nextHash(): number {
    if (!this.#hashes.length) return Infinity;
    const { machine } = this.system;
    const remaining = this.#hashes[0] - this.system.instructions();
    return machine.time + Math.max(1, Math.floor(remaining / machine.cpus.length));
  }

  #takeHash(): void {
    while (this.#hashes.length && this.system.instructions() >= this.#hashes[0]) {
      this.#flush();
      this.port.post({
        kind: "hash",
        hash: {
          at: this.#hashes.shift()!,
          instructions: this.system.instructions(),
          registers: this.system.hashRegisters(),
          memory: this.system.hashMemory(),
          console: this.#console.copy().digest("hex"),
        },
      });
    }
  }

  #flush(): void {
    for (const { console, bytes } of this.system.takeOutput()) {
      this.#console.update(bytes);
      this.#outputUnderWay += bytes.length;
      this.port.post({ kind: "console", console, bytes });
    }
    const { events, dropped } = this.system.takeEvents();
    if (events.length || dropped) this.port.post({ kind: "events", events, dropped });
  }

  #sample(): void {
    const { machine } = this.system;
    const wall = performance.now(), time = machine.time, instructions = this.system.instructions();
    const last = this.#sampled;
    const seconds = (wall - last.wall) / 1000;
    this.#sampled = { wall, time, instructions };
    this.port.post({
      kind: "sample",
      sample: {
        time,
        instructions,
        mips: seconds > 0 ? (instructions - last.instructions) / seconds / 1e6 : 0,
        physicalCpus: machine.cpus.length,
        vms: this.system.sample(time - last.time),
      },
    });
  }

  #end(code: number, message: string): void {
    this.#flush();
    this.#sample();
    this.halt();
    this.port.post({ kind: "ended", end: { code, message } });
  }
}
