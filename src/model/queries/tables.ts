// Every kind of row that a session answers with. Screens, commands, `--json`, schemas and filters
// follow from these declarations.

import { TRACE_KINDS } from "../../machine/abi/trace.ts";
import { defineTable, type Table } from "./table.ts";
import { IRQ_FINDINGS } from "./facts/irq-finding.ts";
import { SLICE_REASONS } from "./facts/slice-reason.ts";
import { WAITS } from "./facts/wait.ts";
import { WHO_FACTS } from "./facts/who.ts";
import { LINUX_TABLES } from "./linux-tables.ts";
import { messageLines } from "./message-bytes.ts";
import { VCPU_STATES, VM_STATES } from "./state-words.ts";
import { VERDICTS } from "./facts/verdict-words.ts";
import { EVIDENCE } from "./facts/evidence.ts";
import { VERDICT_FACTS } from "./facts/verdict.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";

const VM = { kind: "id", doc: "the VM", width: 10 } as const;
const AT = { kind: "time", doc: "virtual time in ns", width: 11, alias: ["time"] } as const;
/** Arguments of queries for what happens. */
const STREAMED = { after: "optional", since: "optional" } as const;

export const VMS = defineTable({
  name: "vm.ls",
  version: 1,
  doc: "virtual machines, by VMID",
  empty: "no VM yet: the Resource Manager is starting",
  columns: {
    id: { kind: "id", doc: "vm:NAME", width: 14, alias: ["vm"] },
    vmid: { kind: "address", doc: "VMID; none where the VM failed before it had one", width: 5, optional: true },
    state: { kind: "word", doc: "state, named as in the Resource Manager", width: 9, shown: VM_STATES },
    verdict: { kind: "word", doc: `the verdict of ${hintText(hint("diagnose"))}`, width: 10, optional: true, words: VERDICTS },
    via: { kind: "word", doc: "native, or the hypervisor's interface by which it was made: gunyah, geniezone", width: 9, from: 100 },
    schedule: { kind: "word", doc: "native, proxy (its owner calls vcpu_run) or own", width: 8 },
    owner: { kind: "id", doc: "the VM that created it", width: 9, optional: true, from: 100 },
    vcpus: { kind: "number", doc: "vCPUs that exist", width: 5 },
    cpu: { kind: "share", doc: "share of one physical CPU", width: 5 },
    instructions: { kind: "count", doc: "instructions retired", width: 7 },
    memory: {
      kind: "size",
      doc: "its memory in bytes: of the configuration, else what it was lent or given, else the RAM that it can access",
      width: 7,
      optional: true,
    },
    exit: { kind: "word", doc: "why it ended", width: 12, optional: true, from: 100 },
    ended: { kind: "text", doc: "how it came to that", optional: true },
    why: { kind: "id", doc: "the reason of its end", optional: true },
    console: { kind: "id", doc: "its console", width: 12, optional: true, from: 120 },
    input_refused: { kind: "text", doc: "why its console takes no input", optional: true },
    input_way_out: { kind: "text", doc: "how it takes input again", optional: true },
    guests: {
      kind: "list",
      doc: "VMs of its own hypervisor at EL2: VMID and tables (VTTBR_EL2), vCPUs (VMPIDR_EL2), and on which vCPU of this VM each is",
      width: 44,
      optional: true,
      usual: null,
    },
    guest_vms: {
      kind: "detail",
      doc: "the same as values; `certain`: registers have it now; otherwise EL2 entered it before, and it may have ended since",
      optional: true,
    },
    healthy: { kind: "flag", doc: `${hintText(hint("diagnose"))} finds nothing wrong with it` },
    doing: { kind: "text", doc: "what it is doing or waiting for, or what is wrong", width: 40, optional: true, from: 100 },
  },
});

export const DIAGNOSES = defineTable({
  name: "diagnose",
  version: 1,
  doc: "the verdict on each VM: what it is doing or waiting for, and whether it can make progress",
  empty: "no VM executes instructions",
  columns: {
    id: { kind: "id", doc: "vm:NAME; machine where an invariant does not hold", width: 14, alias: ["vm"] },
    verdict: {
      kind: "word",
      doc: VERDICTS.join(" "),
      width: 10,
      words: VERDICTS,
    },
    healthy: { kind: "flag", doc: "nothing is wrong with that", width: 7, from: 100 },
    text: { kind: "text", doc: "what it does, or what is wrong", width: 70 },
    evidence: { kind: "list", doc: "what that follows from", width: 60, from: 200 },
    way_out: { kind: "text", doc: "the way out of it", optional: true, width: 40, from: 240 },
    next: { kind: "text", doc: "the command that shows more", optional: true, width: 32, from: 120 },
    hint: { kind: "detail", doc: "that command as values: `command`, `words`, `options`", optional: true },
    fact: { kind: "detail", fact: VERDICT_FACTS, doc: "the verdict as a `code` and its values" },
    because: { kind: "detail", facts: EVIDENCE, doc: "the evidence, each as a `code` and its values" },
  },
});

