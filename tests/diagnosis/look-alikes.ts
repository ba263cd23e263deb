// Guests with one symptom and different causes: for each candidate one that has it, and the same as
// its way out says, which is healthy.

import type { ExceptionCause } from "../../src/model/queries/facts/exception-cause.ts";
import type { Symptom } from "../../src/session/inspection/causes/exception-cause.ts";

export interface LookAlike {
  readonly symptom: Symptom;
  readonly cause: { readonly code: ExceptionCause["code"]; readonly [name: string]: unknown };
  readonly wayOut: RegExp;
  /** The guest, and the same as its way out says. */
  readonly sick: string;
  readonly healed: string;
  /** Keys of its VM. */
  readonly keys?: string;
  /** Its handler faults, too, again and again: it does not end. */
  readonly loops?: true;
}

/** A program without vectors: its first exception ends it. It turns stage 1 off and sleeps. */
const program = (code: string) =>
  `.arch armv8.8-a+sve+fp16+dotprod+mops\nno_vectors\n${code}\nmrs x0, sctlr_el1\nbic x0, x0, #1\nmsr sctlr_el1, x0\nisb\nsleep_healthily`;

/** A part of a program that is wrong, and the right one in its place. */
const instead = (of: (part: string) => string, wrong: string, right: string) => ({ sick: program(of(wrong)), healed: program(of(right)) });
const only = (part: string) => part;

/** Sets bits of SCTLR_EL1. */
const setSctlr = (bits: string) => `mrs x0, sctlr_el1\nmov64 x1, ${bits}\norr x0, x0, x1\nmsr sctlr_el1, x0\nisb\n`;
/** Turns authentication on with a key for IA, and sets SP. */
const SIGNS = `${setSctlr("0xc8002000")}mov64 x9, 0x80020000\nmov sp, x9\nmsr apiakeylo_el1, x9\n`;
/** Stage 1 on, with code in a guarded page and checks of branches to it. */
const GUARDED = `${setSctlr("0x800000000")}mmu_on\nentry 1, 0, 0x4000080000701\ndsb sy\ntlbi vmalle1\ndsb sy\nisb\n`;
const EXCEPTION_RETURN = "msr elr_el1, x0\nmov x0, #0\neret\n8:";
const toMode = (mode: string) => `mov x0, #${mode}\nmsr spsr_el1, x0\n`;
const AT_8 = "adr x0, 8f\n";
/** Copies 64 bytes that stage 1 maps as Normal memory. */
const COPY = "mmu_on\nmov64 x0, 0x80010000\nmov64 x1, 0x80020000\nmov x2, #64\n";
/** Stage 1 by these registers, and no other macro's tables. */
const turnsOn = (ttbr: string, tcr: string) =>
  `set ttbr0_el1, ${ttbr}\nset mair_el1, 0xff\nset tcr_el1, ${tcr}\ndsb sy\nisb\n${setSctlr("1")}`;
/** The same tables for the upper half: runs this there, and comes back. */
const inUpperHalf = (tcr: string, code: string) =>
  `mmu_on ${tcr}\nadr x0, 7f\nadr x9, 8f\norr x0, x0, #0xffffff8000000000\nbr x0\n7: ${code}\nbr x9\n8:`;
const store = (address: string, value: string) => `mov64 x0, ${address}\nmov64 x1, ${value}\nstr x1, [x0]\n`;
const VECTORS = ".balign 2048\nvectors:";
/** The timer is due, and its interrupt is pending: WFI returns at once. */
const TIMER_NOW = "timer_gic\nmsr cntv_tval_el0, xzr\nmov x3, #1\nmsr cntv_ctl_el0, x3";
const handles = (offset: string, handler: string) => `${VECTORS}\n.zero ${offset}\n${handler}\n.balign 2048`;
const TICKS = "adr x0, vectors\nmsr vbar_el1, x0\nisb\ntimer_gic\ntimer_period\nmsr cntv_tval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3\n" +
  "msr daifclr, #2\n9: wfi\nb 9b\n";
