// The value of an expression with the words of RAM from which it was read: as long as nobody writes
// them, it stays. It is read in a VM, in no frame: frames come and go.

import { translate, VirtualMemory } from "../../../inside/linux/kernel/memory.ts";
import { Reading } from "../../../inside/linux/kernel/reading.ts";
import { guestReader } from "../../../inside/symbols/unwind.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import type { MemoryWatch } from "../../../cpu/core/interface.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { formatId, type ScopedExpression, scopedExpression } from "../../../model/queries/ids.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { vmOfVcpu } from "../readers/guest/read-stack.ts";
import { type ExpressionPlace, kernelScope, printedRows, whereIn } from "./read-print.ts";
import { scopeOf } from "./scope.ts";

/** Bytes of a word, and words of a value: every write to their pages takes a slow way. */
const WORD = 8, WORDS_MAX = 1024;

export interface WatchedValue {
  /** In a line; of a collection, the values of all members. */
  readonly text: string;
  /** Writes to the words; undefined: it was read from none. */
  readonly watch: MemoryWatch | undefined;
  /** Why there is no value: then the text says it, and the words led there. */
  readonly problem?: Problem;
}

/** Words that are read. */
class ReadWords {
  readonly #found = new Set<number>();
  readonly #heard = new Set<bigint>();

  constructor(readonly ram: View["hypervisor"]["machine"]["ram"], readonly physical: (address: bigint) => number | undefined) {}

  readonly add = (address: bigint, size: number): void => {
    const word = BigInt(WORD), end = address + BigInt(size);
    for (let at = address - address % word; at < end; at += word) {
      if (this.#heard.has(at)) continue;
      this.#heard.add(at);
      const pa = this.physical(BigInt.asUintN(64, at));
      if (pa !== undefined && this.ram.contains(pa, WORD)) this.#found.add(pa);
      if (this.#found.size > WORDS_MAX) {
        throw new QueryError(`the value is read from more than ${WORDS_MAX * WORD} bytes`, "choose a part of it");
      }
    }
  };

  get watch(): MemoryWatch | undefined {
    const [pa, ...more] = [...this.#found].sort((a, b) => a - b);
    return pa === undefined ? undefined : { pa, length: WORD, kind: "write", more };
  }
}

/** Memory that tells what is read of it. */
class HeardMemory extends VirtualMemory {
  constructor({ physical, tables, work }: VirtualMemory, readonly heard: (address: bigint, size: number) => void) {
    super(physical, tables, work);
  }

  override view(address: bigint, size: number) {
    this.heard(address, size);
    return super.view(address, size);
  }

  override bytes(address: bigint, size: number) {
    this.heard(address, size);
    return super.bytes(address, size);
  }
}

/** The value now. */
export function watchedValue(view: View, text: string): WatchedValue {
  let words: ReadWords | undefined;
  try {
    const wanted = scopedExpression(text), { expression } = wanted;
    checkFrameless(wanted);
    const heard = heardScope(view, whereIn(view, wanted));
    words = heard.words;
    const { rows } = printedRows({ ...heard, expression, gaps: () => [] });
    return { text: rows.map(({ value }) => value.replaceAll(/\s*\n\s*/g, " ")).join(", "), watch: words.watch };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { text: `<${error.message}>`, watch: words?.watch, problem: error.problem };
  }
}

/** @throws QueryError */
function checkFrameless({ vm, index, expression }: ScopedExpression): void {
  if (vm !== undefined && index !== undefined) {
    throw new QueryError(
      "variables and registers of a frame come and go",
      way`name the VM alone, as in ${hint("who print", `${vm}:${expression}`)}; registers have ${
        hint("who", formatId({ kind: "reg", vm, index, name: "x0" }))
      }`,
    );
  }
}

/** The scope of expressions about a kernel or about what a vCPU sees, and what is read in it. */
function heardScope(view: View, { reading, space, vcpu }: ExpressionPlace) {
  if (!reading) return { ...seenScope(view, vcpu), vm: vmOfVcpu(view, vcpu) };
  const { memory, kernel, vm, vcpus, now } = reading, { physical, tables, work } = memory;
  const words = new ReadWords(view.hypervisor.machine.ram, (address) => {
    const ipa = translate(physical, tables, address, work), page = ipa === undefined ? undefined : space.stage2.lookup(ipa);
    return page && page.pa + Number(address % BigInt(PAGE_SIZE));
  });
  const heard = new Reading(vm, kernel, new HeardMemory(memory, words.add), vcpus, now);
  return { words, scope: kernelScope(reading, view.system.symbols.infos(vm), heard), vm };
}

function seenScope(view: View, vcpu: Vcpu) {
  const { symbols } = view.system,
    { core } = symbols,
    { ram } = view.hypervisor.machine,
    vm = vmOfVcpu(view, vcpu),
    tables = symbols.all(vm);
  const words = new ReadWords(ram, (address) => {
    const found = core.questions.inspect(vcpu.registers, address);
    return found.ok ? found.pa : undefined;
  });
  const reader = guestReader(core, ram, vcpu);
  const read = (address: bigint, size: number) => {
    words.add(address, size);
    return reader(address, size);
  };
  return { words, scope: scopeOf({ tables, infos: symbols.infos(vm), read, register: () => undefined, kernel: () => undefined }) };
}