export const VCPUS = defineTable({
  name: "vcpu.ls",
  version: 1,
  doc: "vCPUs, by VM and index: what each is doing, what it waits for and since when",
  empty: "no vCPU is active",
  columns: {
    id: { kind: "id", doc: "vcpu:VM/INDEX", width: 15, alias: ["vcpu"] },
    vm: { ...VM, width: undefined },
    state: { kind: "word", doc: "its activity", width: 9, shown: VCPU_STATES },
    wait: { kind: "list", doc: "reasons to be blocked, as the specification names them", width: 17 },
    since: { kind: "duration", doc: "virtual time since it ran last, ns", width: 8 },
    wakes: { kind: "list", doc: "what can wake it: enabled interrupts, timers with the time left", width: 22 },
    waits: { kind: "detail", facts: WAITS, doc: "the same as a `code` and values each" },
    pc: { kind: "address", doc: "program counter", width: 18, from: 100, optional: true },
    symbol: { kind: "text", doc: "program counter as a symbol, if symbols are known", optional: true, width: 24, from: 170 },
    cpu: { kind: "share", doc: "share of one physical CPU", width: 5, from: 100 },
    exits: { kind: "count", doc: "exits to the hypervisor: calls, trapped instructions, accesses to devices", width: 7, from: 100 },
    exits_rate: { kind: "rate", doc: "exits per second of virtual time", title: "exits/s", width: 7, from: 100 },
    instructions: { kind: "count", doc: "instructions retired", width: 7, from: 120 },
    pcpu: { kind: "id", doc: "its physical CPU", width: 6, optional: true, from: 140 },
    priority: { kind: "number", doc: "scheduling priority, 0 to 63", width: 4, title: "prio", from: 140 },
    timeslice: { kind: "duration", doc: "ns", width: 8, from: 150 },
    native: { kind: "flag", doc: "el2's own code runs here instead of instructions" },
    pending: { kind: "list", doc: "its pending interrupts" },
    yields_to: { kind: "id", doc: "the vCPU that runs instead of it", optional: true },
    obj: { kind: "id", doc: "the hypervisor's object", optional: true },
  },
});

export const REGISTERS = defineTable({
  name: "vcpu.regs",
  version: 1,
  doc: "registers of a vCPU",
  empty: "native vCPU: el2's own code runs here, so there are no registers",
  args: { vcpu: "required" },
  columns: {
    id: { kind: "id", doc: "reg:VM/INDEX/NAME" },
    name: { kind: "word", doc: "name in assembler syntax", width: 16 },
    value: { kind: "address", doc: "value", width: 34 },
    words: {
      kind: "text",
      doc: "pstate, spsr, esr, sctlr, and of EL2 hcr_el2, vttbr_el2 and the list registers in words",
      optional: true,
      width: 44,
    },
    parts: { kind: "list", doc: "the words of pstate: flags, level, masks; capitals are set, or masked", optional: true },
    group: { kind: "word", doc: "general, system, timer, gic, vector", width: 8, from: 110 },
  },
});

export const STACK = defineTable({
  name: "vcpu.stack",
  version: 1,
  doc:
    "call frames of a vCPU, the innermost first: by call frame information of ELF files, else by the functions' instructions, else by frame pointers",
  empty: "native vCPU: el2's own code runs here, so there is no stack",
  args: { vcpu: "required" },
  columns: {
    id: { kind: "id", doc: "frame:VM/INDEX/NUMBER", width: 20 },
    pc: { kind: "address", doc: "program counter, or the return address", width: 18 },
    symbol: { kind: "text", doc: "program counter as a symbol, if symbols are known", optional: true, width: 32 },
    frame: {
      kind: "address",
      doc: "address of its frame record: the caller's frame pointer, and the return address",
      optional: true,
      width: 18,
    },
    source: { kind: "text", doc: "FILE:LINE, if an ELF file has debug information", optional: true, width: 40 },
    function: { kind: "text", doc: "the function alone", optional: true },
    offset: { kind: "number", doc: "bytes from its start to the program counter", optional: true },
    file: { kind: "text", doc: "the source file alone", optional: true },
    line: { kind: "number", doc: "the source line alone", optional: true },
    text: { kind: "text", doc: "the text of that line, if the recording has its source files", optional: true, width: 40, from: 160 },
    by: {
      kind: "word",
      doc:
        "where the frame is from: pc, cfi (call frame information), code (its callee's instructions), frame-pointer, x30, inline (a function inlined into the next frame's)",
      width: 13,
      from: 100,
      words: ["pc", "cfi", "code", "frame-pointer", "x30", "inline"],
    },
    cfa: { kind: "address", doc: "SP before the function was called, unless only frame pointers are known", optional: true },
    note: { kind: "text", doc: "why the walk ends here", optional: true, width: 40 },
  },
});

export const TIMERS = defineTable({
  name: "vcpu.timers",
  version: 1,
  doc: "the timers of a vCPU: when they are due, and their registers",
  empty: "no vCPU is active",
  args: { vcpu: "required" },
  columns: {
    id: { kind: "id", doc: "timer:VM/INDEX/NAME" },
    name: {
      kind: "word",
      doc: "virtual (CNTV) or physical (CNTP); EL2's own: hyp (CNTHP), hyp-virtual (CNTHV)",
      width: 8,
      words: ["virtual", "physical", "hyp", "hyp-virtual"],
    },
    due: {
      kind: "duration",
      doc: "virtual time until its condition holds, ns; 0: it holds; null: it is off, or never due",
      optional: true,
      width: 8,
    },
    control: { kind: "list", doc: "bits of its control register that are set: ENABLE, IMASK, ISTATUS", width: 20 },
    compare: { kind: "address", doc: "compare value: the counter from which on its condition holds", width: 18 },
    irq: { kind: "id", doc: "its interrupt", width: 14 },
  },
});

export const PAGE_TABLES = defineTable({
  name: "vcpu.tables",
  version: 1,
  doc: "the mappings of a vCPU's translation tables (stage 1), by address; for one address, the descriptors of its walk",
  empty: "nothing is mapped, or the MMU is off: addresses are intermediate physical ones",
  args: { vcpu: "required", at: "optional" },
  columns: {
    id: { kind: "id", doc: "va:VM/ADDRESS: the first address" },
    address: { kind: "address", doc: "the first virtual address", width: 18 },
    size: { kind: "size", doc: "bytes from there that are mapped alike; of a walk, those that the descriptor is for", width: 8 },
    level: { kind: "number", doc: "level of the table with the descriptor", width: 5 },
    kind: {
      kind: "word",
      doc: "leaf: a page or a block; table: the next table of a walk; invalid, unreadable: the walk ends there",
      width: 10,
      words: ["leaf", "table", "invalid", "unreadable"],
    },
    ipa: { kind: "address", doc: "intermediate physical address; of a walk, that of the address", optional: true, width: 14 },
    pa: { kind: "address", doc: "physical address, if stage 2 maps it", optional: true, width: 14 },
    el1: { kind: "word", doc: "rights at EL1: r, w, x", optional: true, width: 4 },
    el0: { kind: "word", doc: "rights at EL0", optional: true, width: 4 },
    memory: { kind: "word", doc: "by MAIR_EL1", optional: true, width: 8, words: ["normal", "uncached", "device"] },
    entry: { kind: "address", doc: "intermediate physical address of the first descriptor", optional: true, width: 14, from: 110 },
    descriptor: { kind: "address", doc: "its value", optional: true, width: 18, from: 130 },
  },
});

