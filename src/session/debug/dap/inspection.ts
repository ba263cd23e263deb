// The state of a stopped machine, as editors ask for it: call frames, scopes, variables, registers
// and expressions. A reference that a client gets is valid until the machine runs again.

import type { DebugProtocol } from "@vscode/debugprotocol";
import { DEBUG_REGISTERS } from "../../../machine/hypervisor/interface.ts";
import { type Answer, type QueryOf, rowsOf } from "../../../model/queries/query.ts";
import { STACK, VARIABLES } from "../../../model/queries/tables.ts";
import { addressOf, type Arguments, RequestError } from "./arguments.ts";
import { DATA_SIZE } from "./breakpoints.ts";
import type { SourceMap } from "./source-map.ts";
import type { DapStop, DapTarget } from "./target.ts";
import type { Threads } from "./threads.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Limit on the references at one stop. */
const REFERENCES_MAX = 100_000;
/** Frames of one thread, in frame ids. */
const FRAMES = 1000;
const GROUPS = { core: "General", fp: "Floating point", system: "System", el2: "EL2" } as const;

/** Meaning of a variables reference. */
type Reference =
  | { readonly kind: "variables"; readonly vcpu: number; readonly frame: number; readonly of: readonly string[] }
  | { readonly kind: "parts"; readonly vcpu: number; readonly frame: number; readonly path: string }
  | { readonly kind: "registers"; readonly vcpu: number; readonly group: keyof typeof GROUPS };

/** Answers about a stopped machine. */
export class Inspection {
  #references: Reference[] = [];

  /**
   * @param machine gives the machine, or refuses the request if it has ended
   * @param stopped gives its stop, or refuses the request if it runs
   */
  constructor(
    readonly machine: () => DapTarget,
    readonly stopped: () => DapStop,
    readonly threads: Threads,
    readonly sources: SourceMap,
  ) {}

  /** The machine runs: references are no longer valid. */
  forget(): void {
    this.#references = [];
  }

  /** Call frames of a thread, as the session knows them. */
  async stackTrace(args: Arguments): Promise<object> {
    const thread = args.number("threadId"), vcpu = this.threads.vcpuOf(thread);
    const rows = rowsOf(STACK, await this.#ask({ table: "vcpu.stack", args: { vcpu: this.threads.nameOf(vcpu) } }));
    const start = Math.max(0, args.number("startFrame", 0)), levels = args.number("levels", 0);
    const stackFrames = rows.map((row, index): DebugProtocol.StackFrame => {
      return {
        id: thread * FRAMES + index,
        name: row.symbol ?? row.pc,
        line: row.line ?? 0,
        column: row.line === null ? 0 : 1,
        instructionPointerReference: this.threads.reference(vcpu, BigInt(row.pc)),
        ...row.file !== null && { source: this.sources.sourceOf(row.file) },
        ...row.by === "inline" && { presentationHint: "label" as const },
      };
    });
    return { stackFrames: stackFrames.slice(start, levels > 0 ? start + levels : undefined), totalFrames: rows.length };
  }

  /** The vCPU and frame of a frame id. */
  #frame(args: Arguments): { vcpu: number; frame: number } {
    const id = args.number("frameId");
    if (id < FRAMES) throw new RequestError("there is no such frame");
    return { vcpu: this.threads.vcpuOf(Math.floor(id / FRAMES)), frame: id % FRAMES };
  }

  /** Scopes of a frame: its variables by kind, and the vCPU's registers. */
  async scopes(args: Arguments): Promise<object> {
    this.stopped();
    const { vcpu, frame } = this.#frame(args), has = new Set((await this.#registersOf(vcpu)).map(({ register }) => register.group));
    const variables = (name: string, of: readonly string[], more: object = {}) => ({
      name,
      variablesReference: this.#refer({ kind: "variables", vcpu, frame, of }),
      expensive: false,
      ...more,
    });
    const registers = (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).filter((group) => has.has(group)).map((group) => ({
      name: `Registers: ${GROUPS[group]}`,
      presentationHint: "registers",
      variablesReference: this.#refer({ kind: "registers", vcpu, group }),
      expensive: group !== "core",
    }));
    return {
      scopes: [
        // One scope: editors open only the first.
        variables("Locals", ["argument", "local"], { presentationHint: "locals" }),
        variables("Statics", ["static"], { expensive: true }),
        // Registers of a caller are not those of the vCPU.
        ...frame === 0 ? registers : [],
      ],
    };
  }

  /** A reference for the client, valid until the machine runs. */
  #refer(reference: Reference): number {
    if (this.#references.length >= REFERENCES_MAX) throw new RequestError("too many variables were asked for at one stop");
    return this.#references.push(reference);
  }

