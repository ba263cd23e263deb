import assert from "node:assert/strict";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import {
  busyShare,
  columnsOf,
  GrowingLanes,
  lanesOf,
  runsBetween,
  type Slice,
  ticksOf,
  waitTimes,
} from "../../../../src/app/tui/panes/vcpus/lanes.ts";
import type { BlockCode } from "../../../../src/machine/abi/trace.ts";
import type { SliceReason } from "../../../../src/model/queries/facts/slice-reason.ts";
import { phoneAnswer, phoneRows } from "../phone.ts";
import { realMachine } from "../real-machine.ts";
import { Rig } from "../rig.ts";

const slice = (t: number, pcpu: number, vcpu: string | null, fact: SliceReason | null = null): Slice => ({
  ...{ id: `ev:${t}${pcpu}`, t: String(t), pcpu, reason: "", fact, seen: fact?.code !== "unseen" },
  vcpu: vcpu && `vcpu:${vcpu}`,
  vm: vcpu && `vm:${vcpu.split("/")[0]}`,
});

const yields = (vcpu: string): SliceReason => ({ code: "yields", vcpu: `vcpu:${vcpu}` });
const waits = (vcpu: string, ...codes: BlockCode[]): SliceReason => ({ code: "waits", vcpu: `vcpu:${vcpu}`, waits: codes });

/** Columns of names in the box of the lanes, and their own. */
const LABEL = 14;
const WIDTH = 120 - 2 - 14;

/** The lane of a name, without its border. */
function lane(lines: readonly string[], name: RegExp): string {
  const line = lines.find((one) => name.test(one.slice(2)));
  assert.ok(line, `${name}\n${lines.join("\n")}`);
  return line.slice(LABEL, LABEL + WIDTH);
}

Deno.test("vCPUs run, are ready, or wait for their VMM, an interrupt or power, as the switches say", () => {
  const lanes = lanesOf([
      slice(100, 0, "a/0"),
      slice(200, 0, "b/0", yields("a/0")),
      slice(300, 0, "a/0", waits("b/0", "mmio")),
      slice(400, 0, null, waits("a/0", "wfi", "vcpu_run")),
      slice(450, 0, "c/0"),
      slice(500, 0, null, waits("c/0", "suspended")),
    ], 600),
    { cpus, vcpus } = lanes;
  assert.deepEqual(vcpus.get("a/0")?.map(({ from, to, state }) => [from, to, state]), [
    [100, 200, "runs"],
    [200, 300, "ready"],
    [300, 400, "runs"],
    [400, 600, "waits"],
  ]);
  assert.deepEqual(vcpus.get("b/0")?.map(({ state }) => state), ["runs", "vmm"]);
  assert.deepEqual(vcpus.get("c/0")?.map(({ state }) => state), ["runs", "suspended"]);
  assert.equal(busyShare(cpus.get(0)!, 100, 600), 350 / 500);
  assert.deepEqual([runsBetween(vcpus.get("a/0")!, 200, 300), runsBetween(vcpus.get("a/0")!, 250, 301)], [false, true]);
  assert.deepEqual([runsBetween(vcpus.get("a/0")!, 400, 900), runsBetween([], 0, 900)], [false, false]);
  assert.deepEqual(waitTimes(lanes), [{ vcpu: "a/0", middle: 100, p99: 100, count: 1 }]);
  assert.deepEqual(columnsOf(cpus.get(0)!, 100, 100, 5).map((span) => span?.vcpu), ["a/0", "b/0", "a/0", undefined, undefined]);
});

Deno.test("lanes that grow are those of all switches, wherever they were cut", () => {
  const rows = [
    slice(100, 0, "a/0"),
    slice(120, 1, "b/0"),
    slice(200, 0, "c/0", yields("a/0")),
    slice(250, 1, null, { code: "unseen" }),
    slice(300, 0, "a/0", waits("c/0", "mmio")),
    slice(400, 0, null, waits("a/0", "wfi")),
    slice(450, 1, "b/0"),
  ];
  const whole = lanesOf(rows, 600);
  for (let cut = 0; cut <= rows.length; cut++) {
    const lanes = new GrowingLanes();
    lanes.add(rows.slice(0, cut), Number(rows[cut - 1]?.t ?? 0));
    lanes.add(rows.slice(cut), 500);
    lanes.add([], 600);
    assert.deepEqual(lanes.cpus, whole.cpus, `${cut}`);
    assert.deepEqual(lanes.vcpus, whole.vcpus, `${cut}`);
  }
});

