// A session with a client of the Debug Adapter Protocol, version 1.68. The vCPUs of the machine's
// VMs are threads, which stop and continue together. Requests that the protocol does not have, or
// that come at the wrong time, get its error body.

import { node } from "../../../kit/support/node-modules.ts";
import { blocksText } from "../../../model/queries/facts/wait.ts";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { DEBUG_REGISTERS } from "../../../machine/hypervisor/interface.ts";
import { Arguments, RequestError } from "./arguments.ts";
import { Breakpoints, EVENT_FILTERS, type ReachedStop } from "./breakpoints.ts";
import { ConsoleText } from "./consoles.ts";
import { Inspection } from "./inspection.ts";
import { Memory } from "./memory.ts";
import { SourceMap } from "./source-map.ts";
import { type StepKind, Stepping } from "./stepping.ts";
import type { DapEvents, DapMachines, DapStop, DapTarget } from "./target.ts";
import { type ThreadChange, Threads } from "./threads.ts";
import { isConsoleOf, vcpuId, vmId, withoutKind } from "../../../model/queries/ids.ts";
import { problemOf } from "../../../kit/support/problem.ts";

/** Limit on the wait for a VM that other VMs create, when a machine is launched, ms. */
const START_TIME = 5000;

type Handler = (session: DapSession, args: Arguments) => Promise<object | undefined> | object | undefined;

/** How far a client is: it initializes first, and reports when its breakpoints are set. */
type Phase = "new" | "initialized" | "configured" | "over";

/** A machine that is being debugged, and the parts that debug it. */
interface Debuggee {
  readonly target: DapTarget;
  readonly memory: Memory;
  readonly inspection: Inspection;
  readonly breakpoints: Breakpoints;
  readonly stepping: Stepping;
  readonly consoles: ConsoleText;
}

/** The capabilities of this server, as the protocol names them. */
export const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  supportsStepBack: true,
  supportsSetVariable: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
  supportSuspendDebuggee: false,
  supportsDataBreakpoints: true,
  supportsDataBreakpointBytes: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsInstructionBreakpoints: true,
  supportsSteppingGranularity: true,
  supportsDelayedStackTraceLoading: true,
  supportsExceptionFilterOptions: true,
  supportsExceptionInfoRequest: true,
  exceptionBreakpointFilters: EVENT_FILTERS.map(({ events: _, ...filter }) => ({ ...filter, default: false, supportsCondition: true })),
};

