// The grammar of rules of injected faults (docs/fault-injection.md):
//
//     KIND [FIELD=VALUE ..] [nth=N | nth=N.. | nth=N..M] [every=N] -> EFFECT
//
// `dev=debian/blk0` is short for `dev dev=debian/blk0`. A value is a word, or several with commas;
// `*` matches anything.

import { ErrorCode } from "../../machine/abi/errors.ts";
import {
  FAULT_KINDS,
  type FaultCondition,
  type FaultEffect,
  type FaultKind,
  type FaultRule,
  matchesWord,
} from "../../machine/abi/faults.ts";
import { type HypercallName, HYPERCALLS, type HypercallSignature } from "../../machine/abi/hypercalls.ts";
import { Errno } from "../../machine/abi/ioctl/errno.ts";
import { requestNames } from "../../machine/abi/ioctl/decode.ts";
import { RmError } from "../../machine/abi/rpc/errors.ts";
import { RPC_MESSAGES } from "../../machine/abi/rpc/messages/all.ts";
import { parseDuration } from "../../kit/support/text/units.ts";
import { didYouMean, didYouMeanOneOf } from "../../kit/support/text/did-you-mean.ts";
import { type IdKind, isOf, parseId, vcpuName, vmOfName, withoutKind } from "./ids.ts";
import { type Problem, UserError } from "../../kit/support/problem.ts";
import { BLOCK_OPERATIONS } from "../../machine/virtio/block/requests.ts";

/** A user's error in a rule. */
export class FaultRuleError extends UserError {}

/** A kind of operation, and its fields and effects. */
interface FaultKindInfo {
  /** The operations that fail, for display. */
  readonly doc: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Known words per field. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** Errors that it can answer, with their numbers. */
  readonly errors: Readonly<Record<string, number>>;
  /** The effects other than errors, each with its description. */
  readonly effects: Readonly<Partial<Record<"delay" | "lose" | "double" | "die", string>>>;
}

const messages = [...RPC_MESSAGES.values()];
const requests = messages.filter(({ kind }) => kind === "request").map(({ name }) => name);
const VM = "name of the calling VM";

/** Everything that can be injected. */
export const FAULTS: Readonly<Record<FaultKind, FaultKindInfo>> = {
  hvc: {
    doc: "hypercalls of guests, of the Resource Manager and of the native host, before capability checks",
    fields: { name: "the call", vm: VM, vcpu: "VM/INDEX" },
    words: { name: Object.keys(HYPERCALLS) },
    errors: without(ErrorCode, "OK"),
    effects: {
      delay: "takes this much longer in EL2",
      lose: "returns OK and does nothing; only calls that return nothing but the error",
      double: "is executed twice; returns the second result",
    },
  },
  rpc: {
    doc: "requests to the Resource Manager, and its notifications",
    fields: { msg: "the message", vm: "name of the requesting or notified VM", seq: "sequence number", type: "request or notification" },
    words: { msg: messages.map(({ name }) => name), type: ["request", "notification"] },
    errors: without(RmError, "OK"),
    effects: {
      delay: "is handled this much later; requests only",
      lose: "is dropped, without a reply",
      double: "is handled, or sent, twice",
    },
  },
  ioctl: {
    doc: "ioctls of VMMs on the host's kernel ([host] device)",
    fields: { name: "the request", pid: "the process" },
    words: { name: requestNames() },
    errors: Errno,
    effects: { delay: "starts after the host's vCPU was busy for this long", lose: "waits for a signal" },
  },
  alloc: {
    doc: "allocations: of a partition's heap, of page tables, and of the Resource Manager's vIRQs and pages",
    fields: { what: "heap, tables, virq or page", amount: "bytes of the heap, else a count" },
    words: { what: ["heap", "tables", "virq", "page"] },
    errors: { NOMEM: ErrorCode.NOMEM },
    effects: {},
  },
  virq: {
    doc: "interrupts between a source and a VM",
    fields: {
      vm: "the target VM",
      intid: "its number",
      vcpu: "VM/INDEX",
      source: "mq:7, db:3, vcpu:rt/0, obj:41",
      why: "kind of source",
    },
    words: {},
    errors: {},
    effects: {
      delay: "is delivered this much later, if its condition still holds",
      lose: "is not delivered",
      double: "is delivered again 100us later",
    },
  },
  dev: {
    doc: "requests of a virtio device, as its driver makes them available",
    fields: {
      dev: "VM/DEVICE, such as host/blk0",
      op: "read, write, flush, identify, discard, zero of a disk; queue0, queue1.. of others",
    },
    words: {},
    errors: { IOERR: 1 },
    effects: {
      delay: "is served this much later",
      lose: "is never completed",
      double: "is served twice",
      die: "the device needs a reset from then on",
    },
  },
  assign: {
    doc: "calls to the platform's firmware that move memory between VMs",
    fields: { from: "current owner, such as 3:rwx", to: "new owner" },
    words: {},
    errors: { DENIED: RmError.DENIED },
    effects: {},
  },
};

