// JSON documents of commands, other than lists of rows: their fields, declared once for the
// commands, their schemas and the reference.

import { type Column, columnSchema, type ColumnTypes, type Json, type Listing, SCHEMA_DIALECT, schemaName } from "./table.ts";
import { type Hint, hint } from "../../kit/support/text/hint.ts";

/** A kind of document. */
export interface Document {
  /** In the schema `el2.NAME/VERSION`. */
  readonly name: string;
  /** Increases when a field is removed or changed, not when one is added. */
  readonly version: number;
  /** The commands that print it with `--json`; none: any may. */
  readonly commands: readonly Hint[];
  readonly doc: string;
  readonly fields: Readonly<Record<string, Column>>;
}

export type FieldsOf<D extends Document> = {
  readonly [N in keyof D["fields"]]: D["fields"][N] extends { readonly optional: true } ? ColumnTypes[D["fields"][N]["kind"]] | null
    : ColumnTypes[D["fields"][N]["kind"]];
};

const define = <const D extends Document>(document: D): D => document;

export const SNAPSHOT = define({
  name: "snapshot",
  version: 1,
  commands: [hint("snapshot info")],
  doc: "the header of a snapshot",
  fields: {
    version: { kind: "text", doc: "version of el2 that saved it" },
    engine: { kind: "text", optional: true, doc: "id of the engine that saved it, and the only one that loads it without `--anyway`" },
    commit: { kind: "text", optional: true, doc: "commit of the el2 that saved it" },
    title: { kind: "text", doc: "what runs" },
    ns: { kind: "time", doc: "virtual time in ns" },
    insn: { kind: "count", doc: "instructions that guests had retired" },
    cpus: { kind: "number", doc: "physical CPUs" },
    memory: { kind: "size", doc: "bytes of RAM" },
    pages: { kind: "number", doc: "nonzero pages of RAM" },
  },
});

export const SNAPSHOT_SAVED = define({
  name: "snapshot.saved",
  version: 1,
  commands: [hint("snapshot save")],
  doc: "a complete snapshot",
  fields: { file: { kind: "text", doc: "the file, as it was named" }, bytes: { kind: "size", doc: "its size" } },
});

export const RECORDING = define({
  name: "recording.contents",
  version: 1,
  commands: [hint("recording show")],
  doc: "the contents of a recording's file",
  fields: {
    version: { kind: "text", doc: "version of el2 that recorded it" },
    engine: { kind: "text", optional: true, doc: "id of the engine that recorded it" },
    commit: { kind: "text", optional: true, doc: "commit of the el2 that recorded it" },
    bytes: { kind: "size", doc: "size of the file" },
    end: { kind: "detail", optional: true, doc: "`ns` and `insn` of its end; null if it was cut off" },
    files: {
      kind: "detail",
      doc: "each file of the run: `kind`, `name`, `sha256`, `bytes`, and `in`: recording, cache, or null where it is missing",
    },
    uses: { kind: "detail", doc: "disks, folders, sockets and logs by path: `kind` and `path`" },
    typed: { kind: "detail", doc: "typed input by console: `console`, `bytes`, and the first 4,096 of them as `text`" },
    inputs: { kind: "detail", doc: "how many inputs there are of each kind" },
    consoles: { kind: "list", doc: "VMs whose output a replay prints again" },
    marks: { kind: "detail", doc: "marks: `name`, `text` and `by`" },
    sources: { kind: "detail", doc: "source files in it: `path` and `bytes`" },
    data: { kind: "detail", doc: "what entered from outside: `from` (shared folders, connections, datagrams) and `bytes`" },
    hosts: { kind: "list", doc: "host names that guests asked for" },
    paths: { kind: "list", doc: "absolute paths in it" },
    folders: { kind: "list", doc: "folders in which its programs were built, by their debug information" },
  },
});

export const LINKED = define({
  name: "link",
  version: 1,
  commands: [hint("link")],
  doc: "a link to a place of a recorded run",
  fields: {
    link: { kind: "text", doc: "the file and the place" },
    command: { kind: "text", doc: "the command line that goes there" },
  },
});

export const SNAPSHOT_VERIFIED = define({
  name: "snapshot.verify",
  version: 1,
  commands: [hint("snapshot verify")],
  doc: "whether a snapshot can be loaded and its invariants hold",
  fields: {
    good: { kind: "flag", doc: "it does" },
    rule: { kind: "text", optional: true, doc: "the invariant that is broken" },
  },
});