export const VARIABLES = defineTable({
  name: "vcpu.vars",
  version: 1,
  doc: "variables of a call frame, or the value of an expression and its parts, by an ELF file's debug information",
  empty: "no variables: no ELF file with debug information has this function",
  args: { vcpu: "required", frame: "optional", at: "optional" },
  columns: {
    id: { kind: "id", doc: "var:VM/INDEX/FRAME/EXPRESSION" },
    name: { kind: "text", doc: "the variable, member or element", width: 20 },
    kind: {
      kind: "word",
      doc: "argument, local, static (of the source file), value (of the expression), member or element",
      width: 8,
      words: ["argument", "local", "static", "value", "member", "element"],
    },
    type: { kind: "text", doc: "its type in C's syntax; none for a number or a symbol", optional: true, width: 24 },
    value: { kind: "text", doc: "its value", width: 48 },
    address: { kind: "address", doc: "its address, if it is in memory", optional: true, width: 18, from: 120 },
    size: { kind: "size", doc: "bytes, where the type is known", optional: true },
    parts: { kind: "number", doc: "members, elements, or what a pointer points to", width: 5, from: 140 },
    path: { kind: "text", doc: "the expression that gives it" },
  },
});

export const PRINTED = defineTable({
  name: "print",
  version: 1,
  doc: "the value of an expression in C's syntax, by types of a kernel's BTF or of an ELF file's debug information",
  empty: "the collection is empty",
  args: { at: "required", before: "optional" },
  columns: {
    id: { kind: "id", doc: "val:VM/EXPRESSION" },
    vm: { kind: "id", doc: "the VM" },
    expression: { kind: "text", doc: "the expression; of a collection with the number of its member", width: 40 },
    type: { kind: "text", doc: "its type in C's syntax; none for an address or a register", optional: true, width: 24 },
    value: { kind: "text", doc: "its value, as a C programmer writes it: of a structure a line per member", width: 60 },
    number: { kind: "text", doc: "a number, pointer or enumeration in decimal", optional: true, from: 200, width: 20 },
    address: { kind: "address", doc: "its virtual address, if it is in memory", optional: true, width: 18, from: 120 },
    size: { kind: "size", doc: "bytes, where the type is known", optional: true, from: 120 },
  },
});

export const LINES = defineTable({
  name: "code.lines",
  version: 1,
  doc: "source lines of code in a VM's memory, by an ELF file's debug information",
  empty: "no source line",
  args: { at: "required", size: "optional" },
  columns: {
    id: { kind: "id", doc: "va:VM/ADDRESS" },
    address: { kind: "address", doc: "virtual address of the first instruction", width: 18 },
    end: { kind: "address", doc: "address after the last instruction", width: 18 },
    file: { kind: "text", doc: "the source file, as the compiler has named it", width: 48 },
    line: { kind: "number", doc: "the line, from 1", width: 6 },
    column: { kind: "number", doc: "the column, from 1", optional: true, width: 6, from: 120 },
    statement: { kind: "flag", doc: "a statement begins here", width: 9, from: 140 },
    symbol: { kind: "text", doc: "the symbol at this address", optional: true, width: 32, from: 100 },
    text: { kind: "text", doc: "the text of the line, if the recording has its source files", optional: true, width: 40, from: 160 },
  },
});

export const SYMBOLS = defineTable({
  name: "symbols",
  version: 1,
  doc: "symbols of a VM by address: of its ELF files and its Linux kernel",
  empty: "no symbols: no ELF file was given (--symbols), and no Linux kernel with kallsyms runs here",
  args: { vm: "required" },
  columns: {
    id: { kind: "id", doc: "sym:VM/NAME@ADDRESS" },
    address: { kind: "address", doc: "virtual address", width: 18 },
    type: { kind: "word", doc: "as nm has it: t code, d b r data, w weak, a absolute; capitals are global", width: 4 },
    name: { kind: "text", doc: "the name", width: 48 },
    source: { kind: "text", doc: "kallsyms, image, symbols", width: 9, from: 100 },
  },
});

export const FRAMES = defineTable({
  name: "symbols.frames",
  version: 1,
  doc: "call frame information of functions that no ELF file describes, from their instructions",
  empty: "no functions: no ELF file was given (--symbols), and no Linux kernel with kallsyms runs here",
  args: { vm: "required" },
  columns: {
    id: { kind: "id", doc: "frames:VM/START" },
    start: { kind: "address", doc: "first virtual address", width: 18 },
    size: { kind: "size", doc: "bytes of code", width: 8 },
    exception: { kind: "flag", doc: "whether the frame is of an exception, or was left for another stack", width: 9 },
    returns: { kind: "number", doc: "DWARF's number of the register with the return address: 30 is X30, 32 PC", width: 7 },
    rules: {
      kind: "text",
      doc: "DWARF call frame instructions, in hexadecimal; code factor 4, data factor -8, CFA at first SP",
      width: 40,
    },
  },
});

export const CODE = defineTable({
  name: "code",
  version: 1,
  doc: "instructions in a VM's memory, by virtual address",
  empty: "no instructions",
  args: { at: "required", size: "optional" },
  columns: {
    id: { kind: "id", doc: "va:VM/ADDRESS" },
    address: { kind: "address", doc: "virtual address", width: 18 },
    word: { kind: "address", doc: "the instruction's word", width: 10 },
    text: { kind: "text", doc: "the instruction in assembler syntax; branch targets by name", width: 48 },
    symbol: { kind: "text", doc: "the symbol at this address", optional: true, width: 32, from: 100 },
    mnemonic: { kind: "text", doc: "the text's mnemonic" },
    operands: { kind: "text", doc: "its operands; of a branch to a symbol, those before the address" },
    target: { kind: "text", doc: "the symbol that a branch goes to", optional: true },
    leaves: { kind: "flag", doc: "a branch, or an exception that it makes" },
    label: { kind: "text", doc: "the symbol that begins here", optional: true },
    pc: { kind: "flag", doc: "the vCPU's program counter is here" },
  },
});

