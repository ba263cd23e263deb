// A notification of a device that nothing orders after the store of the available index (virtio 1.2
// section 2.7.13.4): no barrier is in the straight code between the two, nor in any way through the
// functions that it calls. Code that is entered from elsewhere, or is not recognized, is taken for
// ordered.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { BoardFinding } from "../../../model/queries/facts/board-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { framesOf } from "../readers/guest/read-stack.ts";
import { readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";
import { rangeOf } from "../readers/guest/code-range.ts";

type Unordered = OfCode<BoardFinding, "notification-unordered">;

/** Offset of the available index in its ring. */
const INDEX = 2;
/** Functions between the two at most, and instructions in each. */
const FUNCTIONS_MAX = 3, INSTRUCTIONS_MAX = 64;
/** Instructions of a function that is called between the two, with those that it calls. */
const CALLED_MAX = 256;
/** Instructions around them among which branches to between them are sought. */
const AROUND = 512;
const SIZE = 4n;

/** Masks and values of words (A64 encodings: Arm ARM C4.1). */
type WordForm = readonly [mask: number, value: number];
const isOf = (word: number, forms: readonly WordForm[]) => forms.some(([mask, value]) => (word & mask) >>> 0 === value);

/** DMB, DSB (also nXS); exclusive, ordered and atomic accesses, as they may be ordered. */
const ORDERS: readonly WordForm[] = [
  [0xfffff0ff, 0xd50330bf],
  [0xfffff0ff, 0xd503309f],
  [0xfffff3ff, 0xd503323f],
  [0x3f000000, 0x08000000],
  [0x3f200c00, 0x38200000],
  [0x3f200c00, 0x19000000],
];
const CALL: WordForm = [0xfc000000, 0x94000000], JUMP: WordForm = [0xfc000000, 0x14000000];
const RETURN: WordForm = [0xfffffc1f, 0xd65f0000];
/** B, BR and RET; UDF, which code does not reach. */
const ENDS: readonly WordForm[] = [JUMP, [0xfffffc1f, 0xd61f0000], RETURN, [0xffff0000, 0]];
/** BL, BLR and others by a register; exceptions and their returns. */
const LEAVES: readonly WordForm[] = [CALL, [0xfe000000, 0xd6000000], [0xff000000, 0xd4000000]];
/** B.cond and BC.cond, CBZ and CBNZ; TBZ and TBNZ. */
const CONDITIONAL: readonly WordForm[] = [[0xff000000, 0x54000000], [0x7e000000, 0x34000000]], TEST: WordForm = [0x7e000000, 0x36000000];
/** Loads and stores. */
const ACCESSES: WordForm = [0x0a000000, 0x08000000];

/** The target of a direct branch. */
function targetOf(word: number, at: bigint): bigint | undefined {
  const field = (low: number, bits: number) => at + SIZE * BigInt.asIntN(bits, BigInt(word >>> low));
  if (isOf(word, [CALL, JUMP])) return field(0, 26);
  if (isOf(word, CONDITIONAL)) return field(5, 19);
  return isOf(word, [TEST]) ? field(5, 14) : undefined;
}

/** Straight code before an instruction. */
interface Straight {
  /** Addresses of loads and stores in it, the last one first. */
  readonly accesses: readonly bigint[];
  /** Where it begins, if something jumps there; undefined after a barrier or other code. */
  readonly begin: bigint | undefined;
}

class Scan {
  constructor(readonly view: View, readonly vcpu: Vcpu) {}

  word(at: bigint): number | undefined {
    return readWord(this.view, this.vcpu, at);
  }

  /** Whether an instruction, with the registers as they are, stores to such an address. */
  storesTo(at: bigint, isIt: (ipa: number, size: number) => boolean): boolean {
    const { questions } = this.view.system.symbols.core, { registers } = this.vcpu;
    return questions.accesses(registers, at).some(({ va, size, isWrite }) => isWrite && isIt(questions.inspect(registers, va).ipa, size));
  }

  /** The store to the address `index` that nothing orders before the notification at `notifies`. */
  unorderedStore(notifies: bigint, code: Straight, index: number): bigint | undefined {
    const { view, vcpu } = this;
    for (let at = notifies, before = code, depth = 1; depth <= FUNCTIONS_MAX; depth++) {
      const store = before.accesses.find((one) => this.storesTo(one, (ipa, size) => ipa <= index && index < ipa + size));
      if (store !== undefined) return this.#isEntered(store, at) ? undefined : store;
      const caller = before.begin === undefined ? undefined : framesOf(view, vcpu).filter(({ inlined }) => !inlined)[depth]?.frame;
      if (before.begin === undefined || caller === undefined) return undefined;
      const call = caller.pc - SIZE, word = this.word(call), entry = word !== undefined && isOf(word, [CALL]) && targetOf(word, call);
      if (!entry || entry < before.begin || entry > at || this.#isEntered(entry, at)) return undefined;
      [at, before] = [call, this.before(call)];
    }
    return undefined;
  }

  before(from: bigint): Straight {
    const accesses: bigint[] = [];
    for (let at = from - SIZE, count = 0; count < INSTRUCTIONS_MAX; at -= SIZE, count++) {
      const word = this.word(at);
      if (word === undefined || isOf(word, ORDERS) || isOf(word, LEAVES) && !this.#returnsUnordered(word, at)) break;
      if (isOf(word, ENDS)) return { accesses, begin: at + SIZE };
      if (isOf(word, [ACCESSES])) accesses.push(at);
    }
    return { accesses, begin: undefined };
  }

  /** Whether an instruction calls a function that comes back without a barrier on any way. */
  #returnsUnordered(call: number, from: bigint): boolean {
    if (!isOf(call, [CALL])) return false;
    const seen = new Set<bigint>(), open = [targetOf(call, from)];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen.has(at)) continue;
      if (seen.size === CALLED_MAX) return false;
      seen.add(at);
      const word = this.word(at);
      if (word === undefined || isOf(word, ORDERS)) return false;
      if (isOf(word, [RETURN])) continue;
      const target = targetOf(word, at);
      if (target === undefined && (isOf(word, LEAVES) || isOf(word, ENDS))) return false;
      if (target !== undefined) open.push(target);
      if (!isOf(word, [JUMP])) open.push(at + SIZE);
    }
    return true;
  }

  /** Whether a direct branch elsewhere leads to after `first` up to `last`. */
  #isEntered(first: bigint, last: bigint): boolean {
    for (let at = first - SIZE * BigInt(AROUND); at <= last + SIZE * BigInt(AROUND); at += SIZE) {
      if (at >= first && at <= last) continue;
      const word = this.word(at), target = word === undefined ? undefined : targetOf(word, at);
      if (target !== undefined && target > first && target <= last) return true;
    }
    return false;
  }
}