/** Code that EL1 runs at EL0 with interrupts masked, and then a call of EL1, which sleeps. */
const atEl0 = (before: string, code: string) =>
  program(
    `adr x0, vectors\nmsr vbar_el1, x0\nmov64 x0, 0x80030000\nmsr sp_el0, x0\n${before}\nmov x0, #0x3c0\nmsr spsr_el1, x0\nadr x0, 7f\nmsr elr_el1, x0\nisb\neret\n` +
      `7: ${code}\nsvc #0\n8:`,
  ) + `\n${VECTORS}\n.zero 0x400\nmrs x3, esr_el1\nlsr x3, x3, #26\ncmp x3, #0x15\n6: b.ne 6b\nb 8b\n.balign 2048`;
const clearSctlr = (bits: string) => `mrs x0, sctlr_el1\nmov64 x1, ${bits}\nbic x0, x0, x1\nmsr sctlr_el1, x0`;
/** Branches to words that are not code, or to code behind them. */
const branchesTo = (words: string, label: string) => `adr x4, ${label}\nbr x4\n.balign 64\n7: .word ${words}\n.balign 64\n8:`;
const cpuOn = (entry: string) => `mov64 x0, 0xc4000003\nmov x1, #1\n${entry}\nmov x3, #0\nhvc #0\nsleep_healthily\n7: wfi\nb 7b`;

