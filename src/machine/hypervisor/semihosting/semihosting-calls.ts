// Semihosting calls of a vCPU: each operation's arguments in the guest's memory, and its answer.
// Whatever the guest names there is bounded, and copied through its own translation.

import { ErrorCode } from "../../abi/errors.ts";
import { FEATURES, semihostingExit, semihostingName, semihostingOperation, type ServedOperation } from "../../abi/semihosting.ts";
import { powerOffSystem } from "../firmware/psci.ts";
import { readUser, writeUser } from "../memory/user-access.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { Errno, lengthOf, type SemihostedVm } from "../services/semihosted-vm.ts";
import { MiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Bytes that one call writes at most; the result of SYS_WRITE says what is left. */
const WRITE_MAX = MiB;
const PATH_MAX = 4096;
const FIELD = 8;
/** Ticks of SYS_ELAPSED: nanoseconds of virtual time. */
const TICKS_PER_SECOND = 1_000_000_000n;
const NS_PER_CENTISECOND = 10_000_000;
/** Blocks that SYS_HEAPINFO fills: bases and limits, 0 where the program knows them itself. */
const HEAP_FIELDS = 4;

/** A call in progress. */
interface SemihostingCall {
  readonly vcpu: Vcpu;
  readonly vm: SemihostedVm;
  readonly name: ServedOperation;
  /** X1. */
  readonly parameter: bigint;
  /** The doublewords of its block. */
  readonly block: readonly bigint[];
}

/** It waits for input, and is made again; or its vCPU has ended. */
const WAITS = "waits", ENDED = "ended";
type CallResult = bigint | typeof WAITS | typeof ENDED;

/** Answers HLT #0xF000, at which PC is, of a vCPU whose VM is served. */
export function semihostingCall(vcpu: Vcpu, vm: SemihostedVm): void {
  const { registers, services: { core } } = vcpu;
  const w0 = Number(registers.getX(0) & 0xffff_ffffn), parameter = registers.getX(1), pc = registers.pc;
  const answer = answerOf(vcpu, vm, w0, parameter);
  if (answer === WAITS) return waitForInput(vcpu);
  if (vcpu.trace.isWanted("trap")) {
    const result = answer === ENDED ? {} : { result: answer };
    vcpu.trace.event("trap", semihostingName(w0), { parameter, pc, ...result });
  }
  if (answer === ENDED) return;
  core.skip(registers);
  registers.setX(0, BigInt.asUintN(64, answer));
}

/** It sleeps until something is typed, or an interrupt comes. */
function waitForInput(vcpu: Vcpu): void {
  if (vcpu.gic.hasInterrupt) vcpu.services.scheduler.endTurn();
  else vcpu.suspend(0, undefined);
}

function answerOf(vcpu: Vcpu, vm: SemihostedVm, w0: number, parameter: bigint): CallResult {
  const operation = semihostingOperation(w0);
  if (!operation?.served) {
    vcpu.services.uncovered(vcpu, semihostingName(w0));
    return vm.fail(Errno.NoCall);
  }
  const block = operation.fields === 0 ? [] : readFields(vcpu, parameter, operation.fields);
  if (block === undefined) return vm.fail(Errno.Fault);
  const { name } = operation;
  return ANSWERS[name]({ vcpu, vm, name, parameter, block });
}

const ANSWERS: Readonly<Record<ServedOperation, (call: SemihostingCall) => CallResult>> = {
  SYS_OPEN({ vcpu, vm, block: [path, mode, length] }) {
    if (length > PATH_MAX) return vm.fail(Errno.Invalid);
    const bytes = length === 0n ? new Uint8Array(0) : readUser(vcpu, path, Number(length));
    if (!(bytes instanceof Uint8Array)) return vm.fail(Errno.Fault);
    return BigInt(vm.open(new TextDecoder().decode(bytes), mode) ?? -1);
  },
  SYS_CLOSE: ({ vm, block: [handle] }) => vm.close(handle) ? 0n : vm.fail(Errno.BadHandle),
  SYS_WRITEC({ vcpu, vm, parameter }) {
    const byte = readUser(vcpu, parameter, 1);
    if (!(byte instanceof Uint8Array)) return vm.fail(Errno.Fault);
    vm.door.write(byte);
    return 0n;
  },
  SYS_WRITE0: (call) => writeString(call),
  SYS_WRITE({ vcpu, vm, block: [handle, buffer, length] }) {
    if (vm.handle(handle)?.kind !== "output") return vm.fail(Errno.BadHandle);
    const most = Math.min(WRITE_MAX, Number(length));
    let done = 0;
    while (done < most) {
      const part = readPart(vcpu, buffer + BigInt(done), most - done);
      if (!part) {
        vm.fail(Errno.Fault);
        break;
      }
      vm.door.write(part);
      done += part.length;
    }
    return length - BigInt(done);
  },
  SYS_READ: (call) => read(call),
  SYS_READC({ vm }) {
    const typed = vm.door.read(1);
    if (typed?.length === 0) return WAITS;
    return typed ? BigInt(typed[0]) : vm.fail(Errno.BadHandle);
  },
  SYS_ISERROR: ({ block: [status] }) => BigInt.asIntN(64, status) < 0n ? 1n : 0n,
  SYS_ISTTY({ vm, block: [number] }) {
    const handle = vm.handle(number);
    if (!handle) return vm.fail(Errno.BadHandle);
    return lengthOf(handle) === undefined ? 1n : 0n;
  },
  SYS_SEEK({ vm, block: [number, at] }) {
    const handle = vm.handle(number);
    if (!handle) return vm.fail(Errno.BadHandle);
    const length = lengthOf(handle);
    if (length === undefined) return vm.fail(Errno.NoSeek);
    if (at > length) return vm.fail(Errno.Invalid);
    vm.seek(number, Number(at));
    return 0n;
  },
  SYS_FLEN({ vm, block: [number] }) {
    const handle = vm.handle(number);
    if (!handle) return vm.fail(Errno.BadHandle);
    return BigInt(lengthOf(handle) ?? 0);
  },
  SYS_CLOCK: ({ vcpu }) => BigInt(Math.floor(vcpu.services.now / NS_PER_CENTISECOND)),
  SYS_ERRNO: ({ vm }) => BigInt(vm.errno),
  SYS_GET_CMDLINE({ vcpu, vm, parameter, block: [buffer, size] }) {
    const text = new TextEncoder().encode(`${vm.door.commandLine}\0`);
    if (size < text.length) return vm.fail(Errno.Invalid);
    const isWritten = writeUser(vcpu, buffer, text) === ErrorCode.OK && writeFields(vcpu, parameter, [buffer, BigInt(text.length - 1)]);
    return isWritten ? 0n : vm.fail(Errno.Fault);
  },
  SYS_HEAPINFO: ({ vcpu, vm, block: [at] }) => writeFields(vcpu, at, new Array(HEAP_FIELDS).fill(0n)) ? 0n : vm.fail(Errno.Fault),
  SYS_EXIT: (call) => exit(call),
  SYS_EXIT_EXTENDED: (call) => exit(call),
  SYS_ELAPSED({ vcpu, vm, parameter }) {
    return writeFields(vcpu, parameter, [BigInt(Math.floor(vcpu.services.now))]) ? 0n : vm.fail(Errno.Fault);
  },
  SYS_TICKFREQ: () => TICKS_PER_SECOND,
};

/** A string up to its zero. */
function writeString({ vcpu, vm, parameter }: SemihostingCall): CallResult {
  for (let done = 0; done < WRITE_MAX;) {
    const part = readPart(vcpu, parameter + BigInt(done), WRITE_MAX - done);
    if (!part) return vm.fail(Errno.Fault);
    const end = part.indexOf(0);
    vm.door.write(end < 0 ? part : part.subarray(0, end));
    if (end >= 0) return 0n;
    done += part.length;
  }
  return vm.fail(Errno.Invalid);
}

function read({ vcpu, vm, block: [number, buffer, length] }: SemihostingCall): CallResult {
  const handle = vm.handle(number);
  if (!handle || handle.kind === "output") return vm.fail(Errno.BadHandle);
  if (length === 0n) return 0n;
  // A part within one page is given, or nothing.
  const most = Math.min(Number(length), inPage(buffer));
  if (!isWritable(vcpu, buffer)) return vm.fail(Errno.Fault);
  const bytes = handle.kind === "input" ? vm.door.read(most) : Uint8Array.from(FEATURES.slice(handle.at, handle.at + most));
  if (bytes === undefined) return length;
  if (bytes.length === 0) return handle.kind === "input" ? WAITS : length;
  if (writeUser(vcpu, buffer, bytes) !== ErrorCode.OK) return vm.fail(Errno.Fault);
  vm.seek(number, handle.kind === "input" ? 0 : handle.at + bytes.length);
  return length - BigInt(bytes.length);
}

function exit({ vcpu, vm, name, block: [reason, subcode] }: SemihostingCall): CallResult {
  vm.door.exit(semihostingExit(name, reason, subcode));
  powerOffSystem(vcpu);
  return ENDED;
}

/** Bytes from an address to the end of its page. */
const inPage = (va: bigint) => PAGE_SIZE - Number(va & BigInt(PAGE_SIZE - 1));

/** At most so many bytes, up to the end of a page; undefined if they cannot be read. */
function readPart(vcpu: Vcpu, va: bigint, most: number): Uint8Array | undefined {
  const at = BigInt.asUintN(64, va), part = readUser(vcpu, at, Math.min(most, inPage(at)));
  return part instanceof Uint8Array ? part : undefined;
}

function isWritable(vcpu: Vcpu, va: bigint): boolean {
  const found = vcpu.translate(va, "write");
  return found.ok && vcpu.services.machine.ram.contains(found.pa, 1);
}

function readFields(vcpu: Vcpu, va: bigint, count: number): bigint[] | undefined {
  const bytes = readUser(vcpu, va, count * FIELD);
  if (!(bytes instanceof Uint8Array)) return undefined;
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, index) => view.getBigUint64(index * FIELD, true));
}

function writeFields(vcpu: Vcpu, va: bigint, fields: readonly bigint[]): boolean {
  const view = new DataView(new ArrayBuffer(fields.length * FIELD));
  fields.forEach((field, index) => view.setBigUint64(index * FIELD, field, true));
  return writeUser(vcpu, va, new Uint8Array(view.buffer)) === ErrorCode.OK;
}
