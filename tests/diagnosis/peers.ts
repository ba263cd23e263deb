// VMs that wait for another one: in vain, with what the other does instead, and healthy ones that
// look like them.

import type { Broken, Healthy } from "./class-cases.ts";
import { ClassGuests, type FactPart, type Setting } from "./class-guests.ts";
import { LINKS } from "./links.ts";

export const guests = await ClassGuests.build("peers");

/** The other VM, and what links both. */
export const peer = (guest: string, setting: Setting = {}) => guests.vm(guest, setting, "y") + LINKS;

/** Waits in vain for a VM that does this, and on which this is the verdict. */
const vain = (name: string, guest: string, other: string, does: string, fact: FactPart, next = /^el2 diagnose y$/): Broken => ({
  ...{ name, guest, more: peer(other), next, first: "other-end" },
  fact: { code: "awaits-dead", what: { by: "vm:y", irq: /^irq:x\/96\d/ }, does },
  because: [{ code: "other-end", vm: "vm:y", fact }],
});

/** The same of a VM that has ended, with its time. */
const after = (name: string, guest: string, other: string, does: string, fact: FactPart): Broken => ({
  ...vain(name, guest, other, does, fact, /^el2 why vm:y$|^el2 why --about vm:y$/),
  because: [{ code: "other-end", vm: "vm:y", fact, ended_ns: /^2\d{7}/ }],
});

const IN_VAIN: readonly Broken[] = [
  vain("polls memory of its own", "LISTEN", "POLL_OWN_MEMORY", "loops", { code: "spins", reads: 1, range: { symbol: /^guest_main/ } }),
  vain("loops", "LISTEN", "LOOP", "loops", { code: "spins", reads: 0 }),
  vain("faults", "LISTEN", "FAULT_FOR_EVER", "faults", { code: "fault-loop", at: { symbol: /^guest_main/ } }),
  vain("sleeps, and nothing wakes it", "LISTEN", "SLEEP_DEAF", "waits", { code: "no-wakeup" }),
  vain("does not hear its bell", "ASK_BY_BELL", "SLEEP_DEAF", "waits", { code: "lost", irq: /^irq:y\/96/, finding: { code: "disabled" } }),
  {
    ...vain("does not hear of messages", "ASK_BY_MESSAGE", "SLEEP_DEAF", "waits", { code: "lost", finding: { code: "disabled" } }),
    because: [{ code: "untaken", by: "vm:y", through: /^mq:/, messages: { count: 1, refused: false }, irq: /^irq:y\/96/ }],
  },
  vain("takes nothing of a full queue", "FILL_AND_LISTEN", "SLEEP_DEAF", "waits", { code: "lost", finding: { code: "disabled" } }),
  after("has powered itself off", "LISTEN", "END", "ended", { code: "off" }),
  after("has powered itself off before it answers", "ASK_BY_MESSAGE", "END", "ended", { code: "off" }),
  {
    ...after("has powered itself off with a full queue", "FILL_AND_LISTEN", "END", "ended", { code: "off" }),
    because: [{ code: "untaken", by: "vm:y", through: /^mq:/, messages: { count: 8, refused: true } }],
  },
  after("has asked for a reset", "LISTEN", "RESET", "failed", { code: "failed", how: /SYSTEM_RESET/ }),
  after("was stopped by an exception", "ASK_BY_BELL", "CRASH", "failed", { code: "failed", how: /undefined instruction/ }),
];

const ANSWERED: readonly Healthy[] = [
  { name: "a VM that ticks", guest: "LISTEN", more: peer("TICK") },
  { name: "answers by a bell", guest: "ASK_BY_BELL", more: peer("ANSWER_BELL"), until: 0.1e9 },
  { name: "answers at ticks to a bell that is not heard", guest: "ASK_BY_BELL", more: peer("ANSWER_LATE") },
  { name: "answers by messages", guest: "ASK_BY_MESSAGE", more: peer("ANSWER_MESSAGE"), until: 0.1e9 },
  { name: "room in a queue of a VM that ticks", guest: "FILL_AND_LISTEN", more: peer("TICK") },
  { name: "a VM that is started by hand", guest: "LISTEN", more: peer("TICK", { keys: 'start = "manual"' }) },
  { name: "a VM that starts again each time that it ends", guest: "LISTEN", more: peer("END", { keys: 'on_exit = "restart"' }) },
];