export const PLACE = define({
  name: "place",
  version: 1,
  commands: [hint("back"), hint("on")],
  doc: "the point of a session's run that is shown from now on",
  fields: {
    t: { kind: "time", optional: true, doc: "virtual time there" },
    insn: { kind: "count", doc: "instructions that guests had retired there" },
    reached: { kind: "text", optional: true, doc: "the event or the instruction at that point" },
  },
});

export const DIFF = define({
  name: "diff",
  version: 1,
  commands: [hint("diff")],
  doc: "whether two recorded runs are equal",
  fields: {
    compared: { kind: "count", doc: "instructions that were compared" },
    cut: { kind: "flag", doc: "a recording is truncated: the runs were compared up to its last entry" },
    difference: {
      kind: "detail",
      optional: true,
      doc: "the first difference: `insn`, `ns` of both, and the `vcpus` that differ (`id`, `first`, `second`); null if the runs are equal",
    },
  },
});

export const COVERAGE = define({
  name: "coverage",
  version: 1,
  commands: [hint("coverage")],
  doc: "the code of a VM, or of one of its source files, that has run",
  fields: {
    vm: { kind: "word", doc: "name of the VM" },
    file: { kind: "text", optional: true, doc: "source file, as debug information names it; null: all code of the VM" },
    share: { kind: "share", optional: true, doc: "share of the lines that have run; null without debug information" },
    lines: { kind: "number", doc: "lines that have code" },
    lines_hit: { kind: "number", doc: "lines that have run" },
    functions: { kind: "number", doc: "functions that have a symbol" },
    functions_hit: { kind: "number", doc: "functions that have run" },
    branches: { kind: "number", doc: "outcomes of the conditional branches that have run: taken and not taken, two each" },
    branches_hit: { kind: "number", doc: "outcomes that have occurred" },
    insn: { kind: "count", doc: "instructions executed" },
  },
});

export const PROFILE = define({
  name: "profile",
  version: 1,
  commands: [hint("profile")],
  doc: "the instructions that were executed in a function, line, process or VM",
  fields: {
    vm: { kind: "word", doc: "name of the VM" },
    insn: { kind: "count", doc: "instructions executed there" },
    share: { kind: "share", doc: "share of all instructions of the VMs that are counted" },
    calls: {
      kind: "count",
      optional: true,
      doc: "executions of the function's first instruction, or of the line; switches to the process",
    },
    name: { kind: "text", doc: "symbol of the function, FILE:LINE, name and PID of the process, or VM; ? for what has none" },
    source: { kind: "text", optional: true, doc: "FILE:LINE of a function, if debug information has it" },
  },
});

export const EVENT_PROFILE = define({
  name: "profile.events",
  version: 1,
  commands: [hint("profile", { by: "exit" })],
  doc: "exits, hypercalls, system calls or waits of one name",
  fields: {
    vm: { kind: "word", doc: "name of the VM" },
    count: { kind: "count", doc: "how many there were" },
    time: { kind: "duration", doc: "virtual time from their beginnings to their ends, ns" },
    share: { kind: "share", doc: "share of all; of waits: of their time" },
    name: { kind: "text", doc: "kind and name of the exit, name of the call, or what the vCPU waited for" },
    vcpu: { kind: "id", optional: true, doc: "vcpu:VM/INDEX that waited" },
    by: { kind: "text", optional: true, doc: "of a wait: the interrupt that ended it and who raised that, or the vCPU that had the CPU" },
  },
});

export const LATENCY_PROFILE = define({
  name: "profile.latency",
  version: 1,
  commands: [hint("profile", { by: "latency" })],
  doc: "how long interrupts, timers, messages, requests, accesses or disk requests of one name took",
  fields: {
    vm: {
      kind: "word",
      doc: "name of the VM that took the interrupt, got the message, answered the request, made the access, or has the disk",
    },
    of: {
      kind: "word",
      doc:
        "interrupt: from its source to its acknowledgment; timer: the same from when the timer was due; message: from its sender to its " +
        "receiver; rpc: from its arrival to its reply; mmio: until the VMM has answered an access; disk: a request, from when the device " +
        "found it available until it was used",
    },
    count: { kind: "count", doc: "how many there were" },
    p50: { kind: "duration", doc: "virtual time that half of them took at most, ns, to 1 %" },
    p90: { kind: "duration", doc: "the same for 90 %" },
    p99: { kind: "duration", doc: "the same for 99 %" },
    most: { kind: "duration", doc: "the longest, ns" },
    at: { kind: "id", doc: "insn:N where that ended" },
    name: { kind: "text", doc: "the interrupt and its source, the queue, the message, the vCPU, or the disk" },
    buckets: { kind: "detail", doc: "by powers of two: how many took at most so many ns, and longer than the one before" },
    worst: { kind: "detail", doc: "the longest five: `ns`, and where they ended: `t` and `insn`, in the `run` with this number" },
  },
});

