// The latest exit of a core, with the syndrome that ESR_EL2 would have.

import { AbortSyndrome, ExceptionClass, exceptionClass } from "../architecture/exceptions.ts";
import { loadStoreSyndrome } from "../architecture/load-store-syndrome.ts";
import type { CpuFields } from "../state/cpu-fields.ts";
import { CPU } from "../state/cpu-state.ts";
import { type Exit, ExitReason } from "./exit.ts";
import { exitCountOf, namedExitCounts, newExitCounts } from "./exit-counts.ts";

/**
 * The latest exit. Its getter is a class's and its numbers are doubles from the start: V8 turns an
 * object that has a getter itself, and fields that change from integers to doubles, into a hash
 * table.
 */
export class LatestExit implements Exit {
  reason: ExitReason = ExitReason.Budget;
  retired = 0;
  esr = NaN;
  ipa = NaN;
  pa = NaN;
  deactivated: number | undefined;
  readonly #counts = newExitCounts();
  readonly #cpu: CpuFields;
  readonly #view: DataView;
  /**
   * The last load or store that exited, and its part of the syndrome. A guest that polls a device
   * exits at the same instruction again and again.
   */
  #accessWord = 0;
  #accessSyndrome = loadStoreSyndrome(0);

  constructor(cpu: CpuFields, memory: WebAssembly.Memory) {
    this.#cpu = cpu;
    this.#view = new DataView(memory.buffer);
    this.esr = this.ipa = this.pa = 0;
  }

  /** A bigint, which most handlers do not want: it is read when asked for. */
  get far(): bigint {
    return this.#view.getBigUint64(CPU.EXIT_FAR, true);
  }

  /** A run begins: the core has not been left. */
  begin(): void {
    this.reason = ExitReason.Budget;
  }

  /** Why the core was left. */
  readReason(): void {
    this.reason = this.#cpu.EXIT_REASON as ExitReason;
  }

  /**
   * ESR, FAR and addresses of a Trap or Bus exit; aborts get the part of the syndrome that the
   * encoding gives.
   */
  readSyndrome(): void {
    const cpu = this.#cpu;
    this.esr = cpu.EXIT_ESR >>> 0;
    const kind = exceptionClass(this.esr);
    this.#counts[exitCountOf(this.reason, kind)]++;
    if (kind !== ExceptionClass.DataAbortLower && kind !== ExceptionClass.InstructionAbortLower) return;
    this.ipa = cpu.EXIT_IPA;
    this.pa = cpu.EXIT_PA;
    const special = AbortSyndrome.S1ptw | AbortSyndrome.Cm;
    if (kind !== ExceptionClass.DataAbortLower || this.esr & special) return;
    const word = cpu.EXIT_WORD;
    if (word !== this.#accessWord) {
      this.#accessWord = word;
      this.#accessSyndrome = loadStoreSyndrome(word);
    }
    this.esr = (this.esr | this.#accessSyndrome) >>> 0;
  }

  /** The physical interrupt that a VirtualInterface exit deactivates. */
  readDeactivated(): void {
    const next = this.#cpu.DEACTIVATES;
    this.deactivated = next ? next - 1 : undefined;
    this.#cpu.DEACTIVATES = 0;
  }

  /** How often each reason was that of an exit, by name. */
  get named(): Readonly<Record<string, number>> {
    return namedExitCounts(this.#counts);
  }

  /** The exit was answered without EL2 this many times. */
  repeated(count: number): void {
    this.#counts[exitCountOf(ExitReason.Trap, exceptionClass(this.esr))] += count;
  }

  /** The register of a load that left to EL2; undefined for other exits. */
  get loadedRegister(): number | undefined {
    return exceptionClass(this.esr) === ExceptionClass.DataAbortLower ? this.esr >>> AbortSyndrome.SrtShift & 0x1f : undefined;
  }
}