/** Both wait for each other; evidence shows why. */
const ring = (name: string, guest: string, other: string, because: Broken["because"], more: Partial<Broken> = {}): Broken => ({
  ...{ name, guest, more: peer(other), because, next: /^el2 queue ls --filter vm=x$/ },
  fact: {
    code: "deadlock",
    steps: [{ vm: "vm:x", what: { by: "vm:y" }, at: { symbol: /./ } }, { vm: "vm:y", what: { by: "vm:x" }, at: { symbol: /./ } }],
  },
  ...more,
});

const SENT = { code: "swallowed", by: "vm:x" } as const;
const SENDS: readonly Broken[] = [
  ring("a ring whose flag is masked", "LISTEN_TO_ANOTHER_FLAG", "RING_ONCE", [
    { code: "unheard-ring", bell: /^db:/, sends: 1, flags: "0x1", wakes: "0x2" },
  ], { first: "unheard-ring" }),
  ring("two rings that are one", "ASK_TWICE", "ANSWER_ONCE", [{ code: "merged-ring", through: /^db:/, by: "vm:x", sends: 2 }]),
  ring("a ring without a flag", "RING_NOTHING", "ANSWER_BELL", [{ ...SENT, through: /^db:/, why: "no-flag" }], { first: "swallowed" }),
  ring("a message without bytes", "SEND_NOTHING", "ANSWER_MESSAGE", [{ ...SENT, through: /^mq:/, why: "empty" }], { first: "swallowed" }),
];

/** The other end waits for it, and is told, too. */
const REFUSED = { code: "refused-send", vm: "vm:x", call: "msgqueue_send", at: { symbol: /^guest_main/ }, why: /^why:/ } as const;
const REFUSED_SENDS: readonly Broken[] = [
  ring("a message that is too big", "SEND_TOO_MUCH", "ANSWER_MESSAGE", [{ ...REFUSED, limit: 64 }], { first: "refused-send" }),
  ring("a message to the queue of the other direction", "SEND_THE_WRONG_WAY", "ANSWER_MESSAGE", [REFUSED], { first: "refused-send" }),
];

const HEARD: readonly Healthy[] = [
  { name: "a message that is too big, and then one that is not", guest: "SEND_MUCH", more: peer("ANSWER_MESSAGE"), until: 0.1e9 },
  { name: "rings of which every second one is heard", guest: "LISTEN_TO_ANOTHER_FLAG", more: peer("RING_TWO_FLAGS") },
  { name: "rings of a flag that is masked, by a VM that may ring another", guest: "LISTEN_TO_ANOTHER_FLAG", more: peer("RING") },
  { name: "two rings for each answer", guest: "ASK_TWICE", more: peer("ANSWER_BELL"), until: 0.1e9 },
  { name: "one flag of many", guest: "ASK_BY_BELL", more: peer("HEAR_ONE_FLAG"), until: 0.1e9 },
  { name: "a message without bytes before others", guest: "SEND_SOMETHING", more: peer("ANSWER_MESSAGE"), until: 0.1e9 },
];

const POLLED: readonly Broken[] = [
  ring("a bell, and memory that its ringer polls", "LISTEN_AND_WRITE", "POLL_BOARD", [
    { code: "step", vm: "vm:y", what: { by: "vm:x", through: "ipa:y/0x40001000", until: "write" } },
  ]),
];
const WRITTEN: readonly Healthy[] = [
  { name: "a bell, and memory that both write", guest: "LISTEN_AND_WRITE", more: peer("WRITE_AND_RING") },
  { name: "memory that the other polls, and writes at ticks", guest: "WRITE_AT_TICKS", more: peer("POLL_BOARD"), until: 0.1e9 },
];

