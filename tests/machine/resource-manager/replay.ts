// Replays recorded conformance cases (tests/conformance/README.md) on a `System`: requests to the
// Resource Manager, packets, hypercalls and memory of the primary VM and of guests. Cases that need
// AArch64 code are not replayed here.

import assert from "node:assert/strict";
import { encodePackets, PacketType, Reassembler, RPC_PACKET_SIZE, type RpcMessage } from "../../../src/machine/abi/rpc/packet.ts";
import type { NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { Hypercall } from "../../../src/machine/abi/hypercalls.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { walk } from "../../../src/machine/devicetree/tree.ts";
import { System } from "./system.ts";

/** A step as the files have it. */
export interface Step {
  readonly do: string;
  readonly [parameter: string]: unknown;
}

/** A case as the files have it. */
export interface Case {
  readonly name: string;
  readonly needs: string;
  readonly fresh?: boolean;
  readonly steps: readonly Step[];
  readonly teardown?: readonly Step[];
}

const CONFORMANCE = new URL("../../conformance/", import.meta.url);
const macros: Record<string, Step[]> = JSON.parse(Deno.readTextFileSync(new URL("macros.json", CONFORMANCE)));

/** The cases of a group. */
export function casesOf(group: string): Case[] {
  return JSON.parse(Deno.readTextFileSync(new URL(`cases/${group}.json`, CONFORMANCE))).cases;
}

const REPLAYED = new Set([
  ...["rpc", "packet", "receive", "notifications", "resources", "devicetree", "hvc", "peek", "poke", "read", "write", "copy", "load"],
  ...["set", "sleep", "repeat", "vcpu_run", "guest"],
]);

/** Whether every step of a case can be replayed here. */
export function isReplayed({ steps, teardown = [] }: Case): boolean {
  return [...expand(steps), ...expand(teardown)].every((step) =>
    REPLAYED.has(step.do) && (step.do !== "guest" || step.resume === undefined)
  );
}

/** Puts macros in place, with their parameters. */
function expand(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => {
    if (step.do !== "macro") return [step];
    const text = JSON.stringify(macros[step.name as string]);
    return expand(JSON.parse(text.replace(/\{\{(\w+)=?([^}]*)\}\}/g, (_, name, preset) => String(step[name] ?? preset))));
  });
}

type Result = Record<string, unknown>;
const hex = (value: number | bigint) => `0x${value.toString(16)}`;
const bytesToHex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Where the image of guests lies in the primary's memory, as the cases have it. */
const GUEST_IMAGE = 0x5000_0000;

/** One system on which cases run one after the other. */
export class Replay {
  readonly system = new System();
  #variables = new Map<string, bigint>();
  #notifications: { id: string; payload: string }[] = [];
  #sequence = 0;