/**
 * Reads a rule.
 * @throws FaultRuleError that names the error and the valid words
 */
export function parseFaultRule(text: string): FaultRule {
  const fail: Fail = (what, wayOut) => {
    throw new FaultRuleError(`${JSON.stringify(text)}: ${what}`, wayOut);
  };
  const parts = text.split("->");
  if (parts.length !== 2 || parts[1].trim() === "") return fail("no effect", "a rule is KIND FIELD=VALUE … -> EFFECT");
  const [head, ...rest] = parts[0].trim().split(/\s+/);
  const short = head.startsWith("dev=") ? [head] : [];
  const name = short.length ? "dev" : head;
  if (!isKind(name)) return fail(`no kind ${JSON.stringify(head)}`, didYouMeanOneOf(head, FAULT_KINDS));
  const info = FAULTS[name];
  let [first, last, step] = [1, Infinity, 1];
  const conditions: FaultCondition[] = [];
  for (const word of [...short, ...rest]) {
    const match = /^([a-z]+)(!?=)(.+)$/.exec(word);
    if (!match) return fail(`${JSON.stringify(word)} is not FIELD=VALUE`);
    const [, field, operator, value] = match;
    if (field === "nth") {
      [first, last] = parseNth(value) ?? fail(`nth=${value} is not a range`, "use for example nth=3, nth=3.. or nth=3..5, from 1");
    } else if (field === "every") step = /^[1-9]\d{0,8}$/.test(value) ? Number(value) : fail(`every=${value} is not a number from 1`);
    else if (!Object.hasOwn(info.fields, field)) {
      const fields = [...Object.keys(info.fields), "nth", "every"];
      return fail(`${name} has no field ${JSON.stringify(field)}`, didYouMeanOneOf(field, fields));
    } else conditions.push({ field, negated: operator === "!=", words: parseWords(info, field, value, fail) });
  }
  const effect = parseEffect(info, name, parts[1].trim(), fail);
  checkFit(name, conditions, effect, fail);
  // A notification has no answer, and no time at which it is handled.
  if (name === "rpc" && (effect.kind === "error" || effect.kind === "delay")) {
    conditions.push({ field: "type", negated: false, words: ["request"] });
  }
  return { text: text.trim().replaceAll(/\s+/g, " "), kind: name, conditions, first, last, step, effect };
}

/**
 * Reads a rule that a user writes. A file may have an older one, with a value that its field cannot
 * have.
 * @throws FaultRuleError
 */
export function readFaultRule(text: string): FaultRule {
  const rule = parseFaultRule(text);
  for (const { field, words } of rule.conditions) {
    const form = FORMS[field];
    if (!form) continue;
    const wrong = words.find((word) => !word.includes("*") && !form.fits(word));
    if (wrong !== undefined) throw new FaultRuleError(`${JSON.stringify(text)}: ${field}=${wrong} ${form.what}`, form.wayOut(wrong));
  }
  return rule;
}