export const COMPARE_RUNS = define({
  name: "compare-runs",
  version: 1,
  commands: [hint("compare-runs")],
  doc: "events and functions that tell bad runs from good ones",
  fields: {
    good: { kind: "number", doc: "good runs" },
    bad: { kind: "number", doc: "bad runs" },
    exact: { kind: "flag", doc: "each feature is in all bad runs and in no good one, or the other way round; otherwise in most" },
    found: { kind: "number", doc: "features that were found; --limit bounds those that are listed" },
    features: {
      kind: "detail",
      doc:
        "the likeliest cause first: `kind` (event, function or order), `vm`, `text`, `ns` of the first occurrence, how many `bad` and `good` runs have it",
    },
  },
});

export const SNAPSHOT_DIFF = define({
  name: "diff.snapshot",
  version: 1,
  commands: [hint("diff")],
  doc: "the differences between two snapshots",
  fields: {
    equal: { kind: "flag", doc: "the snapshots are equal" },
    ns: { kind: "list", doc: "virtual time of both, ns" },
    insn: { kind: "list", doc: "instructions that guests had retired in both" },
    groups: {
      kind: "detail",
      doc:
        "by what was compared (`name`: `plan`, a table, or `state`, the fields that are saved): things that `differ`, `of` how many, and " +
        "`rows` with `id`, `field` (null: the whole thing), `first` and `second`, at most --limit of them",
    },
    memory: {
      kind: "detail",
      doc:
        "pages that `differ`, `of` how many that are not zero, and `places` by who has them mapped: `vms`, `pages`, and of the first byte " +
        "that differs `ipas`, `pa`, `first` and `second`",
    },
  },
});

export const TRACE_DIFF = define({
  name: "diff.trace",
  version: 1,
  commands: [hint("diff")],
  doc: "the differences between two traces",
  fields: {
    events: { kind: "detail", doc: "events in both: two numbers" },
    difference: {
      kind: "detail",
      optional: true,
      doc:
        "the first difference: number of the `event` from 1, `fields` that differ (none: a trace has ended), events `before` it, which both " +
        "have, and events of the `first` and the `second` from there on; null if the traces are equal",
    },
    other_event: { kind: "detail", optional: true, doc: "the same for the first event that differs in more than its times and its pCPU" },
    kinds: { kind: "detail", doc: "how often each `kind` is in the `first` and in the `second`" },
  },
});

export const TARMAC_DIFF = define({
  name: "diff.tarmac",
  version: 1,
  commands: [hint("diff")],
  doc: "the first difference between a recorded run and a Tarmac trace",
  fields: {
    compared: { kind: "count", doc: "instructions that were compared" },
    difference: {
      kind: "detail",
      optional: true,
      doc:
        "`cpu`, `insn` (instructions of it that were equal), `ns` and `pc` of the instruction, `what` differs, and its text in the run " +
        "(`first`) and in the trace (`second`); null if the run does what the trace says",
    },
  },
});

export const RPC_DECODED = define({
  name: "rpc.decode",
  version: 1,
  commands: [hint("rpc decode")],
  doc: "a decoded message between a VM and the Resource Manager",
  fields: {
    packets: { kind: "detail", doc: "each packet: `type`, `msg`, `id`, `sequence`, `continuations` that follow, `bytes`" },
    fields: { kind: "detail", doc: "of the payload: `offset`, `type`, `name` and `value` of each field" },
    problem: { kind: "text", optional: true, doc: "why the bytes after the packets are not a packet" },
  },
});

