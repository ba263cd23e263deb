// Bare-metal guests with mistakes that are none of the classes: interrupts that are never ended,
// SGIs of the wrong group, CPUs that PSCI does not start, registers that cannot change; and guests
// that look like them and make no mistake.

/** A GIC whose timer interrupt is on; X2 is a period of 10 ms. */
const gic = (more = "") => `timer_gic\n${more}\ntimer_period`;
const TIMER = "msr cntv_tval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3";
const VECTORS = "mov64 x9, 0x80010000\nmov sp, x9\nadr x0, vectors\nmsr vbar_el1, x0\nisb";
const SLEEP = "9: wfi\nb 9b";
/** A guest that sleeps, with this handler of interrupts. */
const handles = (handler: string, more = "") =>
  `${VECTORS}\n${gic(more)}\n${TIMER}\nmsr daifclr, #2\n${SLEEP}\n.balign 2048\nvectors:\n.zero 0x280\n${handler}\neret\n.balign 2048`;
const ACKNOWLEDGE = "mrs x3, icc_iar1_el1\nmsr cntv_tval_el0, x2\n", END = "msr icc_eoir1_el1, x3";
const SPLIT = "mov x2, #2\nmsr icc_ctlr_el1, x2";
const call = (id: string, ...x: string[]) => [`mov64 x0, ${id}`, ...x, "hvc #0"].join("\n");
const cpuOn = (mpidr: string, entry: string) => call("0xc4000003", `mov64 x1, ${mpidr}`, `adr x2, ${entry}`, "mov x3, #0");
const POLL_FLAG = "adr x4, flag\n1: ldr w0, [x4]\ncbz w0, 1b\nflag: .word 0";

export interface Strange {
  readonly source: string;
  readonly keys?: string;
  readonly fact: Readonly<Record<string, unknown>>;
  readonly because?: readonly Readonly<Record<string, unknown>>[];
}

const lost = (lacks: string) => ({ code: "lost", irq: "irq:x/27", finding: { code: "unended", intid: 27, lacks } });
const OFF = { code: "vcpus-off", vcpus: ["vcpu:x/1"], started: false };
const refused = (status: string) => ({ code: "start-refused", vcpu: "vcpu:x/0", status, mpidrs: ["0x0", "0x1"] });

