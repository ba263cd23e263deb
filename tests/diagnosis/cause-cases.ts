// Guests of which each ends by an exception, with its cause, values and way out.

import type { ExceptionCause } from "../../src/model/queries/facts/exception-cause.ts";

export interface CauseCase {
  readonly name: string;
  readonly source: string;
  /** Keys of the VM, and sections after it. */
  readonly more?: string;
  readonly cause: { readonly code: ExceptionCause["code"]; readonly [name: string]: unknown };
  readonly wayOut: RegExp;
}

export const cause = (name: string, source: string, cause: CauseCase["cause"], wayOut: RegExp, more = ""): CauseCase => ({
  name,
  source: `no_vectors\n${source}\n1: b 1b`,
  cause,
  wayOut,
  more,
});

/** Turns authentication with key DA on, and gives X1 a modifier. */
const AUTHENTICATES = ".arch armv8.4-a\nmrs x0, sctlr_el1\nmov64 x1, 0x8000000\norr x0, x0, x1\nmsr sctlr_el1, x0\nisb\nmov x1, #1";

const SHARED = `[vm.y]\nimage = "y.bin"\nmemory = "4MiB"\n[link]
board = { kind = "shm", label = 1, size = "64KiB", access = { x = "r", y = "rw" } }\n`;

export const load = (address: string, load = "ldr w1, [x0]") => `mov64 x0, ${address}\n${load}`;
const UNDEFINED: readonly CauseCase[] = [
  cause(
    "an instruction of SVE",
    "cntw x0",
    { code: "lacks-feature", name: "cntw", feature: "FEAT_SVE", cpu: "v8", cpus: [] },
    /no CPU of el2/,
  ),
  cause("an instruction of a later architecture", "mov64 x0, 0x300000\nmsr cpacr_el1, x0\nisb\nudot v0.4s, v1.16b, v2.16b", {
    code: "lacks-feature",
    name: "udot",
    feature: "FEAT_DotProd",
  }, /cpu = "v8\.2"/),
  cause("a register of MTE", "mrs x0, s3_0_c1_c0_6", { code: "lacks-feature", name: "gcr_el1", feature: "FEAT_MTE2" }, /no CPU/),
  cause(
    "a register that EL2 hides",
    "mrs x0, s3_0_c5_c3_0",
    { code: "not-offered", name: "erridr_el1", feature: "FEAT_RAS", option: "ras_error_handler" },
    /ID register/,
    '[machine]\ncpu = "v8.2"',
  ),
  cause("a register of EL2", "mrs x0, hcr_el2", { code: "above-level", name: "hcr_el2", needs: 2, at: 1, instead: null }, /CurrentEL/),
  cause("a register of EL2 that EL1 has, too", "msr vbar_el2, x0", { code: "above-level", instead: "vbar_el1", needs: 2 }, /use vbar_el1/),
  cause("a register of EL3", "mrs x0, scr_el3", { code: "above-level", name: "scr_el3", needs: 3 }, /CurrentEL/),
  cause("an invalidation of EL2's TLB", "tlbi alle2", { code: "above-level", name: "tlbi alle2", instead: "tlbi vmalle1" }, /tlbi vmalle1/),
  cause("a run past the end of the code", "nop\n.zero 64\n", { code: "not-code", word: "0x00000000" }, /branch/),
  cause(
    "a stack that has grown over the code",
    "adr x0, 3f\nmov sp, x0\n2: stp x29, x30, [sp, #-16]!\nbl 2b\n.balign 16\n.zero 128\n3: nop",
    { code: "overwritten", stack: /^0x800000/, loaded: /stp|bl/ },
    /^end the recursion.*`el2 who ipa:x\d*\/0x800000.. --size 4`$/,
  ),
  cause(
    "data that was stored over the code",
    "mov64 x1, 0x04a0e3e4\nadr x0, 2f\nstr w1, [x0]\ndc cvau, x0\ndsb sy\nic ivau, x0\ndsb sy\nisb\n2: add x3, x3, #1",
    { code: "overwritten", stack: null, word: "0x04a0e3e4", loaded: "add x3, x3, #0x1" },
    /^find the store: `el2 who/,
  ),
  cause(
    "an instruction of SVE, written where the image has none",
    "mov64 x1, 0x04a0e3e4\nmov64 x0, 0x80010000\nstr w1, [x0]\nbr x0",
    { code: "lacks-feature", feature: "FEAT_SVE" },
    /no CPU/,
  ),
  cause(
    "an instruction of SVE in a page of the image that was given to others",
    `mov64 x1, 0x04a0e3e4
adr x0, 4f
mov x2, #1024
3: str w1, [x0], #4
subs x2, x2, #1
b.ne 3b
b 4f
.balign 4096
4: .rept 1024
add x3, x3, #1
.endr`,
    { code: "lacks-feature", feature: "FEAT_SVE" },
    /no CPU/,
  ),
  cause("a failed assertion", "brk #7", { code: "trap-instruction", name: "brk", immediate: 7 }, /./),
  cause("floating point that is off", "fadd d0, d0, d1", { code: "fp-trapped", el: 1 }, /FPEN/),
  cause(
    "a return into AArch32",
    "mov x0, #0x1d3\nmsr spsr_el1, x0\nadr x0, 2f\nmsr elr_el1, x0\neret\n2: nop",
    { code: "illegal-state" },
    /SPSR_EL1/,
  ),
  cause(
    "a stack that is not aligned",
    "mrs x0, sctlr_el1\norr x0, x0, #8\nmsr sctlr_el1, x0\nmov64 x0, 0x80010008\nmov sp, x0\nldr x1, [sp]",
    { code: "sp-alignment", sp: "0x80010008" },
    /16/,
  ),
  cause("a branch to half an instruction", "adr x0, 2f\nadd x0, x0, #2\n2: br x0", { code: "pc-alignment" }, /pointer/),
  cause(
    "a null function pointer",
    "mov x0, #0\nblr x0",
    { code: "jump-to-devices", address: "0x0", by: { how: "call", register: "X0", at: /^0x800000/ } },
    /null: X0 at 0x8/,
  ),
  cause(
    "a return without an address",
    "mov64 x30, 0x90000000\nret",
    { code: "jump-to-devices", address: "0x90000000", by: { how: "return" } },
    /^save X30/,
  ),
  cause(
    "a branch to 0 after a call of something else",
    "mov x1, #0\nadr x0, 2f\nblr x0\n2: br x1",
    { code: "jump-to-devices", address: "0x0", by: null },
    /^find the pointer that is null$/,
  ),
  cause("an address beyond all while stage 1 is off", load("0xffffffffffffff00"), { code: "address-off", bits: 48 }, /turn stage 1 on/),
  cause("a push before there is a stack", "mov x0, #0\nmov sp, x0\nstp x29, x30, [sp, #-16]!", { code: "no-stack", sp: "0x0" }, /set SP/),
  cause(
    "a pointer whose authentication fails",
    `${AUTHENTICATES}\nmov64 x0, 0x80010000\npacda x0, x1\nmov x1, #2\nautda x0, x1\nldr x2, [x0]`,
    { code: "failed-authentication", pointer: "0x80010000" },
    /modifier of PAC/,
    '[machine]\ncpu = "v8.4"',
  ),
  cause(
    "the same with stage 1 on",
    `mmu_on\n${AUTHENTICATES}\nmov64 x0, 0x80010000\npacda x0, x1\nmov x1, #2\nautda x0, x1\nldr x2, [x0]`,
    { code: "failed-authentication", pointer: "0x80010000" },
    /modifier of PAC/,
    '[machine]\ncpu = "v8.4"',
  ),
  cause(
    "the same bits in a pointer that nobody has signed",
    load("0x2000000080010000"),
    { code: "tagged", pointer: "0x80010000" },
    /TBI0/,
    '[machine]\ncpu = "v8.4"',
  ),
  cause("a call of a supervisor without vectors", "svc #1", { code: "no-vectors", vbar: "0x70000000", offset: "0x200" }, /VBAR_EL1/),
];

