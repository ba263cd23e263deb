// Each way to wait for another VM, with that one in each state: the first four lines name the other
// end and what it does instead. One that serves, or may, is healthy at any instant.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { runUntil } from "../session/inspection/system.ts";
import { LONG } from "../support/long.ts";
import { Random } from "../support/random.ts";
import { ClassGuests, verdictOn } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { LINKS } from "./links.ts";

const guests = await ClassGuests.build("ends");

/** The other VM's activity, in words. */
const NONE_CAN_COME = /vm:y.*none can come/, DEADLOCKED = /deadlocked: waits for .*vm:y.*vm:y for vm:x/;
const STATES: Readonly<Record<string, RegExp>> = {
  DEAF: NONE_CAN_COME,
  TIMER_MASKED: NONE_CAN_COME,
  LOOP: /vm:y.*loops at .*nothing can end it/,
  POLL_OWN: /vm:y.*loops at .*nothing can change what it reads/,
  POLL_BACK: DEADLOCKED,
  FAULT: /vm:y.*took data abort: external abort at .*guest_main.*again and again/,
  CALL: /vm:y.*its calls and accesses to devices have the same answers/,
  OWN_LOCK: /vm:y.*loops at .*nothing can change what it reads/,
  STORM: /vm:y.*irq:y\/27 storm/,
  END: /vm:y.*ended at .*powered itself off/,
  RESET: /vm:y.*ended at .*asked for a reset/,
  CRASH: /vm:y.*ended at .*undefined instruction at/,
  HEAR_BACK: DEADLOCKED,
  TAKE_BACK: DEADLOCKED,
  FILL_BACK: DEADLOCKED,
  POLL_BELL_BACK: DEADLOCKED,
  TURN_OFF: /vm:y.*all its vCPUs are off/,
};
const FIRST_STATE = guests.names.indexOf("DEAF"), WAITS = guests.names.slice(0, FIRST_STATE);
/** Others, of a VM that sends messages to this one. */
const UNHEARD = /vm:y.*is pending and cannot fire: disabled/, AT_ONCE = /vm:y.*is never blocked: its WFI/;
const SENT: Readonly<Record<string, RegExp>> = { DEAF: UNHEARD, TIMER_MASKED: UNHEARD, TAKE_BACK: AT_ONCE };
/** Of a VM that takes messages of this one. */
const TAKEN: Readonly<Record<string, RegExp>> = { FILL_BACK: NONE_CAN_COME };
const WORDS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  HEAR_ROOM: SENT,
  POLL_ROOM: SENT,
  HEAR_MESSAGE: TAKEN,
  POLL_MESSAGE: TAKEN,
};

/** Lines in which a cause has to be. */
const LINES = 4;
/** Virtual time (ns) at which all states are there, and the time after in which they are asked. */
const THERE = 30e6, ASKED_FOR = LONG ? 100e6 : 30e6;

const systemOf = (wait: string, other: string): Promise<GuestSystem> => guests.system(guests.vm(wait) + guests.vm(other, {}, "y") + LINKS);

/** All pairs, or each state with one of the waits. */
const PAIRS = WAITS.flatMap((wait, index) =>
  Object.keys(STATES).filter((_, state) => LONG || state % WAITS.length === index).map((state) => [wait, state] as const)
);

for (const [wait, state] of PAIRS) {
  Deno.test(`${wait} of a VM that does not answer: ${state}`, async () => {
    const system = await systemOf(wait, state), random = new Random(PAIRS.length);
    runUntil(system, THERE + random.below(ASKED_FOR));
    const lines = diagnosisLines(verdictOn(system, "x")).slice(0, LINES).join("\n");
    assert.match(lines, WORDS[wait]?.[state] ?? STATES[state]);
    assert.match(lines, /way out: /);
    assert.notEqual(system.broken().length, 0, "a run would not fail");
  });
}

/** Instants at which healthy ones are asked. */
const INSTANTS = LONG ? 100 : 5;

for (const wait of WAITS) {
  for (const other of ["SERVE", "TICK"]) {
    Deno.test(`${wait} of a VM that may answer: ${other}`, async () => {
      const system = await systemOf(wait, other), random = new Random(wait.length);
      for (const time of Array.from({ length: INSTANTS }, () => random.below(ASKED_FOR)).sort((one, two) => one - two)) {
        runUntil(system, time);
        assertHealthy(system);
        assert.ok(!verdictOn(system, "x").because.some(({ code }) => code === "other-end"));
      }
    });
  }
}
