// Guests that poll a register: of a serial port, a clock, fw_cfg, the GIC, a timer. Nothing can end
// the polls of the broken ones any more; those of the healthy ones are waits.

const UART = "mov64 x1, 0x09000000", GICD = "mov64 x1, 0x08000000", GICR = "mov64 x1, 0x080b0000";
const QEMU = { keys: 'platform = "qemu-virt"' }, TWO = { keys: "vcpus = 2" };
const FW_CFG = "mov64 x1, 0x09020000", CLOCK = "mov64 x1, 0x09010000";
const timer = (divisor: number, control = 1) =>
  `mrs x2, cntfrq_el0\nmov x3, #${divisor}\nudiv x2, x2, x3\nmsr cntv_tval_el0, x2\nmov x3, #${control}\nmsr cntv_ctl_el0, x3\nisb`;
const groups =
  "mov64 x1, 0x08000000\nmov w2, #0x12\nstr w2, [x1]\nmov x2, #0xf0\nmsr icc_pmr_el1, x2\nmov x2, #1\nmsr icc_igrpen1_el1, x2\nisb";
const enablePpi = "mov64 x1, 0x080b0000\nmov w2, #(1 << 27)\nstr w2, [x1, #0x80]\nstr w2, [x1, #0x100]";
/** Until a bit of a register is set. */
const until = (offset: string, bit: number, width = "ldr w0") => `1: ${width}, [x1, #${offset}]\ntbz w0, #${bit}, 1b\nend: wfi\nb end`;
const untilSystem = (register: string, bit: number) => `1: mrs x0, ${register}\ntbz x0, #${bit}, 1b\nend: wfi\nb end`;
const cpuOn = "mov64 x0, 0xc4000003\nmov x1, #1\nadr x2, second\nmov x3, #0\nhvc #0";
const WORK = "mov64 x7, 2000000\n4: subs x7, x7, #1\nb.ne 4b";

export interface Poll {
  readonly source: string;
  readonly keys?: string;
}
export interface BrokenPoll extends Poll {
  readonly code: "spins" | "exit-loop";
  /** The register that it reads. */
  readonly register: string | RegExp;
  readonly of?: string | RegExp;
}

export const BROKEN_POLLS: Readonly<Record<string, BrokenPoll>> = {
  "the busy flag of a serial port to rise": {
    source: `${UART}\n${until("0x18", 3)}`,
    code: "exit-loop",
    register: "0x9000018",
    of: "its console",
  },
  "the end of a transmission that it has not begun": { source: `${UART}\n${until("0x3c", 5)}`, code: "exit-loop", register: "0x900003c" },
  "an interrupt of a serial port that it has masked": {
    source: `${UART}\nstr wzr, [x1, #0x38]\n${until("0x40", 4)}`,
    ...{ code: "exit-loop", register: "0x9000040" },
  },
  "a modem line of a 16550": {
    source: `mov64 x1, 0x3f8\n${until("6", 6, "ldrb w0")}`,
    keys: 'platform = "crosvm"',
    code: "exit-loop",
    register: "0x3fe",
  },
  "the byte after the last one of an item": {
    source: `${FW_CFG}\nmov w2, #0x0500\nstrh w2, [x1, #8]\nldr w0, [x1]\n${until("0", 1, "ldrb w0")}`,
    ...{ ...QEMU, code: "exit-loop", register: "0x9020000", of: "its VMM" },
  },
  "the alarm of a clock that it has not set": {
    source: `${CLOCK}\n${until("0x14", 0)}`,
    ...QEMU,
    code: "exit-loop",
    register: "0x9010014",
  },
  "the condition of a timer that is off": {
    source: untilSystem("cntv_ctl_el0", 2),
    code: "spins",
    register: "CNTV_CTL_EL0",
    of: undefined,
  },
  "the condition of a timer that is due in thousands of years": {
    source: `mov x2, #-1\nmsr cntv_cval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3\n${untilSystem("cntv_ctl_el0", 2)}`,
    ...{ code: "spins", register: "CNTV_CTL_EL0" },
  },
  "the other timer than the one that it has set": {
    source: `${timer(100)}\n${untilSystem("cntp_ctl_el0", 2)}`,
    code: "spins",
    register: "CNTP_CTL_EL0",
  },
  "an interrupt of a timer that is off": {
    source: `${GICR}\n${until("0x200", 27)}`,
    code: "exit-loop",
    register: "0x80b0200",
    of: /^GICR 0/,
  },
  "an interrupt of a timer that is masked": {
    source: `${timer(100, 3)}\n${GICR}\n${until("0x200", 27)}`,
    code: "exit-loop",
    register: "0x80b0200",
  },
  "a shared interrupt that nothing raises": {
    source: `${GICD}\n${until("0x208", 9)}`,
    code: "exit-loop",
    register: "0x8000208",
    of: /^GICD/,
  },
  "an interrupt to become active, which it does not acknowledge": {
    source: `${groups}\n${enablePpi}\n${timer(1000)}\nmov64 x1, 0x080b0000\n${until("0x300", 27)}`,
    ...{ code: "exit-loop", register: "0x80b0300" },
  },
  "an interrupt to acknowledge, of which none is enabled": {
    source: `${groups}\n${timer(100)}\n1: mrs x0, icc_iar1_el1\ncmp x0, #1020\nb.hs 1b\nend: wfi\nb end`,
    ...{ code: "exit-loop", register: "ICC_IAR1_EL1" },
  },
  "a masked interrupt in ISR_EL1, of which none is enabled": {
    source: `${groups}\n${timer(100)}\n${untilSystem("isr_el1", 7)}`,
    code: "spins",
    register: "ISR_EL1",
  },
};

