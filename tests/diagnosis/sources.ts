// Guests that wait for a source that only they could start, or whose interrupt is lost; and guests
// whose source may act.

import type { Broken, Healthy } from "./class-cases.ts";
import { ClassGuests } from "./class-guests.ts";

export const guests = await ClassGuests.build("sources");

const BELL = '[link]\nbell = { kind = "doorbell", label = 2, from = "y", to = "x" }\n';
const QUEUE = '[link]\nmessages = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 8, size = 64 }\n';
export const ENTROPY = 'devices = [{ kind = "pl011" }, { kind = "rng" }]';
export const CONSOLE = 'devices = [{ kind = "pl011" }, { kind = "console" }]';
export const OWN = { keys: 'schedule = "own"\ndevices = [{ kind = "rng" }]', cmdline: "platform=1" };

/** Stuck for a device in this state. */
const stuck = (name: string, guest: string, state: Readonly<Record<string, unknown>>, more: Partial<Broken> = {}): Broken => ({
  ...{ name, guest, keys: ENTROPY, fact: { code: "source-idle", irq: /^irq:x\//, state }, next: /^el2 irq ls x$/ },
  ...more,
});

const DEVICE = /^dev:x\/rng/;

/** Polls a ring of a device in this state. */
const polls = (name: string, guest: string, state: Readonly<Record<string, unknown>>): Broken => ({
  ...{ name: `polls for ${name}`, guest, keys: ENTROPY, fact: { code: "spins", vcpu: "vcpu:x/0" }, next: /^el2 disasm x\/0:/ },
  because: [{ code: "polled-device", vcpu: "vcpu:x/0", state }],
});

const BROKEN: readonly Broken[] = [
  stuck("a driver that never says DRIVER_OK", "NOT_READY", { code: "virtio-not-ready", device: DEVICE, status: 0xb }),
  stuck("the same of a VM that the hypervisor schedules", "NOT_READY", { code: "virtio-not-ready", device: DEVICE, status: 0xb }, OWN),
  stuck("a request without a notification", "NOT_NOTIFIED", { code: "virtio-not-notified", device: DEVICE, queue: 0, available: 1 }),
  {
    ...{ name: "a request without a notification, and the interrupt is disabled", guest: "NOT_NOTIFIED_NOR_ENABLED", keys: ENTROPY },
    ...{ fact: { code: "no-wakeup" }, next: /^el2 irq ls x$/ },
    because: [
      { code: "barred", irq: /^irq:x\//, barrier: { code: "disabled" } },
      { code: "wakeup", state: { code: "virtio-not-notified", device: DEVICE } },
    ],
  },
  stuck("a queue that is not ready", "QUEUE_OFF", { code: "virtio-queue-off", device: DEVICE, queue: 0 }),
  stuck("a chain that names no memory", "BROKEN_CHAIN", { code: "virtio-needs-reset", fault: /a buffer/ }),
  stuck("a driver that asked for no interrupt", "NO_INTERRUPT", { code: "virtio-silent", used: 1 }),
  stuck("the same of a VM that the hypervisor schedules", "NO_INTERRUPT", { code: "virtio-silent", used: 1 }, OWN),
  stuck("a console that gave no buffer for input", "NO_ROOM", { code: "virtio-no-room", queue: 0 }, { keys: CONSOLE }),
  {
    ...{ name: "a driver that polls for a request without a notification", guest: "POLL_NOT_NOTIFIED", keys: ENTROPY },
    ...{ fact: { code: "spins", vcpu: "vcpu:x/0" }, next: /^el2 disasm x\/0:/ },
    because: [{ code: "polled-device", state: { code: "virtio-not-notified" } }, { code: "reads", range: { symbol: /^queue/ } }],
  },
  polls("a driver that never says DRIVER_OK", "POLL_NOT_READY", { code: "virtio-not-ready", device: DEVICE, status: 0xb }),
  polls("a queue that is not ready", "POLL_QUEUE_OFF", { code: "virtio-queue-off", device: DEVICE, queue: 0 }),
  polls("a driver of version 1", "POLL_LEGACY", { code: "virtio-legacy", device: DEVICE, queue: 0, rings: /^0x/ }),
  polls("a queue with more entries than there may be", "POLL_LARGE_QUEUE", { code: "virtio-needs-reset", fault: /power of two/ }),
  polls("rings that are exchanged", "POLL_EXCHANGED_RINGS", { code: "virtio-rings-exchanged", device: DEVICE, queue: 0 }),
  polls("the flags of the used ring", "POLL_USED_FLAGS", { code: "virtio-used-flags", device: DEVICE, queue: 0, value: 1 }),
  polls("a buffer that the device may only read", "POLL_READ_ONLY_BUFFER", { code: "virtio-unwritten", descriptor: 0, writable: false }),
  polls("a buffer without room", "POLL_BEYOND_WRITTEN", { code: "virtio-unwritten", descriptor: 0, writable: true, written: 0 }),
  polls("the ring of a device that it has reset", "POLL_AFTER_RESET", { code: "virtio-was-reset", device: DEVICE, queue: 0 }),
  polls("a queue that it places by one store of 64 bits", "POLL_WIDE_WRITE", {
    ...{ code: "virtio-ignored-write", register: "QueueDescLow", offset: "0x080", size: 8 },
  }),
  polls("a chain that is a circle", "POLL_CIRCLE", { code: "virtio-needs-reset", fault: /chain/ }),
  polls("a chain that leaves the table", "POLL_NEXT_OUTSIDE", { code: "virtio-needs-reset", fault: /below the table/ }),
  polls("an available index far ahead", "POLL_INDEX_AHEAD", { code: "virtio-needs-reset", fault: /ahead/ }),
  {
    ...{ name: "a flag of the handler of a device that was not notified", guest: "POLL_FLAG_NOT_NOTIFIED", keys: ENTROPY },
    ...{ fact: { code: "spins", vcpu: "vcpu:x/0" }, next: /^el2 disasm x\/0:/ },
    because: [{ code: "wakeup", state: { code: "virtio-not-notified", device: DEVICE } }],
  },
  {
    ...{ name: "a driver that has no request left", guest: "ALL_DONE", keys: ENTROPY, fact: { code: "no-wakeup" }, next: /^el2 irq ls x$/ },
    because: [{ code: "wakeup", state: { code: "virtio-idle", device: DEVICE } }],
  },
  stuck("a doorbell whose flags are masked", "BELL_MASKED", { code: "doorbell-masked", flags: "0x1", sends: 1 }, {
    keys: 'devices = [{ kind = "pl011" }]',
    more: guests.vm("RING", { cmdline: "once=1" }, "y") + BELL,
  }),
  {
    ...{ name: "two messages below the receiver's threshold", guest: "HIGH_THRESHOLD", more: guests.vm("SEND_TWO", {}, "y") + QUEUE },
    ...{ fact: { code: "deadlock" }, next: /^el2 queue ls --filter vm=x$/ },
    because: [{ code: "wakeup", state: { code: "messages", end: "receiver", count: 2, depth: 8, wakes_at: 8, sends: 2 } }],
  },
];

/** A loop of calls, or of accesses to a device, of which none can have another answer. */
const spins = (name: string, guest: string, more: Partial<Broken> = {}): Broken => ({
  ...{ name, guest, keys: ENTROPY, fact: { code: "exit-loop", vcpu: "vcpu:x/0", range: { symbol: /./ } } },
  ...{ next: /^el2 disasm x\/0:/ },
  ...more,
});

const REFUSED = (call: string) => [{ code: "refused", call }] as const;
const LOOPS: readonly Broken[] = [
  spins("waits for a bit of Status that only it sets", "POLL_STATUS"),
  spins("waits for an interrupt of a device that it has not notified", "POLL_INTERRUPT_STATUS"),
  spins("sends with a capability that does not exist", "CALL_REFUSED", { because: REFUSED("doorbell_send") }),
  spins("receives to where no memory is", "RECEIVE_REFUSED", {
    ...{ because: REFUSED("msgqueue_receive"), keys: "" },
    more: guests.vm("SEND_MANY", {}, "y") + QUEUE,
  }),
];

const HEALTHY: readonly Healthy[] = [
  { name: "makes requests, and sleeps until each is answered", guest: "REQUESTS", keys: ENTROPY, until: 0.2e9 },
  { name: "makes them as a VM that the hypervisor schedules", guest: "REQUESTS", ...OWN, until: 0.2e9 },
  { name: "makes requests after a reset, and after a write that was ignored", guest: "REQUESTS_AFTER_RESET", keys: ENTROPY, until: 0.2e9 },
  { name: "makes requests, and polls", guest: "REQUESTS_POLLED", keys: ENTROPY, until: 0.2e9 },
  { name: "makes them, and polls a flag that its handler sets", guest: "REQUESTS_BY_FLAG", keys: ENTROPY, until: 0.2e9 },
  { name: "asks for no interrupt, and looks when its timer fires", guest: "REQUESTS_BY_TIMER", keys: ENTROPY },
  { name: "has room for input, of which there is none", guest: "LISTENS", keys: CONSOLE },
  { name: "waits for a doorbell of which it enabled a flag", guest: "BELL_RUNG", more: guests.vm("RING", {}, "y") + BELL },
  { name: "is woken by every second message", guest: "MESSAGES_RECEIVED", more: guests.vm("SEND_MANY", {}, "y") + QUEUE },
];

const BUSY: readonly Healthy[] = [
  { name: "is refused often, and gives up", guest: "CALL_REFUSED_OFTEN", until: 0.3e9 },
  { name: "polls a queue to which another VM sends", guest: "POLL_QUEUE", more: guests.vm("SEND_MANY", {}, "y") + QUEUE, until: 0.2e9 },
  { name: "polls the interrupt status of a device that it has notified", guest: "POLL_DEVICE", keys: ENTROPY, until: 0.1e9 },
];

const SENDER = guests.vm("SEND_MANY", {}, "y") + QUEUE;
/** An interrupt of this source that a rule of faults drops, where a timer ticks besides. */
const unheard = (name: string, guest: string, source: RegExp, inject: string, more: Partial<Broken> = {}): Broken => ({
  ...{ name, guest, more: SENDER, inject: [inject], fact: { code: "unheard", irq: /^irq:x\/9/, source }, next: /^el2 show irq:x\/9/ },
  because: [{ code: "injected", inject: "inject:1", rule: inject }],
  ...more,
});
const LOST: readonly Broken[] = [
  unheard("a later message, and the timer is far", "MESSAGES_BESIDE_TICKS", /^mq:\d+ rx$/, "virq vm=x source=mq:* nth=3 -> lose", {
    cmdline: "ms=2000",
  }),
  unheard("the first message", "MESSAGES_BESIDE_TICKS", /^mq:\d+ rx$/, "virq vm=x source=mq:* nth=1 -> lose"),
  unheard("each ring of a doorbell", "BELL_BESIDE_TICKS", /^db:\d+$/, "virq vm=x source=db:* -> lose", {
    more: guests.vm("RING", {}, "y") + BELL,
  }),
];
const NOT_LOST: readonly Healthy[] = [
  ...["nth=1 ", "nth=4 ", ""].map((nth) => ({
    ...{ name: `looks at its messages at each tick (${nth}lost)`, guest: "MESSAGES_AT_TICKS", more: SENDER, until: 0.2e9 },
    inject: [`virq vm=x source=mq:* ${nth}-> lose`],
  })),
  { name: "has none that is lost, beside ticks", guest: "MESSAGES_BESIDE_TICKS", more: SENDER, until: 0.2e9 },
];

const TAKER = guests.vm("TAKE_ALL", {}, "y") + QUEUE, ANSWERS = guests.vm("TAKE_AND_ANSWER", {}, "y") + QUEUE;
const LOSES = "virq vm=x source=mq:* nth=3 -> lose";
const ROOM: readonly Broken[] = [
  unheard("it is lost", "FILL_AND_SLEEP", /^mq:\d+ tx$/, LOSES, { more: TAKER }),
  unheard("it is lost beside a timer", "FILL_BESIDE_TICKS", /^mq:\d+ tx$/, LOSES, { cmdline: "ms=50", more: TAKER }),
  stuck("it came before the sleep", "FILL_AND_FORGET", { code: "queue-has-room", end: "sender", count: 0, depth: 8, sends: 8 }, {
    ...{ keys: "", more: TAKER },
  }),
  {
    ...{ name: "its interrupt is not enabled", guest: "FILL_UNASKED", more: TAKER, next: /^el2 show irq:x\/9/ },
    fact: { code: "lost", irq: /^irq:x\/9/, finding: { code: "disabled" } },
  },
  {
    ...{ name: "its interrupt is not enabled, and the receiver waits for more", guest: "FILL_AND_DROP", next: /^el2 show irq:x\/9/ },
    ...{ more: guests.vm("TAKE_ON", {}, "y") + QUEUE, fact: { code: "lost", finding: { code: "disabled" } } },
  },
  {
    ...{ name: "three messages that the receiver leaves", guest: "FILL_AND_SLEEP", cmdline: "empty=1", fact: { code: "deadlock" } },
    ...{ more: guests.vm("TAKE_FIVE", {}, "y") + QUEUE, next: /^el2 queue ls --filter vm=x$/ },
    because: [{ code: "wakeup", state: { code: "messages", end: "sender", count: 3, wakes_at: 0 } }],
  },
];
const HAS_ROOM: readonly Healthy[] = [
  { name: "fills its queue each time that it has room", guest: "FILL_AND_SLEEP", more: TAKER, until: 0.2e9 },
  { name: "fills its queue each time that it is empty", guest: "FILL_AND_SLEEP", cmdline: "empty=1", more: TAKER, until: 0.2e9 },
  { name: "sends at each tick, and hears of no room", guest: "FILL_AT_TICKS", more: TAKER, inject: ["virq vm=x source=mq:* -> lose"] },
  { name: "drops what finds no room, and takes answers", guest: "FILL_AND_DROP", more: ANSWERS, until: 0.2e9 },
  {
    ...{ name: "has sent all, and takes answers", guest: "FILL_TO_THE_END", more: ANSWERS, until: 0.2e9 },
    inject: ["virq vm=x why=*full -> lose"],
  },
];

/** Cards on one network. */
const CARD = { keys: 'devices = [{ kind = "pl011" }, { kind = "net", backend = "pair:lan" }]' };
const beside = (guest: string) => guests.vm(guest, CARD, "y");
const frames = (name: string, more: Partial<Broken>): Broken => ({
  ...{ name, guest: "HEAR_FRAMES", ...CARD, fact: { code: "deadlock" }, next: /^el2 vm devices x$/ },
  ...more,
});
const NETWORK: readonly Broken[] = [
  frames("a VM that waits for one, too", {
    more: beside("HEAR_FRAMES"),
    fact: {
      code: "deadlock",
      steps: [{ vm: "vm:x", what: { by: "vm:y", through: /^dev:x\/net/, until: "send a frame to" } }, { vm: "vm:y", what: { by: "vm:x" } }],
    },
  }),
  frames("a VM that polls for one", {
    more: beside("POLL_FRAMES"),
    fact: {
      code: "deadlock",
      steps: [{ vm: "vm:x" }, { vm: "vm:y", what: { by: "vm:x", through: /^dev:y\/net/, until: "send a frame to" } }],
    },
  }),
  frames("nobody, as the network has no other card", {
    fact: { code: "no-wakeup" },
    next: /^el2 irq ls x$/,
    because: [{ code: "nobody" }],
  }),
];
const ON_NETWORK: readonly Healthy[] = [
  { name: "a VM that sends at ticks", guest: "HEAR_FRAMES", ...CARD, more: beside("SEND_FRAMES"), until: 0.1e9 },
  { name: "a VM that sends at ticks, and polls", guest: "POLL_FRAMES", ...CARD, more: beside("SEND_FRAMES"), until: 0.1e9 },
  { name: "a VM that answers", guest: "SEND_FRAMES", ...CARD, more: beside("ANSWER_FRAMES"), until: 0.1e9 },
  { name: "the computer's network", guest: "HEAR_FRAMES", keys: CARD.keys.replace("pair:lan", "user"), until: 0.1e9 },
];

/** By what the guest waits for in vain, and what looks like it. */
export const BROKEN_SOURCES: Readonly<Record<string, readonly Broken[]>> = {
  "room in a queue of which the sender does not hear": ROOM,
  "an interrupt that is lost beside a timer": LOST,
  "a source that only the guest could start": BROKEN,
  "calls and registers that stay as they are": LOOPS,
  "frames of other VMs": NETWORK,
};
export const HEALTHY_SOURCES: Readonly<Record<string, readonly Healthy[]>> = {
  "room in a queue of which the sender does not hear": HAS_ROOM,
  "an interrupt that is lost beside a timer": NOT_LOST,
  "a source that only the guest could start": HEALTHY,
  "calls and registers that stay as they are": BUSY,
  "frames of other VMs": ON_NETWORK,
};