export const IRQS = defineTable({
  name: "irq.ls",
  version: 1,
  doc: "interrupts that are or were enabled, pending or active, or that something of the machine raises, the busiest first",
  empty: "no interrupt is enabled or has a source",
  columns: {
    id: {
      kind: "id",
      doc: "irq:VM/INTID, with @VCPU for SGIs and PPIs of vCPUs other than 0; reg:VM/INDEX/NAME for an interrupt in a list register of EL2",
      width: 17,
    },
    vm: { ...VM, width: undefined },
    vcpu: { kind: "id", doc: "its target vCPU", optional: true, width: 14, from: 100 },
    intid: { kind: "number", doc: "INTID", width: 5, from: 100, alias: ["irq"] },
    kind: { kind: "word", doc: "sgi, ppi, spi or lpi", width: 4, from: 100 },
    source: { kind: "text", doc: "its source", width: 18 },
    priority: { kind: "address", doc: "priority, 0x00 highest", width: 4, from: 100, title: "pri" },
    en: { kind: "flag", doc: "enabled; in a list register: its group is", width: 3 },
    pend: { kind: "flag", doc: "pending", width: 4 },
    act: { kind: "flag", doc: "active", width: 3 },
    trigger: { kind: "word", doc: "edge or level, as configured by the guest", width: 7 },
    line: { kind: "word", doc: "level of the source's line", width: 4, optional: true },
    route: { kind: "text", doc: "its routing", width: 6, optional: true, from: 100 },
    count: { kind: "number", doc: "number of acknowledges; those of guests of EL2 are not counted", width: 8 },
    rate: { kind: "rate", doc: "acknowledges per second of virtual time", width: 6, title: "rate/s" },
    finding: { kind: "text", doc: "a storm, or why it cannot be delivered", optional: true, width: 60, from: 150 },
    fact: { kind: "detail", fact: IRQ_FINDINGS, doc: "the finding as a `code` and its values", optional: true },
  },
});

export const MEMORY = defineTable({
  name: "mem.map",
  version: 1,
  doc: "physical memory: runs of pages with one owner and the same mappings",
  empty: "there is no memory",
  columns: {
    id: { kind: "id", doc: "pa:ADDRESS", width: 13 },
    pa: { kind: "address", doc: "first physical address" },
    size: { kind: "size", doc: "bytes", width: 7 },
    access: {
      kind: "word",
      doc: "exclusive (one VM), host (a VM and the host), shared, hypervisor, free (of the root partition), unmapped",
      width: 10,
    },
    vm: { kind: "list", doc: "VMs that have it mapped", width: 16 },
    mapped: { kind: "list", doc: "IPA and rights of each mapping", width: 44 },
    parcel: { kind: "id", doc: "the memory parcel that it is in", optional: true, width: 11, from: 100 },
    state: {
      kind: "word",
      doc: "the parcel's (open, offered, accepted, blocked); outside parcels private (mapped), unmapped, free, hypervisor",
      width: 10,
      from: 100,
    },
    owner: { kind: "text", doc: "the partition or extent that owns the pages", width: 14, from: 110 },
    owner_vm: {
      kind: "id",
      doc: "the VM that owns the memory: the lender or sharer, else the VM that maps it",
      optional: true,
      width: 10,
      from: 120,
    },
  },
});

export const MEMORY_OWNER = defineTable({
  name: "mem.owner",
  version: 1,
  doc: "the owner of a page: VM, parcel, mappings with rights, chain of extents",
  empty: "there is no memory at this address",
  args: { at: "required" },
  columns: {
    id: { kind: "id", doc: "pa:ADDRESS of the page", width: 13 },
    owner: { kind: "text", doc: "the VM that owns the memory, or its use by the hypervisor", width: 16 },
    parcel: { kind: "id", doc: "the memory parcel that it is in", optional: true, width: 12 },
    mapped: { kind: "list", doc: "ipa:VM/ADDRESS and rights of each mapping", width: 50 },
    guests: {
      kind: "list",
      doc: "VMs of a VM's own hypervisor at EL2 whose stage 2 has the page, with IPA and rights; inferred where the VM may have ended",
      width: 44,
      optional: true,
      usual: null,
    },
    access: { kind: "word", doc: "as in mem.map", width: 10 },
    chain: { kind: "list", doc: "partition and extents down to the owner", width: 60, from: 140 },
    offset: { kind: "address", doc: "offset of the page in the owning extent", optional: true },
  },
});

export const PARCELS = defineTable({
  name: "mem.parcels",
  version: 1,
  doc: "memory parcels of the Resource Manager, blocked ones first",
  empty: "no memory parcel exists",
  columns: {
    id: { kind: "id", doc: "parcel:HANDLE", width: 12, alias: ["handle"] },
    kind: { kind: "word", doc: "donate, lend or share", width: 6 },
    label: { kind: "number", doc: "label", width: 10, from: 100, usual: 0 },
    size: { kind: "size", doc: "bytes", width: 7 },
    state: { kind: "word", doc: "open, offered, accepted, released or blocked (a reclaim was refused)", width: 9 },
    owner: { kind: "id", doc: "the VM that lends or shares", width: 12 },
    vm: { kind: "list", doc: "VMs that may accept it", width: 16, from: 110 },
    borrowers: { kind: "list", doc: "each VM with its rights and its last action", width: 34 },
    held_by: { kind: "list", doc: "VMs that hold it, so that it cannot be reclaimed", width: 14, from: 110 },
    extent: { kind: "id", doc: "its extent", optional: true, width: 9, from: 120 },
    regions: { kind: "detail", doc: "pieces: offset in the extent, size, IPA in the owner" },
  },
});