export const BROKEN_STRANGE: Readonly<Record<string, Strange>> = {
  "acknowledges an interrupt and never ends it": { source: handles(ACKNOWLEDGE), fact: lost("end") },
  "ends another interrupt": { source: handles(`${ACKNOWLEDGE}mov x3, #28\n${END}`), fact: lost("own-end") },
  "acknowledges twice, and ends what the second gave": { source: handles(`mrs x3, icc_iar1_el1\n${ACKNOWLEDGE}${END}`), fact: lost("end") },
  "drops the priority and never deactivates": { source: handles(`${ACKNOWLEDGE}${END}`, SPLIT), fact: lost("deactivation") },
  "sleeps in the handler": { source: handles(`mrs x3, icc_iar1_el1\n8: wfi\nb 8b`), fact: lost("end") },
  "sets its timer to a time that never comes": {
    source: `${gic()}\nmov x3, #-1\nmsr cntv_cval_el0, x3\nmov x3, #1\nmsr cntv_ctl_el0, x3\n${SLEEP}`,
    fact: { code: "no-wakeup" },
    because: [{ code: "barred", irq: "irq:x/27", barrier: { code: "timer-far", comparator: "CNTV_CVAL_EL0" } }],
  },
  "sends its SGI as one of group 0": {
    source: `${gic(`mov64 x4, 0x8000001\nmov64 x1, 0x080b0000\nstr w4, [x1, #0x80]\nstr w4, [x1, #0x100]`)}
      mov x0, #1\nmsr icc_sgi0r_el1, x0\n${SLEEP}`,
    fact: { code: "no-wakeup" },
    because: [{ code: "lost-sgi", from: "vcpu:x/0", wrong_group: true }],
  },
  "waits for its redistributor, which it has not woken": {
    source: `mov64 x1, 0x080a0000\nmov w2, #2\nstr w2, [x1, #0x14]\n1: ldr w0, [x1, #0x14]\ntbnz w0, #2, 1b\n${SLEEP}`,
    fact: { code: "exit-loop", vcpu: "vcpu:x/0" },
  },
  "waits for a bit of GICD_CTLR that no GIC has here": {
    source: `mov64 x1, 0x08000000\n1: ldr w0, [x1]\ntbz w0, #31, 1b\n${SLEEP}`,
    fact: { code: "exit-loop", vcpu: "vcpu:x/0" },
  },
  "starts a CPU that it does not have, again and again": {
    source: `1: ${cpuOn("0x2", "2f")}\ncbnz x0, 1b\n2: b 2b`,
    keys: "vcpus = 2",
    fact: { code: "exit-loop", vcpu: "vcpu:x/0" },
    because: [refused("INTERNAL_FAILURE"), OFF],
  },
  "starts itself, again and again": {
    source: `1: ${cpuOn("0x0", "2f")}\ncbnz x0, 1b\n2: b 2b`,
    keys: "vcpus = 2",
    fact: { code: "exit-loop", vcpu: "vcpu:x/0" },
    because: [refused("ALREADY_ON"), OFF],
  },
  "waits for a CPU whose start was refused": {
    source: `${cpuOn("0x2", "flag")}\n${POLL_FLAG}`,
    keys: "vcpus = 2",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [refused("INTERNAL_FAILURE"), OFF],
  },
  "waits for a CPU that it looks for in another cluster": {
    source: `${cpuOn("0x100", "flag")}\n${POLL_FLAG}`,
    keys: "vcpus = 2",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [{ ...refused("INTERNAL_FAILURE"), mpidr: "0x100" }, OFF],
  },
  "waits for a CPU that it has not started": {
    source: POLL_FLAG,
    keys: "vcpus = 2",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [OFF],
  },
  "waits for a CPU that has powered itself off": {
    source: `${cpuOn("0x1", "second")}\n${POLL_FLAG}\nsecond: ${call("0x84000002")}`,
    keys: "vcpus = 2",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [{ ...OFF, started: true }],
  },
  "returns to EL0 where no memory is, each time": {
    source:
      `${VECTORS}\nmsr spsr_el1, xzr\nmov64 x0, 0x90000000\nmsr elr_el1, x0\neret\n.balign 2048\nvectors:\n.zero 0x400\neret\n.balign 2048`,
    fact: { code: "fault-loop", vcpu: "vcpu:x/0", at: { first: "0x90000000" } },
    because: [{ code: "far", range: { first: "0x90000000" } }, {
      code: "cause",
      cause: { code: "jump-to-devices", address: "0x90000000" },
    }],
  },
  "branches to half an instruction in a handler that stands": {
    source: `${VECTORS}\nadr x0, 2f\nadd x0, x0, #2\n2: br x0\n.balign 2048\nvectors:\n.rept 16\n8: b 8b\n.balign 128\n.endr`,
    fact: { code: "crashed", vcpu: "vcpu:x/0" },
    because: [{ code: "cause", cause: { code: "pc-alignment", address: /^0x8000\w+[26ae]$/ } }],
  },
  "drops a word from its caches until another CPU, which is off, has set it": {
    source: "adr x4, flag\n1: dc ivac, x4\ndsb sy\nldr w0, [x4]\ndc civac, x4\nic iallu\nisb\ncbz w0, 1b\nflag: .word 0",
    keys: "vcpus = 2",
    fact: { code: "spins", vcpu: "vcpu:x/0", reads: 1 },
    because: [OFF],
  },
  "drives a GICv2's CPU interface": {
    source: `${VECTORS}\nmov64 x1, 0x08010000\nmov w0, #1\nstr w0, [x1]\n.balign 2048\nvectors:\n.rept 16\n8: b 8b\n.balign 128\n.endr`,
    keys: 'schedule = "own"\ndevices = []',
    fact: { code: "crashed", vcpu: "vcpu:x/0" },
    because: [{ code: "cause", cause: { code: "gicv2-interface", ipa: "0x8010000" } }],
  },
};

export const HEALTHY_STRANGE: Readonly<Record<string, Pick<Strange, "source" | "keys">>> = {
  "ends what it acknowledges": { source: handles(`${ACKNOWLEDGE}${END}`) },
  "drops the priority, and deactivates": { source: handles(`${ACKNOWLEDGE}${END}\nmsr icc_dir_el1, x3`, SPLIT) },
  "wakes its redistributor": {
    source: "mov64 x1, 0x080a0000\nstr wzr, [x1, #0x14]\n1: ldr w0, [x1, #0x14]\ntbnz w0, #2, 1b\nsleep_healthily",
  },
  "polls whether its interrupt is pending": {
    source: `${gic()}\n3: ${TIMER}\nmov64 x1, 0x080b0000\n1: ldr w0, [x1, #0x200]\ntbz w0, #27, 1b\nb 3b`,
  },
  "polls its timer": {
    source: `mrs x2, cntfrq_el0\nmov x3, #100\nudiv x2, x2, x3\n3: ${TIMER}\n1: mrs x0, cntv_ctl_el0\ntbz x0, #2, 1b\nb 3b`,
  },
  "starts a CPU again as soon as that has powered itself off": {
    source:
      `mov64 x20, 0x80180000\n1: ${cpuOn("0x1", "second")}\ncbnz x0, 1b\nldr w5, [x20]\n3: ldr w6, [x20]\ncmp w5, w6\nb.eq 3b\nb 1b\n` +
      `second: mov64 x20, 0x80180000\nldr w0, [x20]\nadd w0, w0, #1\nstr w0, [x20]\nmov64 x7, 20000\n4: subs x7, x7, #1\nb.ne 4b\n` +
      call("0x84000002"),
    keys: "vcpus = 2",
  },
  "drops a word from its caches until another CPU has set it": {
    source:
      `mov64 x20, 0x80180000\n${cpuOn("0x1", "second")}\n1: dc civac, x20\ndsb sy\nldr w0, [x20]\ncbz w0, 1b\nstr wzr, [x20]\nb 1b\n` +
      "second: mov64 x20, 0x80180000\n3: mov64 x7, 3000000\n4: subs x7, x7, #1\nb.ne 4b\nmov w0, #1\nstr w0, [x20]\nb 3b",
    keys: "vcpus = 2",
  },
  "was refused a CPU, and does without": { source: `${cpuOn("0x2", "2f")}\n2: sleep_healthily`, keys: "vcpus = 2" },
  "sends its SGI as one of group 1": {
    source:
      `mov64 x1, 0x080b0000\nmov w2, #1\nstr w2, [x1, #0x80]\nstr w2, [x1, #0x100]\nmov x0, #1\nmsr icc_sgi1r_el1, x0\nsleep_healthily`,
  },
};

/** The configuration of a VM whose image is NAME.bin. */
export function strangeText(name: string, { keys = "" }: Pick<Strange, "keys">): string {
  return `el2 = 1\n[machine]\ncpus = 2\n[vm.x]\nimage = "${name}.bin"\nmemory = "4MiB"\n${keys}\n`;
}