  /** Runs a case. @throws AssertionError at the first step whose result is another */
  run({ steps, teardown = [] }: Case): void {
    this.#variables = new Map(Object.entries({
      ...{ image: 0x4100_0000n, image_size: 0x1000n, gicd: 0x0800_0000n, gicr: 0x080a_0000n, ram: 0x4000_0000n },
      ...{ buf: 0x4400_0000n, mem: BigInt(GUEST_IMAGE), free: 0x6000_0000n, rmtx: 0n, rmrx: 1n, vmid: 3n },
      ...{ gbuf: 0x8018_0000n, gtx: 0n, grx: 1n },
    }));
    try {
      for (const [index, step] of expand(steps).entries()) {
        const result = this.#step(step);
        this.#save(step, result);
        this.#judge(step, result, `step ${index + 1}: ${JSON.stringify(step)}`);
      }
    } finally {
      for (const step of expand(teardown)) this.#step(step);
      this.#notifications = [];
    }
  }

  #value(text: unknown): bigint {
    let total = 0n;
    for (const [, sign, term] of String(text).matchAll(/([+-]?)\s*(\$?[A-Za-z_0-9]+)/g)) {
      const value = term.startsWith("$") ? this.#variables.get(term.slice(1)) : BigInt(term);
      assert.ok(value !== undefined, `the variable ${term} is known`);
      total += sign === "-" ? -value : value;
    }
    return BigInt.asUintN(64, total);
  }

  #bytes(fields: unknown): Uint8Array {
    const bytes: number[] = [];
    for (const field of (fields ?? []) as string[]) {
      const [kind, ...rest] = field.split(":");
      const text = rest.join(":");
      if (/^u\d+$/.test(kind)) {
        const value = this.#value(text);
        for (let shift = 0; shift < Number(kind.slice(1)); shift += 8) bytes.push(Number(value >> BigInt(shift) & 0xffn));
      } else if (kind === "str") bytes.push(...new TextEncoder().encode(text));
      else if (kind === "hex") bytes.push(...text.match(/../g)!.map((byte) => parseInt(byte, 16)));
      else if (kind === "zero") bytes.push(...new Array(Number(text)).fill(0));
      else if (kind === "fill") bytes.push(...new Array(Number(text.split("*")[1])).fill(parseInt(text, 16)));
      else throw new Error(`unknown field ${field}`);
    }
    return Uint8Array.from(bytes);
  }

  /** Does something where the step says: on the primary, or in a guest. */
  #on<T>(step: Step, action: (vcpu: NativeVcpu) => T): T {
    if (step.in === undefined) return this.system.act(action);
    return action(this.system.guest(Number(this.#variables.get("vm"))));
  }

  #call(step: Step, number: number, ...args: bigint[]): bigint[] {
    return this.#on(step, (vcpu) => [...vcpu.hvc(number, ...args)]);
  }

  #send(step: Step, packet: Uint8Array): bigint {
    const buffer = step.in === undefined ? this.#variables.get("buf")! : this.#variables.get("gbuf")!;
    return this.#on(step, (vcpu) => {
      vcpu.write(Number(buffer), packet);
      const queue = this.#variables.get(step.in === undefined ? "rmtx" : "gtx")!;
      return vcpu.hvc(Hypercall.msgqueue_send, queue, BigInt(packet.length), buffer, 1n)[0];
    });
  }

  #receive(step: Step): Uint8Array | undefined {
    const buffer = this.#variables.get(step.in === undefined ? "buf" : "gbuf")! + 0x1000n;
    for (let attempt = 0; attempt < 20; attempt++) {
      const packet = this.#on(step, (vcpu) => {
        const queue = this.#variables.get(step.in === undefined ? "rmrx" : "grx")!;
        const [error, size] = vcpu.hvc(Hypercall.msgqueue_receive, queue, buffer, BigInt(RPC_PACKET_SIZE));
        return error === 0n ? vcpu.read(Number(buffer), Number(size))! : null;
      });
      if (packet !== null) return packet;
      this.system.wait(200_000);
    }
    return undefined;
  }

  #receiveMessage(step: Step): RpcMessage | undefined {
    const reassembler = new Reassembler();
    for (let packet = this.#receive(step); packet !== undefined; packet = this.#receive(step)) {
      const result = reassembler.accept(packet);
      if (result.done) return result.message;
    }
    return undefined;
  }

  #rpc(step: Step): Result {
    const id = Number(this.#value(step.id));
    const sequence = this.#sequence = (this.#sequence + 1) & 0x3fff;
    for (const packet of encodePackets({ type: PacketType.Request, sequence, id, payload: this.#bytes(step.payload) })) {
      const error = this.#send(step, packet);
      if (error !== 0n) return { send_error: hex(error) };
      this.system.wait(20_000);
    }
    for (;;) {
      const message = this.#receiveMessage(step);
      if (message === undefined) return { reply: "none" };
      if (message.type === PacketType.Notification) {
        this.#notifications.push({ id: hex(message.id), payload: bytesToHex(message.payload) });
        continue;
      }
      const echo = message.type === PacketType.Reply && message.sequence === sequence && message.id === id;
      const error = new DataView(message.payload.buffer).getUint32(0, true);
      return { echo, error: hex(error), payload: bytesToHex(message.payload.subarray(4)) };
    }
  }

  #step(step: Step): Result {
    switch (step.do) {
      case "rpc":
        return this.#rpc(step);
      case "packet":
        return { x0: hex(this.#send(step, this.#bytes(step.bytes))) };
      case "receive": {
        const packet = this.#receive(step);
        return packet === undefined ? { none: true } : { bytes: bytesToHex(packet) };
      }
      case "notifications": {
        for (let message = this.#receiveMessage(step); message !== undefined; message = this.#receiveMessage(step)) {
          this.#notifications.push({ id: hex(message.id), payload: bytesToHex(message.payload) });
        }
        return { list: this.#notifications.splice(0) };
      }
      case "resources":
        return this.#resources(step);
      case "devicetree":
        return this.#devicetree(step);
      case "hvc": {
        const number = Number(this.#value(step.imm)) - 0x6000;
        const args = ((step.args ?? []) as unknown[]).map((arg) => this.#value(arg));
        const results = number === Hypercall.vcpu_run ? this.system.vcpuRun(args[0]) : this.#call(step, number, ...args);
        return { ...Object.fromEntries(results.map((value, index) => [`x${index}`, hex(value)])), changed: "0x0" };
      }
      case "vcpu_run": {
        const [error, state, data0, data1, data2] = this.system.vcpuRun(this.#value(step.vcpu)).map(hex);
        return { error, state, data0, data1, data2 };
      }
      case "guest":
        return { ready: true };
      case "read":
      case "peek": {
        const bytes = this.#on(step, (vcpu) => vcpu.read(Number(this.#value(step.at)), Number(step.size)));
        return { value: hex([...bytes!].reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n)), bytes: bytesToHex(bytes!) };
      }
      case "write": {
        const value = this.#value(step.value);
        const bytes = Uint8Array.from({ length: Number(step.size) }, (_, index) => Number(value >> BigInt(index * 8) & 0xffn));
        return { ok: this.#on(step, (vcpu) => vcpu.write(Number(this.#value(step.at)), bytes)) };
      }
      case "poke":
        return { ok: this.#on(step, (vcpu) => vcpu.write(Number(this.#value(step.at)), this.#bytes(step.bytes))) };
      case "copy":
        return this.system.act((vcpu) => {
          const bytes = vcpu.read(Number(this.#value(step.from)), Number(this.#value(step.size)));
          return { ok: vcpu.write(Number(this.#value(step.to)), bytes!) };
        });
      case "load": {
        const bytes = Deno.readFileSync(new URL(step.file as string, CONFORMANCE));
        return { ok: this.system.act((vcpu) => vcpu.write(Number(this.#value(step.at)), bytes)) };
      }
      case "repeat":
        for (let left = Number(step.times ?? 100);; left--) {
          const result = this.#step(step.step as Step);
          if (left === 0 || this.#matches(step.until, result)) return result;
          this.system.wait(100_000);
        }
      case "set":
        for (const [name, value] of Object.entries(step.vars as Record<string, unknown>)) this.#variables.set(name, this.#value(value));
        return {};
      case "sleep":
        this.system.wait(Number(step.ms) * 1_000_000);
        return {};
      default:
        throw new Error(`the step ${step.do} is not replayed`);
    }
  }

  #resources(step: Step): Result {
    const reply = this.#rpc({ do: "rpc", id: "0x56000020", payload: [`u16:${step.vm}`, "u16:0"] });
    if (reply.error !== "0x0") return reply;
    const bytes = Uint8Array.from((reply.payload as string).match(/../g)!.map((byte) => parseInt(byte, 16)));
    const view = new DataView(bytes.buffer);
    const list: Result[] = [];
    for (let at = 4; at + 44 <= bytes.length; at += 44) {
      const type = view.getUint8(at), label = view.getUint32(at + 8, true);
      const cap = view.getBigUint64(at + 12, true), virq = view.getUint32(at + 24, true);
      list.push({
        ...{ type: hex(type), partner: hex(view.getUint16(at + 2, true)), handle: hex(view.getUint32(at + 4, true)), label: hex(label) },
        ...{ cap: hex(cap), virq_handle: hex(view.getUint32(at + 20, true)), virq: hex(virq) },
        ...{ base: hex(view.getBigUint64(at + 28, true)), size: hex(view.getBigUint64(at + 36, true)) },
      });
      const name = ["src", "dst", "tx", "rx", "vcpu"][type] + label.toString(16);
      this.#variables.set(name, cap);
      this.#variables.set(`virq_${name}`, BigInt(virq));
    }
    return { error: reply.error, count: hex(view.getUint32(0, true)), length: hex(bytes.length + 4), list };
  }

  #devicetree(step: Step): Result {
    const at = Number(this.#value(step.at));
    const read = readDevicetree(this.system.act((vcpu) => vcpu.read(at, 0x4000))!);
    assert.ok(read.ok, "the devicetree can be read");
    const list = [...walk(read.tree.root)].flatMap(({ node, path }) => {
      const shown = path.replace(/^(\/hypervisor\/[^/@]*)@[0-9a-f]*/, "$1@*");
      const properties = [...node.properties].map(([name, value]) => ({ path: shown, name, value: bytesToHex(value) }));
      return [{ path: shown, name: "(node)", value: "" }, ...properties];
    });
    const key = ({ path, name }: { path: string; name: string }) => `${path} ${name === "(node)" ? "" : name}`;
    return { list: list.sort((a, b) => key(a) < key(b) ? -1 : 1) };
  }

  #save(step: Step, result: Result): void {
    for (const [name, where] of Object.entries((step.save ?? {}) as Record<string, string>)) {
      const [, width, at] = /^u(\d+)@(\d+)$/.exec(where) ?? [];
      const text = result.payload as string | undefined ?? "";
      const part = at === undefined ? undefined : text.slice(Number(at) * 2, Number(at) * 2 + Number(width) / 4);
      if (part !== undefined && part !== "") this.#variables.set(name, BigInt(`0x${part.match(/../g)!.reverse().join("")}`));
      else if (result[where] !== undefined) this.#variables.set(name, BigInt(result[where] as string));
    }
  }

  /** Where the recording differs from the document, the document's result is accepted too. */
  #judge(step: Step, result: Result, what: string): void {
    if (step.expect === undefined || this.#matches(step.expect, result)) return;
    const expected = step.expect as Result;
    if (step.documented !== undefined && this.#matches({ ...expected, ...step.documented as Result }, result)) return;
    assert.fail(`${what}\ngot ${JSON.stringify(result)}\nrefused: ${this.#why()}`);
  }

  #why(): string {
    const last = this.system.hypervisor.trace.reasons.last;
    return last === undefined ? "nothing" : `${last.chain[0].name}: ${last.rule} ${Deno.inspect(last.values)}`;
  }

  #matches(wanted: unknown, got: unknown): boolean {
    if (wanted === "any") return got !== undefined;
    if (typeof wanted === "boolean" || got === undefined) return wanted === got;
    if (Array.isArray(got)) {
      return Array.isArray(wanted) && wanted.length === got.length && wanted.every((each, index) => this.#matches(each, got[index]));
    }
    if (typeof got === "object") return Object.entries(wanted as Result).every(([key, each]) => this.#matches(each, (got as Result)[key]));
    return this.#matchesText(wanted, String(got));
  }

  #matchesText(wanted: unknown, got: string): boolean {
    if (Array.isArray(wanted)) {
      const pattern = wanted.map((field: string) =>
        field.startsWith("any:") ? "..".repeat(Number(field.slice(4))) : bytesToHex(this.#bytes([field]))
      );
      return new RegExp(`^${pattern.join("")}$`).test(got);
    }
    if (typeof wanted === "object" && wanted !== null) {
      const { in: choices, not, mask, value, min, max } = wanted as Record<string, unknown>;
      if (choices !== undefined) return (choices as unknown[]).some((each) => this.#matches(each, got));
      if (not !== undefined) return !this.#matches(not, got);
      const number = BigInt(got);
      if (mask !== undefined) return (number & this.#value(mask)) === this.#value(value);
      return (min === undefined || number >= this.#value(min)) && (max === undefined || number <= this.#value(max));
    }
    if (/^0x[0-9a-f]+$/.test(got)) return this.#value(wanted) === BigInt(got);
    return wanted === got || new RegExp(`^${wanted}$`).test(got);
  }
}