export const LIMITS = defineTable({
  name: "mem.limits",
  version: 1,
  doc: "limits of heaps, page tables, parcels, capabilities, interrupts",
  empty: "nothing is limited",
  columns: {
    id: { kind: "id", doc: "limit:NAME", width: 26 },
    what: { kind: "text", doc: "the resource" },
    vm: { ...VM, optional: true, width: undefined },
    used: { kind: "number", doc: "in use", width: 9, unit: "unit" },
    limit: { kind: "number", doc: "the maximum", optional: true, width: 9, unit: "unit" },
    unit: { kind: "word", doc: "bytes, tables, entries, …", width: 8, from: 70 },
    share: { kind: "share", doc: "share of the maximum in use", optional: true, width: 5, alarm: 0.9 },
    over: { kind: "flag", doc: "90 % or more in use", width: 4, from: 70 },
  },
});

export const CAPS = defineTable({
  name: "caps.ls",
  version: 1,
  doc: "capabilities, by VM and slot",
  empty: "no capability exists",
  columns: {
    id: { kind: "id", doc: "cap:VM/SLOT", width: 15, alias: ["cap"] },
    vm: { ...VM, width: undefined },
    slot: { kind: "address", doc: "slot number", width: 6, from: 100 },
    type: { kind: "word", doc: "type of the object", width: 11 },
    obj: { kind: "id", doc: "the object; null: revoked", optional: true, width: 16, alias: ["object"] },
    rights: { kind: "list", doc: "rights, as the specification names them", width: 34 },
    master: { kind: "flag", doc: "the object's first capability", width: 6 },
    state: { kind: "word", doc: "state of the object", optional: true, width: 7, from: 100 },
    holders: { kind: "number", doc: "capabilities to the object", width: 7, from: 100 },
    used: { kind: "time", doc: "virtual time of the last call that looked it up, ns", optional: true, width: 11, from: 110 },
    res: { kind: "word", doc: "that call and its result", optional: true, width: 28, from: 110 },
    err: { kind: "flag", doc: "that call was refused" },
  },
});

export const OBJECTS = defineTable({
  name: "obj.ls",
  version: 1,
  doc: "objects of the hypervisor",
  empty: "no object exists",
  columns: {
    id: { kind: "id", doc: "obj:NUMBER, in the order of creation", width: 9, alias: ["obj"] },
    type: { kind: "word", doc: "type", width: 11 },
    name: { kind: "id", doc: "its id on other screens", width: 18 },
    state: { kind: "word", doc: "init, active, failed or destroying", width: 10 },
    references: { kind: "number", doc: "capabilities and attachments that hold it", width: 10 },
    size: { kind: "size", doc: "bytes of its partition's heap", width: 7 },
    holders: { kind: "list", doc: "capabilities, master first", width: 60 },
  },
});

export const QUEUES = defineTable({
  name: "queue.ls",
  version: 1,
  doc: "message queues and doorbells",
  empty: "no message queue and no doorbell exists",
  columns: {
    id: { kind: "id", doc: "mq:NUMBER or db:NUMBER", width: 7 },
    kind: { kind: "word", doc: "msgqueue or doorbell", width: 8, from: 140 },
    from: { kind: "id", doc: "the VM that may send", optional: true, width: 12 },
    to: { kind: "id", doc: "the VM that may receive", optional: true, width: 12 },
    vm: { kind: "list", doc: "both" },
    count: { kind: "number", doc: "messages in the queue", optional: true, width: 5 },
    depth: { kind: "number", doc: "maximum number of messages", optional: true, width: 5 },
    size: { kind: "size", doc: "maximum size of a message in bytes", optional: true, width: 5 },
    full: { kind: "flag", doc: "the queue is full", width: 4 },
    sent: { kind: "count", doc: "messages sent since it was created; rings of a doorbell", width: 6, from: 140 },
    received: { kind: "count", doc: "messages received; receives of a doorbell's flags", width: 6, from: 140, title: "recv" },
    rate: { kind: "rate", doc: "messages, or rings, per second of virtual time", width: 6, title: "rate/s" },
    not_full: { kind: "number", doc: "the sender is notified when the count falls to this", optional: true, width: 8, from: 100 },
    not_empty: { kind: "number", doc: "the receiver is notified when the count rises to this", optional: true, width: 9, from: 100 },
    flags: { kind: "address", doc: "flags that are set", optional: true, width: 10 },
    enable: { kind: "address", doc: "flags that raise the interrupt", optional: true, width: 18, from: 110 },
    ack: { kind: "address", doc: "flags that clear themselves", optional: true, width: 6, from: 125 },
    send_virq: { kind: "id", doc: "the sender's interrupt", optional: true, width: 14, from: 100, title: "tx" },
    receive_virq: { kind: "id", doc: "the receiver's interrupt", optional: true, width: 14, from: 100, title: "rx" },
    obj: { kind: "id", doc: "the hypervisor's object" },
  },
});

export const MESSAGES = defineTable({
  name: "queue.ring",
  version: 1,
  doc: "messages in a queue, oldest first",
  empty: "the queue is empty",
  args: { queue: "required" },
  columns: {
    id: { kind: "id", doc: "mq:NUMBER/POSITION", width: 9 },
    size: { kind: "size", doc: "bytes", width: 5 },
    bytes: { kind: "text", doc: "hexadecimal", width: 60 },
    ascii: { kind: "text", doc: "printable characters, others as dots", width: 24 },
    rpc: {
      kind: "text",
      doc: "in a queue of the Resource Manager: kind of packet, message, sequence number, result of a reply, or the problem",
      optional: true,
      width: 40,
      from: 150,
    },
    fields: { kind: "detail", doc: "decoded fields of the message that ends with this packet" },
  },
});