export const HEALTHY_POLLS: Readonly<Record<string, Poll>> = {
  "a serial port for input": { source: `${UART}\n1: ldr w0, [x1, #0x18]\ntbnz w0, #4, 1b\nldr w0, [x1]\nb 1b` },
  "the data of a serial port": { source: `${UART}\n1: ldr w0, [x1]\ncbz w0, 1b\nb 1b` },
  "the raw interrupt of a serial port": { source: `${UART}\n${until("0x3c", 6)}` },
  "a 16550 for input": { source: `mov64 x1, 0x3f8\n${until("5", 0, "ldrb w0")}`, keys: 'platform = "crosvm"' },
  "the alarm of a clock that is to ring": {
    source:
      `${CLOCK}\nldr w2, [x1]\nadd w2, w2, #1\nstr w2, [x1, #4]\n3: ldr w0, [x1, #0x14]\ntbz w0, #0, 3b\nmov w3, #1\nstr w3, [x1, #0x1c]\nldr w2, [x1]\nadd w2, w2, #1\nstr w2, [x1, #4]\nb 3b`,
    ...QEMU,
  },
  "the control word of a long transfer": {
    source: `${FW_CFG}\nmov64 x20, 0x84000000\n3: mov64 x2, 0x5000a02000000\nrev x2, x2\nstr x2, [x20]\nmov64 x2, 0x84100000\n` +
      `rev x2, x2\nstr x2, [x20, #8]\nrev x3, x20\nstr x3, [x1, #0x10]\n1: ldr w0, [x20]\ncbnz w0, 1b\nb 3b`,
    ...QEMU,
  },
  "a timer in turns": { source: `2: ${timer(300)}\n1: mrs x0, cntv_ctl_el0\ntbz x0, #2, 1b\nb 2b` },
  "its interrupt, which is disabled, in turns": { source: `2: ${timer(300)}\n${GICR}\n1: ldr w0, [x1, #0x200]\ntbz w0, #27, 1b\nb 2b` },
  "interrupts, which it acknowledges with PSTATE.I set": {
    source: `${groups}\n${enablePpi}\n${
      timer(300)
    }\n1: mrs x0, icc_iar1_el1\ncmp x0, #1020\nb.hs 1b\nmsr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x0\nb 1b`,
  },
  "ISR_EL1 for a timer": {
    source: `${groups}\n${enablePpi}\n${timer(300)}\n1: mrs x0, isr_el1\ntbz x0, #7, 1b\nmsr cntv_tval_el0, x2\nisb\nb 1b`,
  },
  "an SGI that another CPU sends later": {
    source: `${cpuOn}\nmov64 x1, 0x080b0000\n3: ldr w0, [x1, #0x200]\ntbz w0, #5, 3b\nmov w2, #(1 << 5)\nstr w2, [x1, #0x280]\nb 3b\n` +
      `second: mov64 x2, 0x5000001\n5: ${WORK}\nmsr icc_sgi1r_el1, x2\nisb\nb 5b`,
    ...TWO,
  },
  "the active bit that another CPU clears later": {
    source:
      `${cpuOn}\nmov64 x1, 0x08000000\nmov w2, #2\nstr w2, [x1, #0x304]\n3: ldr w0, [x1, #0x304]\ntbnz w0, #1, 3b\nstr w2, [x1, #0x304]\nb 3b\n` +
      `second: mov64 x1, 0x08000000\nmov w2, #2\n5: ${WORK}\nstr w2, [x1, #0x384]\nb 5b`,
    ...TWO,
  },
};

/** The configuration of a VM whose image is NAME.bin. */
export function pollText(name: string, { keys = "" }: Poll): string {
  const memory = keys.includes("platform") ? "128MiB" : "4MiB";
  return `el2 = 1\n[machine]\ncpus = 2\n[host]\ndevice = "v14"\n[vm.x]\nimage = "${name}.bin"\nmemory = "${memory}"\n${keys}\n`;
}
