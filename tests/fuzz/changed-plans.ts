// Tables of an attacker who knows their form: values exchanged for others of their kind, also of
// other tables, parts that are missing, doubled, or of another VM.

import { planCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { KiB, MiB } from "../../src/kit/support/values/sizes.ts";
import { SAVED_MACHINES } from "../session/snapshots/furnished.ts";
import { bootPlan } from "../session/snapshots/systems.ts";
import type { Random } from "../support/random.ts";
import { chance, damaged, edge } from "./grammars.ts";
import { type SavedPlan, savedPlan } from "../../src/model/plans/saved-plan.ts";
import { withTable } from "../support/plan-tables.ts";
import { assertPlanned } from "../support/planned.ts";

type Parts = Record<string, unknown> | unknown[];

const isParts = (value: unknown): value is Parts => typeof value === "object" && value !== null && !ArrayBuffer.isView(value);

/** Sizes and addresses at which a layout turns over, besides those of `edge`. */
const NUMBERS = [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 32, 64, 100, 255, 256, 1000, 1023, 4096, 0xffff, 65535, -1, -2, -8]
  .concat([2 * MiB, 4 * MiB, 8 * MiB, 64 * MiB, 128 * MiB, 256 * MiB, 1024 * MiB, 2 ** 30, 2 ** 31, 2 ** 31 + 2 * MiB, 2 ** 32 - 2 * MiB])
  .concat([2 ** 32, 2 ** 36 - 2 * MiB, 2 ** 36, 2 ** 39, 2 ** 40 - 2 * MiB]);

/** Machines with what the others lack. */
async function morePlans(): Promise<SessionPlan[]> {
  const folder = new URL("../../assets/guests", import.meta.url).pathname;
  const texts = [
    `el2 = 1
machine = { memory = "256MiB", cpus = 2, hypervisor_node = "binding" }
host = { memory = "64MiB", device = "v17", max_order = 9, huge_pages = 4, unpinnable = 10, reclaim_after = "1ms" }
[vm.a]
image = "hello.bin"
memory = "8MiB"
windows = [{ base = 0x9000_0000, size = "4MiB" }]
devices = [{ kind = "pl011" }, { kind = "vsock" }, { kind = "input", type = "keyboard" }]
[vm.b]
image = "hello.bin"
memory = "8MiB"
schedule = "own"
vcpus = 2
devices = [{ kind = "console", ports = ["x", "y"] }]
start = "after:a"
[link.q]
kind = "msgqueue-pair"
between = ["a", "b"]
label = 1
[link.d]
kind = "doorbell"
from = "a"
to = "b"
label = 2
[link.s]
kind = "shm"
label = 3
size = "64KiB"
access = { a = "rw", b = "r" }
`,
    `el2 = 1
machine = { memory = "128MiB", ipa_bits = 40 }
host = { memory = "64MiB" }
[vm.q]
bios = "hello.bin"
platform = "qemu-virt"
datamatch_flag = 2
memory = "16MiB"
[vm.c]
image = "hello.bin"
platform = "crosvm"
memory = "16MiB"
swiotlb = "2MiB"
type = "protected"
firmware = "hello.bin"
without_access_platform = ["block"]
`,
  ];
  const runs = await Promise.all(texts.map((text) => planText(text, undefined, folder)));
  return runs.map((result) => {
    assertPlanned(result);
    const { cpus, memory, seed, what, behaviour, table } = result.run;
    return { cpus, memory, seed, turbo: true, what, behaviour, table };
  });
}

/** Plans that are accepted, as files keep them, and the values of each key in any of them. */
export class ChangedPlans {
  readonly #values = new Map<string, unknown[]>();
  readonly plans: readonly SavedPlan[];

  constructor(plans: readonly SessionPlan[]) {
    this.plans = plans.map((plan) => savedPlan(plan, "run"));
    for (const plan of this.plans) this.#collect(plan);
  }

  static async make(): Promise<ChangedPlans> {
    const boot = await bootPlan({ memory: 128 * MiB });
    const devices = [{ kind: "rng" }, { kind: "console", ports: ["a"] }, { kind: "vsock", cid: 3, path: undefined }, { kind: "balloon" }];
    const what = { ...boot.what, devices, clock: 1, bus: "pci", uart: "16550a", platformDevices: ["pl030", "pvpanic"] };
    const firmware = { ...boot.what, firmware: { code: new Uint8Array(64).fill(1), vars: undefined } };
    const saved = await Promise.all(Object.values(SAVED_MACHINES).map(({ plan }) => plan()));
    return new ChangedPlans([
      ...saved,
      ...await morePlans(),
      withTable({ ...boot, what } as SessionPlan),
      withTable({ ...boot, what: firmware } as SessionPlan),
      withTable(
        { ...boot, cpu: planCpu("v8.2"), behaviour: { msi: "gicv2m", check: true }, inject: [], debug: { kind: "all" } } as SessionPlan,
      ),
    ]);
  }

  #collect(value: Parts | SavedPlan): void {
    for (const [key, part] of Object.entries(value)) {
      const known = this.#values.get(key) ?? [];
      known.push(part);
      this.#values.set(key, known);
      if (isParts(part)) this.#collect(part);
    }
  }

  /** A plan with some values exchanged. */
  changed(random: Random): unknown {
    let plan: unknown = random.pick(this.plans);
    for (let left = chance(random, 3) ? 2 : 1; left > 0; left--) plan = this.#exchanged(random, plan as Parts);
    return plan;
  }

  /** The parts with one exchanged, somewhere inside. */
  #exchanged(random: Random, parts: Parts): Parts {
    const inner = Object.entries(parts).filter(([, value]) => isParts(value));
    if (inner.length > 0 && !chance(random, 4)) {
      const [key, value] = random.pick(inner);
      return withPart(parts, key, this.#exchanged(random, value as Parts));
    }
    if (Array.isArray(parts)) return this.#otherList(random, parts);
    const keys = Object.keys(parts);
    if (keys.length === 0) return parts;
    const key = random.pick(keys);
    if (chance(random, 12)) {
      const { [key]: _left, ...others } = parts;
      return others;
    }
    if (chance(random, 8)) {
      const other = random.pick([...this.#values.keys()]);
      return withPart(parts, other, random.pick(this.#values.get(other)!));
    }
    return withPart(parts, key, this.#otherValue(random, key, parts[key]));
  }

  #otherList(random: Random, list: readonly unknown[]): unknown[] {
    const copy = [...list], at = random.below(copy.length + 1);
    switch (copy.length ? random.below(4) : 3) {
      case 0:
        copy.splice(at, 1);
        return copy;
      case 1:
        copy.splice(at, 0, random.pick(list));
        return copy;
      case 2:
        return copy.reverse();
      default: {
        const lists = [...this.#values.values()].flat().filter((value): value is unknown[] => Array.isArray(value) && value.length > 0);
        copy.splice(at, chance(random, 2) ? 1 : 0, random.pick(random.pick(lists)));
        return copy;
      }
    }
  }

  #otherValue(random: Random, key: string, value: unknown): unknown {
    if (chance(random, 2)) return random.pick(this.#values.get(key)!);
    if (typeof value === "boolean") return !value;
    if (typeof value === "number") {
      return random.pick([random.pick(NUMBERS), random.pick(NUMBERS), Number(edge(random)), value + 1, value - 1, value * 2, value / 2]);
    }
    if (value instanceof Uint8Array) return chance(random, 4) ? new Uint8Array(random.pick([0, 1, 4096, 2 * MiB])) : damaged(random, value);
    if (typeof value === "string") return this.#otherText(random);
    return value === undefined ? random.pick(this.#values.get(key)!) : undefined;
  }

  #otherText(random: Random): string {
    if (chance(random, 3)) return sizeText(random);
    return random.pick([...this.#values.values()].flat().filter((other): other is string => typeof other === "string"));
  }
}

/** A size at which a layout turns over, as keys write it. */
function sizeText(random: Random): string {
  const bytes = random.pick(NUMBERS);
  return chance(random, 4) || bytes < KiB ? `${bytes}` : `${Math.floor(bytes / KiB)}KiB`;
}

function withPart(parts: Parts, key: string, value: unknown): Parts {
  if (!Array.isArray(parts)) return { ...parts, [key]: value };
  return parts.with(Number(key), value);
}