Deno.test("switches that were told are not asked for again, and stay on the screen", async () => {
  const rig = new Rig();
  let cursor = 0;
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "sched.ls") return answer;
    const { after } = query.args;
    const rows = after === undefined ? answer.rows : [];
    return { ...answer, rows, cursor: `0.${++cursor}`, ...after !== undefined && { after } };
  };
  await rig.type("8");
  const before = await rig.lines(), first = rig.requests.length;
  for (let sample = 0; sample < 60; sample++) {
    rig.time += 1000;
    rig.sample();
    await rig.lines();
  }
  const asked = rig.requests.slice(first).flatMap((request) =>
    request.kind === "query" && request.query.table === "sched.ls" ? [request.query.args.after] : []
  );
  assert.ok(asked.length > 2, "asked anew after so many answers");
  // The list asks once more when it knows how high it is.
  assert.ok(!asked.slice(1).includes(undefined), `${asked}`);
  assert.deepEqual((await rig.lines()).slice(2, 30), before.slice(2, 30));
});

Deno.test("times of the axis are round, and far enough from each other", () => {
  assert.deepEqual(ticksOf(12_470_123_000, 1e5, 100, 18), [12_472_000_000, 12_474_000_000, 12_476_000_000, 12_478_000_000, 12_480_000_000]);
  for (const step of [1e3, 2e4, 5e5, 1e8]) {
    const ticks = ticksOf(7_777_777, step, 120, 18);
    ticks.slice(1).forEach((tick, index) => assert.ok(tick - ticks[index] >= 18 * step));
    for (const tick of ticks) assert.match(String(tick / (ticks[1] - ticks[0] || 1)), /^\d+$/);
  }
});

Deno.test("L29: the cells of a physical CPU's lane are as many as its width; the cursor's time is the chip's", async () => {
  for (const ascii of [true, false]) {
    const rig = new Rig(120, 36, { ascii }, "direct");
    await rig.type("8");
    // From the first slice on something is known of all.
    for (let i = 0; i < 5; i++) await rig.type("-"), await rig.lines();
    for (let i = 0; i < 5; i++) await rig.type("+"), await rig.lines();
    const lines = await rig.lines();
    for (const name of [/^p0 /, /^p1 /]) {
      const y = lines.findIndex((line) => name.test(line.slice(2)));
      const cells = rig.screen.cells(y).slice(LABEL, LABEL + WIDTH);
      const known = cells.filter(({ text, background }) => text !== " " || /^fill/.test(roleOf(background) ?? ""));
      assert.equal(known.length, WIDTH, lines[y]);
    }
    for (const key of ["", "k", "k", "h", "l", "j", "-", "+"]) {
      await rig.type(key);
      const now = await rig.lines();
      const chips = rig.screen.cells(4).slice(LABEL).map((cell, at) => ({ ...cell, at })).filter(({ background }) =>
        roleOf(background) === "accent"
      );
      const text = chips.map((cell) => cell.text).join("").trim();
      const lineAt = rig.screen.cells(8).slice(LABEL).findIndex(({ foreground }) => roleOf(foreground) === "accent");
      assert.ok(lineAt >= chips[0].at && lineAt <= chips.at(-1)!.at, `${key}: line at ${lineAt}, chip from ${chips[0].at}`);
      // Two times of the axis say which time a column has.
      const ticks = [...now[3].matchAll(/(?:\d+)?\.(\d{3}) (\d{3})/g)].map((match) => [match.index - LABEL, Number(match[1] + match[2])]);
      const scale = (ticks.at(-1)![1] - ticks[0][1]) / (ticks.at(-1)![0] - ticks[0][0]);
      const expected = ticks[0][1] + (lineAt - ticks[0][0]) * scale;
      const shown = Number(text.replaceAll(/\D/g, ""));
      assert.ok(Math.abs(shown - expected) <= scale, `${key}: chip ${shown}, line ${expected}`);
    }
  }
});