export const SESSIONS = define({
  name: "ls",
  version: 1,
  commands: [hint("ls")],
  doc: "the running sessions",
  fields: {
    data: {
      kind: "detail",
      doc:
        "each session: `id`, `name`, `what` runs, `pid`, `started`, `clients`, `paused`, `logs` (folder of its consoles), `configuration` (its absolute path), `by` (what started it), and how it `ended`, or why it cannot be " +
        "reached; of a session of another version of el2 only its name and that fact",
    },
  },
});

/** The sessions as a list; `ls --json` has them in one document. */
export const SESSION_LIST: Listing = {
  name: "ls",
  empty: "no session is running",
  columns: {
    name: { kind: "text", doc: "its name", width: 12 },
    what: { kind: "text", doc: "what runs", width: 12 },
    state: { kind: "text", doc: "runs or paused, with the VMs that failed or hang; or how it ended", width: 24 },
    pid: { kind: "number", doc: "its process", width: 7, optional: true },
    clients: { kind: "number", doc: "connections to it", width: 7, optional: true },
    by: { kind: "text", doc: "what started it: el2 up, the screens, or an agent through el2 mcp", width: 10, optional: true },
    started: { kind: "text", doc: "when it began, ISO 8601", width: 24, optional: true },
    logs: { kind: "text", doc: "folder of its consoles", width: 20, optional: true },
    configuration: { kind: "text", doc: "absolute path of its configuration", optional: true },
  },
};

export const ERROR = define({
  name: "error",
  version: 1,
  commands: [],
  doc: "why a command failed, on stderr",
  fields: {
    code: { kind: "word", doc: "failed, config, no_session, timeout, read_only or interrupted: its exit code" },
    message: { kind: "text", doc: "the error, and the rule" },
    at: { kind: "detail", optional: true, doc: "`file`, `line` and `col` of an error in a file" },
    hint: { kind: "text", optional: true, doc: "the way out" },
  },
});

export const FINDINGS = define({
  name: "doctor",
  version: 1,
  commands: [hint("doctor")],
  doc: "el2's requirements on this computer",
  fields: { data: { kind: "detail", doc: "each requirement: `id`, whether it is `ok`, what el2 found (`says`), and a `remedy`" } },
});

export const EXPLAINED = define({
  name: "explain",
  version: 1,
  commands: [hint("explain")],
  doc: "what the lines of logs say, and the causes that they speak for",
  fields: {
    files: { kind: "list", doc: "the files, as they were named; stdin" },
    lines: {
      kind: "detail",
      doc:
        "each line that is explained: `file` and `line` (0: a file without lines), `text`, `by` whom, what it `says`, the `call` with its " +
        "answer, the `rule` of the books, how many lines are like it (`count`), whether it is `cut` off, whether it is a `failure`, and its " +
        "`sign`: kind and values",
    },
    causes: {
      kind: "detail",
      doc: "the likeliest first: `id`, what it `says`, whether it was read in a source (`certain`), `points`, `chance` (sure, likely, " +
        "possible), `lines` that speak for it and `against` it, `tries`, what the files do not say (`asks`), the `rule`, and the command " +
        "that `shows` it",
    },
    notes: { kind: "list", doc: "what was not read, and why" },
  },
});

export const LINT = define({
  name: "vm.lint",
  version: 1,
  commands: [hint("vm lint")],
  doc: "how the Resource Manager treats a node or property of a VM's devicetree",
  fields: {
    file: { kind: "text", doc: "the devicetree" },
    path: { kind: "text", doc: "the node" },
    property: { kind: "text", optional: true, doc: "its property" },
    offset: { kind: "number", doc: "its offset in the file" },
    kind: { kind: "word", doc: "refused, changed or ignored" },
    what: { kind: "text", doc: "what is wrong" },
    does: { kind: "text", doc: "what the Resource Manager does with it" },
  },
});

export const TESTED = define({
  name: "test",
  version: 1,
  commands: [hint("test")],
  doc: "the result of a scenario",
  fields: {
    file: { kind: "text", doc: "the file" },
    name: { kind: "text", doc: "the scenario" },
    seed: { kind: "number", doc: "the seed of its run" },
    ok: { kind: "flag", doc: "every step passed" },
    recording: { kind: "text", optional: true, doc: "the recording of a failed run" },
    steps: {
      kind: "detail",
      doc:
        "each step: `id`, `line`, `text`, `result`, virtual time `t`; of a failure `message`, `details`, and `verdicts` on VMs as `diagnose` has them; " +
        "`cases` of a report: `path` and `result` each",
    },
  },
});

