// The names of a kernel in expressions: its variables, functions, types and values of enumerations,
// and the members of its collections.

import { hex } from "../../../kit/support/text/number-text.ts";
import type { TypedNumber } from "../../expressions/arithmetic.ts";
import type { CType } from "../../expressions/c-types.ts";
import { type Collections, typeOfText } from "../../expressions/evaluate.ts";
import { ExpressionError, parseType } from "../../expressions/syntax.ts";
import type { TypedValue } from "../../expressions/values.ts";
import type { Btf } from "../kernel/btf.ts";
import { BtfTypes } from "../kernel/btf-types.ts";
import { GLOBALS } from "../kernel/globals.ts";
import type { Reading } from "../kernel/reading.ts";
import { moduleTypes } from "../kernel/module-types.ts";
import { arrayEntries, redBlackEntries } from "./trees.ts";

/** Types by the BTF that they are read from, which stays as long as its kernel. */
const TYPES = new WeakMap<Btf, BtfTypes>();

function typesOf(btf: Btf): BtfTypes {
  let types = TYPES.get(btf);
  if (!types) TYPES.set(btf, types = new BtfTypes(btf));
  return types;
}

/** Data that each CPU has and modules use, whose addresses each kernel tells. */
const EXPORTED = ["kstat", "kernel_cpustat", "irq_stat", "cpu_number"];
/** Members of a list of one direction. */
const MEMBERS_MAX = 65_536;

export class KernelNames {
  readonly #types: BtfTypes | undefined;

  /** @param members by which members of collections are found */
  constructor(readonly reading: Reading, readonly members = reading) {
    const { btf } = reading.kernel;
    this.#types = btf && typesOf(btf);
  }

  get #work() {
    return this.reading.memory.work;
  }

  type(tag: string | undefined, name: string): CType | undefined {
    return this.#found(name, (types) => types.type(tag, name, this.#work));
  }

  constant(name: string): TypedNumber | undefined {
    return this.#found(name, (types) => types.constant(name, this.#work));
  }

  /** In the kernel's types, or else in those of its modules. */
  #found<T>(name: string, find: (types: BtfTypes) => T | undefined): T | undefined {
    const own = this.#types && find(this.#types);
    if (own !== undefined) return own;
    for (const types of moduleTypes(this.reading, name)) {
      const found = find(types);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  symbol(name: string): bigint | undefined {
    return this.reading.kernel.find(this.reading.memory, name);
  }

  /** A variable or function of a known type. */
  variable(name: string): TypedValue | undefined {
    const types = this.#types, address = types && (this.symbol(name) ?? this.#perCpu(name, types));
    if (address === undefined) return undefined;
    const declared = Object.hasOwn(GLOBALS, name) ? typeOfText(parseType(GLOBALS[name]), (tag, one) => this.type(tag, one)) : undefined;
    const type = declared ?? types?.variable(name, this.#work) ?? types?.function(name, this.#work);
    return type && { type, where: { kind: "memory", address } };
  }

  /** The address of a CPU's part of a variable that each CPU has; undefined if it is not known. */
  ofCpu(name: string, cpu: number): bigint | undefined {
    const types = this.#types, address = this.symbol(name) ?? (types && this.#perCpu(name, types));
    return address === undefined ? undefined : this.reading.perCpu(address, cpu);
  }

  /** Data that each CPU has and the symbols do not: their distance to others is in the types. */
  #perCpu(name: string, types: BtfTypes): bigint | undefined {
    const wanted = types.variable(name, this.#work) && types.perCpu(name, this.#work);
    if (wanted === undefined) return undefined;
    for (const exported of EXPORTED) {
      const offset = types.perCpu(exported, this.#work), address = offset === undefined ? undefined : this.symbol(exported);
      if (offset !== undefined && address !== undefined) return address + BigInt(wanted - offset);
    }
    return undefined;
  }

  readonly collections: Collections = {
    list: (head, struct, member) => this.members.list("list", head, struct, member).map(({ address }) => address),
    hlist: (head, struct, member) => this.#hlist(head, struct, member),
    rbtree: (root, struct, member) => {
      return redBlackEntries(this.members, this.members.struct("rb_root", root), struct, member).map(({ address }) => address);
    },
    xarray: (array) => arrayEntries(this.members, this.members.struct("xarray", array)),
    perCpu: (address, cpu) => {
      const { cpus } = this.reading;
      if (!(cpu >= 0 && cpu < cpus)) throw new ExpressionError(`no CPU ${cpu}`, `this kernel has CPUs 0 to ${cpus - 1}`);
      return this.reading.perCpu(address, cpu);
    },
  };

  *#hlist(head: bigint, struct: string, member: string): Generator<bigint> {
    const { members: reading } = this, offset = reading.struct(struct, 0n).addressOf(member);
    const seen = new Set<bigint>();
    for (let at = reading.struct("hlist_head", head).pointer("first"); at !== 0n; at = reading.struct("hlist_node", at).pointer("next")) {
      if (seen.has(at)) return reading.gap({ code: "cycle", of: "hlist", address: hex(at, 16) });
      if (seen.size === MEMBERS_MAX) return reading.gap({ code: "many", of: "hlist", limit: MEMBERS_MAX });
      seen.add(at);
      yield at - offset;
    }
  }
}