/** The form of a field's values, and the error of others. */
interface FieldForm {
  readonly fits: (word: string) => boolean;
  readonly what: string;
  readonly wayOut: (word: string) => string;
}

const NUMBER: FieldForm = { fits: (word) => /^\d+$/.test(word), what: "is not a number", wayOut: () => "use decimal digits" };
/** Kinds of objects that interrupts come from. */
const SOURCES: readonly (IdKind | undefined)[] = ["mq", "db", "vcpu", "obj"];
const FORMS: Readonly<Record<string, FieldForm | undefined>> = {
  intid: NUMBER,
  seq: NUMBER,
  pid: NUMBER,
  amount: NUMBER,
  source: {
    fits: (word) => SOURCES.includes(parseId(word)?.kind),
    what: "is not a source of interrupts",
    wayOut: () => "use for example mq:7, db:3, vcpu:rt/0 or obj:41",
  },
  op: {
    fits: (word) => BLOCK_OPERATIONS.includes(word) || /^queue\d+$/.test(word),
    what: "is not a request of a device",
    wayOut: (word) => didYouMean(word, BLOCK_OPERATIONS, `use one of ${BLOCK_OPERATIONS.join(", ")}, queue0, queue1…`),
  },
};

/** A VM of a machine that is known before it runs, for rules that name it or what it has. */
export interface KnownVm {
  readonly name: string;
  /** Undefined where a guest's program decides it. */
  readonly vcpus: number | undefined;
  /** Its virtio devices, such as `blk0`. */
  readonly devices: readonly string[];
}

/** A VM that has no name: its VMID stands for one. */
const UNNAMED = /^vm-0x[0-9a-f]+$/;

/**
 * Checks that each VM, vCPU and virtio device that a rule names can exist.
 * @param vms all of the machine
 * @throws FaultRuleError
 */
export function checkNames({ text, conditions }: FaultRule, vms: readonly KnownVm[]): void {
  for (const { field, words } of conditions) {
    for (const word of words) {
      const kind = field === "source" && isOf("vcpu", word) ? "vcpu" : ID_FIELDS.find((one) => one === field);
      const unknown = kind && unknownName(kind, kind === "vcpu" ? withoutKind(kind, word) : word, vms);
      if (unknown) throw new FaultRuleError(`${JSON.stringify(text)}: ${field}=${word}: ${unknown.what}`, unknown.wayOut);
    }
  }
}

/** The defect of a word that names nothing of its kind; undefined if it does, or may later. */
function unknownName(kind: IdField, word: string, vms: readonly KnownVm[]): Problem | undefined {
  const namesOf = ({ name, vcpus = 0, devices }: KnownVm): string[] => {
    if (kind === "vm") return [name];
    return kind === "vcpu" ? Array.from({ length: vcpus }, (_, index) => vcpuName(name, index)) : devices.map((dev) => `${name}/${dev}`);
  };
  const vm = vmOfName(word), all = vms.flatMap(namesOf);
  // A vCPU without a VM is an object.
  if (UNNAMED.test(vm) || isOf("obj", vm) || all.some((name) => matchesWord(word, name))) return undefined;
  const owners = vms.filter(({ name }) => matchesWord(vm, name));
  if (owners.length === 0) return { what: `no VM called "${vm}"`, wayOut: didYouMeanOneOf(vm, vms.map(({ name }) => name)) };
  if (kind === "vcpu" && owners.some(({ vcpus }) => vcpus === undefined)) return undefined;
  const own = owners.flatMap(namesOf), names = own.length ? own : all;
  const what = `no ${NAMED[kind]} called "${word}"`;
  return { what, wayOut: names.length ? didYouMeanOneOf(word, names) : "no VM of this machine has virtio devices" };
}

type Fail = (what: string, wayOut?: string) => never;