/**
 * The notification of the vCPU whose store has just reached a device.
 * @param registers of the device
 * @param ring the address of the available ring
 */
export function unorderedNotification(
  view: View,
  vcpus: readonly Vcpu[],
  registers: { readonly ipa: number; readonly size: number },
  ring: number,
): Pick<Unordered, "vcpu" | "at" | "store"> | undefined {
  const index = ring + INDEX;
  const isDevice = (ipa: number) => ipa >= registers.ipa && ipa < registers.ipa + registers.size;
  for (const vcpu of vcpus) {
    const scan = new Scan(view, vcpu), { pc } = vcpu.registers;
    for (const at of [pc, pc - SIZE]) {
      const word = scan.word(at);
      if (word === undefined || !isOf(word, [ACCESSES]) || isOf(word, ORDERS)) continue;
      const code = scan.before(at);
      // A barrier is right before the notification, as in Linux: nothing has to be decoded.
      if (code.accesses.length === 0 && code.begin === undefined || !scan.storesTo(at, isDevice)) continue;
      const store = scan.unorderedStore(at, code, index);
      return store === undefined ? undefined : { vcpu: view.vcpu(vcpu), at: rangeOf(view, vcpu, at), store: rangeOf(view, vcpu, store) };
    }
  }
  return undefined;
}