const access = (kind: string, address: string, size: number | null = 4) => ({ kind, address, size });

const ALIGNMENT: readonly CauseCase[] = [
  cause("a vector's store before the MMU is on", load("0x80010008", "mov64 x2, 0x300000\nmsr cpacr_el1, x2\nisb\nstr q0, [x0]"), {
    code: "device-alignment",
    because: "stage-1-off",
    access: access("store", "0x80010008", 16),
  }, /-mstrict-align, or turn the MMU on/),
  cause("an unaligned load from Device memory", `entry 3, 0, 0x80200707\nmmu_on\n${load("0x80200002")}`, {
    code: "device-alignment",
    because: "mair",
    access: access("load", "0x80200002"),
  }, /map it as Normal/),
  cause(
    "alignment that is checked",
    `mmu_on\nmrs x0, sctlr_el1\norr x0, x0, #2\nmsr sctlr_el1, x0\nisb\n${load("0x80010006", "ldr x1, [x0]")}`,
    {
      code: "alignment-checked",
      access: access("load", "0x80010006", 8),
    },
    /SCTLR_EL1\.A/,
  ),
  cause("an unaligned exclusive", `mmu_on\n${load("0x80010002", "ldaxr w1, [x0]")}`, {
    code: "ordered-alignment",
    access: access("load", "0x80010002"),
  }, /to 4 bytes/),
  cause("an unaligned atomic", `mmu_on\n${load("0x80010004", "ldadd x1, x2, [x0]")}`, {
    code: "ordered-alignment",
    access: access("atomic access", "0x80010004", 8),
  }, /align/),
];

const walk = (level: number, entry: string, descriptor: string | null) => ({ ttbr: "TTBR0_EL1", level, entry, descriptor });

const MAX = '[machine]\ncpu = "max"';
/** A load by tables of 52 bits (TCR_EL1.DS), which have no shareability. */
const wideTables = (address: string) =>
  `entry 4, 0, 0x80105003\nentry 5, 0, 0x80100003\nmmu_on 0x080000018019350c, 0x80104000, 0\n${load(address)}`;

