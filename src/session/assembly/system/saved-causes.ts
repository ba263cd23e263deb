// Causes of exceptions as snapshots hold them.

import * as v from "valibot";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import { once } from "../../../kit/support/values/once.ts";

const text = v.string(), number = v.number(), flag = v.boolean(), texts = v.array(v.string());
const access = v.strictObject({
  kind: v.picklist(["load", "store", "atomic access", "instruction fetch", "cache maintenance"]),
  address: text,
  size: v.nullable(number),
});
const ttbr = v.picklist(["TTBR0_EL1", "TTBR1_EL1"]);
const walk = v.strictObject({ ttbr, level: number, entry: text, descriptor: v.nullable(text) });

const branched = v.nullable(v.variant("how", [
  v.strictObject({ how: v.literal("call"), at: text, symbol: v.nullable(text), register: text }),
  v.strictObject({ how: v.picklist(["return", "exception-return", "resume"]) }),
  v.strictObject({ how: v.literal("power-on"), first: flag }),
  v.strictObject({ how: v.literal("branch"), register: text }),
]));
const linked = v.nullable(v.strictObject({ place: text, base: text }));
const because = v.picklist(["stage-1-off", "mair", "stage-2"]);

const of = <C extends string, E extends v.ObjectEntries>(code: C, entries: E) => v.strictObject({ code: v.literal(code), ...entries });

/** Made for the first state that is loaded: a start need not wait for them. */
const forms = once(() => ({
  "lacks-feature": of("lacks-feature", { name: text, feature: text, cpu: text, cpus: texts }),
  "not-offered": of("not-offered", { name: text, feature: text, option: text }),
  "above-level": of("above-level", { name: text, needs: number, at: number, instead: v.nullable(text) }),
  "not-a-register": of("not-a-register", { register: text, ofMake: flag }),
  "group-off": of("group-off", { name: text, group: v.picklist([0, 1]), other: flag }),
  "not-code": of("not-code", {
    word: text,
    after: v.nullable(text),
    by: branched,
    form: v.nullable(v.picklist(["gzip", "devicetree", "elf", "u-boot", "aarch32"])),
  }),
  "empty-vector": of("empty-vector", { word: text, vector: v.strictObject({ vbar: text, offset: text }) }),
  "overwritten": of("overwritten", { place: text, loaded: text, word: text, stack: v.nullable(text) }),
  "trap-instruction": of("trap-instruction", { name: text, immediate: number }),
  "fp-trapped": of("fp-trapped", { el: number }),
  "trapped-at-el0": of("trapped-at-el0", { instruction: text, control: text }),
  "semihosting": of("semihosting", { operation: v.nullable(text), el: number }),
  "illegal-state": of("illegal-state", { mode: v.nullable(text), il: flag }),
  "sp-selection": of("sp-selection", { sp: text, other: text }),
  "sp-alignment": of("sp-alignment", { sp: text }),
  "pc-alignment": of("pc-alignment", { address: text, by: branched }),
  "no-landing-pad": of("no-landing-pad", {
    address: text,
    branch: v.picklist(["BLR", "BR", "BR of X16 or X17", "ERET"]),
    instruction: v.nullable(text),
    pad: v.nullable(text),
  }),
  "not-authenticated": of("not-authenticated", { instruction: text, register: text, pointer: text, signed: flag, modifier: text }),
  "copy-out-of-order": of("copy-out-of-order", { instruction: text, part: text, left: v.nullable(text) }),
  "no-vectors": of("no-vectors", { vbar: text, offset: text }),
  "device-alignment": of("device-alignment", { access, because }),
  "zva-to-device": of("zva-to-device", { access, because }),
  "alignment-checked": of("alignment-checked", { access }),
  "ordered-alignment": of("ordered-alignment", { access }),
  "no-translation": of("no-translation", { access, walk }),
  "outside-of-tables": of("outside-of-tables", { access, ttbr, bits: v.nullable(number) }),
  "access-flag": of("access-flag", { access, walk }),
  "no-permission": of("no-permission", {
    access,
    walk,
    el: number,
    rights: text,
    because: v.picklist(["pan", "wxn", "user-writable", "descriptor"]),
  }),
  "jump-unmapped": of("jump-unmapped", { address: text, by: branched, walk: v.nullable(walk) }),
  "turned-on-unmapped": of("turned-on-unmapped", { at: text, walk: v.nullable(walk) }),
  "tables-of-other-form": of("tables-of-other-form", {
    address: text,
    ttbr,
    field: text,
    has: text,
    wants: text,
    cpu: v.nullable(text),
  }),
  "tables-since": of("tables-since", { access, fault: v.picklist(["translation", "access-flag", "permission"]), level: number }),
  "address-size": of("address-size", { access, bits: number, output: v.nullable(text) }),
  "address-off": of("address-off", { access, bits: number, by: branched }),
  "failed-authentication": of("failed-authentication", { access, pointer: text }),
  "still-signed": of("still-signed", { access, pointer: text }),
  "tagged": of("tagged", { access, pointer: text, tbi: v.picklist(["TBI0", "TBI1", "TBID0", "TBID1"]) }),
  "stack-overflow": of("stack-overflow", { access, sp: text, bottom: text }),
  "stack-outside": of("stack-outside", { access, sp: text }),
  "no-stack": of("no-stack", { access, sp: text }),
  "table-outside": of("table-outside", { access, walk }),
  "beyond-file": of("beyond-file", { address: text, path: text, offset: text, size: number }),
  "not-given": of("not-given", { access, ipa: text, stage1: flag, memory: texts }),
  "given-since": of("given-since", { access, ipa: text, rights: text, parcel: v.nullable(text) }),
  "no-right": of("no-right", { access, ipa: text, rights: text, owner: text, parcel: v.nullable(text) }),
  "lent": of("lent", { access, ipa: text, parcel: text, to: texts }),
  "jump-to-devices": of("jump-to-devices", { address: text, ipa: text, by: branched, linked }),
  "nobody-serves": of("nobody-serves", { access, ipa: text, vm: text, schedule: v.picklist(["proxy", "own"]) }),
  "not-emulated": of("not-emulated", { access, ipa: text, by: text }),
  "device-refuses": of("device-refuses", { access, ipa: text, device: text }),
  "gicv2-interface": of("gicv2-interface", { access, ipa: text }),
  "no-device": of("no-device", { access, pa: text }),
} satisfies { readonly [C in ExceptionCause["code"]]: v.GenericSchema<unknown, OfCode<ExceptionCause, C>> }));

export const SAVED_CAUSE: v.GenericSchema<unknown, ExceptionCause> = v.lazy(once(() => v.variant("code", Object.values(forms()))));
