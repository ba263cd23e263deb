// Runs the recorded cases (README.md beside this file) against el2's own device files, in process:
// a step is a system call of a process of the host, and what it gives is compared with what the
// real driver gave on the real hypervisor.

import type { HostServices } from "../../../src/machine/host/primary/host-guest.ts";
import { errnoName } from "../../../src/machine/abi/ioctl/errno.ts";
import { RPC_MESSAGES } from "../../../src/machine/abi/rpc/messages/all.ts";
import { VM_GET_VMID } from "../../../src/machine/abi/rpc/messages/queries.ts";
import type { Exchange, HostStack } from "../../machine/host/host-stack.ts";
import type { Case, Item, Step, Value } from "./ghioctl.ts";

const FOLDER = new URL(".", import.meta.url).pathname;

/**
 * Virtual nanoseconds that stand for a millisecond of the recording: nothing here is as slow as the
 * recorded machine.
 */
const MILLISECOND = 20_000;
/** Between two cases (README.md). */
const PAUSE = 250 * MILLISECOND;
/** Where a call that has to end is given up. */
const PATIENCE = 1e9;

type Result = Record<string, unknown>;

/** A mapping or a buffer by name. */
interface Named {
  readonly address: number;
  readonly size: number;
}

/** Result of a case. */
export interface Outcome {
  readonly steps: Result[];
  /** RM calls as the recordings write them: `id NAME request -> error reply-word`. */
  readonly rpc: string[];
  readonly notifications: string[];
}

/** Runs one case in a fresh process and takes it down. */
export function runCase(stack: HostStack, { steps }: Case): Outcome {
  const from = stack.exchanges.length;
  const runner = new Runner(stack);
  const results = steps.map((step) => runner.step(step));
  runner.end();
  stack.pass(PAUSE);
  const exchanges = stack.exchanges.slice(from);
  return { steps: results, rpc: requests(exchanges), notifications: notifications(exchanges) };
}

class Runner {
  readonly #pid: number;
  readonly #descriptors = new Map<string, number>();
  readonly #named = new Map<string, Named>();
  readonly #jobs = new Map<string, { task: number; result: number | undefined }>();
  #scratch: number | undefined;

  constructor(readonly stack: HostStack) {
    this.#pid = stack.visit(({ kernel }) => kernel.spawn());
  }

