// The programs that the CPUs of a Linux execute have a line; one of a real-time policy that keeps
// other tasks from its CPU has another, with them and the way out.

import assert from "node:assert/strict";
import { once } from "../../src/kit/support/values/once.ts";
import { type Debian, RELEASES } from "../inside/linux/debian.ts";
import { Random } from "../support/random.ts";
import { verdictOn } from "./broken-linux.ts";
import { waitingOf } from "./waits-guest.ts";

/** Virtual time (ns) between two questions at most, and that all may take. */
const ASKED = 200e6, PATIENCE = 5e9;

const lines = (debian: Debian) => verdictOn(debian).evidence;
const RUNS = /^CPU 0 executes program init \(\d+\), which has run for [\d.]+m?s$/;
const KEEPS = /^program init \(\d+\) of SCHED_FIFO 50 keeps CPU 0 from .+ \(\d+\).* for \d\.\ds; way out: let init sleep between its turns/;

for (const release of RELEASES) {
  const waiting = once(waitingOf(release));
  const told = async (how: string) => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    return debian;
  };

  /** Whether a line is ever there, at random instants: all answers have to be healthy. */
  const everSays = (debian: Debian, seed: number, line: RegExp): boolean => {
    const random = new Random(seed);
    let found = false;
    for (const end = debian.system.machine.time + PATIENCE; debian.system.machine.time < end && !found;) {
      assert.ok(debian.run(1 + random.below(ASKED)));
      assert.ok(verdictOn(debian).healthy, verdictOn(debian).text);
      found = lines(debian).some((one) => line.test(one));
    }
    assert.doesNotMatch(debian.shown, /FAILED/);
    return found;
  };

  Deno.test(`${release}: a program that runs has a line with its name and time`, async () => {
    assert.ok(everSays(await told("look"), 1, RUNS));
  });

  Deno.test(`${release}: a program of SCHED_FIFO that never sleeps is told with those that it keeps from the CPU`, async () => {
    const debian = await told("keep-cpu");
    assert.ok(everSays(debian, 2, KEEPS), lines(debian).join("\n"));
    assert.match(lines(debian)[0], KEEPS);
  });

  for (const how of ["share-cpu", "sleep-first"]) {
    Deno.test(`${release}: a program that lets others have the CPU keeps nobody from it: ${how}`, async () => {
      assert.ok(!everSays(await told(how), how.length, / keeps CPU /));
    });
  }
}