  #referred(args: Arguments): Reference {
    const reference = this.#references[args.number("variablesReference") - 1];
    if (!reference) throw new RequestError("there are no such variables", "the machine has run since");
    return reference;
  }

  /** The content of a reference: registers, variables, or parts of a variable. */
  async variables(args: Arguments): Promise<object> {
    this.stopped();
    const reference = this.#referred(args);
    const start = Math.max(0, args.number("start", 0)), count = args.number("count", 0);
    const all = reference.kind === "registers" ? await this.#registers(reference) : await this.#values(reference);
    return { variables: all.slice(start, count > 0 ? start + count : undefined) };
  }

  async #values(reference: Exclude<Reference, { kind: "registers" }>): Promise<DebugProtocol.Variable[]> {
    const { vcpu, frame } = reference, query = { vcpu: this.threads.nameOf(vcpu), frame };
    const at = reference.kind === "parts" ? reference.path : undefined;
    const rows = rowsOf(VARIABLES, await this.#ask({ table: "vcpu.vars", args: { ...query, at } }));
    const shown = reference.kind === "parts" ? rows.slice(1) : rows.filter(({ kind }) => reference.of.includes(kind));
    return shown.map((row) => ({
      name: row.name,
      value: row.value,
      evaluateName: row.path,
      variablesReference: row.parts > 0 ? this.#refer({ kind: "parts", vcpu, frame, path: row.path }) : 0,
      ...row.type !== null && { type: row.type },
      ...row.address !== null && { memoryReference: this.threads.reference(vcpu, BigInt(row.address)) },
    }));
  }

  async #registers({ vcpu, group }: Extract<Reference, { kind: "registers" }>): Promise<DebugProtocol.Variable[]> {
    return (await this.#registersOf(vcpu)).filter(({ register }) => register.group === group).map(({ register, value }) => ({
      name: register.name,
      value: hex(value),
      evaluateName: `$${register.name.toLowerCase()}`,
      variablesReference: 0,
      ...register.bits === 64 && { memoryReference: this.threads.reference(vcpu, value) },
    }));
  }

  /** The registers that a vCPU has, and their values. */
  async #registersOf(vcpu: number): Promise<{ readonly register: (typeof DEBUG_REGISTERS)[number]; readonly value: bigint }[]> {
    const answer = await this.machine().ask({ kind: "registers", vcpu });
    if (answer.kind !== "registers") throw new RequestError("the vCPU has no registers now");
    return answer.values.map((value, index) => ({ register: DEBUG_REGISTERS[index], value }));
  }

  /** Writes a register; memory has its own request. */
  async setVariable(args: Arguments): Promise<object> {
    this.stopped();
    const reference = this.#referred(args), name = args.text("name");
    if (reference.kind !== "registers") throw new RequestError("only registers can be set", "memory is written with writeMemory");
    const register = DEBUG_REGISTERS.findIndex((one) => one.name === name);
    if (register < 0) throw new RequestError(`no register ${JSON.stringify(name)}`);
    const value = addressOrNumber(args.text("value"));
    const answer = await this.machine().ask({ kind: "write-register", vcpu: reference.vcpu, register, value });
    if (answer.kind === "refused") throw new RequestError(answer.message);
    return { value: hex(value) };
  }

  /** The value of an expression in a frame, or else where the machine has stopped. */
  async evaluate(args: Arguments): Promise<object> {
    this.stopped();
    const { vcpu, frame } = args.has("frameId") ? this.#frame(args) : { vcpu: this.stopped().vcpu, frame: 0 };
    const rows = rowsOf(
      VARIABLES,
      await this.#ask({ table: "vcpu.vars", args: { vcpu: this.threads.nameOf(vcpu), frame, at: args.text("expression") } }),
    );
    const [row] = rows;
    if (!row) throw new RequestError("no value");
    return {
      result: row.value,
      variablesReference: row.parts > 0 ? this.#refer({ kind: "parts", vcpu, frame, path: row.path }) : 0,
      ...row.type !== null && { type: row.type },
      ...row.address !== null && { memoryReference: this.threads.reference(vcpu, BigInt(row.address)) },
    };
  }

  /** The id under which a variable, an expression or an address can be watched. */
  async dataBreakpointInfo(args: Arguments): Promise<object> {
    this.stopped();
    const name = args.text("name"), accessTypes = ["read", "write", "readWrite"];
    const bytes = args.has("bytes") ? args.number("bytes") : undefined;
    const info = (vcpu: number, address: bigint, length: number) => ({
      dataId: `${this.threads.reference(vcpu, address)}:${length}`,
      description: `${length} bytes at ${this.threads.reference(vcpu, address)} (${name})`,
      accessTypes,
    });
    if (args.flag("asAddress")) {
      const { vcpu, address } = this.threads.place(name, this.stopped().vcpu);
      return info(vcpu, address, bytes ?? DATA_SIZE);
    }
    const reference = args.has("variablesReference") ? this.#referred(args) : undefined;
    if (reference?.kind === "registers") return { dataId: null, description: "a register has no address" };
    const frame = reference ?? (args.has("frameId") ? this.#frame(args) : { vcpu: this.stopped().vcpu, frame: 0 });
    const query = { vcpu: this.threads.nameOf(frame.vcpu), frame: frame.frame };
    const rows = reference ? await this.#values(reference) : undefined;
    const expression = rows?.find((one) => one.name === name)?.evaluateName ?? name;
    const [row] = rowsOf(VARIABLES, await this.#ask({ table: "vcpu.vars", args: { ...query, at: expression } }));
    if (!row || row.address === null) return { dataId: null, description: `${name} is not in memory here` };
    return info(frame.vcpu, BigInt(row.address), bytes ?? row.size ?? DATA_SIZE);
  }

  async #ask(query: QueryOf<"vcpu.stack" | "vcpu.vars">): Promise<Answer> {
    const answer = await this.machine().query(query);
    if (answer.error !== undefined) throw new RequestError(answer.error);
    return answer;
  }
}

function addressOrNumber(text: string): bigint {
  const trimmed = text.trim();
  return trimmed.startsWith("-")
    ? BigInt.asUintN(64, -addressOf(trimmed.slice(1)))
    : /^0x[0-9a-f]{17,32}$/i.test(trimmed)
    ? BigInt(trimmed)
    : addressOf(trimmed);
}