export const GUEST = define({
  name: "guest",
  version: 1,
  commands: [hint("guests ls")],
  doc: "a guest in the cache, one per line; guests fetch and add print their guest",
  fields: {
    name: { kind: "text", doc: "its name in the catalog" },
    about: { kind: "text", doc: "what it is" },
    size: { kind: "size", doc: "bytes of its files" },
    fetched: { kind: "text", doc: "when it was made, ISO 8601" },
    files: { kind: "detail", doc: "each file: `name`, `size` in bytes, `sha256`" },
    packages: { kind: "detail", doc: "packages that it was made from: `name`, `version`, `sha256`" },
    added: { kind: "detail", optional: true, doc: "how a guest that was added is run" },
    folder: { kind: "text", optional: true, doc: "folder of its files" },
  },
});

export const IOCTL_DECODED = define({
  name: "ioctl.decode",
  version: 1,
  commands: [hint("reference ioctl")],
  doc: "what is known of a request code",
  fields: {
    code: { kind: "address", doc: "the code" },
    request: { kind: "detail", optional: true, doc: "`name`, `code`, `on` which descriptor, and `struct` with its fields" },
    personas: { kind: "list", doc: "drivers of Gunyah that have it" },
    geniezone: { kind: "flag", doc: "/dev/gzvm has it" },
    near: { kind: "detail", doc: "requests with the same magic and number, if it is not a request" },
  },
});

export const PERSONA = define({
  name: "persona",
  version: 1,
  commands: [hint("reference personas")],
  doc: "a generation of the Gunyah driver, one per line: what it answers, checks and calls (docs/spec/vm-manager.md)",
  fields: {
    id: { kind: "id", doc: "persona:NAME" },
    name: { kind: "word", doc: "its name, as [host] device and --device take it" },
    title: { kind: "text", doc: "where it is found" },
    device: { kind: "flag", doc: "it has its own device" },
    requests: { kind: "detail", doc: "each request: `name`, `code`, `on` which descriptor, and `struct` with its fields" },
    unknown_request: { kind: "word", doc: "errno of a request that it does not know, on the device or a VM" },
    memory: { kind: "detail", doc: "when memory is `given` to a VM, and what is checked of its regions" },
    devicetree: { kind: "detail", doc: "which region holds the devicetree, and the errnos if none does" },
    functions: { kind: "detail", optional: true, doc: "how functions and vCPUs answer; null if it has none" },
    vmid_at_create: { kind: "flag", doc: "the VMID is allocated in CREATE_VM, else at START" },
    start: { kind: "list", doc: "steps of START, in order" },
    start_again: { kind: "word", doc: "errno of START after the end, or after one that failed" },
    any_rm_error_is_invalid: { kind: "flag", doc: "every error of the Resource Manager becomes EINVAL" },
    teardown: { kind: "list", doc: "steps of the end of a VM, in order" },
    stop_reason: { kind: "number", doc: "`reason` of VM_STOP at the end of a VM that runs" },
    asks_own_vmid: { kind: "flag", doc: "the driver asks for its own VMID before it first shares memory" },
    loses_failed_vmid: { kind: "flag", doc: "the VMID of a VM whose image or firmware was refused is lost" },
    protected_as_parcel: { kind: "flag", doc: "a protected VM's region with the devicetree is one parcel" },
  },
});

export const PHONE = define({
  name: "phone",
  version: 1,
  commands: [hint("reference phone", "generic")],
  doc: "the profile of a phone (docs/spec/phones.md)",
  fields: {
    id: { kind: "id", doc: "phone:NAME" },
    name: { kind: "word", doc: "its name, as --phone and [machine] phone take it" },
    title: { kind: "text", doc: "chip and kernel" },
    values: {
      kind: "detail",
      doc:
        "each value: `key`, `value`, `source`, `mark` (R read, I inferred, U claimed, generic), the key that it `sets`, or null, and whether it is `modeled`: by that key, always, or not (none)",
    },
  },
});