export const RPCS = defineTable({
  name: "rpc.ls",
  version: 2,
  doc: "requests to the Resource Manager and its notifications, newest last",
  empty: "no request recorded yet",
  args: STREAMED,
  columns: {
    id: { kind: "id", doc: "rpc:NUMBER of the event", width: 10, alias: ["rpc"] },
    t: AT,
    vm: { kind: "id", doc: "the VM of the link", width: 11, from: 100, alias: ["link"] },
    seq: { kind: "address", doc: "sequence number", optional: true, width: 6, from: 100 },
    msg: { kind: "word", doc: "name of the message", width: 28, alias: ["message"] },
    about: { kind: "id", doc: "the VM or parcel concerned", optional: true, width: 12 },
    latency: { kind: "duration", doc: "ns from request to reply", width: 8, from: 100, usual: "0", alias: ["ms"] },
    res: {
      kind: "word",
      doc: "result: code and name; of VM_STATUS the reported state",
      optional: true,
      width: 24,
      alias: ["result", "err"],
    },
    errno: { kind: "word", doc: "errno of that error in drivers of the v17 series", optional: true, width: 10, from: 110 },
    refused: { kind: "flag", doc: "it was refused" },
    why: { kind: "id", doc: "the reason", optional: true, width: 8 },
    request: { kind: "detail", doc: "decoded fields of the request" },
    reply: { kind: "detail", doc: "decoded fields of the reply" },
    calls: { kind: "number", doc: "hypercalls made for it until its reply", optional: true },
    refused_by: { kind: "word", doc: "rm, or hypervisor: a call for it was refused", optional: true },
    bytes: { kind: "detail", doc: "the messages on the wire, by field: name, hex, filler", lines: messageLines },
  },
});

export const EVENTS = defineTable({
  name: "events",
  version: 1,
  doc: "events, oldest first",
  empty: "no such event recorded yet",
  args: { ...STREAMED, kinds: "optional" },
  columns: {
    id: { kind: "id", doc: "ev:NUMBER, ev:hvc.NUMBER, ev:KIND@TIME: the same in every run", width: 9, from: 90 },
    t: AT,
    pcpu: { kind: "id", doc: "physical CPU", optional: true, width: 6, from: 90 },
    vcpu: { kind: "id", doc: "the vCPU", optional: true, width: 15 },
    vm: { kind: "id", doc: "its VM", optional: true },
    kind: { kind: "word", doc: TRACE_KINDS.join(" "), width: 5, words: TRACE_KINDS },
    name: { kind: "word", doc: "call, message, register or state as the specification names it" },
    task: { kind: "id", doc: "of syscall and task: the process or thread, task:VM/PID", optional: true },
    process: { kind: "number", doc: "of syscall and task: number of its process", optional: true },
    comm: { kind: "text", doc: "of syscall and task: the name of that process or thread", optional: true },
    text: { kind: "text", doc: "description of the event", width: 70 },
    args: { kind: "text", doc: "its arguments as text; null if `text` is a sentence", optional: true },
    res: { kind: "word", doc: "result: the specification's name of the code", optional: true, alias: ["err"] },
    refused: { kind: "flag", doc: "it was refused, or failed" },
    why: { kind: "id", doc: "the reason", optional: true, width: 8 },
    end: { kind: "time", doc: "virtual time of its end, ns" },
    parent: { kind: "id", doc: "the operation inside which it happened", optional: true },
    fields: { kind: "detail", doc: "arguments, decoded" },
    results: { kind: "detail", doc: "results, decoded" },
  },
});

export const DENSITY = defineTable({
  name: "density",
  version: 1,
  doc: "number of events, by millisecond and kind, oldest first",
  empty: EVENTS.empty,
  args: EVENTS.args,
  columns: {
    id: { kind: "id", doc: "the first of these events", width: 9 },
    t: { ...AT, doc: "virtual time in ns at which the millisecond begins" },
    kind: EVENTS.columns.kind,
    events: { kind: "number", doc: "events that began in it", width: 8 },
    refused: { kind: "number", doc: "those of them that were refused, or failed", width: 8 },
  },
});

const NOT_RECORDED = `no events are recorded; start recording with ${hintText(hint("trace start"))}`;

const TRACE_STATS = defineTable({
  name: "trace.stats",
  version: 1,
  doc: `what ${hintText(hint("trace start"))} has recorded, by kind of event`,
  empty: NOT_RECORDED,
  columns: {
    id: { kind: "id", doc: "trace:KIND", width: 12 },
    recorded: { kind: "flag", doc: "events of this kind are recorded now", width: 8 },
    events: { kind: "number", doc: "events that are kept", width: 8 },
    lost: { kind: "number", doc: "events of all kinds that were lost: the buffer was full", width: 8 },
  },
});

const TRACE_EVENTS = defineTable({
  ...EVENTS,
  name: "trace.events",
  doc: `what ${hintText(hint("trace start"))} has recorded, oldest first`,
  empty: NOT_RECORDED,
  args: STREAMED,
});

export const REASONS = defineTable({
  name: "why",
  version: 2,
  doc: "why operations were refused and VMs ended, newest first",
  empty: "nothing was refused, and no VM has ended",
  args: STREAMED,
  columns: {
    id: {
      kind: "id",
      doc: "why:NUMBER; of an exit of a guest of the VM's own EL2, that event, or the register that has it now",
      width: 8,
      alias: ["why"],
    },
    t: AT,
    kind: { kind: "word", doc: "refused: an operation; ended: a VM; trapped: an instruction of a guest of the VM's own EL2" },
    asked_by: { kind: "id", doc: "the vCPU that made the first request, or the VM whose request it was", width: 13 },
    pc: { kind: "address", doc: "virtual address of the guest's instruction, if there was one", optional: true },
    symbol: { kind: "text", doc: "that address as a symbol, such as function+0x14", optional: true },
    source: { kind: "text", doc: "its FILE:LINE, if an ELF file has debug information", optional: true },
    vm: { kind: "id", doc: "its VM" },
    call: { kind: "word", doc: "the outermost operation", width: 26 },
    err: { kind: "word", doc: "its result", width: 26 },
    failed: { kind: "flag", doc: "an operation failed because of it; otherwise the caller handled the refusal, or the VM ended in order" },
    section: {
      kind: "text",
      doc: "section of the specification, such as `hypervisor 4.4`; or the part of el2 whose rule it is",
      width: 20,
      from: 160,
    },
    rule: { kind: "text", doc: "its rule", width: 50 },
    object: { kind: "text", doc: "the object of the rule, else of the request", width: 16, from: 130, alias: ["obj"] },
    ended: { kind: "id", doc: "the VM that ended by it", optional: true },
    values: { kind: "detail", doc: "the values that broke the rule" },
    chain: { kind: "detail", doc: "operations from the outermost to the innermost: id, kind, name, args, result" },
    shared_errno: { kind: "number", doc: "number of causes with the same errno", optional: true },
    way_out: { kind: "text", doc: "a way to avoid the refusal", optional: true },
    command: { kind: "text", doc: "the command that shows where it happened", optional: true },
    hint: {
      kind: "detail",
      doc: "the command of `way_out`, or else that command, as values: `command`, `words`, `options`",
      optional: true,
    },
  },
});

