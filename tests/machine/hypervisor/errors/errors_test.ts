// For each hypercall and each error that its specification lists
// (src/machine/abi/hypercall-errors.ts): the call reaches it, changes nothing, and leaves the
// reason. A pair without a case fails, and so does a case whose error the specification does not
// list.

import assert from "node:assert/strict";
import { ErrorCode, errorName } from "../../../../src/machine/abi/errors.ts";
import { type ErrorName, HYPERCALL_ERRORS, listedErrors } from "../../../../src/machine/abi/hypercall-errors.ts";
import { type ArgumentKind, type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import type { BrokenRule } from "../../../../src/machine/abi/trace.ts";
import { ALL_ONES, Rig } from "../checklist/rig.ts";
import type { Case } from "./case.ts";
import { CASES } from "./cases.ts";
import { lookupCases, lookupsOf } from "./lookups.ts";
import { RECIPES } from "./recipes.ts";
import { type Args, World } from "./world.ts";
import { callBy } from "../native-call.ts";

const NAMES = Object.keys(HYPERCALLS) as HypercallName[];

/** Polling answers these in normal work: they leave no reason. */
const POLLED: ReadonlySet<ErrorName> = new Set(["MSGQUEUE_EMPTY", "MSGQUEUE_FULL"]);
/** Rules that are broken by what is not there. */
const WITHOUT_VALUES: ReadonlySet<string> = new Set([
  "a cspace needs max_caps",
  "an extent needs a range",
  "a vCPU needs a cspace",
  "a vCPU needs an address space",
  "a vCPU needs a VIC",
  "a queue is configured before it is activated",
  "a device is configured before it is activated",
  "the interrupt is not forwarded",
  "the VIC has no message-signaled interrupts",
  "clear_flags names at least one flag",
  "no build implements this call",
  "partitions are not created dynamically",
  "the caller's address space has no info area",
]);
/** Calls whose refusals have results: what is missing, or what is left to do. */
const SAYS_MORE: ReadonlySet<HypercallName> = new Set(["msgqueue_receive", "addrspace_modify_pages", "addrspace_info_area_get_entry"]);
/** Its number is assigned, and answered as if it were not: there is no such module. */
const WITHOUT_MODULE: HypercallName = "partition_create_watchdog";

/** Reserved arguments come before everything else (docs/spec/hypervisor.md §1.3). */
function reservedCases(name: HypercallName): Case[] {
  const kinds: [string, ArgumentKind][] = Object.entries(HYPERCALLS[name].arguments);
  return kinds.filter(([, kind]) => kind === "res0" || kind === "res1").flatMap(([argument, kind]) => {
    const rule = kind === "res0" ? "a reserved argument must be zero" : "a reserved argument must be all ones";
    return [1n, 1n << 32n, ...kind === "res1" ? [0n] : []].map((value): Case => ({
      error: "ARGUMENT_INVALID",
      rule,
      section: "hypervisor 1.3",
      object: "none",
      harmless: true,
      change: (_w, args) => ({ ...noCaps(args, name), [argument]: value }),
    }));
  });
}

/**
 * The arguments with ids that name nothing: what is refused before is refused before any lookup.
 */
function noCaps(args: Args, name: HypercallName): Args {
  const kinds: Record<string, ArgumentKind> = HYPERCALLS[name].arguments;
  return Object.fromEntries(Object.entries(args).map(([argument, value]) => [argument, kinds[argument] === "cap" ? 0xffffn : value]));
}

const casesOf = (name: HypercallName): Case[] => [...reservedCases(name), ...lookupCases(name), ...CASES[name] ?? []];

for (const name of NAMES) {
  if (name === WITHOUT_MODULE) continue;
  const cases = casesOf(name);
  for (const error of listedErrors(name)) {
    Deno.test(`${name} answers ${error}, changes nothing and says why`, () => {
      const of = cases.filter((one) => one.error === error);
      assert.ok(of.length > 0, "no case reaches this error");
      // A refusal changes nothing, so that one world will do for all that change nothing before it.
      const shared = new Prepared(name);
      for (const one of of) check(name, one, one.harmless ? shared : new Prepared(name, one.behaviour));
    });
  }

  Deno.test(`${name} has no case that its specification does not list`, () => {
    const listed = listedErrors(name);
    assert.deepEqual(cases.map((one) => one.error).filter((error) => !listed.has(error)), []);
    const unreachable = Object.keys(HYPERCALL_ERRORS[name].unreachable) as ErrorName[];
    assert.deepEqual(unreachable.filter((error) => listed.has(error)), [], "listed, and said to be unreachable");
  });
}

Deno.test(`${WITHOUT_MODULE} answers UNIMPLEMENTED as a number that is not assigned does, and changes nothing`, () => {
  assert.deepEqual([...listedErrors(WITHOUT_MODULE)], ["UNIMPLEMENTED", "ARGUMENT_INVALID"]);
  const w = new Rig();
  const before = w.dump();
  for (const entrance of ["native", "smccc"] as const) {
    assert.equal(
      callBy(entrance, w.hypervisor.hypercalls, w.caller, HYPERCALLS[WITHOUT_MODULE].number, [w.partition, w.self, 1n]),
      undefined,
    );
  }
  assert.deepEqual(w.dump(), before);
  const told: unknown[] = [];
  w.hypervisor.trace.listen(["rule"], ({ fields }) => void told.push(fields.what));
  assert.deepEqual(w.hvc(0x6000 + HYPERCALLS[WITHOUT_MODULE].number, w.partition, w.self).slice(0, 8), [
    ALL_ONES,
    0n,
    0n,
    0n,
    0n,
    0n,
    0n,
    0n,
  ]);
  assert.deepEqual(told, ["hypercall 0x6009"]);
});

/** A world in which a call would succeed, and its arguments. */
class Prepared {
  readonly w: World;
  readonly valid: Args;

  constructor(name: HypercallName, behaviour?: Case["behaviour"]) {
    this.w = new World(behaviour);
    this.valid = RECIPES[name](this.w);
  }
}

function check(name: HypercallName, one: Case, { w, valid }: Prepared): void {
  const args: Args = { ...valid, ...one.change(w, valid) };
  const what = `${name}: ${one.what ?? one.rule}`;
  const before = w.dump();
  const { reasons } = w.hypervisor.trace;
  const count = reasons.count;
  const answer = w.call(name, args);

  assert.equal(answer.error === undefined ? "no answer" : errorName(answer.error), one.error, what);
  const data = Object.keys(HYPERCALLS[name].results);
  const expected = answer.results.map((_, index) => one.error === "UNIMPLEMENTED" && data[index] === "new_cap" ? -1n : 0n);
  if (!SAYS_MORE.has(name)) assert.deepEqual(answer.results.map((value) => BigInt.asIntN(64, value)), expected, what);

  const dump = w.dump(), after = one.fails === undefined ? dump : unfailed(dump, w, args[one.fails]);
  const unnoted = one.error === "MSGQUEUE_FULL" ? withoutNote(after, w, args.msgqueue) : after;
  assert.deepEqual(unnoted, before, `${what}: something has changed`);

  if (POLLED.has(one.error)) {
    assert.equal(reasons.count, count, what);
    assert.equal(w.hypervisor.trace.note?.rule, one.rule, what);
    return;
  }
  assert.equal(reasons.count, count + 1, `${what}: one reason is recorded`);
  const reason = reasons.last!;
  assert.equal(reason.rule, one.rule, what);
  assert.equal(Object.keys(reason.values).length === 0, WITHOUT_VALUES.has(one.rule), `${what}: the values that broke the rule`);
  assert.equal(reason.section, one.section ?? HYPERCALL_ERRORS[name].section, what);
  assert.equal(reason.askedBy, w.hypervisor.names.vcpu(w.caller), what);
  const step = reason.chain.at(-1)!;
  assert.deepEqual([step.kind, step.name, step.result.code, step.result.name], ["hvc", name, ErrorCode[one.error], one.error], what);
  assert.equal(reason.object, objectOf(w, name, one, args, reason), what);
}

/** The object that the reason should name. */
function objectOf(w: World, name: HypercallName, one: Case, args: Args, reason: BrokenRule): string {
  const { names } = w.hypervisor;
  if (one.object === "none") return "";
  if (one.object === "any") {
    const ids = [...w.hypervisor.objects].map((object) => names.object(object));
    return ids.includes(reason.object) ? reason.object : "the id of an object";
  }
  const looked = lookupsOf(name).map(([argument]) => argument);
  const argument = one.object ?? Object.keys(HYPERCALLS[name].arguments).find((each) => looked.includes(each))!;
  return names.object(w.get(args[argument]));
}

/** A dump in which a full queue has not noted that its sender may wait for room, for verdicts. */
function withoutNote(dump: ReturnType<World["dump"]>, w: World, cap: bigint): ReturnType<World["dump"]> {
  const { type, serial } = w.get(cap), id = `${type}#${serial}`, queue = dump[id];
  assert.equal(queue.wantsRoom, 1);
  return { ...dump, [id]: { ...queue, wantsRoom: 0 } };
}

/** States of an object as a dump has them. */
const INIT = 0, FAILED = 2;

/** A dump in which an object whose activation failed is still in state INIT. */
function unfailed(dump: ReturnType<World["dump"]>, w: World, cap: bigint): ReturnType<World["dump"]> {
  const { type, serial } = w.get(cap);
  const failed = dump[`${type}#${serial}`];
  assert.equal(failed.state, FAILED, "it is not activated again");
  return { ...dump, [`${type}#${serial}`]: { ...failed, state: INIT } };
}