/** Polls a queue or a doorbell of a VM that does nothing for it. */
const inVain = (name: string, guest: string, other: string, polls: Readonly<Record<string, unknown>>): Broken => ({
  ...{ name, guest, more: peer(other), next: /^el2 disasm x/, fact: { code: "exit-loop" } },
  ...{ because: [{ code: "polls", ...polls }], first: "other-end" },
});
const polledRing = (name: string, guest: string, other: string, what: Readonly<Record<string, unknown>>): Broken => ({
  ...{ name, guest, more: peer(other), next: /^el2 disasm x/ },
  fact: {
    code: "deadlock",
    steps: [{ vm: "vm:x", what: { by: "vm:y", ...what }, at: { symbol: /./ } }, { vm: "vm:y", what: { by: "vm:x" } }],
  },
});
const MESSAGES = { call: "msgqueue_receive", through: /^mq:/, until: "send to", by: "vm:y" } as const;
const BELL = { call: "doorbell_receive", through: /^db:/, until: "ring", by: "vm:y" } as const;
const ROOM = { call: "msgqueue_send", through: /^mq:/, until: "receive from", by: "vm:y" } as const;

const POLLED_CALLS: readonly Broken[] = [
  polledRing("messages of a VM that waits for one", "POLL_MESSAGES", "ANSWER_MESSAGE", { through: /^mq:/, until: "send to" }),
  polledRing("a bell of a VM that waits for its own", "POLL_BELL", "ANSWER_BELL", { through: /^db:/, until: "ring" }),
  polledRing("messages of a VM that polls, too", "POLL_MESSAGES", "POLL_MESSAGES", { through: /^mq:/, until: "send to" }),
  inVain("messages of a VM that has ended", "POLL_MESSAGES", "END", { ...MESSAGES, ended: true }),
  inVain("messages of a VM that sleeps for ever", "POLL_MESSAGES", "SLEEP_DEAF", { ...MESSAGES, ended: false }),
  inVain("a bell of a VM that has ended", "POLL_BELL", "END", { ...BELL, ended: true }),
  inVain("room in a queue of a VM that loops", "POLL_ROOM", "LOOP", { ...ROOM, ended: false }),
];
const POLLED_IN_TIME: readonly Healthy[] = [
  { name: "messages that come at ticks", guest: "POLL_MESSAGES", more: peer("SEND_AT_TICKS"), until: 0.1e9 },
  { name: "a bell that is rung at ticks", guest: "POLL_BELL", more: peer("RING"), until: 0.1e9 },
  { name: "room in a queue that is emptied at ticks", guest: "POLL_ROOM", more: peer("TAKE_AT_TICKS"), until: 0.1e9 },
  {
    name: "messages of a VM that is started by hand",
    guest: "POLL_MESSAGES",
    more: peer("TICK", { keys: 'start = "manual"' }),
    until: 0.1e9,
  },
  { name: "a bell of a VM that starts again", guest: "POLL_BELL", more: peer("END", { keys: 'on_exit = "restart"' }), until: 0.1e9 },
];

/** By what the guest waits for. */
export const BROKEN_PEERS: Readonly<Record<string, readonly Broken[]>> = {
  "waits for a VM that does something else": IN_VAIN,
  "sends that arrive nowhere": SENDS,
  "sends that are refused": REFUSED_SENDS,
  "a ring of different waits": POLLED,
  "polls in vain": POLLED_CALLS,
};
export const HEALTHY_PEERS: Readonly<Record<string, readonly Healthy[]>> = {
  "waits for a VM that does something else": ANSWERED,
  "sends that arrive nowhere": HEARD,
  "a ring of different waits": WRITTEN,
  "polls in vain": POLLED_IN_TIME,
};