const UNDEFINED: readonly LookAlike[] = [
  {
    symptom: "undefined instruction",
    cause: { code: "not-a-register", register: "S3_7_C15_C0_0", ofMake: true },
    wayOut: /MIDR_EL1/,
    ...instead(only, "mrs x0, s3_7_c15_c0_0", "mrs x0, midr_el1"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-a-register", register: "S3_0_C13_C5_4", ofMake: false },
    wayOut: /ID register/,
    ...instead(only, "msr s3_0_c13_c5_4, x0", "msr tpidr_el1, x0"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-code", by: { how: "branch", register: "X3" }, after: null },
    wayOut: /pointer in X3/,
    ...instead((to) => `${to}\nbr x3\n8:`, "mov64 x3, 0x80180000", "adr x3, 8f"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-code", by: { how: "return" }, after: null },
    wayOut: /save X30/,
    ...instead((to) => `${to}\nret\n8:`, "mov64 x30, 0x80180000", "adr x30, 8f"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-code", by: { how: "exception-return" }, after: null },
    wayOut: /ELR_EL1/,
    ...instead((to) => `${toMode("0x3c5")}${to}${EXCEPTION_RETURN}`, "mov64 x0, 0x80180000\n", AT_8),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-code", by: null, after: "add x3, x3, #0x1" },
    wayOut: /^end the function/,
    ...instead((end) => `add x3, x3, #1\n${end}.word 0\n8:`, "", "b 8f\n"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "not-code", by: { how: "power-on", first: true } },
    wayOut: /image begin with code/,
    sick: ".word 0",
    healed: "sleep_healthily",
  },
  {
    symptom: "undefined instruction",
    cause: { code: "empty-vector", vector: { offset: "0x280" } },
    loops: true,
    wayOut: /code at VBAR_EL1 \+ 0x280/,
    sick: `${TICKS}${VECTORS} .zero 2048`,
    healed: `${TICKS}${handles("0x280", "mrs x3, icc_iar1_el1\nmsr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x3\neret")}`,
  },
  {
    symptom: "undefined instruction",
    // EL1 uses SP_EL0, and the handler of the exception in the vector returns to it.
    cause: { code: "empty-vector", vector: { offset: "0x000" } },
    loops: true,
    wayOut: /code at VBAR_EL1 \+ 0x000/,
    ...((call: (vectors: string) => string) => ({
      sick: call(handles("0x200", "eret")),
      healed: call(handles("0x0", "msr spsel, #1\nb 8b")),
    }))(
      (vectors) => `adr x0, vectors\nmsr vbar_el1, x0\nisb\nmsr spsel, #0\nsvc #0\n8: sleep_healthily\n${vectors}`,
    ),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "empty-vector", vector: { offset: "0x400" } },
    loops: true,
    wayOut: /code at VBAR_EL1 \+ 0x400/,
    ...((call: (vectors: string) => string) => ({ sick: call(`${VECTORS} .zero 2048`), healed: call(handles("0x400", "b 8b")) }))(
      (vectors) =>
        `adr x0, vectors\nmsr vbar_el1, x0\nmsr spsr_el1, xzr\nadr x0, 3f\nmsr elr_el1, x0\neret\n3: svc #0\n8: sleep_healthily\n${vectors}`,
    ),
  },
];

const FORMS: readonly LookAlike[] = ([
  ["gzip", "0x00088b1f, 0, 0x5dec0302", /unpack it first/],
  ["devicetree", "0xedfe0dd0, 0x00100000, 0x38000000", /address of the devicetree in X0/],
  ["u-boot", "0x56190527, 0x9d0ed4f1, 0x9d8d3a60", /header of 64 bytes/],
  ["elf", "0x464c457f, 0x00010102, 0", /its entry/],
  ["aarch32", "0xe10f0000, 0xe38000c0, 0xe121f000, 0xe3a0d902, 0xe59f0010, 0xe5801000, 0xeb000002, 0xeafffffe", /for AArch64/],
] as const).map(([form, words, wayOut]): LookAlike => ({
  symptom: "undefined instruction",
  cause: { code: "not-code", form, by: { how: "branch", register: "X4" } },
  wayOut,
  ...instead((label) => branchesTo(words, label), "7f", "8f"),
}));

const AT_EL0: readonly LookAlike[] = ([
  ["trapped system register", "CNTKCTL_EL1.EL0VCTEN", "mrs x1, cntvct_el0", "msr cntkctl_el1, xzr", "mov x0, #2\nmsr cntkctl_el1, x0"],
  ["trapped system register", "SCTLR_EL1.UCT", "mrs x1, ctr_el0", clearSctlr("0x8000"), setSctlr("0x8000")],
  ["trapped system register", "SCTLR_EL1.UMA", "msr daifset, #2", clearSctlr("0x200"), setSctlr("0x200")],
  ["trapped WFI or WFE", "SCTLR_EL1.nTWI", "wfi", clearSctlr("0x10000"), `${TIMER_NOW}\n${setSctlr("0x10000")}`],
] as const).map(([symptom, control, instruction, sick, healed]): LookAlike => ({
  symptom,
  cause: { code: "trapped-at-el0", control },
  wayOut: /or have EL1 do it on a call/,
  sick: atEl0(sick, instruction),
  healed: atEl0(healed, instruction),
}));

const BRANCHES: readonly LookAlike[] = [
  {
    symptom: "address size fault",
    cause: { code: "address-off", by: { how: "power-on", first: false } },
    wayOut: /CPU_ON the physical address/,
    sick: cpuOn("adr x2, 7f\nmov64 x4, 0xffffff8000000000\norr x2, x2, x4"),
    healed: cpuOn("adr x2, 7f"),
    keys: "vcpus = 2",
  },
  {
    symptom: "misaligned SP",
    cause: { code: "sp-alignment", sp: "0x80030008" },
    wayOut: /multiples of 16/,
    sick: atEl0(setSctlr("0x18"), "mov64 x9, 0x80030008\nmov sp, x9\nldr x0, [sp]"),
    healed: atEl0(setSctlr("0x18"), "mov64 x9, 0x80030000\nmov sp, x9\nldr x0, [sp]"),
  },
  {
    symptom: "BTI",
    cause: { code: "no-landing-pad", branch: "ERET", instruction: "nop" },
    wayOut: /clear BTYPE/,
    ...instead((mode) => `${GUARDED}${AT_8}mov64 x1, ${mode}\nmsr spsr_el1, x1\n${EXCEPTION_RETURN} nop`, "0x7c5", "0x3c5"),
  },
  {
    symptom: "external abort",
    cause: { code: "jump-to-devices", by: { how: "branch", register: "X4" }, linked: { place: /^0x800000/, base: "0x80000000" } },
    wayOut: /link the image for 0x80000000/,
    ...instead(
      (base) => `adr x5, 8f\nand x5, x5, #0xffff\nmov64 x4, ${base}\norr x4, x4, x5\nmov x5, #0\nbr x4\n8:`,
      "0x40080000",
      "0x80000000",
    ),
  },
  {
    symptom: "external abort",
    cause: { code: "jump-to-devices", address: "0x0", by: { how: "exception-return" }, linked: null },
    wayOut: /ELR_EL1/,
    ...instead((to) => `${toMode("0x3c5")}${to}${EXCEPTION_RETURN}`, "mov x0, #0\n", AT_8),
  },
  {
    symptom: "external abort",
    cause: { code: "jump-to-devices", address: "0x0", by: { how: "power-on", first: false } },
    wayOut: /CPU_ON/,
    sick: cpuOn("mov x2, #0"),
    healed: cpuOn("adr x2, 7f"),
    keys: "vcpus = 2",
  },
  {
    symptom: "misaligned PC",
    cause: { code: "pc-alignment", by: { how: "exception-return" } },
    wayOut: /ELR_EL1/,
    ...instead((to) => `${toMode("0x3c5")}${AT_8}${to}${EXCEPTION_RETURN}`, "add x0, x0, #2\n", ""),
  },
  {
    symptom: "misaligned SP",
    cause: { code: "sp-selection", sp: "0x80010008", other: "0x80020000" },
    wayOut: /set SPSel to 1/,
    ...instead(
      (select) =>
        `${setSctlr("8")}mov64 x0, 0x80020000\nmov sp, x0\nmov64 x0, 0x80010008\nmsr sp_el0, x0\nmsr spsel, #${select}\nldr x1, [sp]`,
      "0",
      "1",
    ),
  },
  {
    symptom: "misaligned SP",
    cause: { code: "sp-alignment", sp: "0x80020008" },
    wayOut: /multiples of 16/,
    ...instead((sp) => `${setSctlr("8")}mov64 x0, ${sp}\nmov sp, x0\nldr x1, [sp]`, "0x80020008", "0x80020000"),
  },
  {
    symptom: "misaligned SP",
    cause: { code: "sp-alignment", sp: "0x80010008" },
    wayOut: /multiples of 16/,
    ...instead(
      (sp) => `${setSctlr("8")}mov x0, #0\nmov sp, x0\nmsr spsel, #0\nmov64 x0, ${sp}\nmov sp, x0\nldr x1, [sp]`,
      "0x80010008",
      "0x80010000",
    ),
  },
  {
    symptom: "illegal execution state",
    cause: { code: "illegal-state", mode: "EL2h", il: false },
    wayOut: /CurrentEL/,
    ...instead((mode) => `${toMode(mode)}${AT_8}${EXCEPTION_RETURN}`, "0x3c9", "0x3c5"),
  },
  {
    symptom: "illegal execution state",
    cause: { code: "illegal-state", mode: "AArch32", il: false },
    wayOut: /EL1h/,
    ...instead((mode) => `${toMode(mode)}${AT_8}${EXCEPTION_RETURN}`, "0x1d3", "0x3c5"),
  },
  {
    symptom: "illegal execution state",
    cause: { code: "illegal-state", il: true },
    wayOut: /clear IL/,
    ...instead((mode) => `mov64 x0, ${mode}\nmsr spsr_el1, x0\n${AT_8}${EXCEPTION_RETURN}`, "0x1003c5", "0x3c5"),
  },
  ...([
    ["call", "mov x3, #0\nblr x3\n8:", "adr x3, 8f\nblr x3\n8:", /null: X3 at 0x8/],
    ["return", "mov64 x30, 0x90000000\nret\n8:", "adr x30, 8f\nret\n8:", /save X30/],
    ["branch", "mov64 x5, 0x123456789000\nbr x5\n8:", "adr x5, 8f\nbr x5\n8:", /pointer in X5/],
    [
      "exception-return",
      `${toMode("0x3c5")}mov64 x0, 0x90000000\n${EXCEPTION_RETURN}`,
      `${toMode("0x3c5")}${AT_8}${EXCEPTION_RETURN}`,
      /ELR_EL1/,
    ],
  ] as const).map(([how, wrong, right, wayOut]): LookAlike => ({
    symptom: "translation fault",
    cause: { code: "jump-unmapped", by: { how } },
    wayOut,
    ...instead((to) => `mmu_on\n${to}`, wrong, right),
  })),
  {
    symptom: "BTI",
    cause: { code: "no-landing-pad", branch: "BLR", instruction: "nop", pad: null },
    wayOut: /-mbranch-protection=bti/,
    ...instead((pad) => `${GUARDED}adr x3, 8f\nblr x3\n8: ${pad}`, "nop", "bti c"),
  },
  {
    symptom: "BTI",
    cause: { code: "no-landing-pad", branch: "BR", instruction: "bti c" },
    wayOut: /BTI J, or branch by X16/,
    ...instead((register) => `${GUARDED}adr ${register}, 8f\nbr ${register}\n8: bti c`, "x3", "x16"),
  },
  {
    symptom: "BTI",
    cause: { code: "no-landing-pad", instruction: "nop", pad: /^0x800001/ },
    wayOut: /^branch to 0x8/,
    ...instead((label) => `${GUARDED}adr x3, ${label}\nblr x3\n7: bti c\n8: nop`, "8f", "7f"),
  },
  {
    symptom: "pointer authentication",
    cause: { code: "not-authenticated", instruction: "autiasp", register: "X30", signed: false },
    wayOut: /^sign X30/,
    ...instead((sign) => `${SIGNS}adr x30, 8f\n${sign}autiasp\nret\n8:`, "", "paciasp\n"),
  },
  {
    symptom: "pointer authentication",
    cause: { code: "not-authenticated", instruction: "retaa", signed: true, modifier: "SP, 0x8001ffe0" },
    wayOut: /^give SP the value/,
    ...instead((pop) => `${SIGNS}adr x30, 8f\npaciasp\nsub sp, sp, #32\n${pop}retaa\n8:`, "", "add sp, sp, #32\n"),
  },
  {
    symptom: "pointer authentication",
    cause: { code: "not-authenticated", register: "X0", signed: true, modifier: "X1, 0x2" },
    wayOut: /modifier of PAC/,
    ...instead((modifier) => `${SIGNS}adr x0, 8f\nmov x1, #1\npacda x0, x1\nmov x1, #${modifier}\nautda x0, x1\n8:`, "2", "1"),
  },
  {
    symptom: "memory copy or set",
    cause: { code: "copy-out-of-order", part: "the prologue (cpyfp)", left: null },
    wayOut: /set no flags/,
    ...instead(
      (between) => `${COPY}cpyfp [x0]!, [x1]!, x2!\n${between}cpyfm [x0]!, [x1]!, x2!\ncpyfe [x0]!, [x1]!, x2!`,
      "cmp x3, x3\n",
      "",
    ),
  },
  {
    symptom: "memory copy or set",
    cause: { code: "copy-out-of-order", part: "the main part (cpyfm)", left: "0x40" },
    wayOut: /^execute the main part/,
    ...instead(
      (before) => `${COPY}cmn x3, x3\n${before}cpyfe [x0]!, [x1]!, x2!`,
      "",
      "cpyfp [x0]!, [x1]!, x2!\ncpyfm [x0]!, [x1]!, x2!\n",
    ),
  },
];

const ADDRESSES: readonly LookAlike[] = [
  {
    symptom: "address size fault",
    cause: { code: "address-size", output: /^0x100000/, bits: 32 },
    loops: true,
    wayOut: /TCR_EL1\.IPS/,
    ...instead((tcr) => `${store("0x100100020", "0x100000701")}${turnsOn("0x100100000", tcr)}`, "0x80193519", "0x280193519"),
    keys: "base = 0x100000000",
  },
  {
    symptom: "address size fault",
    cause: { code: "address-off" },
    wayOut: /^fix the pointer$/,
    ...instead((address) => `mov64 x0, ${address}\nldr w1, [x0]`, "0x0001000080010000", "0x80010000"),
  },
  {
    // SCTLR_EL1 with bits above 53.
    symptom: "translation fault",
    cause: { code: "no-translation", walk: { ttbr: "TTBR0_EL1", level: 2 } },
    wayOut: /^map 0x90000000 before it is used/,
    ...instead((address) => `mmu_on\n${setSctlr("0x220000000000000")}mov64 x0, ${address}\nldr w1, [x0]`, "0x90000000", "0x80010000"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tagged", pointer: "0x80010000", tbi: "TBI0" },
    wayOut: /set TCR_EL1\.TBI0/,
    ...instead((tcr) => `mmu_on ${tcr}\nmov64 x0, 0x3400000080010000\nldr w1, [x0]`, "0x180193519", "0x2180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tagged", pointer: /^0x80000/, tbi: "TBID0" },
    wayOut: /clear TCR_EL1\.TBID0/,
    ...instead(
      (tcr) => `mmu_on ${tcr}\nadr x0, 8f\nmov64 x1, 0x3400000000000000\norr x0, x0, x1\nbr x0\n8:`,
      "0x8002180193519",
      "0x2180193519",
    ),
  },
  {
    symptom: "translation fault",
    cause: { code: "stack-outside", sp: "0x80380000" },
    wayOut: /SP to the end of mapped memory/,
    ...instead((sp) => `mmu_on\nmov64 x9, ${sp}\nmov sp, x9\nstp x29, x30, [sp, #-16]!`, "0x80380000", "0x80020000"),
  },
  {
    symptom: "translation fault",
    cause: { code: "still-signed", pointer: "0x80010000" },
    wayOut: /AUT\*/,
    ...instead((strip) => `mmu_on\n${SIGNS}mov64 x0, 0x80010000\nmov x1, #1\npacda x0, x1\n${strip}ldr x2, [x0]`, "", "xpacd x0\n"),
  },
  {
    symptom: "translation fault",
    cause: { code: "stack-overflow", bottom: "0x80208000" },
    wayOut: /more room/,
    ...instead(
      (size) => `entry 3, 8, 0x80208703\nmmu_on\nmov64 x9, 0x80208100\nmov sp, x9\nmov x3, #4\n2: ${size}\nsubs x3, x3, #1\nb.ne 2b`,
      "stp x29, x30, [sp, #-96]!",
      "stp x29, x30, [sp, #-16]!",
    ),
  },
  {
    symptom: "external abort",
    cause: { code: "stack-overflow", bottom: "0x80000000" },
    wayOut: /more room/,
    ...instead((top) => `mov64 x9, ${top}\nmov sp, x9\nstp x29, x30, [sp, #-16]!`, "0x80000000", "0x80020000"),
  },
  {
    symptom: "alignment fault",
    cause: { code: "zva-to-device", because: "stage-1-off" },
    wayOut: /use stores/,
    ...instead((clear) => `mov64 x0, 0x80010000\n${clear}`, "dc zva, x0", "stp xzr, xzr, [x0]"),
  },
  {
    symptom: "alignment fault",
    cause: { code: "ordered-alignment" },
    wayOut: /to 4 bytes/,
    ...instead((offset) => `mmu_on\n${setSctlr("2")}mov64 x0, 0x8001000${offset}\nldaxr w1, [x0]`, "2", "4"),
  },
  {
    symptom: "permission fault",
    cause: { code: "no-permission", because: "wxn" },
    loops: true,
    wayOut: /SCTLR_EL1\.WXN/,
    ...instead(
      (rights) => `mmu_on\nentry 1, 0, ${rights}\ndsb sy\ntlbi vmalle1\ndsb sy\nisb\n${setSctlr("0x80000")}`,
      "0x80000701",
      "0x80000781",
    ),
  },
  {
    symptom: "permission fault",
    cause: { code: "no-permission", because: "user-writable" },
    wayOut: /without AP\[1\]/,
    ...instead(
      (rights) =>
        `mmu_on\nmov64 x0, 0x80001000\nmov64 x1, 0xd61f0060\nstr w1, [x0]\ndc cvau, x0\ndsb sy\nic iallu\ndsb sy\nisb
        entry 3, 4, ${rights}\ndsb sy\nisb\nadr x3, 8f\nmov64 x0, 0x80204000\nbr x0\n8:`,
      "0x80001743",
      "0x80001703",
    ),
  },
  {
    symptom: "translation fault",
    cause: { code: "turned-on-unmapped", at: /^0x800000/ },
    loops: true,
    wayOut: /at its own address/,
    ...instead((block) => `${store("0x80100010", block)}${turnsOn("0x80100000", "0x180193519")}`, "0", "0x80000701"),
  },
  {
    symptom: "undefined instruction",
    cause: { code: "group-off", name: "ICC_IAR0_EL1", group: 0, other: true },
    wayOut: /^read ICC_IAR1_EL1/,
    ...instead(
      (register) => `${TIMER_NOW}\nwfi\nmrs x3, ${register}\nmsr cntv_ctl_el0, xzr\nmsr icc_eoir1_el1, x3`,
      "icc_iar0_el1",
      "icc_iar1_el1",
    ),
  },
  {
    symptom: "translation fault",
    cause: { code: "outside-of-tables", ttbr: "TTBR0_EL1", bits: null },
    loops: true,
    wayOut: /clear TCR_EL1\.EPD0/,
    ...instead((tcr) => `mmu_on ${tcr}`, "0x180193599", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "outside-of-tables", ttbr: "TTBR1_EL1", bits: null },
    wayOut: /clear TCR_EL1\.EPD1/,
    ...instead((tcr) => inUpperHalf(tcr, "nop"), "0x180993519", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", field: "TG0", has: "pages of 64 KiB", wants: "pages of 4 KiB", cpu: null },
    loops: true,
    wayOut: /set TCR_EL1\.TG0 for pages of 4 KiB/,
    ...instead((tcr) => `mmu_on ${tcr}`, "0x180197519", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", field: "T0SZ", has: "48 bits", wants: "39 bits" },
    loops: true,
    wayOut: /set TCR_EL1\.T0SZ for 39 bits/,
    ...instead((tcr) => `mmu_on ${tcr}`, "0x180193510", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", ttbr: "TTBR1_EL1", field: "TG1", has: "pages of 64 KiB", wants: "pages of 4 KiB" },
    wayOut: /set TCR_EL1\.TG1 for pages of 4 KiB/,
    ...instead((tcr) => inUpperHalf(tcr, "nop"), "0x1c0193519", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", ttbr: "TTBR1_EL1", field: "T1SZ", has: "48 bits", wants: "39 bits" },
    wayOut: /set TCR_EL1\.T1SZ for 39 bits/,
    ...instead((tcr) => `mmu_on ${tcr}\nmov64 x0, 0xffffff8080010000\nldr w1, [x0]`, "0x180103519", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", ttbr: "TTBR1_EL1", field: "T1SZ", has: "36 bits", wants: "39 bits" },
    wayOut: /set TCR_EL1\.T1SZ for 39 bits/,
    ...instead((tcr) => inUpperHalf(tcr, "nop"), "0x1801c3519", "0x180193519"),
  },
  {
    symptom: "translation fault",
    cause: { code: "tables-of-other-form", ttbr: "TTBR0_EL1", field: "T0SZ", has: "48 bits", wants: "39 bits" },
    loops: true,
    wayOut: /set TCR_EL1\.T0SZ for 39 bits/,
    ...((size: (tcr: string) => string) => ({ sick: size("0x180193510"), healed: size("0x180193519") }))((tcr) =>
      program(inUpperHalf(
        "",
        `adr x0, vectors\nmsr vbar_el1, x0\nset tcr_el1, ${tcr}\nisb\nmov64 x0, 0x80010000\nmov x9, x0\nldr w1, [x9]\nadr x9, 8f\nand x9, x9, #0xffffffff`,
      )) + `\n${VECTORS} .zero 2048`
    ),
  },
  {
    symptom: "translation fault",
    cause: { code: "jump-unmapped", address: "0xfffffff080000000", by: { how: "branch", register: "X1" } },
    wayOut: /pointer in X1/,
    ...instead((to) => inUpperHalf("", `adr x2, 7b\n${to}\nbr x1\n6:`), "mov64 x1, 0xfffffff080000000", "adr x1, 6f"),
  },
];

export const LOOK_ALIKES: readonly LookAlike[] = [...UNDEFINED, ...FORMS, ...AT_EL0, ...BRANCHES, ...ADDRESSES];