/** One client. */
export class DapSession {
  /** The requests of the protocol. */
  static readonly #HANDLERS: Readonly<Record<string, Handler>> = {
    initialize: (session) => {
      if (session.#phase !== "new") throw new RequestError("initialize came twice");
      session.#phase = "initialized";
      return CAPABILITIES;
    },
    launch: (session, args) => session.#launch(args),
    attach: (session, args) => session.#attach(args),
    configurationDone: (session) => session.#configurationDone(),
    restart: (session) => session.#restart(),
    disconnect: (session, args) => session.#disconnect(args),
    terminate: (session) => session.#terminate(),
    threads: (session) => session.#listThreads(),
    stackTrace: async (session, args) => {
      session.#stopped();
      await session.#learnThreads();
      return session.#machine.inspection.stackTrace(args);
    },
    scopes: (session, args) => session.#machine.inspection.scopes(args),
    variables: (session, args) => session.#machine.inspection.variables(args),
    setVariable: (session, args) => session.#machine.inspection.setVariable(args),
    evaluate: (session, args) => session.#machine.inspection.evaluate(args),
    setBreakpoints: async (session, args) => {
      const path = args.part("source").text("path");
      return {
        breakpoints: await session.#machine.breakpoints.setSource(path, session.#sources.guestPath(path), args.parts("breakpoints")),
      };
    },
    setFunctionBreakpoints: async (session, args) => ({
      breakpoints: await session.#machine.breakpoints.setFunctions(args.parts("breakpoints")),
    }),
    setInstructionBreakpoints: async (session, args) => ({
      breakpoints: await session.#machine.breakpoints.setInstructions(args.parts("breakpoints")),
    }),
    setDataBreakpoints: async (session, args) => ({ breakpoints: await session.#machine.breakpoints.setData(args.parts("breakpoints")) }),
    setExceptionBreakpoints: async (session, args) => ({
      breakpoints: await session.#machine.breakpoints.setEvents(args.texts("filters"), args.parts("filterOptions")),
    }),
    dataBreakpointInfo: (session, args) => session.#machine.inspection.dataBreakpointInfo(args),
    exceptionInfo: (session) => session.#exceptionInfo(),
    continue: (session) => {
      const stop = session.#stopped();
      session.#run((stepping) => stepping.resume(stop));
      return { allThreadsContinued: true };
    },
    reverseContinue: (session) => {
      session.#stopped();
      return session.#run((stepping) => stepping.back());
    },
    next: (session, args) => session.#step("over", args),
    stepIn: (session, args) => session.#step("in", args),
    stepOut: (session, args) => session.#step("out", args),
    stepBack: async (session, args) => {
      const stop = await session.#at(args);
      return session.#run((stepping) => stepping.stepBack(stop, args.optionalText("granularity") === "instruction"));
    },
    pause: (session) => {
      const { target } = session.#machine;
      session.#interrupted = true;
      if (!session.#stop) target.stop();
      return undefined;
    },
    readMemory: (session, args) => {
      return session.#machine.memory.read(args);
    },
    writeMemory: (session, args) => {
      session.#stopped();
      return session.#machine.memory.write(args);
    },
    disassemble: (session, args) => {
      session.#stopped();
      return session.#machine.memory.disassemble(args);
    },
  };

  #seq = 1;
  #phase: Phase = "new";
  /** The machine, while one is being debugged. */
  #debuggee: Debuggee | undefined;
  readonly #threads = new Threads();
  /** Why the machine is stopped, while the client sees it stopped. */
  #stop: DapStop | undefined;
  /** Waits for the next stop of a run. */
  #waiting: ((stop: DapStop) => void) | undefined;
  /** A stop that came while nothing waited. */
  #early: DapStop | undefined;
  /** The meaning of the last stop at a breakpoint or watchpoint. */
  #reached: ReachedStop | undefined;
  /** Resolves with the first such stop of a machine that was launched. */
  #arrived = Promise.withResolvers<void>();
  #interrupted = false;
  #placing = false;
  #stopOnEntry = false;
  /** Starts the machine again; undefined: it was attached to. */
  #again: (() => Promise<void>) | undefined;
  #launched = false;
  #known = false;
  #sources = new SourceMap([]);
  /** Generation of the machine: events of one that was replaced do not count. */
  #generation = 0;

  /**
   * @param send takes messages for the client
   * @param close ends the connection
   * @param token the token of launch and attach, if others can connect as well
   */
  constructor(
    readonly machines: DapMachines,
    readonly send: (message: DebugProtocol.ProtocolMessage) => void,
    readonly close: () => void,
    readonly token?: string,
  ) {}

  /** Handles a request. Only a pause may come while another request waits. */
  async receive(request: DebugProtocol.Request): Promise<void> {
    const { command, seq } = request;
    const handlers = DapSession.#HANDLERS, handler = Object.hasOwn(handlers, command) ? handlers[command] : undefined;
    try {
      if (!handler) throw new RequestError(`${JSON.stringify(command.slice(0, 80))} is not supported`);
      if (this.#phase === "over") throw new RequestError("the client has disconnected");
      if (this.#phase === "new" && command !== "initialize") throw new RequestError("the first request is initialize");
      const body = await handler(this, new Arguments(request.arguments));
      this.#respond({ request_seq: seq, command, success: true, ...body && { body } });
      if (command === "launch" || command === "attach") this.#event("initialized");
      else if (command === "disconnect") this.#end();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.refuse(seq, command, error.message);
    }
  }

  /** Refuses a request, or a message that is not one. */
  refuse(seq: number, command: string, message: string): void {
    const error: DebugProtocol.Message = { id: 1, format: message, showUser: command === "launch" || command === "attach" };
    this.#respond({ request_seq: seq, command: command.slice(0, 80), success: false, message, body: { error } });
  }

  /** The client is gone: a machine that it has started ends, another continues. */
  async lost(): Promise<void> {
    if (this.#phase === "over") return;
    this.#phase = "over";
    const { target } = this.#debuggee ?? {};
    this.#debuggee = undefined;
    if (this.#launched) await target?.kill();
    else target?.detach();
  }

  #respond(response: Omit<DebugProtocol.Response, "seq" | "type">): void {
    this.send({ seq: this.#seq++, type: "response", ...response } as DebugProtocol.Response);
  }

  /** Whether the client has sent its token, or needs none. */
  get known(): boolean {
    return this.#known || this.token === undefined;
  }

  #event(event: string, body?: object): void {
    if (this.#phase !== "over") this.send({ seq: this.#seq++, type: "event", event, ...body && { body } } as DebugProtocol.Event);
  }

  #output(text: string, category: "console" | "important" | "stdout" = "console"): void {
    this.#event("output", { category, output: text.endsWith("\n") || category === "stdout" ? text : `${text}\n` });
  }

  #end(): void {
    this.#phase = "over";
    this.close();
  }

  // Beginning and end.

  /** Checks the token, before a machine is started or attached to. */
  #authenticate(args: Arguments): void {
    if (this.token === undefined) return;
    const [given, wanted] = [args.optionalText("token") ?? "", this.token].map((text) => new TextEncoder().encode(text));
    if (given.length === wanted.length && node.crypto.timingSafeEqual(given, wanted)) {
      this.#known = true;
      return;
    }
    throw new RequestError('"token" is not the one that dap --listen printed', "set it in the configuration of the editor");
  }

  async #launch(args: Arguments): Promise<undefined> {
    this.#authenticate(args);
    if (this.#debuggee) throw new RequestError("a machine is being debugged already");
    const wanted = {
      vms: vmsOf(args),
      what: args.optionalText("what"),
      boot: args.optionalText("boot"),
      initrd: args.optionalText("initrd"),
      append: args.optionalText("append"),
      cpus: args.number("cpus", 1),
      memory: args.optionalText("memory"),
      turbo: args.flag("turbo"),
    };
    if ((wanted.what === undefined) === (wanted.boot === undefined)) {
      throw new RequestError(
        'launch needs "what" (FILE.toml, an image, debian, demo, a snapshot) or "boot" (an image that is the primary VM)',
      );
    }
    this.#stopOnEntry = args.flag("stopOnEntry");
    this.#again = () => this.#connect(args, (generation) => this.machines.launch(wanted, this.#events(generation)));
    await this.#again();
    this.#launched = true;
    await this.#start();
    return undefined;
  }

  async #attach(args: Arguments): Promise<undefined> {
    this.#authenticate(args);
    if (this.#debuggee) throw new RequestError("a machine is being debugged already");
    const wanted = { session: args.optionalText("session"), vms: vmsOf(args) };
    this.#stopOnEntry = args.flag("stopOnEntry", true);
    await this.#connect(args, (generation) => this.machines.attach(wanted, this.#events(generation)));
    const stop = await this.#stopOf(() => this.#debuggee?.target.stop());
    if (stop) this.#stop = stop;
    return undefined;
  }

  /** Waits up to START_TIME for a VM to stop, so that breakpoints can be set at once. */
  async #start(): Promise<void> {
    if (!this.#early) {
      const late = Promise.withResolvers<void>(), timer = setTimeout(late.resolve, START_TIME);
      await Promise.race([this.#arrived.promise, late.promise]);
      clearTimeout(timer);
    }
    if (this.#debuggee) await this.#learnThreads();
  }

  async #connect(args: Arguments, connect: (generation: number) => Promise<DapTarget>): Promise<void> {
    this.#sources = new SourceMap(args.map("sourceMap"));
    const symbols = args.map("symbols");
    let target: DapTarget;
    try {
      target = await connect(++this.#generation);
      this.#debuggee = this.#debuggeeOf(target);
      for (const [vm, path] of symbols) {
        const error = await target.addSymbols(vm, path);
        if (error !== undefined) throw new RequestError(error);
      }
    } catch (error) {
      const { target: begun } = this.#debuggee ?? {};
      if (this.#launched) await begun?.kill();
      else begun?.detach();
      this.#debuggee = undefined;
      if (error instanceof Error) throw new RequestError(problemOf(error));
      throw error;
    }
    this.#threads.forget();
    // Breakpoints are set in VMs that start later before they execute an instruction.
    await target.ask({ kind: "stop-at-starts" });
    await this.#learnThreads();
    this.#event("process", {
      name: `${target.name}: ${target.vms?.map((vm) => vmId(vm)).join(", ") ?? "all VMs"}`,
      isLocalProcess: true,
      startMethod: this.#again ? "launch" : "attach",
    });
  }

  #debuggeeOf(target: DapTarget): Debuggee {
    const current = () => this.#stop?.vcpu ?? 0, threads = this.#threads;
    const breakpoints = new Breakpoints(target, threads, current, (changed) => this.#changed(changed));
    return {
      target,
      memory: new Memory(target, threads, current),
      inspection: new Inspection(() => this.#machine.target, () => this.#stopped(), threads, this.#sources),
      breakpoints,
      stepping: new Stepping(target, breakpoints, threads, {
        run: (go, vcpu) => this.#runOverStarts(go, vcpu),
        counts: (stop, isBack) => this.#counts(stop, isBack),
        interrupted: () => this.#interrupted,
      }),
      consoles: new ConsoleText(),
    };
  }

  #events(generation: number): DapEvents {
    const mine = () => generation === this.#generation && this.#phase !== "over";
    return {
      stopped: (stop) => {
        if (mine()) this.#hear(stop);
      },
      console: (console, bytes) => {
        const debuggee = this.#debuggee, { vms } = debuggee?.target ?? {};
        if (!mine() || !debuggee || vms && !vms.some((vm) => isConsoleOf(vm, console))) return;
        const text = debuggee.consoles.text(console, bytes);
        if (text) this.#output(text, "stdout");
      },
      sampled: (changed) => {
        if (mine() && this.#debuggee) void this.#sampled(changed);
      },
      ended: (code, message) => {
        if (!mine()) return;
        this.#debuggee = undefined;
        this.#stop = undefined;
        this.#arrived.resolve();
        this.#output(message);
        this.#event("exited", { exitCode: code });
        this.#event("terminated");
      },
    };
  }

  async #configurationDone(): Promise<undefined> {
    // Refused without a machine.
    void this.#machine;
    if (this.#phase === "configured") throw new RequestError("configurationDone came twice");
    this.#phase = "configured";
    const stop = this.#stop ?? this.#early;
    this.#early = undefined;
    if (stop) await this.#begin(stop);
    // The machine runs, and no VM has started.
    else this.#run(() => this.#stopOf(() => {}));
    return undefined;
  }

  /** The machine is where the debugger found it. */
  async #begin(stop: DapStop): Promise<void> {
    await this.#learnThreads();
    for (const vm of this.#threads.vms) await this.#placeBreakpoints(vm);
    this.#stop = stop;
    if (this.#stopOnEntry) await this.#report(stop, "entry");
    else this.#run((stepping) => stepping.resume(stop));
  }

  /** A kernel that has booted has symbols, and with them places for breakpoints that had none. */
  async #sampled(changed: boolean): Promise<void> {
    if (changed) await this.#learnThreads();
    if (this.#phase !== "configured" || this.#placing || this.#stop || !this.#debuggee?.breakpoints.waiting) return;
    this.#placing = true;
    for (const vm of this.#threads.vms) if (this.#debuggee) await this.#placeBreakpoints(vm);
    this.#placing = false;
  }

  async #placeBreakpoints(vm: string): Promise<void> {
    this.#changed(await this.#machine.breakpoints.placeIn(vm));
  }

  #changed(breakpoints: readonly DebugProtocol.Breakpoint[]): void {
    for (const breakpoint of breakpoints) this.#event("breakpoint", { reason: "changed", breakpoint });
  }

  async #restart(): Promise<undefined> {
    if (!this.#again) throw new RequestError("only a machine that was launched can be started again", "this session was attached to");
    const old = this.#debuggee;
    this.#generation++;
    this.#debuggee = undefined;
    this.#stop = this.#early = this.#waiting = undefined;
    if (this.#phase === "configured") this.#phase = "initialized";
    await old?.target.kill();
    this.#arrived = Promise.withResolvers();
    await this.#again();
    await this.#start();
    // The client sets its breakpoints again, and reports when it has.
    this.#event("initialized");
    return undefined;
  }

  async #disconnect(args: Arguments): Promise<undefined> {
    if (args.flag("restart")) return undefined;
    const { target } = this.#debuggee ?? {};
    this.#debuggee = undefined;
    this.#generation++;
    if (args.flag("terminateDebuggee", this.#launched)) await target?.kill();
    else target?.detach();
    return undefined;
  }

  async #terminate(): Promise<undefined> {
    const { target } = this.#machine;
    this.#debuggee = undefined;
    this.#generation++;
    await target.kill();
    this.#event("terminated");
    return undefined;
  }

  // Runs and stops.

  #hear(stop: DapStop): void {
    if (this.#waiting) {
      const take = this.#waiting;
      this.#waiting = undefined;
      take(stop);
    } else {
      this.#early = stop;
      this.#arrived.resolve();
    }
  }

  #stopOf(go: () => void): Promise<DapStop> {
    const { promise, resolve } = Promise.withResolvers<DapStop>();
    if (this.#early) {
      const stop = this.#early;
      this.#early = undefined;
      return Promise.resolve(stop);
    }
    this.#waiting = resolve;
    go();
    return promise;
  }

  /** Continues, also after VMs that start, and kernels that become known, on the way. */
  async #runOverStarts(go: () => void, vcpu: number | undefined): Promise<DapStop> {
    const name = vcpu === undefined ? undefined : this.#threads.nameOf(vcpu);
    for (let way = go;;) {
      const stop = await this.#stopOf(way);
      if (stop.cause === "kernel") await this.#placeBreakpoints(this.#threads.vmOf(stop.vcpu));
      else if (stop.cause === "start") await this.#started(stop);
      else return stop;
      // A VM that has ended cannot finish its step, and another one may have its VMID.
      if (vcpu !== undefined && this.#threads.nameOf(vcpu) !== name) way = () => this.#debuggee?.target.go(undefined);
      if (this.#interrupted) return { ...stop, cause: "asked" };
    }
  }

  /** A VM has started, or has started again. */
  async #started(stop: DapStop): Promise<void> {
    const changes = await this.#learnThreads(), vm = this.#threads.vmOf(stop.vcpu);
    const again = this.#threads.ofVm(vm).filter((id) => !changes.some(({ threadId }) => threadId === id));
    for (const reason of ["exited", "started"]) for (const threadId of again) this.#event("thread", { reason, threadId });
    await this.#placeBreakpoints(vm);
  }

  /** Continues; the stop that counts for the client is an event. */
  #run(way: (stepping: Stepping) => Promise<DapStop>): undefined {
    const { stepping, inspection } = this.#machine;
    this.#stop = undefined;
    this.#interrupted = false;
    inspection.forget();
    const follow = async () => {
      const generation = this.#generation, stop = await way(stepping);
      if (generation !== this.#generation) return;
      await this.#learnThreads();
      if (stop.cause === "start" && !this.#interrupted) await this.#begin(stop);
      else await this.#report(stop, undefined);
    };
    // The answer to the request comes first.
    queueMicrotask(() => void follow().catch((error) => this.#failed(error)));
    return undefined;
  }

  /** Whether a stop at a breakpoint or watchpoint counts: prints what it has to say. */
  async #counts(stop: DapStop, isBack: boolean): Promise<boolean> {
    await this.#learnThreads();
    const reached = this.#reached = await this.#machine.breakpoints.reached(stop, isBack);
    for (const message of reached.messages) this.#output(message);
    return reached.stops;
  }

  async #report(stop: DapStop, entry: "entry" | undefined): Promise<void> {
    await this.#learnThreads();
    this.#stop = stop;
    const isReached = (stop.cause === "breakpoint" || stop.cause === "watchpoint") && !this.#interrupted;
    const { group, ids = [] } = isReached && this.#reached || {};
    const reasons = {
      start: "entry",
      kernel: "pause",
      breakpoint: "breakpoint",
      watchpoint: "data breakpoint",
      step: "step",
      event: "exception",
      asked: "pause",
      "history-start": "entry",
      "history-end": "pause",
    } as const;
    const text = stop.note ??
      (stop.cause === "history-start" ? "the beginning of the recorded run" : stop.cause === "history-end" ? "the present" : undefined);
    const why = entry ?? (group && !group.startsWith("source") ? `${group} breakpoint` : reasons[stop.cause]);
    const description = this.#threads.all.length > 1 ? `${vcpuId(this.#threads.nameOf(stop.vcpu))}: ${text ?? why}` : text;
    this.#event("stopped", {
      reason: why,
      threadId: this.#threads.idOf(stop.vcpu),
      allThreadsStopped: true,
      ...text !== undefined && { text },
      ...description !== undefined && { description },
      ...ids.length > 0 && { hitBreakpointIds: ids },
    });
  }

  #failed(error: unknown): void {
    if (!(error instanceof RequestError)) throw error;
    this.#output(error.message, "important");
  }

  async #step(kind: StepKind, args: Arguments): Promise<undefined> {
    const stopped = this.#stopped(), stop = await this.#at(args);
    const unit = args.optionalText("granularity") === "instruction" && kind !== "out" ? "instruction" : kind;
    return this.#run((stepping) => stepping.step(unit, stop, stop === stopped ? undefined : stopped));
  }

  /** The position of the thread that a request names. */
  async #at(args: Arguments): Promise<DapStop> {
    const stop = this.#stopped(), vcpu = this.#threads.vcpuOf(args.number("threadId"));
    if (vcpu === stop.vcpu) return stop;
    const answer = await this.#machine.target.ask({ kind: "registers", vcpu });
    if (answer.kind !== "registers") throw new RequestError("the vCPU has no registers now");
    return { cause: "asked", vcpu, pc: answer.values[PC] };
  }

  /** @throws RequestError if no machine is being debugged */
  get #machine(): Debuggee {
    if (!this.#debuggee) throw new RequestError("no machine is being debugged", "the request launch or attach comes first");
    return this.#debuggee;
  }

  #stopped(): DapStop {
    // Refused without a machine.
    void this.#machine;
    if (!this.#stop) throw new RequestError("the machine is running");
    return this.#stop;
  }

  // Threads.

  /** Learns the present threads; the client gets an event for each change. */
  async #learnThreads(): Promise<ThreadChange[]> {
    const answer = await this.#machine.target.ask({ kind: "vcpus" });
    if (answer.kind !== "vcpus") return [];
    const changes = this.#threads.learn(answer.vcpus);
    // Before that, it does not know any.
    if (this.#phase === "configured") { for (const change of changes) this.#event("thread", change); }
    return changes;
  }

  async #listThreads(): Promise<object> {
    await this.#learnThreads();
    const threads = this.#threads.all.map(({ id, name, waits }) => ({
      id,
      name: `${vcpuId(name)}${waits.length ? ` (waits for ${blocksText(waits)})` : ""}`,
    }));
    const [vm, ...more] = this.#machine.target.vms ?? [];
    const none = vm !== undefined && !more.length ? `${vmId(vm)} (not started)` : "no VM executes instructions yet";
    // The protocol requires one, even before a VM exists.
    return { threads: threads.length ? threads : [{ id: this.#threads.idOf(0), name: none }] };
  }

  #exceptionInfo(): object {
    const { cause, note } = this.#stopped();
    if (cause !== "event") throw new RequestError("the machine has not stopped at an event");
    return { exceptionId: "event", description: note ?? "", breakMode: "always" };
  }
}

const PC = DEBUG_REGISTERS.findIndex(({ name }) => name === "PC");

/** The VMs that a client wants: `vm`, or the list `vms`; undefined: all. */
function vmsOf(args: Arguments): readonly string[] | undefined {
  const vm = args.optionalText("vm"), vms = args.texts("vms");
  if (vm !== undefined && vms.length) throw new RequestError('"vm" is one VM, "vms" a list of them', "use one of both");
  const wanted = (vm === undefined ? vms : [vm]).map((name) => withoutKind("vm", name));
  return wanted.length ? [...new Set(wanted)] : undefined;
}
