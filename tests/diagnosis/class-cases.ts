// Cases of a class of verdicts, and their tests: guests that are broken in its way get the verdict
// soon and whenever one asks, with cause and place as facts; healthy look-alikes are asked every
// 10 ms of virtual time, and nothing is found wrong with them.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import type { Evidence } from "../../src/model/queries/facts/evidence.ts";
import { runUntil } from "../session/inspection/system.ts";
import { type ClassGuests, type FactPart, fits, type Setting, verdictOn } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { saidSoon } from "./soon.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) between two questions. */
const ASKED = 10e6;
/** Instants at which a verdict is compared with that of a millisecond later. */
const INSTANTS = LONG ? 1000 : 2;
/** Virtual time (ns) for which healthy ones are asked. */
const HEALTHY = LONG ? 5e9 : 0.25e9;

export interface Broken extends Setting {
  readonly name: string;
  readonly guest: string;
  /** Other sections of the configuration. */
  readonly more?: string;
  readonly fact: FactPart;
  /** Lines of evidence that are among those given. */
  readonly because?: readonly ({ readonly code: Evidence["code"] } & Readonly<Record<string, unknown>>)[];
  readonly next: RegExp;
  /** The first of its evidence. */
  readonly first?: Evidence["code"];
}

/** Evidence of what is idle, and of failures, which comes before it. */
const IDLE: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>(["nothing-set", "no-driver", "asleep"]);
const FAILED: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>(["cause", "refused", "unanswered", "lost-sgi", "start-refused"]);

export interface Healthy extends Setting {
  readonly name: string;
  readonly guest: string;
  readonly more?: string;
  /** Virtual time (ns) for which it is asked. */
  readonly until?: number;
}

/** The verdict at a time, without what changes with time alone. */
function said(system: GuestSystem) {
  const { verdict, fact } = verdictOn(system, "x");
  return { verdict, fact };
}

/** Each broken guest gets its verdict soon, and keeps it. */
export function testBroken(guests: ClassGuests, kinds: Readonly<Record<string, readonly Broken[]>>): void {
  for (const [kind, cases] of Object.entries(kinds)) {
    for (const broken of cases) {
      const { name, guest, more = "", fact, because = [], next, first } = broken;
      Deno.test(`${kind}: ${name}`, async () => {
        const system = await saidSoon(() => guests.system(guests.vm(guest, broken) + more, broken.inject), "x");
        const row = verdictOn(system, "x");
        assert.ok(fits(row.fact, fact), `${row.text}\n${JSON.stringify(row.fact, undefined, 1)}`);
        for (const line of because) {
          assert.ok(row.because.some((one) => fits(one, line)), JSON.stringify({ line, of: row.because }, undefined, 1));
        }
        assert.match(row.next ?? "", next);
        const codes = row.because.map(({ code }) => code), firstIdle = codes.findIndex((code) => IDLE.has(code));
        if (first !== undefined) assert.equal(codes[0], first, codes.join());
        assert.ok(firstIdle < 0 || codes.findLastIndex((code) => FAILED.has(code)) < firstIdle, codes.join());
        assert.ok(row.way_out !== null, `${row.text} has no way out`);
        const reported = system.broken();
        assert.ok(reported.some((text) => text.startsWith("x: ")), `a run would not fail: ${reported}`);
        assertLasting(system, said, INSTANTS);
      });
    }
  }
}

/** None of them is ever sick. */
export function testHealthy(guests: ClassGuests, kinds: Readonly<Record<string, readonly Healthy[]>>): void {
  for (const [kind, cases] of Object.entries(kinds)) {
    for (const healthy of cases) {
      Deno.test(`looks like ${kind}: ${healthy.name}`, async () => {
        const system = await guests.system(guests.vm(healthy.guest, healthy) + (healthy.more ?? ""), healthy.inject);
        for (let time = ASKED; time <= (LONG ? HEALTHY : Math.min(healthy.until ?? HEALTHY, HEALTHY)); time += ASKED) {
          runUntil(system, time);
          assertHealthy(system);
        }
        assert.deepEqual([system.ended(), system.broken()], [undefined, []]);
        assert.doesNotMatch(system.consoles.tail("x"), /no effect|CPU_ON/);
      });
    }
  }
}
