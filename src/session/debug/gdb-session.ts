// A session with gdb: the remote serial protocol over one connection (GDB manual, appendix E). gdb
// sees a VM as a process in all-stop mode and its vCPUs as threads, numbered from 1. Packets that
// are not known get the empty answer, as the protocol has it; bad ones get an error.

import type { WatchHit, WatchKind } from "../../cpu/core/interface.ts";
import {
  type BreakpointCondition,
  DEBUG_REGISTERS,
  type DebugAccess,
  type DebugAnswer,
  type DebugSpace,
  type StepRange,
} from "../../machine/hypervisor/interface.ts";
import { blocksText } from "../../model/queries/facts/wait.ts";
import { acknowledgement, encodePacket, fromHex, PACKET_SIZE, PacketReader, type Received, toBytes, toHex } from "./packets.ts";
import { decodeRegister, describesEl2, encodeRegister, GENERAL_REGISTERS, targetDescription } from "./target-description.ts";

/** The VM, as a session wants it. */
export interface GdbTarget {
  ask(access: DebugAccess): Promise<DebugAnswer>;
  /** Stops; the session's `stopped` follows. */
  stop(): void;
  /**
   * Continues; with `step` until that vCPU has executed one instruction, and its PC is not in
   * `range`.
   */
  go(step: number | undefined, range?: StepRange): void;
  /**
   * Goes back: to the stop before, or with `step` to before that vCPU's last instruction; the
   * session's `stopped` follows.
   */
  back(step: number | undefined): void;
  /**
   * Does a `monitor` command that the session does not know: the text for the user; undefined:
   * unknown.
   * @param vcpu the selected vCPU, for commands about one
   */
  monitor(command: string, vcpu: number, ...args: string[]): Promise<string | undefined>;
  /**
   * Where the code of the VM's Linux begins, if that has moved itself from where it was linked
   * (KASLR).
   */
  movedTo(): Promise<bigint | undefined>;
  /** Takes all breakpoints back and continues. */
  detach(): void;
  /** Ends the whole machine. */
  kill(): void;
}

/** Why the VM is stopped: `model/protocol/protocol.ts` has the same words. */
export interface GdbStop {
  readonly cause: "start" | "kernel" | "breakpoint" | "watchpoint" | "step" | "event" | "asked" | "history-start" | "history-end";
  /** A note for the user. */
  readonly note?: string;
  readonly vcpu: number;
  readonly pc: bigint;
  /** The access that a watchpoint stopped. */
  readonly watch?: WatchHit;
}

/** Signals of stop replies. */
const SIGINT = 2, SIGTRAP = 5;
/** Errors: gdb shows the number only. EFAULT and EINVAL. */
const BAD_ADDRESS = "E0e", INVALID = "E16";
/** Watchpoints by the type in Z and z packets, and as stop replies name them. */
const WATCH_PACKETS: ReadonlyMap<string, WatchKind> = new Map([["2", "write"], ["3", "read"], ["4", "access"]]);
const WATCH_REASONS: Readonly<Record<WatchKind, string>> = { write: "watch", read: "rwatch", access: "awatch" };
/** An action of vCont: continue, step, step while PC is in a range; for one thread or all. */
const ACTION = /^(?:[cs]|[CS][0-9a-f]{2}|r(?<start>[0-9a-f]{1,16}),(?<end>[0-9a-f]{1,16}))(?::(?<thread>-1|[0-9a-f]+))?$/i;
/** The edges of what can be gone back to, as stop replies name them. */
const HISTORY: Partial<Record<GdbStop["cause"], string>> = { "history-start": "replaylog:begin;", "history-end": "replaylog:end;" };
const SPACES: Readonly<Record<DebugSpace, string>> = {
  va: "virtual addresses of the selected vCPU",
  el1: "virtual addresses of its EL1, at whatever level it is",
  el2: "virtual addresses of its EL2, at whatever level it is",
  ipa: "intermediate physical addresses of the VM",
  pa: "physical addresses of the machine",
};
/** Spaces that a vCPU without EL2 has only as others. */
const OF_EL2: ReadonlySet<string> = new Set(["el1", "el2"]);
const HELP = `monitor space [va|ipa|pa]   set the kind of memory addresses (default: va); with EL2 also el1, el2
monitor events [FILTER|off] with gdb el2: the events at which continue stops
monitor symbols FILE        write an ELF file with the VM's symbols, for symbol-file FILE
monitor tasks [FILTER]      list the threads of the VM's Linux, such as with state=D
monitor stack PID           list the call frames of one that sleeps
monitor tables [ADDRESS]    list what the selected vCPU's tables map, or the walk of an address
`;
const OK = "OK";
const UNKNOWN = "";
/** The machine, for LLDB, which otherwise assumes that a watchpoint stops after the access. */
const TRIPLE = `triple:${toHex(toBytes("aarch64-unknown-none"))};endian:little;ptrsize:8;`;
const HOST = `${TRIPLE}watchpoint_exceptions_received:before;`, PROCESS = `pid:1;${TRIPLE}`;

