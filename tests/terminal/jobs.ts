// Jobs of people at the screens of the demo: the keys or clicks, and what they then see, here or in
// the session. `jobs_test.ts` does them one after the other in a terminal.

/** Something that is done at a terminal. */
export type Act =
  /** Keys by tmux's names, or texts. */
  | { readonly keys: readonly string[] }
  /** Clicks on the first cell of what matches, `right` cells further, `times` times. */
  | { readonly click: RegExp; readonly right?: number; readonly times?: 2 }
  /** Turns the wheel there. */
  | { readonly wheel: "up" | "down"; readonly at: RegExp }
  /** Presses the mouse's button at the first, and releases it at the second place. */
  | { readonly drag: RegExp; readonly by: readonly [x: number, y: number] };

/** An act, and what is on the screen after it. */
export type Step = readonly [act: Act, shown: RegExp];

export interface Job {
  /** The wish of a user. */
  readonly job: string;
  /** Columns and rows of the terminal. */
  readonly size: readonly [columns: number, rows: number];
  readonly steps: readonly Step[];
  /** A command of the shell about the session, and its output afterwards. */
  readonly prints?: readonly [args: readonly string[], printed: RegExp];
  /** The file that it writes into the folder of the session, and what is in it. */
  readonly writes?: readonly [file: string, content: RegExp];
  /** The text that it copies. */
  readonly copies?: RegExp;
  /** Steps that bring the screens back to how they were. */
  readonly after?: readonly Step[];
}

const keys = (...names: string[]): Act => ({ keys: names });
const click = (at: RegExp, right = 0): Act => ({ click: at, right });
const twice = (at: RegExp): Act => ({ click: at, times: 2 });
const wheel = (turn: "up" | "down", at: RegExp): Act => ({ wheel: turn, at });

const SMALL = [80, 24] as const, MEDIUM = [100, 30] as const, USUAL = [120, 36] as const;
const LARGE = [200, 60] as const, HUGE = [300, 90] as const;