Deno.test("lanes have VMs' names and fills; without colors their letters", async () => {
  const rig = new Rig(120, 36);
  await rig.type("8");
  const lines = await rig.lines();
  assert.match(lane(lines, /^p0 /), /^Ddebian D+Hhost H+\|debian D+$/);
  assert.match(lane(lines, /^p1 /), /^Trt T+_+\|_+$/);
  assert.match(lane(lines, /^D debian\/0 /), /^D+v+\|D+$/);
  assert.match(lane(lines, /^T rt\/0 /), /^T+_+\|_+$/);
  assert.match(lane(lines, /^H host\/0 /), /^r+H+\|r+$/);
  const text = lines.join("\n");
  assert.match(text, /# runs {3}r ready, no CPU {3}v its VMM {3}_ waits {3}\. suspended/);
  assert.match(text, /\.478 000 p0 {2}host\/0 yields to debian\/0: it can run, but its turn is over/);
  assert.match(text, /before {3}debian\/0 waited 4\.0 ms for its VMM/);
  assert.match(text, /Waits for a CPU[^]*H host\/0 +#+ +4\.0 ms +4\.0 ms/);
  assert.match(text, /12\.474000 {2}p0 {3}H host\/0 +debian\/0 waits for vcpu_run/);
});

Deno.test("j k h l move the cursor, which then stays where it is; G follows what comes", async () => {
  const rig = new Rig(120, 36);
  await rig.type("8");
  assert.match(await rig.text(), /Timeline =.*o follows/);
  await rig.type("k");
  assert.match(await rig.text(), /Timeline =.*G follows[^]*\.474 000 p0 {2}debian\/0 yields to host\/0: it waits for vcpu_run/);
  await rig.type("k");
  assert.match(await rig.text(), /\.472 000 p1 {2}rt\/0 leaves the CPU idle: it waits for an interrupt \(WFI\)/);
  const before = await rig.lines();
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return { ...answer, at: { ...answer.at, ns: "12490000000" } };
  };
  rig.time += 1000;
  rig.sample();
  assert.deepEqual((await rig.lines()).slice(3, 18), before.slice(3, 18), "what comes moves nothing");
  await rig.type("G");
  assert.match(await rig.text(), /Timeline =.*o follows[^]*\.478 000 p0 {2}host\/0 yields/);
});

Deno.test("a lane is blank where nobody recorded who ran", async () => {
  const rig = new Rig(120, 36);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "sched.ls") return answer;
    const [first] = answer.rows;
    const unseen = { ...first, id: "ev:9", t: "12474000000", pcpu: 1, vcpu: null, vm: null, seen: false };
    const again = { ...first, id: "ev:10", t: "12477000000", pcpu: 1, vcpu: "vcpu:rt/0", vm: "vm:rt" };
    return { ...answer, rows: [...answer.rows, unseen, again].sort((a, b) => Number(a.t) - Number(b.t)) };
  };
  await rig.type("8");
  assert.match(lane(await rig.lines(), /^p1 /), /^Trt T+_+ +Trt T+\|T+$/);
});

Deno.test("while nothing is switched for long, what follows has the newest switch in sight", async () => {
  const rig = new Rig(120, 36);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return { ...answer, at: { ...answer.at, ns: "15000000000" } };
  };
  await rig.type("8");
  assert.match(lane(await rig.lines(), /^p0 /), /H\|debian D+$/);
});

Deno.test("a machine at rest has its last ten switches in sight, and a scale that was chosen stays", async () => {
  const rig = new Rig(120, 36), quarter = 250_000_000, first = 12_474_000_000;
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "sched.ls") return answer;
    // The CPU runs for 1 ms of each quarter of a second.
    const rows = Array.from({ length: 40 }, (_, index) => {
      const at = first + Math.floor(index / 2) * quarter + index % 2 * 1_000_000;
      return index % 2 ? slice(at, 0, null, waits("debian/0", "wfi")) : slice(at, 0, "debian/0");
    });
    return { ...answer, rows, at: { ...answer.at, ns: String(first + 20 * quarter) } };
  };
  const seen = async () => (lane(await rig.lines(), /^p0 /).match(/D+/g) ?? []).length;
  await rig.type("8");
  assert.match(await rig.text(), /1 column 50\.0 ms/);
  assert.ok(await seen() >= 5, (await rig.lines()).join("\n"));
  await rig.type("+");
  assert.match(await rig.text(), /1 column 20\.0 ms/);
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /1 column 20\.0 ms/);
});