  end(): void {
    this.stack.visit(({ kernel }) => kernel.exit(this.#pid));
  }

  step(step: Step): Result {
    const pid = this.#pid;
    const text = (field: string) => String(step[field]);
    const number = (field: string) => Number(this.#value((step[field] ?? 0) as Value));
    const fd = () => number("fd");
    const kernel = <T>(act: (kernel: HostServices["kernel"]) => T): T => this.stack.visit((host) => act(host.kernel));
    switch (step.op) {
      case "open":
        return this.#saved(step, kernel((k) => k.open(pid, text("path"))));
      case "ioctl": {
        const argument = this.#argument(step.arg);
        const result = this.stack.ioctl(pid, fd(), number("nr"), argument, PATIENCE);
        if (result === undefined) throw new Error("an ioctl that has to end does not");
        if (step.save !== undefined) this.#descriptors.set(text("save"), result);
        if (step.save === undefined || result < 0) return returned(result);
        return { ret: "fd", cloexec: kernel((k) => k.closesOnExec(pid, result)) ? 1 : 0 };
      }
      case "forked": {
        const argument = this.#argument(step.arg);
        const child = kernel((k) => k.fork(pid));
        const result = this.stack.ioctl(child, fd(), number("nr"), argument, PATIENCE);
        kernel((k) => k.exit(child));
        return returned(result ?? 0);
      }
      case "start": {
        const { task, result } = kernel((k) => k.ioctl(pid, fd(), number("nr"), BigInt(number("arg"))));
        this.#jobs.set(text("job"), { task, result });
        return { ret: 0 };
      }
      case "join": {
        const job = this.#jobs.get(text("job"));
        const result = job && (job.result ?? this.stack.await(job.task, number("ms") * MILLISECOND));
        if (result === undefined) return { running: true };
        this.#jobs.delete(text("job"));
        return returned(result);
      }
      case "signal": {
        const job = this.#jobs.get(text("job"));
        if (job === undefined) return { ret: -1, errno: "EINVAL" };
        kernel((k) => k.signal(job.task));
        return { ret: 0 };
      }
      case "data":
        return kernel((k) => {
          const address = k.mapAnonymous(pid, 4096, { read: true, write: true });
          k.store(pid, address, this.#bytes(step.items as Item[]));
          this.#named.set(text("save"), { address, size: 4096 });
          return { ret: 0 };
        });
      case "mmap":
        return this.#mmap(step, number("size"));
      case "munmap":
        return returned(kernel((k) => k.munmap(pid, this.#area(step).address)));
      case "mprotect":
        return returned(kernel((k) => k.mprotect(pid, this.#area(step).address, protection(step))));
      case "poke": {
        const result = kernel((k) => k.store(pid, this.#area(step).address + number("offset"), this.#bytes(step.items as Item[])));
        return result.ok ? { ret: 0 } : { signal: result.signal };
      }
      case "peek": {
        const result = kernel((k) => k.load(pid, this.#area(step).address + number("offset"), Math.min(number("size"), 256)));
        return result.ok ? { out: hex(result.value) } : { signal: result.signal };
      }
      case "load": {
        const bytes = Deno.readFileSync(`${FOLDER}${step.path}`);
        kernel((k) => k.store(pid, this.#area(step).address + number("offset"), bytes));
        return { ret: bytes.length };
      }
      case "eventfd":
        return this.#saved(step, kernel((k) => k.eventfd(pid, number("init"))));
      case "memfd":
        return this.#saved(step, kernel((k) => k.memfd(pid, number("size"))));
      case "poll": {
        const revents = kernel((k) => k.poll(pid, fd()));
        return { ret: revents === 0 ? 0 : 1, revents: `0x${revents.toString(16)}` };
      }
      case "read": {
        const result = kernel((k) => k.read(pid, fd(), number("size")));
        return typeof result === "number" ? { ...returned(result), out: "" } : { ret: result.length, out: hex(result) };
      }
      case "write":
        return returned(kernel((k) => k.write(pid, fd(), this.#bytes(step.items as Item[]))));
      case "close":
        return returned(kernel((k) => k.close(pid, fd())));
      case "dup":
        return this.#saved(step, kernel((k) => k.dup(pid, fd())));
      case "fdname":
        return { out: kernel((k) => k.descriptorName(pid, fd())) ?? "" };
      case "memlock":
        return returned(kernel((k) => (k.setMemlock(pid, number("bytes")), 0)));
      case "setuid":
        return returned(kernel((k) => (k.setuid(pid, number("uid")), 0)));
      case "lockedkb":
        return { ret: kernel((k) => k.lockedBytes(pid)) / 1024, pinned: 0 };
      case "sleep":
        this.stack.pass(number("ms") * MILLISECOND);
        return {};
      default:
        throw new Error(`unknown op ${step.op}`);
    }
  }

  #mmap(step: Step, size: number): Result {
    const { read, write } = protection(step);
    const address = this.stack.visit(({ kernel }) => {
      if (step.fd === undefined) return kernel.mapAnonymous(this.#pid, size, { read, write, contiguous: step.share === "huge" });
      const offset = Number(this.#value((step.offset ?? 0) as Value));
      return kernel.mapFile(this.#pid, Number(this.#value(step.fd as Value)), size, {
        read,
        write,
        private: step.share === "private",
        offset,
      });
    });
    if (address < 0) return returned(address);
    this.#named.set(String(step.save), { address, size });
    return { ret: 0 };
  }

  #area(step: Step): Named {
    const area = this.#named.get(String(step.name));
    if (area === undefined) throw new Error(`there is no mapping ${step.name}`);
    return area;
  }

  #saved(step: Step, result: number): Result {
    if (result < 0) return returned(result);
    this.#descriptors.set(String(step.save), result);
    return { ret: 0 };
  }

  /** A value, or a structure that is built in memory and passed by its address. */
  #argument(argument: unknown): bigint {
    if (typeof argument !== "object" || argument === null || !("struct" in argument)) return this.#value((argument ?? 0) as Value);
    const bytes = this.#bytes((argument as { struct: Item[] }).struct);
    return this.stack.visit(({ kernel }) => {
      const address = this.#scratch ??= kernel.mapAnonymous(this.#pid, 8192, { read: true, write: true });
      kernel.store(this.#pid, address, bytes);
      return BigInt(address);
    });
  }

  #value(value: Value): bigint {
    if (typeof value !== "object") return BigInt(value);
    if ("fd" in value) return BigInt(this.#descriptors.get(value.fd) ?? -1);
    const named = this.#named.get(value.addr);
    return BigInt(named?.address ?? 0) + BigInt(value.plus ?? 0);
  }

  #bytes(items: readonly Item[]): Uint8Array {
    const bytes: number[] = [];
    for (const [kind, value] of items) {
      if (kind === "hex") { for (const byte of String(value).match(/../g) ?? []) bytes.push(parseInt(byte, 16)); }
      else if (kind === "zero") { for (let left = Number(value); left > 0; left--) bytes.push(0); }
      else {
        const bits = Number(kind.slice(1));
        const number = BigInt.asUintN(bits, this.#value(value));
        for (let shift = 0; shift < bits; shift += 8) bytes.push(Number(number >> BigInt(shift) & 0xffn));
      }
    }
    return Uint8Array.from(bytes);
  }
}

function returned(result: number): Result {
  return result < 0 ? { ret: -1, errno: errnoName(result) } : { ret: result };
}

function protection(step: Step): { read: boolean; write: boolean } {
  const letters = String(step.prot ?? "");
  // Linux on arm64 maps writable memory readable as well.
  return { read: /[rw]/.test(letters), write: letters.includes("w") };
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Names that the recordings use for messages that el2 calls as the Resource Manager's sources do.
 */
const RECORDED_NAMES: Readonly<Record<string, string>> = {
  VM_ALLOCATE: "VM_ALLOC_VMID",
  VM_DEALLOCATE: "VM_DEALLOC_VMID",
  VM_GET_VMID: "VM_GET_VMID",
};

function nameOf(id: number): string {
  const name = RPC_MESSAGES.get(id)?.name ?? "?";
  return RECORDED_NAMES[name] ?? name;
}

/** Requests with their replies, as the recordings write them. */
function requests(exchanges: readonly Exchange[]): string[] {
  const lines: string[] = [];
  // The driver has one request in flight for each VM: replies come in the order of the requests.
  const open: { id: number; line: number }[] = [];
  for (const { way, id, payload } of exchanges) {
    if (way === "notification" || id === VM_GET_VMID.id) continue;
    if (way === "request") {
      open.push({ id, line: lines.length });
      lines.push(`${id.toString(16)} ${nameOf(id)} ${requestText(id, payload)}`.trim());
      continue;
    }
    const at = open.findIndex((each) => each.id === id);
    const [{ line }] = open.splice(at, 1);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    lines[line] += ` -> ${view.getUint32(0, true).toString(16)} ${hex(payload.subarray(4, 8))}`.trimEnd();
  }
  return lines;
}

/** A request in words, as `ghioctl.ts` reduces it. */
function requestText(id: number, payload: Uint8Array): string {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (id === 0x5100_0012 || id === 0x5100_0013) {
    const count = view.getUint16(8, true);
    const acl = Array.from({ length: count }, (_, i) => `${view.getUint16(12 + 4 * i, true).toString(16)}:${payload[14 + 4 * i]}`);
    const entries = view.getUint16(12 + 4 * count, true);
    return `type=${payload[0]} flags=${payload[2]} label=${view.getUint32(4, true)} acl=${acl} entries=${entries} bytes=${payload.length}`;
  }
  if (id === 0x5100_0018) {
    return `handle=${view.getUint32(0, true)} flags=${payload[4]} entries=${view.getUint16(8, true)} bytes=${payload.length}`;
  }
  return hex(payload);
}

function notifications(exchanges: readonly Exchange[]): string[] {
  return exchanges.filter(({ way }) => way === "notification").map(({ id, payload }) => `${id.toString(16)} ${nameOf(id)} ${hex(payload)}`);
}

/**
 * Whether the recording's memory was one block per region: else the lists depend on how memory
 * happened to be cut.
 */
export function inOnePiece(lines: readonly string[]): boolean {
  return !lines.some((line) => / entries=(?!1 )/.test(line));
}

/** VMIDs by the order in which a case's calls name them, and handles by theirs in their VM. */
export class Names {
  readonly vmids = new Map<string, string>();
  readonly handles = new Map<string, string>();
  readonly counts = new Map<string, number>();
}

/**
 * The lines with `names` instead of VMIDs and handles. `whole` keeps counts of entries. The
 * notifications of a case have the names that its calls gave.
 */
export function canonical(lines: readonly string[], whole: boolean, { vmids, handles, counts }: Names): string[] {
  const vm = (raw: string) => {
    const key = raw.padStart(2, "0").slice(0, 2);
    if (!vmids.has(key)) vmids.set(key, `V${vmids.size}`);
    return vmids.get(key)!;
  };
  const handle = (raw: string, owner?: string) => {
    const key = raw.slice(0, 8).replace(/0+$/, "");
    if (owner !== undefined && !handles.has(key)) {
      const count = counts.get(owner) ?? 0;
      counts.set(owner, count + 1);
      handles.set(key, `H${count}@${owner}`);
    }
    return handles.get(key) ?? "H?";
  };
  const out: string[] = [];
  for (const line of lines) {
    const [id, message, ...rest] = line.split(" ");
    const arrow = rest.indexOf("->");
    const request = (arrow < 0 ? rest : rest.slice(0, arrow)).join(" ");
    const [error, word] = arrow < 0 ? [] : rest.slice(arrow + 1);
    switch (id) {
      case "56000024":
        break;
      case "56000001":
        out.push(`${message} -> ${error} ${word ? vm(word) : ""}`);
        break;
      case "51000012":
      case "51000013": {
        let owner = "";
        const fields = request.replace(/acl=(\w+):/, (_, raw) => `acl=${owner = vm(raw)}:`);
        const kept = whole ? fields : fields.replace(/ flags=\d+| entries=\d+| bytes=\d+/g, "");
        out.push(`${message} ${kept} -> ${error} ${word ? handle(word, owner) : ""}`);
        break;
      }
      case "51000018":
        break;
      case "51000015":
        out.push(`${message} ${handle(request)} ${request.slice(8)} -> ${error}`);
        break;
      case "56000009":
      case "56000032": {
        const rest = request.slice(16);
        out.push(`${message} ${vm(request)} ${request.slice(4, 8)} ${handle(request.slice(8), vm(request))} ${rest} -> ${error}`);
        break;
      }
      case "51100012":
        out.push(`${message} ${handle(request, vm(request.slice(8)))} ${vm(request.slice(8))}`);
        break;
      default:
        out.push(`${message} ${vm(request)} ${request.slice(4)}${error === undefined ? "" : ` -> ${error}`}`);
    }
  }
  return out;
}

/**
 * The lines of each VM by themselves, in the order of their VMs: how calls of two VMs mix depends
 * on the kernel's work queues.
 */
export function byVm(lines: readonly string[]): string[][] {
  const vms = new Map<string, string[]>();
  for (const line of lines) {
    const vm = line.match(/V\d+/)?.[0] ?? "";
    const own = vms.get(vm) ?? [];
    vms.set(vm, own);
    own.push(line);
  }
  return [...vms.values()];
}