export const SLICES = defineTable({
  name: "sched.ls",
  version: 1,
  doc: "scheduler timeline: which vCPU ran on which physical CPU, oldest first",
  empty: "no scheduling event recorded yet: they are recorded on demand",
  args: STREAMED,
  columns: {
    id: { kind: "id", doc: "ev:KIND@TIME", width: 9 },
    t: AT,
    pcpu: { kind: "number", doc: "physical CPU", width: 4 },
    vcpu: { kind: "id", doc: "the vCPU that runs from then on; null: idle", optional: true, width: 15 },
    vm: { kind: "id", doc: "its VM", optional: true },
    reason: { kind: "text", doc: "why the previous vCPU stopped", width: 40 },
    fact: { kind: "detail", fact: SLICE_REASONS, doc: "the reason as a `code` and its values; null: none ran", optional: true },
    seen: { kind: "flag", doc: "recording was on from then on" },
  },
});

export const DEVICETREES = defineTable({
  name: "vm.dtb",
  version: 1,
  doc: "the devicetree that a VM got, as its memory has it now",
  empty: "no devicetree is known",
  args: { vm: "required" },
  columns: {
    id: { kind: "id", doc: "vm:NAME", width: 14 },
    address: { kind: "address", doc: "its guest physical address", width: 18 },
    size: { kind: "size", doc: "bytes", width: 6 },
    blob: { kind: "text", doc: "the flattened tree, hexadecimal" },
  },
});

export const DEVICES = defineTable({
  name: "vm.devices",
  version: 1,
  doc: "devices of a VM: interrupt controller frames, ranges that its VMM emulates, message queues and doorbells",
  empty: "this VM has no devices",
  args: { vm: "required" },
  columns: {
    id: { kind: "id", doc: "dev:VM/NAME", width: 24 },
    vm: { ...VM, width: undefined },
    kind: { kind: "word", doc: "what it is", width: 16 },
    ipa: { kind: "address", doc: "first address in the VM", optional: true, width: 12 },
    size: { kind: "size", doc: "bytes", optional: true, width: 6 },
    by: { kind: "text", doc: "what handles accesses", width: 12 },
    peer: { kind: "id", doc: "the VM at the other end", optional: true, width: 12 },
    virq: { kind: "id", doc: "its interrupt", optional: true, width: 14 },
    reach: {
      kind: "text",
      doc: "what the guest may reach by a network card: kinds of addresses, then rules",
      optional: true,
      width: 30,
      from: 120,
    },
    driver: { kind: "word", doc: "how far the driver of a virtio device is, by its Status register", optional: true, width: 12, from: 100 },
    defect: { kind: "text", doc: "why a virtio device does not serve its driver", optional: true, width: 40, from: 140 },
    metrics: { kind: "detail", doc: "counters of a virtio device by name; null for other devices", optional: true },
  },
});

export const BYTES = defineTable({
  name: "mem.read",
  version: 1,
  doc: "bytes of memory, sixteen per row",
  empty: "no readable memory at this address",
  args: { at: "required", size: "optional" },
  columns: {
    id: { kind: "id", doc: "address, as asked: pa:ADDRESS or ipa:VM/ADDRESS", width: 26 },
    bytes: { kind: "text", doc: "hexadecimal", width: 48 },
    ascii: { kind: "text", doc: "printable characters, others as dots", width: 16 },
  },
});

export const VIOLATIONS = defineTable({
  name: "mem.check",
  version: 1,
  doc: "broken invariants of page ownership, page tables, objects and references",
  empty: "every invariant holds",
  columns: {
    id: { kind: "id", doc: "check:NUMBER", width: 9 },
    rule: { kind: "text", doc: "what is wrong", width: 90 },
  },
});

export const INJECTIONS = defineTable({
  name: "inject.ls",
  version: 1,
  doc: "fault rules and their effects",
  empty: `no fault rules; see ${hintText(hint("inject", { help: true }))}`,
  columns: {
    id: { kind: "id", doc: "inject:NUMBER", width: 10 },
    kind: { kind: "word", doc: "kind of operation", width: 6 },
    seen: { kind: "count", doc: "operations that matched its conditions", width: 7 },
    hits: { kind: "count", doc: "faults injected", width: 7 },
    rule: { kind: "text", doc: "the rule", width: 80 },
  },
});

export const STOPS = defineTable({
  name: "stop.ls",
  version: 1,
  doc: "stop rules, and where they stopped the machine",
  empty: `no stop rules; see ${hintText(hint("break", { help: true }))}`,
  columns: {
    id: { kind: "id", doc: "stop:NUMBER", width: 8 },
    kind: { kind: "word", doc: "event: a filter of events; place: before an instruction", width: 5 },
    rule: { kind: "text", doc: "the filter, or the place", width: 40 },
    place: { kind: "text", doc: "addresses of a place, or the kernel's module that it waits for", width: 30, optional: true },
    hits: { kind: "count", doc: "number of stops", width: 6 },
    t: { kind: "time", doc: "virtual time of the last stop", width: 12, optional: true },
    last: { kind: "text", doc: "event or instruction of the last stop", width: 60, optional: true },
  },
});