Deno.test("the timeline says that it loads, that nothing was recorded, and which error occurred", async () => {
  const rig = new Rig(80, 24);
  rig.answer = (query) => ({ ...phoneAnswer(query), rows: query.table === "sched.ls" ? [] : phoneRows(query.table) });
  await rig.type("8");
  assert.match(await rig.text(), /No scheduling event was recorded yet\.[^]*They are recorded while this screen is open\./);
  rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error: "the machine has ended" });
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /the machine has ended/);
});

Deno.test("no pane says that nobody waited for a CPU before a switch is known", async () => {
  const rig = new Rig();
  const whole = rig.answer;
  rig.answer = (query) => ({ ...whole(query), rows: query.table === "sched.ls" ? [] : phoneRows(query.table) });
  await rig.type("8");
  const text = await rig.text();
  assert.match(text, /Waits for a CPU/);
  assert.doesNotMatch(text, /No vCPU waited/);
});

Deno.test("the reasons of a real machine's switches are shown with the vCPU by its name", async () => {
  const rig = new Rig(200, 60, {}, "16", await realMachine());
  await rig.keys("8");
  const text = await rig.text();
  assert.match(text, / yields/);
  assert.doesNotMatch(text, /vcpu:/);
});

Deno.test("lanes are blank before anything was recorded, and say so", async () => {
  const rig = new Rig(120, 36);
  const whole = rig.answer;
  // As much was recorded as shows in a quarter of the width.
  rig.answer = (query) => {
    const answer = whole(query), first = Number(answer.rows[0]?.t);
    return query.table === "sched.ls"
      ? { ...answer, rows: answer.rows.map((row) => ({ ...row, t: String(first + (Number(row.t) - first) / 4) })) }
      : answer;
  };
  await rig.type("8");
  const lines = await rig.lines();
  assert.match(lane(lines, /p0 .*%/), /^\s*not recorded {10,}[HD]/);
  assert.match(lane(lines, /D debian\/0/), /^ {20,}D/);
  assert.match(lane(lines, /T rt\/0/), /^ {20,}T[T_]+/);
});

Deno.test("each physical CPU has a lane; a picture that is older than its width says how old; the chip covers no time of the axis", async () => {
  const rig = new Rig(120, 36);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    // Nothing was recorded of p0, and nothing for half a minute.
    const rows = query.table === "sched.ls"
      ? answer.rows.filter(({ pcpu }) => pcpu !== 0)
      : query.table === "vcpu.ls"
      ? answer.rows.map((row, index) => ({ ...row, pcpu: `pcpu:${index % 2}` }))
      : answer.rows;
    return { ...answer, rows, at: { ...answer.at, ns: "43478000000" } };
  };
  await rig.type("8");
  const text = await rig.text();
  assert.match(text, /Timeline =.*o follows {2}newest 31\.\d s ago/);
  assert.match(text, /\n\|.p0 +\?/);
  assert.match(text, /\n\|.p1 +\d+ %/);
  const small = new Rig(100, 16, { ascii: false }, "direct");
  await small.type("8");
  for (const key of ["", "h", "h", "l", "k"]) {
    await small.type(key);
    const lines = await small.lines(), y = lines.findIndex((line, row) => row > 1 && /\.\d{3} \d{3}/.test(line));
    const axis = lines[y];
    const chips = small.screen.cells(y).map((cell, at) => ({ ...cell, at })).filter(({ background }) => roleOf(background) === "accent");
    assert.ok(chips.length, lines.join("\n"));
    const [left, right] = [chips[0].at, chips.at(-1)!.at];
    assert.equal(axis[left - 1], " ", axis);
    assert.ok(!/\d/.test(axis[right + 1] ?? " "), axis);
    const rest = `${axis.slice(0, left)} ${" ".repeat(right - left)}${axis.slice(right + 1)}`;
    for (const part of rest.match(/[\d.]+( \d+)*/g) ?? []) assert.match(part, /^(\d+)?\.\d{3}( \d{3})?$/, axis);
  }
});