const LIVE = /● LIVE/, OVERVIEW = /Virtual machines \d/;
/** The filter of a pane is gone. */
const UNFILTERED = /^(?![^]*[━─] (?:by VMID {2})?\/["\w])[^]*\? help/;
/** Nothing is in front of the overview. */
const UNCOVERED = /Virtual machines \d[^]*Console [^]*\? help/;
const close: Step = [keys("Escape"), UNCOVERED];
const present: readonly Step[] = [[keys("t", "n"), /PAUSED|LIVE/], [keys("p"), LIVE]];

/** By keys alone. */
export const BY_KEYS: readonly Job[] = [
  { job: "see what each vCPU waits for", size: SMALL, steps: [[keys("2"), /vCPUs \d[^]*hello\/0 +◌ waits[^]*timer irq 27/]] },
  {
    job: "read the registers of a vCPU",
    size: USUAL,
    steps: [[keys(":vcpu:ping/0", "Enter"), /Registers P ping\/0[^]*esr_el1[^]*Call stack \d[^]*guest_start/]],
  },
  { job: "see which interrupts come", size: MEDIUM, steps: [[keys("3"), /Interrupts \d[^]*E hello\/27 +vtimer[^]*priority/]] },
  {
    job: "find the owner of a page",
    size: USUAL,
    steps: [[keys(":ipa:ping/0x80001000", "Enter"), /Owner +P ping[^]*private, in no parcel/]],
  },
  { job: "see the rights of a VM", size: LARGE, steps: [[keys("5"), /Capabilities[^]*cap:\w+\/0x/]] },
  {
    job: "follow a message queue",
    size: USUAL,
    steps: [[keys("6"), /Flow mq:\d+[^]*msgqueue_send/], [keys("G"), /Flow db:\d+[^]*doorbell_send/]],
  },
  {
    job: "find the requests that start VMs",
    size: USUAL,
    steps: [[keys("7"), /VM_SET_BOOT_CONTEXT/], [
      keys("/", "msg=VM_START", "Enter"),
      /\/msg=VM_START {2}3 of 3(?![^]*VM_SET_BOOT_CONTEXT)/,
    ]],
    after: [[keys("Escape"), /VM_SET_BOOT_CONTEXT/]],
  },
  {
    job: "read the bytes of a request",
    size: LARGE,
    steps: [[keys("7", "/", "id=rpc:124", "Enter"), /\/id=rpc:124 [^]*21 01 {2}1e 00[^]*message +0x56000004 VM_START/]],
    after: [[keys("Escape"), /VM_SET_BOOT_CONTEXT/]],
  },
  {
    job: "look at less time of the scheduler",
    size: USUAL,
    steps: [[keys("8"), /1 column 0\.1 ms/], [keys("+", "+"), /1 column 20 [µu]s/], [keys("-", "-"), /1 column 0\.1 ms/]],
  },
  {
    job: "see the hypercalls of one VM alone",
    size: LARGE,
    steps: [[keys("9"), /Density[^]*Events/], [keys("/", "kind=hvc vm=ping", "Enter"), /\/kind=hvc vm=ping[^]*P ping +hvc/]],
    after: [[keys("Escape"), UNFILTERED]],
  },
  { job: "see why a call was refused", size: MEDIUM, steps: [[keys("0"), /prng_get_entropy of vm:pong was refused: at most 4 calls/]] },
  {
    job: "type to a guest",
    size: SMALL,
    steps: [[keys("c"), /KEYS GO TO THE GUEST/], [keys("k"), /you typed 'k'/]],
    prints: [["console", "hello"], /you typed 'k'/],
    after: [[keys("C-]", "d"), /Console . \w+ [^\n]*● follows/]],
  },
  {
    job: "read all consoles at once",
    size: USUAL,
    steps: [[keys("C"), /Consoles all[^]*ping ?[│|] \d+ message/]],
    after: [[keys("C"), /Console . hello/]],
  },
  {
    job: "stop the machine, and let it run again",
    size: USUAL,
    steps: [[keys("p"), /PAUSED/]],
    prints: [["ls"], /paused/],
    after: [[keys("p"), LIVE]],
  },
  {
    job: "execute one instruction",
    size: USUAL,
    steps: [[keys(":vcpu:hello/0", "Enter"), /Registers E hello\/0/], [keys("."), /■ PAUSED/]],
    after: [[keys("p"), LIVE]],
  },
  {
    job: "go back by one instruction, and to the present",
    size: USUAL,
    steps: [[keys(","), /◆ PAST/]],
    prints: [["back", "--list"], /shown/],
    after: present,
  },
  {
    job: "go to an instruction of the run",
    size: LARGE,
    steps: [[keys("t", "g"), /go to \(120000/], [keys("5000", "Enter"), /◆ PAST[^]*instruction 5000/]],
    after: present,
  },
  {
    job: "compare two vCPUs",
    size: USUAL,
    steps: [[keys("2"), /vCPUs \d/], [keys("g", "m", "j", "m", "="), /vcpu:host\/0 \| vcpu:host\/1 {2}differences/]],
    after: [[keys("Escape"), /vCPUs \d[^]*\? help/], [keys("m", "k", "m"), /vCPUs \d/]],
  },
  {
    job: "see every field of a VM",
    size: MEDIUM,
    steps: [[keys(":vm:hello", "Enter"), OVERVIEW], [keys("i"), /vmid +0x80/]],
    after: [close],
  },
  {
    job: "find a key by what it does",
    size: SMALL,
    steps: [[keys("?"), /Help \d+ actions/], [keys("fold"), /fold the VM/]],
    after: [close],
  },
  { job: "go to a screen by its name", size: HUGE, steps: [[keys(":", "scheduler"), /scheduler/], [keys("Enter"), /Timeline/]] },
  {
    job: "run a command of the shell",
    size: USUAL,
    steps: [[keys(":disasm hello:guest_main --count 4", "Enter"), /0x\w+ +[^]*Esc closes/]],
    after: [close],
  },
  {
    job: "see the VMs whose name has a word",
    size: USUAL,
    steps: [[keys("/", "vm=ping", "Enter"), /\/vm=ping +1 of \d(?![^]*E {2}hello)/]],
    after: [[keys("Escape"), UNFILTERED]],
  },
  { job: "fold the vCPUs of a VM", size: USUAL, steps: [[keys("g", "h"), /host ▸/], [keys("l"), /host ▾/]] },
  {
    job: "give a pane the whole terminal",
    size: MEDIUM,
    steps: [[keys("Tab", "z"), /^(?![^]*Virtual machines \d)[^]*Console/]],
    after: [[keys("z"), OVERVIEW], [keys("BTab"), OVERVIEW]],
  },
  { job: "see the busiest queues first", size: USUAL, steps: [[keys("6"), /Message queues/], [keys("s"), /by \w+/]] },
  {
    job: "keep the rows of a list",
    size: USUAL,
    steps: [[keys("2"), /vCPUs \d/], [keys("e"), /write the rows to: \S+/], [keys("C-u", "rows.ndjson", "Enter"), /rows\.ndjson/]],
    writes: ["rows.ndjson", /"id":"vcpu:hello\/0"/],
  },
  {
    job: "ask which versions run",
    size: USUAL,
    steps: [[keys(":version", "Enter"), /[─━] version[^]*deno +2\.[^]*v8 /]],
    after: [close],
  },
  { job: "copy the id of a VM", size: USUAL, steps: [[keys("y"), /i {2}id +vm:/], [keys("i"), /copied: vm:\w+/]], copies: /^vm:\w+$/ },
  {
    job: "stop at the next event of a kind",
    size: USUAL,
    steps: [[keys("9"), /Events/], [keys("b"), /stop at:/], [keys("C-u", "kind=virq vm=ping", "Enter"), /PAUSED/]],
    prints: [["break", "--list"], /kind=virq vm=ping/],
    after: [[keys(":break --remove all", "Enter"), /removed stop:\d+ kind=virq vm=ping/], [keys("p"), LIVE]],
  },
  {
    job: "save the machine as a file",
    size: USUAL,
    steps: [[keys("t", "s"), /snapshot/], [keys("C-u", "kept.snap", "Enter"), /kept\.snap/]],
    writes: ["kept.snap", /^./],
  },
  { job: "see what a function costs", size: LARGE, steps: [[keys(":flame", "Enter"), /h j k l select; v: by function/]], after: [close] },
  { job: "see who wrote a variable last", size: USUAL, steps: [[keys(":who ping:ticks", "Enter"), /insn:\d+/]], after: [close] },
  { job: "freeze what is shown", size: SMALL, steps: [[keys("Space"), /FROZEN/]], after: [[keys("Space"), /^(?![^]*FROZEN)/]] },
  {
    job: "see who can reach memory",
    size: USUAL,
    steps: [[keys(":ipa:ping/0x80001000", "Enter"), /Owner +P ping/], [keys("+"), /cell 64K {2}row 4M/], [keys("-"), /cell 128K/]],
  },
  {
    job: "search a console",
    size: USUAL,
    steps: [[keys("Tab", "/", "Gunyah", "Enter"), /"Gunyah" \d of \d/]],
    after: [[keys("Escape"), /^(?![^]*"Gunyah")/], [keys("BTab"), OVERVIEW]],
  },
  { job: "see another VM's console", size: SMALL, steps: [[keys("n"), /Console P ping/]], after: [[keys("N"), /Console E hello/]] },
  {
    job: "see what refers to a VM",
    size: USUAL,
    steps: [[keys("x"), /Events[^]*\/"vm:hello"/]],
    after: [[keys("/", "C-u", "Enter"), UNFILTERED]],
  },
  { job: "return to where one was", size: MEDIUM, steps: [[keys("Enter"), /Registers E hello\/0/], [keys("BSpace"), OVERVIEW]] },
  { job: "see what can be done to a VM", size: USUAL, steps: [[keys("!"), /! stop: ask it to shut down/]], after: [close] },
  {
    job: "see the Linux of a VM",
    size: USUAL,
    steps: [[keys("L"), /No VM runs a Linux that can be read/]],
    after: [[keys("1"), OVERVIEW]],
  },
];

/** By the mouse alone. */
export const BY_MOUSE: readonly Job[] = [
  { job: "go to a screen", size: USUAL, steps: [[click(/8 Scheduler/), /Timeline/]] },
  { job: "select a VM", size: USUAL, steps: [[click(/ping +0x81/), /▌ *P +ping/]] },
  { job: "open a VM", size: LARGE, steps: [[twice(/pong +0x82/), /vCPUs \d[^]*▌ O pong\/0[^]*Registers O pong\/0/]] },
  { job: "pause by the hint, and continue", size: USUAL, steps: [[click(/p pause/), /PAUSED/], [click(/p continue/), LIVE]] },
  { job: "open the help, and close it", size: USUAL, steps: [[click(/\? help/), /Help \d+ actions/]], after: [close] },
  {
    job: "type to a guest by the hint",
    size: USUAL,
    steps: [[click(/c console/), /KEYS GO TO THE GUEST/]],
    after: [[click(/d stop typing/), /Console . \w+ [^\n]*● follows/]],
  },
  { job: "scroll a list", size: SMALL, steps: [[click(/7 RPC/), /VM_START/], [wheel("up", /VM_START/), /G follows/]] },
  {
    job: "scroll a console, and follow it again",
    size: SMALL,
    steps: [[wheel("up", /tick \d|message round|gave back/), /rows back/], [click(/G follows/), /● follows/]],
  },
  {
    job: "zoom the timeline by its border",
    size: USUAL,
    steps: [[click(/8 Scheduler/), /1 column 0\.1 ms/], [click(/\+ - scale/), /1 column 50 [µu]s/], [click(/- scale/), /1 column 0\.1 ms/]],
  },
  {
    job: "go to a time by the density",
    size: USUAL,
    steps: [[click(/9 Events/), /a column is/], [click(/interrupts/, 90), /G follows/]],
    after: [[click(/G follows/), /● follows/]],
  },
  {
    job: "enlarge a pane by its title",
    size: USUAL,
    steps: [[twice(/Virtual machines \d/), /^(?![^]*Physical CPUs)[^]*Virtual machines/]],
    after: [[twice(/Virtual machines \d/), /Physical CPUs/]],
  },
  {
    job: "choose a line of a menu",
    size: USUAL,
    steps: [[click(/y copy/), /i {2}id +vm:/], [click(/i {2}id +vm:/), /copied: vm:\w+/]],
    copies: /^vm:\w+$/,
  },
  { job: "sort a list by a column", size: LARGE, steps: [[click(/6 Queues/), /Message queues/], [click(/Rate\/s/), /by rate/]] },
  { job: "make a pane larger", size: USUAL, steps: [[{ drag: /╭─ Console/, by: [4, -3] }, OVERVIEW]] },
  { job: "begin a filter by the hint", size: USUAL, steps: [[click(/\/ filter/), /^ (\/|search:) *$/m]], after: [close] },
  {
    job: "find a VM's memory on the map",
    size: USUAL,
    steps: [[click(/4 Memory/), /Physical memory/], [click(/◆P|P {2}/), /Owner +P ping/]],
  },
  { job: "see the newest refusal", size: MEDIUM, steps: [[click(/0 Why/), /was refused: at most 4 calls[^]*BUSY/]] },
  {
    job: "look at older events by the wheel",
    size: USUAL,
    steps: [[click(/9 Events/), /Density/], [wheel("up", /P ping +sched/), /G follows/]],
    after: [[click(/G follows/), /● follows/]],
  },
  {
    job: "see who yields at a switch",
    size: LARGE,
    steps: [[click(/8 Scheduler/), /Switches/], [click(/H host\/0 {2,}ping\/0 waits/), /ping\/0 yields to host\/0/]],
  },
  ...([SMALL, HUGE] as const).flatMap((size): Job[] => [
    {
      job: "zoom into a function of a profile",
      size,
      steps: [
        [keys(":flame", "Enter"), /▏guest_main[^]*▏guest_main/],
        [click(/▏guest_main/), / entry › guest_start › guest_main /],
        [click(/▏guest_main/), /▏guest_main +│/],
      ],
      after: [[keys("BSpace", "BSpace", "BSpace", "BSpace"), /▏guest_main[^]*▏guest_main/], close],
    },
    {
      job: "go to a write of a variable",
      size,
      steps: [[keys(":who ping:ticks", "Enter"), /insn:\d+/], [click(/insn:\d+/), /◆ PAST/]],
      after: present,
    },
  ]),
  {
    job: "see what can be done to a VM by the hint",
    size: USUAL,
    steps: [[click(/hello +0x80/), /▌ *E +hello/], [click(/a actions/), /gdb: how to debug it/]],
    after: [close],
  },
];
