// The cost of a busy machine on a link, and the rate of redraws without input.

import assert from "node:assert/strict";
import { Pace } from "../../../../../src/app/tui/app/services/pace.ts";
import { Histories } from "../../../../../src/app/tui/look/history.ts";
import { textBytes } from "../../../../../src/app/tui/terminal/keys.ts";
import type { MachineSample } from "../../../../../src/model/protocol/protocol.ts";
import { Random } from "../../../../support/random.ts";
import { PHONE_SAMPLE, phoneAnswer, phoneRows } from "../../phone.ts";
import { Rig } from "../../rig.ts";

/** Wall time (ms) between two frames on a slow link, and between two pictures of the machine. */
const FRAME = 100;
const PICTURE = 200;
const SECONDS = 10;

/** A machine of which every picture differs from the one before, and a guest that boots. */
function busyRig(width: number, height: number): { readonly rig: Rig; readonly picture: (number: number) => void } {
  const random = new Random(46), rig = new Rig(width, height, { ascii: false }, "direct");
  const events = phoneRows("events");
  let last = 0;
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table === "events") {
      const rows = Array.from({ length: query.args.limit ?? 100 }, (_, row) => {
        const number = last + row;
        return { ...events[number * 7 % events.length], id: `ev:${number}`, t: String(12_481_306_000 + number * 31_000) };
      });
      return { ...answer, rows };
    }
    if (query.table === "vcpu.ls") {
      return {
        ...answer,
        rows: answer.rows.map((row) => ({ ...row, exits: String(random.below(90_000)), exits_rate: random.below(9000) })),
      };
    }
    return answer;
  };
  const picture = (number: number) => {
    rig.time += PICTURE;
    last += 20 + random.below(20);
    const share = () => random.below(100) / 100;
    const sample: MachineSample = {
      ...PHONE_SAMPLE,
      time: PHONE_SAMPLE.time + number * PICTURE * 1e6,
      mips: 150 + random.below(200),
      vms: PHONE_SAMPLE.vms.map((vm) => ({
        ...vm,
        vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, load: share(), state: random.below(2) ? "RUN" as const : "WFI" as const })),
      })),
    };
    if (number % 3 === 0) {
      rig.apply({ kind: "console", console: "debian", bytes: textBytes(`[${number / 5}] device ${number} probed\r\n`) });
    }
    rig.apply({ kind: "sample", sample });
  };
  return { rig, picture };
}

Deno.test("L46: the busy overview takes at most 200, 700 and 1,600 bytes per frame at the three sizes, and none while nothing changes", async () => {
  for (const [width, height, most] of [[80, 24, 200], [120, 36, 700], [200, 60, 1600]] as const) {
    const { rig, picture } = busyRig(width, height);
    await rig.lines();
    rig.frame();
    let bytes = 0;
    const encoder = new TextEncoder();
    for (let frame = 0; frame < SECONDS * 1000 / FRAME; frame++) {
      if (frame % (PICTURE / FRAME) === 0) picture(frame / (PICTURE / FRAME));
      await Promise.resolve();
      bytes += encoder.encode(rig.frame()).length;
    }
    const mean = bytes / (SECONDS * 1000 / FRAME);
    assert.ok(mean > 50 && mean <= most, `${width}x${height}: ${mean} bytes a frame`);
    await rig.lines();
    rig.frame();
    assert.equal(rig.frame(), "", "nothing changes");
  }
});

Deno.test("L48: figures change at most twice per second, streams four times, two in wide terminals; histories once", async () => {
  for (const [width, streams] of [[120, 4], [200, 2]] as const) {
    const { rig, picture } = busyRig(width, 60);
    await rig.lines();
    /** Rows of a part of the screen, and how often they changed. */
    const parts = { history: /[▁▂▃▄▅▆▇]{4}/, events: /write|msgqueue_s|raise/ };
    const changes = { history: 0, events: 0, load: 0 };
    const last = new Map<string, string>();
    const note = (name: keyof typeof changes, text: string) => {
      if (last.has(name) && last.get(name) !== text) changes[name]++;
      last.set(name, text);
    };
    for (let number = 0; number < SECONDS * 1000 / PICTURE; number++) {
      picture(number);
      await Promise.resolve();
      rig.app.draw(rig.screen);
      const lines = rig.screen.toLines();
      const tree = lines.filter((line) => /debian|rt /.test(line) && / runs|waits/.test(line));
      note("load", tree.map((line) => /\d+ %/.exec(line)?.[0]).join());
      note("history", tree.map((line) => parts.history.exec(line)?.[0]).join());
      note("events", lines.filter((line) => parts.events.test(line)).map((line) => line.slice(width / 2)).join());
    }
    assert.ok(changes.load > SECONDS && changes.load <= 2 * SECONDS, `figures: ${changes.load}`);
    assert.ok(changes.events > SECONDS && changes.events <= streams * SECONDS, `events: ${changes.events}`);
    assert.ok(changes.history > 0 && changes.history <= SECONDS + 1, `histories: ${changes.history}`);
  }
});

Deno.test("a VM that ends, a vCPU that fails, a refusal and what is stepped through are never held back", () => {
  const pace = new Pace();
  assert.ok(pace.takes(0, PHONE_SAMPLE, true));
  assert.ok(!pace.takes(200, PHONE_SAMPLE, true));
  assert.ok(pace.takes(210, { ...PHONE_SAMPLE, reasons: 2 }, true));
  assert.ok(pace.takes(220, { ...PHONE_SAMPLE, reasons: 2, vms: PHONE_SAMPLE.vms.slice(1) }, true));
  const failed = PHONE_SAMPLE.vms.map((vm) => ({ ...vm, vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, state: "FAULT" as const })) }));
  assert.ok(pace.takes(225, { ...PHONE_SAMPLE, reasons: 2, vms: failed }, true));
  assert.ok(!pace.takes(228, { ...PHONE_SAMPLE, reasons: 2, vms: failed }, true));
  assert.ok(pace.takes(230, { ...PHONE_SAMPLE, reasons: 2, vms: PHONE_SAMPLE.vms.slice(1) }, false));
});

Deno.test("many bytes and slow writes halve the pace of streams and histories, and calm brings it back", () => {
  const pace = new Pace();
  let now = 0;
  /** Frames of `count` times 5 s, the last of which ends the count. */
  const counts = (count: number, bytes: number, took = 1) => {
    for (let frame = 0; frame < count * 51; frame++) pace.wrote(now += FRAME, bytes, took);
  };
  counts(1, 1500);
  assert.equal(pace.streams(100), 250);
  counts(1, 2000);
  assert.equal(pace.streams(100), 500);
  counts(1, 100, 60);
  assert.deepEqual([pace.streams(100), pace.slowness], [1000, 4]);
  counts(2, 100);
  assert.equal(pace.slowness, 2);
  counts(2, 100);
  assert.deepEqual([pace.streams(100), pace.streams(200), pace.slowness], [250, 500, 1]);

  const histories = new Histories();
  histories.stride = 2;
  const shown: number[] = [];
  for (let second = 0; second <= 8; second++) {
    histories.add(second * 1000, [["x", second]]);
    shown.push(histories.of("x").at(-1)!);
  }
  assert.deepEqual(shown.slice(2), [1, 1, 3, 3, 5, 5, 7], "each other second");
});