const STAGE1: readonly CauseCase[] = [
  cause("an address without a page", `mmu_on\n${load("0x80201000")}`, {
    code: "no-translation",
    access: access("load", "0x80201000"),
    walk: walk(3, "0x80103008", "0x0000000000000000"),
  }, /map 0x80201000/),
  cause("an address without a table", `mmu_on\n${load("0x100000000", "str x1, [x0]")}`, {
    code: "no-translation",
    access: access("store", "0x100000000", 8),
    walk: walk(1, "0x80100020", "0x0000000000000000"),
  }, /map/),
  cause("an address outside of the tables", `mmu_on\n${load("0x8000000000")}`, {
    code: "outside-of-tables",
    ttbr: "TTBR0_EL1",
    bits: 39,
  }, /T0SZ/),
  cause("a half that is disabled", `mmu_on 0x180993519\n${load("0xffffffc080010000")}`, {
    code: "outside-of-tables",
    ttbr: "TTBR1_EL1",
    bits: null,
  }, /EPD/),
  cause("an access flag that nobody sets", `entry 3, 2, 0x80202303\nmmu_on\n${load("0x80202010")}`, {
    code: "access-flag",
    walk: walk(3, "0x80103010", "0x0000000080202303"),
  }, /AF/),
  cause("a store to memory that is read-only", `entry 3, 3, 0x80203783\nmmu_on\n${load("0x80203000", "strb w1, [x0]")}`, {
    code: "no-permission",
    access: access("store", "0x80203000", 1),
    el: 1,
    rights: "rx",
    because: "descriptor",
  }, /AP, PXN and UXN/),
  cause("code in memory that is not executable", `entry 3, 4, 0x20000080204703\nmmu_on\n${load("0x80204000", "br x0")}`, {
    code: "no-permission",
    access: access("instruction fetch", "0x80204000"),
    rights: "rw",
  }, /PXN/),
  cause("memory of EL0 with PAN", `entry 3, 5, 0x80205743\nmmu_on\nmsr pan, #1\n${load("0x80205000")}`, {
    code: "no-permission",
    because: "pan",
  }, /LDTR/),
  cause("a page beyond the physical addresses", `entry 3, 6, 0x1080206703\nmmu_on 0x80193519\n${load("0x80206000")}`, {
    code: "address-size",
    bits: 32,
  }, /^fix the descriptor$/),
  cause("tables in memory that the VM does not have", `mmu_on 0x180193519, 0x10000000\n${load("0x80010000")}`, {
    code: "table-outside",
    walk: walk(1, "0x10000010", null),
  }, /TTBR0_EL1/),
  cause("a table of level 2 in memory that the VM does not have", `entry 0, 5, 0x100003\nmmu_on\n${load("0x140000000")}`, {
    code: "table-outside",
    walk: walk(2, "0x100000", null),
  }, /level 1/),
  cause(
    "an address without a table of level -1",
    wideTables("0x1000000000000"),
    {
      code: "no-translation",
      walk: walk(-1, "0x80104008", "0x0000000000000000"),
    },
    /map 0x1000000000000/,
    MAX,
  ),
  cause(
    "a table of 52 bits beyond the physical addresses",
    `entry 4, 2, 0x80105103\n${wideTables("0x2000000000000")}`,
    {
      code: "address-size",
      bits: 36,
    },
    /descriptor/,
    MAX,
  ),
];

/** The first page after the info page. */
const BOARD = "0x40001000";

const STAGE2: readonly CauseCase[] = [
  cause("memory that the VM does not have", load("0x90000000"), {
    code: "not-given",
    ipa: "0x90000000",
    stage1: false,
    access: access("load", "0x90000000"),
  }, /devicetree/),
  cause(
    "a device of a VMM that no VMM serves",
    load("0x09000000", "ldr w1, [x0, #0x18]"),
    { code: "nobody-serves", ipa: "0x9000018", schedule: "own" },
    /schedule = "own"/,
    'schedule = "own"\ndevices = []',
  ),
  cause("a pair of registers from a device", load("0x09000000", "ldp w1, w2, [x0]"), {
    code: "not-emulated",
    by: "its VMM",
    access: access("load", "0x9000000", 8),
  }, /one general register/),
  cause("a register with write-back from the distributor", load("0x08000000", "ldr w1, [x0], #4"), {
    code: "not-emulated",
    by: "the hypervisor",
  }, /write-back/),
  cause("a byte of a register of the distributor", load("0x08000000", "ldrb w1, [x0]"), {
    code: "device-refuses",
    access: access("load", "0x8000000", 1),
  }, /size/),
  cause(
    "a store to a board that is read-only",
    load(BOARD, "str w1, [x0]"),
    { code: "no-right", rights: "r", access: { kind: "store" } },
    /access "rw" in \[link\]/,
    SHARED,
  ),
  cause(
    "code in a board without execution",
    load(BOARD, "br x0"),
    { code: "no-right", rights: "r", access: { kind: "instruction fetch" } },
    /copy the code/,
    SHARED,
  ),
];

export const CASES = [...UNDEFINED, ...ALIGNMENT, ...STAGE1, ...STAGE2];