/** How the session continues after an answer. */
type Handler = (text: string) => string | undefined | Promise<string | undefined>;

/** One connection's session. The VM is stopped when it begins. */
export class GdbSession {
  readonly #reader = new PacketReader();
  #acknowledges = true;
  #last: Uint8Array<ArrayBuffer> | undefined;
  #stop: GdbStop;
  #running = false;
  /** The vCPU that registers and memory are about. */
  #vcpu: number;
  /** gdb's kind of each breakpoint that it has set, by address. */
  readonly #breakpoints = new Map<bigint, "swbreak" | "hwbreak">();
  #knows = { swbreak: false, hwbreak: false };
  #closed = false;
  /** The packet whose answer gdb has not acknowledged. */
  #unheard: string | undefined;
  /** The address space of gdb's addresses. */
  #space: DebugSpace = "va";
  readonly #handlers: readonly (readonly [prefix: string, Handler])[];
  /** Resolves when gdb has taken what was sent last. */
  #taken: Promise<void> | void = undefined;

  /**
   * @param send takes bytes for gdb; a promise resolves when gdb has them
   * @param close ends the connection
   */
  constructor(
    readonly target: GdbTarget,
    stop: GdbStop,
    readonly send: (bytes: Uint8Array<ArrayBuffer>) => Promise<void> | void,
    readonly close: () => void,
  ) {
    this.#stop = stop;
    this.#vcpu = stop.vcpu;
    // The first prefix that fits counts.
    this.#handlers = [
      ["qSupported", (text) => this.#supported(text)],
      ["QStartNoAckMode", () => this.#startNoAckMode()],
      ["qXfer:features:read:target.xml:", async (text) => transfer(targetDescription((await this.#registers())?.length), text)],
      ["qAttached", () => "1"],
      ["qHostInfo", () => HOST],
      ["qProcessInfo", () => PROCESS],
      ["qC", (text) => text ? UNKNOWN : `QC${threadOf(this.#stop.vcpu)}`],
      ["qfThreadInfo", () => this.#threads()],
      ["qsThreadInfo", () => "l"],
      ["qThreadExtraInfo,", (text) => this.#threadInfo(text)],
      ["qSymbol::", () => OK],
      ["qOffsets", () => this.#offsets()],
      // QEMU's packets for physical addresses: those that the VM has.
      ["qqemu.Supported", () => "PhyMemMode"],
      ["qqemu.PhyMemMode", () => this.#space === "ipa" ? "1" : "0"],
      ["Qqemu.PhyMemMode:", (text) => this.#setPhysical(text)],
      ["?", () => this.#stopReply()],
      ["g", () => this.#readRegisters()],
      ["G", (text) => this.#writeRegisters(text)],
      ["p", (text) => this.#readRegister(text)],
      ["P", (text) => this.#writeRegister(text)],
      ["m", (text) => this.#readMemory(text)],
      ["M", (text) => this.#writeMemory(text, fromHex)],
      ["X", (text) => this.#writeMemory(text, toBytes)],
      ["Z", (text) => this.#insert(text)],
      ["z", (text) => this.#remove(text)],
      ["H", (text) => this.#select(text)],
      ["T", (text) => this.#isAlive(text)],
      ["qRcmd,", (text) => this.#monitor(text)],
      ["bc", (text) => text ? INVALID : this.#back(undefined)],
      ["bs", (text) => text ? INVALID : this.#back(this.#vcpu)],
      ["vCont?", () => "vCont;c;C;s;S;r"],
      ["vCont", (text) => this.#continue(text)],
      ["vKill", () => this.#kill(OK)],
      // Addresses to continue from are not built: gdb writes PC.
      ["c", (text) => text ? INVALID : this.#go(undefined)],
      ["s", (text) => text ? INVALID : this.#step(this.#vcpu)],
      ["D", () => this.#detach()],
      ["k", () => this.#kill(undefined)],
    ];
  }

  /** Bytes from gdb. Done when they are answered; calls must not overlap. */
  async receive(bytes: Uint8Array): Promise<void> {
    for (const received of this.#reader.push(bytes)) {
      if (this.#closed) return;
      await this.#handle(received);
      // A byte that asks for the last packet again costs an answer of 32 KiB: who does not read the
      // answers gets no more of them.
      await this.#taken;
    }
  }

  stopped(stop: GdbStop): void {
    if (!this.#running) return;
    this.#running = false;
    this.#stop = stop;
    this.#vcpu = stop.vcpu;
    if (stop.note !== undefined) this.#answer(`O${toHex(toBytes(`${stop.note}\n`))}`);
    this.#answer(this.#stopReply());
  }

  /** The machine is gone; `code` is what its process would exit with. */
  ended(code: number): void {
    if (this.#running) this.#answer(`W${toHex([code & 0xff])}`);
    this.#end();
  }

  /** The connection is gone: the VM continues as after a detach. */
  lost(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.target.detach();
  }

  async #handle(received: Received): Promise<void> {
    switch (received.kind) {
      case "ack":
        this.#unheard = undefined;
        return;
      case "nak":
        // gdb sends one without acknowledgments, too, when an answer is late: it is on its way.
        if (this.#last && this.#acknowledges) this.#send(this.#last);
        return;
      case "interrupt":
        if (this.#running) this.target.stop();
        return;
      case "foreign":
        this.target.detach();
        return this.#end();
      case "broken":
        if (this.#acknowledges) this.#send(acknowledgement(false));
        return;
      case "packet": {
        // gdb asks again after two seconds: the answer to the first time is on its way.
        if (received.data === this.#unheard) return;
        this.#unheard = undefined;
        const awaitsAck = this.#acknowledges;
        if (awaitsAck) this.#send(acknowledgement(true));
        const answer = await this.#dispatch(received.data);
        if (answer !== undefined) {
          this.#answer(answer);
          if (awaitsAck) this.#unheard = received.data;
        }
        if (this.#closed) this.close();
      }
    }
  }

  async #dispatch(data: string): Promise<string | undefined> {
    // A running VM accepts only an interrupt.
    if (this.#running) return INVALID;
    const found = this.#handlers.find(([prefix]) => data.startsWith(prefix));
    return found ? await found[1](data.slice(found[0].length)) : UNKNOWN;
  }

  #answer(data: string): void {
    this.#last = encodePacket(data);
    this.#send(this.#last);
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#taken = this.send(bytes);
  }

  #end(): void {
    this.#closed = true;
    this.close();
  }

  #supported(text: string): string {
    const features = text.replace(/^:/, "").split(";");
    this.#knows = { swbreak: features.includes("swbreak+"), hwbreak: features.includes("hwbreak+") };
    return `PacketSize=${
      PACKET_SIZE.toString(16)
    };QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+;ConditionalBreakpoints+;ReverseStep+;ReverseContinue+`;
  }

  #startNoAckMode(): string {
    this.#acknowledges = false;
    return OK;
  }

  #stopReply(): string {
    const { cause, vcpu, pc, watch } = this.#stop;
    const signal = toHex([cause === "asked" ? SIGINT : SIGTRAP]);
    const kind = cause === "breakpoint" ? this.#breakpoints.get(pc) : undefined;
    const why = kind && this.#knows[kind] ? `${kind}:;` : watch ? `${WATCH_REASONS[watch.kind]}:${watch.address.toString(16)};` : "";
    return `T${signal}thread:${threadOf(vcpu)};${HISTORY[cause] ?? why}`;
  }

  /**
   * Where the first segment of gdb's own `vmlinux` is: its other segments move as far. gdb asks
   * only if it has a file when it connects.
   */
  async #offsets(): Promise<string> {
    const text = await this.target.movedTo();
    return text === undefined ? UNKNOWN : `TextSeg=${text.toString(16)}`;
  }

  #setPhysical(text: string): string {
    if (text !== "0" && text !== "1") return INVALID;
    this.#space = text === "1" ? "ipa" : "va";
    return OK;
  }

  async #threads(): Promise<string> {
    const vcpus = await this.#vcpus();
    return vcpus.length ? `m${vcpus.map(({ index }) => threadOf(index)).join()}` : "l";
  }

  async #threadInfo(text: string): Promise<string> {
    const vcpu = await this.#vcpuOf(text);
    if (!vcpu) return INVALID;
    return toHex(toBytes(`vCPU ${vcpu.name}${vcpu.waits.length ? `, waits for ${blocksText(vcpu.waits)}` : ""}`));
  }

  async #select(text: string): Promise<string> {
    const [operation, thread] = [text[0], text.slice(1)];
    if (operation !== "g" && operation !== "c") return INVALID;
    if (thread === "0" || thread === "-1") return OK;
    const vcpu = await this.#vcpuOf(thread);
    if (!vcpu) return INVALID;
    this.#vcpu = vcpu.index;
    return OK;
  }

  async #isAlive(text: string): Promise<string> {
    return await this.#vcpuOf(text) ? OK : INVALID;
  }

  async #registers(): Promise<readonly bigint[] | undefined> {
    const answer = await this.target.ask({ kind: "registers", vcpu: this.#vcpu });
    return answer.kind === "registers" ? answer.values : undefined;
  }

  async #readRegisters(): Promise<string> {
    const values = await this.#registers();
    return values?.slice(0, GENERAL_REGISTERS).map((value, number) => encodeRegister(number, value)).join("") ?? INVALID;
  }

  async #writeRegisters(text: string): Promise<string> {
    let at = 0;
    const values: bigint[] = [];
    for (let number = 0; number < GENERAL_REGISTERS; number++) {
      const digits = DEBUG_REGISTERS[number].bits / 4;
      const value = decodeRegister(number, text.slice(at, at += digits));
      if (value === undefined) return INVALID;
      values.push(value);
    }
    if (at !== text.length) return INVALID;
    for (const [register, value] of values.entries()) {
      if (!await this.#done({ kind: "write-register", vcpu: this.#vcpu, register, value })) return INVALID;
    }
    return OK;
  }

  async #readRegister(text: string): Promise<string> {
    const number = hexNumber(text);
    const value = number === undefined ? undefined : (await this.#registers())?.[number];
    return number === undefined || value === undefined ? INVALID : encodeRegister(number, value);
  }

  async #writeRegister(text: string): Promise<string> {
    const [left, right] = split(text, "=");
    const register = hexNumber(left);
    const value = register === undefined ? undefined : decodeRegister(register, right);
    if (register === undefined || value === undefined) return INVALID;
    return await this.#done({ kind: "write-register", vcpu: this.#vcpu, register, value }) ? OK : INVALID;
  }

  async #readMemory(text: string): Promise<string> {
    const range = parseRange(text);
    if (!range) return INVALID;
    const size = Math.min(range.size, PACKET_SIZE / 2);
    const answer = await this.target.ask({ kind: "read", vcpu: this.#vcpu, space: this.#space, address: range.address, size });
    return answer.kind === "memory" ? toHex(answer.bytes) : BAD_ADDRESS;
  }

  async #writeMemory(text: string, decode: (data: string) => Uint8Array | undefined): Promise<string> {
    const [where, data] = split(text, ":");
    const range = parseRange(where), bytes = decode(data);
    if (!range || bytes?.length !== range.size) return INVALID;
    return await this.#done({ kind: "write", vcpu: this.#vcpu, space: this.#space, address: range.address, bytes }) ? OK : BAD_ADDRESS;
  }

  async #insert(text: string): Promise<string> {
    const kind = breakpointKind(text), watch = WATCH_PACKETS.get(text[0]);
    if (!kind && !watch) return UNKNOWN;
    const [where, rest] = split(text.slice(2), ";");
    const range = parseRange(where), conditions = parseConditions(rest);
    if (!range || !conditions || text[1] !== ",") return INVALID;
    if (watch) return await this.#watch("insert-watchpoint", range, watch);
    if (!kind || !await this.#done({ kind: "insert-breakpoint", address: range.address, conditions })) return INVALID;
    this.#breakpoints.set(range.address, kind);
    return OK;
  }

  async #remove(text: string): Promise<string> {
    const kind = breakpointKind(text), watch = WATCH_PACKETS.get(text[0]);
    if (!kind && !watch) return UNKNOWN;
    const range = parseRange(text.slice(2));
    if (!range || text[1] !== ",") return INVALID;
    if (watch) return await this.#watch("remove-watchpoint", range, watch);
    if (!await this.#done({ kind: "remove-breakpoint", address: range.address })) return INVALID;
    this.#breakpoints.delete(range.address);
    return OK;
  }

  async #watch(
    kind: "insert-watchpoint" | "remove-watchpoint",
    range: { address: bigint; size: number },
    watch: WatchKind,
  ): Promise<string> {
    return await this.#done({ kind, address: range.address, length: range.size, watch }) ? OK : INVALID;
  }

  /**
   * The actions of vCont. One vCPU steps, or none; the others run when their turn comes, as they
   * would without a debugger.
   */
  async #continue(text: string): Promise<string | undefined> {
    const actions = text.split(";").slice(1).map((action) => ACTION.exec(action));
    if (!actions.length || actions.includes(null)) return INVALID;
    const step = actions.find((action) => action && /^[sr]/i.test(action[0]));
    if (!step) return this.#go(undefined);
    const { start, end, thread } = step.groups!;
    const range = start === undefined ? undefined : { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
    if (thread === undefined || thread === "-1" || thread === "0") return await this.#step(this.#vcpu, range);
    const vcpu = await this.#vcpuOf(thread);
    return vcpu ? this.#go(vcpu.index, range) : INVALID;
  }

  async #step(index: number, range?: StepRange): Promise<string | undefined> {
    return await this.#vcpuOf(threadOf(index)) ? this.#go(index, range) : INVALID;
  }

  #go(step: number | undefined, range?: StepRange): undefined {
    this.#running = true;
    this.target.go(step, range);
  }

  #back(step: number | undefined): undefined {
    this.#running = true;
    this.target.back(step);
  }

  /** `monitor`: the answer is text for the user. */
  async #monitor(text: string): Promise<string> {
    const bytes = fromHex(text);
    if (!bytes) return INVALID;
    const [command = "help", ...args] = new TextDecoder().decode(bytes).trim().split(/\s+/).filter(Boolean);
    const answer = command === "help"
      ? HELP
      : command === "space"
      ? await this.#setSpace(args)
      : await this.target.monitor(command, this.#vcpu, ...args) ?? `monitor ${command}: no such command; there are:\n${HELP}`;
    return toHex(toBytes(answer));
  }

  async #setSpace([space]: string[]): Promise<string> {
    const hasEl2 = describesEl2((await this.#registers())?.length),
      spaces = Object.keys(SPACES).filter((name) => hasEl2 || !OF_EL2.has(name));
    if (space !== undefined && !spaces.includes(space)) return `monitor space ${space}: use one of ${spaces.join(", ")}\n`;
    if (space !== undefined) this.#space = space as DebugSpace;
    const stale = space === undefined ? "" : "gdb may show code that it has read before: maintenance flush dcache\n";
    return `memory is read and written by ${SPACES[this.#space]}\n${stale}`;
  }

  #detach(): string {
    this.#closed = true;
    this.target.detach();
    return OK;
  }

  #kill(answer: string | undefined): string | undefined {
    this.#closed = true;
    this.target.kill();
    return answer;
  }

  async #vcpus() {
    const answer = await this.target.ask({ kind: "vcpus" });
    return answer.kind === "vcpus" ? answer.vcpus : [];
  }

  /** The vCPU of a thread's number in hexadecimal. */
  async #vcpuOf(thread: string) {
    const number = hexNumber(thread);
    return number === undefined ? undefined : (await this.#vcpus()).find(({ index }) => index === number - 1);
  }

  async #done(access: DebugAccess): Promise<boolean> {
    return (await this.target.ask(access)).kind === "done";
  }
}

const threadOf = (vcpu: number) => (vcpu + 1).toString(16);

function hexNumber(text: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(text) ? parseInt(text, 16) : undefined;
}

/** `address,size` in hexadecimal. */
function parseRange(text: string): { address: bigint; size: number } | undefined {
  const match = /^([0-9a-f]{1,16}),([0-9a-f]{1,8})$/i.exec(text);
  return match ? { address: BigInt(`0x${match[1]}`), size: parseInt(match[2], 16) } : undefined;
}

/**
 * Conditions of a breakpoint: `X`, its length, a comma and its bytes, all in hexadecimal; `;`
 * between them. gdb does not ask for commands there.
 */
function parseConditions(text: string): BreakpointCondition[] | undefined {
  const conditions: BreakpointCondition[] = [];
  for (const part of text.split(";").filter(Boolean)) {
    const [, length, digits] = /^X([0-9a-f]{1,8}),([0-9a-f]+)$/i.exec(part) ?? [];
    const code = digits === undefined ? undefined : fromHex(digits);
    if (code?.length !== parseInt(length, 16)) return undefined;
    conditions.push({ kind: "agent", code });
  }
  return conditions;
}

/** Text before and after the first `separator`. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** The kinds of breakpoints: in gdb's memory or in hardware, here they are the same. */
function breakpointKind(text: string): "swbreak" | "hwbreak" | undefined {
  if (text.startsWith("0,")) return "swbreak";
  return text.startsWith("1,") ? "hwbreak" : undefined;
}

/** The part of a document that a qXfer asks for. */
function transfer(document: string, text: string): string {
  const match = /^([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(text);
  if (!match) return INVALID;
  const offset = parseInt(match[1], 16), length = Math.min(parseInt(match[2], 16), PACKET_SIZE / 2);
  const part = document.slice(offset, offset + length);
  return `${offset + length < document.length ? "m" : "l"}${part}`;
}