export const CPU = define({
  name: "cpu",
  version: 1,
  commands: [hint("reference cpu", "v8.4")],
  doc: "a CPU that a machine can have",
  fields: {
    id: { kind: "id", doc: "cpu:NAME" },
    name: { kind: "word", doc: "its name with its changes, as --cpu and [machine] cpu take it" },
    title: { kind: "text", doc: "version, core or chip" },
    features: { kind: "list", doc: "its features, by Arm's names" },
    absent: { kind: "list", doc: "features of that core or chip that el2 has not built" },
    registers: { kind: "detail", doc: "its ID registers by name, hexadecimal" },
    hwcaps: { kind: "text", doc: "the line Features of /proc/cpuinfo" },
  },
});

export const THEME = define({
  name: "theme",
  version: 1,
  commands: [hint("reference theme")],
  doc: "a theme of the screens, one per line",
  fields: {
    name: { kind: "text", doc: "its name, as --theme takes it" },
    about: { kind: "text", doc: "what it is for" },
    file: { kind: "text", optional: true, doc: "the configuration that it is from; null for a theme of el2" },
    based_on: { kind: "text", optional: true, doc: "the theme whose other colors it has" },
  },
});

export const ABOUT = define({
  name: "version",
  version: 1,
  commands: [hint("version")],
  doc: "which el2 this is, and what it runs on",
  fields: {
    el2: { kind: "text", doc: "its version" },
    engine: { kind: "text", optional: true, doc: "id of everything that decides a run; the same engine gives a recording's run" },
    commit: { kind: "text", optional: true, doc: "commit of its sources, which may have changes" },
    protocol: { kind: "number", doc: "version of the protocol between sessions and commands" },
    deno: { kind: "text", doc: "version of the runtime" },
    v8: { kind: "text", doc: "version of V8" },
    target: { kind: "text", doc: "the target machine and system" },
  },
});

export const SPEC_SECTION = define({
  name: "spec",
  version: 1,
  commands: [hint("reference spec")],
  doc: "a section of a book, one per line",
  fields: {
    id: { kind: "id", doc: "spec:BOOK/SECTION" },
    book: { kind: "word", doc: "name of the book" },
    section: { kind: "text", doc: "number of the section, such as 4.4" },
    title: { kind: "text", doc: "its heading" },
    text: { kind: "text", doc: "its Markdown, up to the next section of the same level" },
  },
});

export const BENCH = define({
  name: "bench",
  version: 1,
  commands: [hint("bench")],
  doc: "how fast guests run",
  fields: {
    rounds: { kind: "number", doc: "measurements of each machine" },
    rows: { kind: "detail", doc: "each `machine`, and the median of its `mips`: millions of instructions per second" },
    ratio: { kind: "rate", optional: true, doc: "median of el2's speed over the other machine's; null without another machine" },
  },
});

export const DOCUMENTS: readonly Document[] = [
  SNAPSHOT,
  SNAPSHOT_SAVED,
  SNAPSHOT_VERIFIED,
  PLACE,
  RECORDING,
  LINKED,
  DIFF,
  COMPARE_RUNS,
  SNAPSHOT_DIFF,
  TRACE_DIFF,
  TARMAC_DIFF,
  RPC_DECODED,
  SESSIONS,
  ERROR,
  FINDINGS,
  EXPLAINED,
  LINT,
  TESTED,
  GUEST,
  IOCTL_DECODED,
  PERSONA,
  CPU,
  PHONE,
  THEME,
  ABOUT,
  BENCH,
  COVERAGE,
  PROFILE,
  EVENT_PROFILE,
  LATENCY_PROFILE,
  SPEC_SECTION,
];

/**
 * Documents as a list whose columns are their fields: for commands that print one per line.
 * Structured fields are in no list.
 * @param empty the text of an empty list
 */
export function listingOf({ name, fields }: Document, empty: string): Listing {
  const columns = Object.entries(fields).map(([field, column]): [string, Column] => [
    field,
    column.kind === "detail" ? column : { ...column, width: field.length },
  ]);
  return { name, empty, columns: Object.fromEntries(columns) };
}

/** A document as a command prints it. */
export function documentText<D extends Document>(document: D, fields: FieldsOf<D>): string {
  return JSON.stringify({ schema: schemaName(document), ...fields });
}

export function documentSchema(document: Document): Json {
  const properties: Record<string, Json> = { schema: { const: schemaName(document) } };
  for (const [name, field] of Object.entries(document.fields)) properties[name] = columnSchema(field);
  return {
    $schema: SCHEMA_DIALECT,
    title: schemaName(document),
    description: document.doc,
    type: "object",
    required: Object.keys(properties),
    properties,
  };
}