export const PLACES = defineTable({
  name: "time.ls",
  version: 1,
  doc: "points of a session's run: its start, snapshots, marks, the point that is shown, and the present",
  empty: "the machine has ended",
  columns: {
    id: { kind: "id", doc: "place:NUMBER, in the order of the run", width: 8 },
    kind: { kind: "word", doc: "start, snapshot, mark, shown or now", width: 8 },
    t: { kind: "time", doc: "virtual time", width: 12 },
    insn: { kind: "count", doc: `instructions that all guests had retired: ${hintText(hint("back"))} --to goes there`, width: 12 },
    name: { kind: "text", doc: `the mark's name: ${hintText(hint("back"))} --mark NAME goes there`, width: 20, optional: true },
    text: { kind: "text", doc: "the mark's text", width: 40, optional: true },
    by: { kind: "text", doc: "who made the mark, if it says so", width: 12, optional: true },
    file: { kind: "text", doc: "the snapshot's file", width: 60, optional: true },
  },
});

export const WHO = defineTable({
  name: "who",
  version: 1,
  doc: "who accessed memory or changed a register, oldest first: from a search through the run of a session",
  searches: true,
  empty: "no such access",
  args: { at: "optional", access: "optional", value: "optional", before: "optional", hits: "optional", back: "optional", size: "optional" },
  columns: {
    id: {
      kind: "id",
      doc: `insn:NUMBER, the place in the run just before it, to which ${
        hintText(hint("back"))
      } --to NUMBER goes; insn:NUMBER/2 is another access from there`,
      width: 14,
    },
    t: { kind: "time", doc: "virtual time", width: 12 },
    kind: { kind: "word", doc: "what happened", width: 7, words: ["write", "read", "exec", "change", "event", "never"] },
    text: { kind: "text", doc: "who did it", width: 48 },
    who: { kind: "detail", fact: WHO_FACTS, doc: "the same as a `code` and its values" },
    by: { kind: "id", doc: "the vCPU or device", optional: true },
    vm: { kind: "id", doc: "its VM", optional: true },
    pc: { kind: "address", doc: "address of the instruction", width: 18, optional: true, from: 140 },
    symbol: { kind: "text", doc: "the same as a symbol, if symbols are known", optional: true },
    source: { kind: "text", doc: "FILE:LINE, if an ELF file has debug information", optional: true, width: 24, from: 120 },
    instruction: { kind: "text", doc: "the instruction in assembler syntax", optional: true, width: 24, from: 100 },
    before: { kind: "text", doc: "the bytes, or the register's value, before", width: 20 },
    after: { kind: "text", doc: "the same after", width: 20 },
    stack: { kind: "list", doc: "call frames of the instruction, the innermost first; of the latest access only", optional: true },
    of: { kind: "id", doc: "with --back: the memory or register that the row is about", width: 20, optional: true, from: 160 },
  },
});

export const SESSION_MEMORY = defineTable({
  name: "session.memory",
  version: 1,
  doc:
    "memory of a session, in bytes by part, and the limits that --memory-budget and --disk-budget set; those of traces and code are estimates",
  empty: "no machine",
  columns: {
    id: { kind: "id", doc: "memory:PART: ram, code, traces, history, history-disk, inputs or consoles", width: 16, alias: ["part"] },
    used: { kind: "size", doc: "bytes in use", width: 8 },
    limit: { kind: "size", doc: "bytes at most", width: 8, optional: true },
    share: { kind: "share", doc: "share of the limit in use", width: 5, optional: true },
    dropped: { kind: "number", doc: "events, regions, states, inputs or bytes of output that were dropped at the limit", width: 8 },
    what: { kind: "text", doc: "what the part holds, and what happens at its limit", width: 60 },
  },
});

const HASHES = defineTable({
  name: "hash",
  version: 1,
  doc: "hashes of the machine's whole state",
  empty: "no machine",
  columns: {
    id: { kind: "id", doc: "hash:PART", width: 16 },
    hash: { kind: "word", doc: "hexadecimal", width: 64 },
  },
});

/** Every table by its name. */
export const TABLES = {
  "vm.ls": VMS,
  "diagnose": DIAGNOSES,
  "vm.devices": DEVICES,
  "vcpu.ls": VCPUS,
  "vcpu.regs": REGISTERS,
  "vcpu.stack": STACK,
  "vcpu.timers": TIMERS,
  "vcpu.tables": PAGE_TABLES,
  "vcpu.vars": VARIABLES,
  "print": PRINTED,
  "symbols": SYMBOLS,
  "symbols.frames": FRAMES,
  "code": CODE,
  "code.lines": LINES,
  "irq.ls": IRQS,
  "mem.map": MEMORY,
  "mem.owner": MEMORY_OWNER,
  "mem.parcels": PARCELS,
  "mem.limits": LIMITS,
  "mem.read": BYTES,
  "vm.dtb": DEVICETREES,
  "mem.check": VIOLATIONS,
  "caps.ls": CAPS,
  "obj.ls": OBJECTS,
  "queue.ls": QUEUES,
  "queue.ring": MESSAGES,
  "rpc.ls": RPCS,
  "events": EVENTS,
  "density": DENSITY,
  "trace.stats": TRACE_STATS,
  "trace.events": TRACE_EVENTS,
  "why": REASONS,
  "sched.ls": SLICES,
  "inject.ls": INJECTIONS,
  "stop.ls": STOPS,
  "time.ls": PLACES,
  "who": WHO,
  ...LINUX_TABLES,
  "session.memory": SESSION_MEMORY,
  "hash": HASHES,
} as const satisfies Readonly<Record<string, Table>>;

export type TableName = keyof typeof TABLES;
/** One that queries name. */
export type SessionTable = Table & { readonly name: TableName };

/** Whether a table has this name. */
export function isTableName(name: string): name is TableName {
  return Object.hasOwn(TABLES, name);
}

export const TABLE_NAMES: readonly TableName[] = Object.keys(TABLES).filter(isTableName);