function isKind(name: string): name is FaultKind {
  return (FAULT_KINDS as readonly string[]).includes(name);
}

function without(codes: Readonly<Record<string, number>>, name: string): Record<string, number> {
  return Object.fromEntries(Object.entries(codes).filter(([key]) => key !== name));
}

function parseNth(value: string): [number, number] | undefined {
  const match = /^([1-9]\d{0,8})(\.\.([1-9]\d{0,8})?)?$/.exec(value);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = match[3] !== undefined ? Number(match[3]) : match[2] !== undefined ? Infinity : first;
  return last < first ? undefined : [first, last];
}

/** Fields with names of objects of this kind, which users may write as ids. */
const ID_FIELDS = ["vm", "vcpu", "dev"] as const;
type IdField = typeof ID_FIELDS[number];
/** The objects in errors. */
const NAMED: Readonly<Record<IdField, string>> = { vm: "VM", vcpu: "vCPU", dev: "virtio device" };

function parseWords({ words: known }: FaultKindInfo, field: string, value: string, fail: Fail): readonly string[] {
  const kind = ID_FIELDS.find((one) => one === field);
  const words = value.split(",").map((word) => kind === undefined ? word : withoutKind(kind, word));
  for (const word of words) {
    if (known[field] === undefined || known[field].some((one) => matchesWord(word, one))) continue;
    const few = known[field].length <= 8 ? `use one of ${known[field].join(", ")}` : undefined;
    return fail(`no ${field} ${JSON.stringify(word)}`, didYouMean(word, known[field], few));
  }
  return words;
}

function parseEffect({ errors, effects }: FaultKindInfo, kind: FaultKind, text: string, fail: Fail): FaultEffect {
  const [word, argument, ...more] = text.split(/\s+/);
  if (more.length > 0 || argument !== undefined && word !== "delay") {
    return fail(`effect ${JSON.stringify(text)}: too many words`);
  }
  if (Object.hasOwn(errors, word)) return { kind: "error", name: word, code: errors[word] };
  const effect = word.toLowerCase();
  if (!Object.hasOwn(effects, effect)) {
    const names = [...Object.keys(effects), ...Object.keys(errors)];
    const shown = names.length > 24 ? [...names.slice(0, 24), "…"] : names;
    return fail(`effect ${JSON.stringify(word)} is not one of ${kind}`, didYouMean(word, names, `use one of ${shown.join(", ")}`));
  }
  if (effect !== "delay") return { kind: effect as "lose" | "double" | "die" };
  const ns = parseDuration(argument ?? "");
  if (ns === undefined || ns <= 0 || !Number.isInteger(ns)) return fail("delay needs a duration, such as delay 5ms");
  return { kind: "delay", ns };
}

/** Checks an effect's requirements on the operations that conditions name. */
function checkFit(kind: FaultKind, conditions: readonly FaultCondition[], effect: FaultEffect, fail: Fail): void {
  if (kind === "hvc" && effect.kind === "lose") {
    const misfit = named(conditions, "name", Object.keys(HYPERCALLS)).find((name) => {
      const { results }: HypercallSignature = HYPERCALLS[name as HypercallName];
      return Object.keys(results).length > 0;
    });
    if (misfit !== undefined) fail(`${misfit} returns more than an error and cannot be lost unnoticed`, "name other calls");
  }
  if (kind === "rpc" && (effect.kind === "error" || effect.kind === "delay")) {
    const meant = named(conditions, "msg", messages.map(({ name }) => name));
    if (!meant.some((name) => requests.includes(name))) {
      fail(`${meant.join(", ")}: a notification has no reply`, "use lose or double");
    }
  }
}

/** The operations of these that conditions let through by their name. */
function named(conditions: readonly FaultCondition[], field: string, all: readonly string[]): string[] {
  const about = conditions.filter((condition) => condition.field === field);
  return all.filter((name) => about.every(({ negated, words }) => words.some((word) => matchesWord(word, name)) !== negated));
}
