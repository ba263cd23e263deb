// A vCPU for tests of the Resource Manager without a hypervisor: it records hypercalls, hands out
// capability ids as the real one does, carries messages through queues, and keeps memory as pages.
// It checks nothing: what a call may not do is the hypervisor's to test.

import type { CallRegisters } from "../../../src/machine/abi/call-registers.ts";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { CALL_SHAPES } from "../../../src/machine/abi/hypercall-caller.ts";
import { type HypercallArguments, type HypercallName, hypercallName, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import type { HypercallResult, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { NO_FAULTS } from "../../../src/machine/abi/faults.ts";
import { TraceHub } from "../../../src/machine/hypervisor/trace/trace-hub.ts";
import { encodeRootEnvironment } from "../../../src/machine/abi/root-environment.ts";
import { callByList } from "../../support/listed-call.ts";
import { capId, HWIRQS, recordedEnvironment } from "../../support/recorded-environment.ts";

/** A recorded call: its name, and its arguments without trailing zeros. */
export interface RecordedCall {
  readonly name: HypercallName;
  readonly args: readonly bigint[];
}

const PAGE = 0x1000;

export class FakeVcpu implements NativeVcpu {
  readonly index = 0;
  now = 1_500_000;
  readonly trace = new TraceHub(() => this.now).port(() => "rm/0");
  readonly faults = NO_FAULTS;
  readonly calls: RecordedCall[] = [];
  readonly enabled = new Set<number>();
  timerAt: number | undefined;
  /** Arguments of vcpu_run, while it is under way. */
  running: bigint[] | undefined;
  /** Answers the error code of a call, instead of OK. */
  fail: (name: HypercallName, args: readonly bigint[]) => number | undefined = () => undefined;
  /** Results of a call after the error. */
  answer: (name: HypercallName, args: readonly bigint[]) => readonly bigint[] | undefined = () => undefined;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #nextCap = new Map<bigint, number>();
  readonly #queues = new Map<bigint, { depth: number; messages: Uint8Array[] }>();

  /** @param firstCap index of the first capability that is free in the root cspace. */
  constructor(firstCap: number, readonly rootCspace = 0n) {
    this.#nextCap.set(rootCspace, firstCap);
  }

  /** The messages of a queue. */
  queue(cap: bigint): { depth: number; messages: Uint8Array[] } {
    const queue = this.#queues.get(cap);
    if (queue === undefined) throw new Error(`0x${cap.toString(16)} is no message queue`);
    return queue;
  }

  call(number: number, registers: CallRegisters): void {
    callByList((...call) => this.hvc(...call), number, registers);
  }

  hvc(number: number, ...args: bigint[]): HypercallResult {
    const name = hypercallName(number)!;
    const count = Object.keys(HYPERCALLS[name].arguments).length;
    const full = Array.from({ length: count }, (_, index) => args[index] ?? 0n);
    while (full.at(-1) === 0n) full.pop();
    this.calls.push({ name, args: full });
    const error = this.fail(name, full);
    const results = Array.from({ length: 8 }, () => 0n);
    if (error !== undefined) results[0] = BigInt.asUintN(64, BigInt(error));
    else this.#perform(name, args, full, results);
    return results;
  }

  #perform(name: HypercallName, args: readonly bigint[], full: readonly bigint[], results: bigint[]): void {
    const answered = this.answer(name, full);
    if (answered !== undefined) answered.forEach((value, index) => results[index + 1] = value);
    else if (name.startsWith("partition_create_")) results[1] = this.#newCap(args[1]);
    else if (name === "cspace_copy_cap_from") results[1] = this.#newCap(args[2]);
    else if (name === "hypervisor_identify") results[0] = 0x5100_0000_0000_8001n;
    else if (name === "prng_get_entropy") results[1] = 0x1234_5678n, results[2] = 0x9abc_def0n;
    else if (name === "msgqueue_configure") this.#queues.set(args[0], { depth: Number(args[1] & 0xffffn), messages: [] });
    else if (name === "msgqueue_send") this.#send(args, results);
    else if (name === "msgqueue_receive") this.#receive(args, results);
  }

  #newCap(cspace: bigint): bigint {
    const index = this.#nextCap.get(cspace) ?? 0;
    this.#nextCap.set(cspace, index + 1);
    return capId(index);
  }

  #send([cap, size, data]: readonly bigint[], results: bigint[]): void {
    const queue = this.queue(cap);
    if (queue.messages.length === queue.depth) results[0] = BigInt(ErrorCode.MSGQUEUE_FULL);
    else queue.messages.push(this.read(Number(data), Number(size))!);
    results[1] = queue.messages.length < queue.depth ? 1n : 0n;
  }

  #receive([cap, buffer]: readonly bigint[], results: bigint[]): void {
    const queue = this.queue(cap);
    const message = queue.messages.shift();
    if (message === undefined) {
      results[0] = BigInt(ErrorCode.MSGQUEUE_EMPTY);
      return;
    }
    this.write(Number(buffer), message);
    results[1] = BigInt(message.length);
    results[2] = queue.messages.length > 0 ? 1n : 0n;
  }

  smc(): HypercallResult {
    throw new Error("the Resource Manager makes no SMC");
  }

  vcpuRun(args: HypercallArguments<"vcpu_run">): void {
    if (this.running !== undefined) throw new Error("vcpu_run is under way");
    this.running = CALL_SHAPES.vcpu_run().encode(args);
  }

  readInto(ipa: number, into: Uint8Array): boolean {
    into.set(this.read(ipa, into.length)!);
    return true;
  }

  read(ipa: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const offset = (ipa + at) % PAGE;
      const part = Math.min(PAGE - offset, length - at);
      bytes.set(this.#page(ipa + at).subarray(offset, offset + part), at);
      at += part;
    }
    return bytes;
  }

  write(ipa: number, bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length;) {
      const offset = (ipa + at) % PAGE;
      const part = bytes.subarray(at, at + PAGE - offset);
      this.#page(ipa + at).set(part, offset);
      at += part.length;
    }
    return true;
  }

  #page(ipa: number): Uint8Array {
    const number = Math.floor(ipa / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) this.#pages.set(number, page = new Uint8Array(PAGE));
    return page;
  }

  readDevice(): bigint | undefined {
    throw new Error("the Resource Manager reads no device");
  }

  writeDevice(): boolean {
    throw new Error("the Resource Manager writes no device");
  }

  enableIrq(intid: number): void {
    this.enabled.add(intid);
  }

  setTimer(at: number | undefined): void {
    this.timerAt = at;
  }
}

/** Where the environment block lies. */
export const ENVIRONMENT_IPA = 0x804e_1000;
/** A vCPU of the recorded machine with its environment in memory. */
export function recordedVcpu(): FakeVcpu {
  // Capabilities 0..3, one per hardware interrupt, and the four extents and address spaces after
  // them are taken.
  const vcpu = new FakeVcpu(4 + HWIRQS.length + 4);
  vcpu.write(ENVIRONMENT_IPA, encodeRootEnvironment(recordedEnvironment()));
  return vcpu;
}
