import assert from "node:assert/strict";
import fc from "fast-check";
import { KtapReader } from "../../../src/app/scenarios/ktap.ts";
import { caseText } from "../../../src/app/scenarios/step-failure.ts";
import { LONG } from "../../support/long.ts";
import { cpuTime } from "../../support/cpu-time.ts";

function read(text: string): KtapReader {
  const reader = new KtapReader();
  for (const line of text.split("\n")) reader.add(line);
  return reader;
}

/** The cases of a report, a line each. */
function cases(text: string): string[] {
  return read(text).cases().map(({ path, result, message }) =>
    `${result} ${caseText(path)}${message === undefined ? "" : ` (${message})`}`
  );
}

const GAP = "no result: the line is missing, or the test did not end";

/** As kernels print it, in which the second suite has a test that did not end. */
const KUNIT = `KTAP version 1
1..2
    KTAP version 1
    # Subtest: numbers
    # module: numbers_test
    1..3
    ok 1 adds
    ok 2 divides # SKIP no divider
    # shifts: EXPECTATION FAILED at lib/numbers_test.c:7
    not ok 3 shifts
# numbers: pass:1 fail:1 skip:1 total:3
not ok 1 numbers
    KTAP version 1
    # Subtest: queues
    1..4
    ok 1 pushes
[    0.500000] random line of printk
    not ok 2 pops # TIMEOUT 45 seconds
    ok 3 peeks
not ok 2 queues`;

Deno.test("tests in tests are cases; a skip is a skip, a timeout fails, and so does a test without a result", () => {
  const wanted = [
    "ok numbers: adds",
    "skipped numbers: divides (no divider)",
    "failed numbers: shifts (not ok)",
    "ok queues: pushes",
    "failed queues: pops (timed out: 45 seconds)",
    "ok queues: peeks",
    `failed queues: test 4 (${GAP})`,
  ];
  assert.deepEqual(cases(KUNIT), wanted);
  assert.deepEqual(read(KUNIT).cases()[2].details, ["# shifts: EXPECTATION FAILED at lib/numbers_test.c:7"]);
  const stamped = KUNIT.split("\n").map((line, index) => line.startsWith("[") ? line : `[    0.06${1000 + index}] ${line}\r`).join("\n");
  assert.deepEqual(cases(stamped), wanted, "with the kernel's time before each line");
  const threads = KUNIT.split("\n").map((line) => line.startsWith("[") ? line : `<6>[    0.060000][   T12] ${line}`).join("\n");
  assert.deepEqual(cases(threads), wanted, "with level and thread");
  assert.deepEqual(cases(KUNIT.replaceAll("    ", "\t").replaceAll("\tKTAP version 1\n", "")), wanted, "as older kernels wrote it");
});

Deno.test("a kselftest writes the reports of its programs as comments", () => {
  const report = `TAP version 13
1..4
# timeout set to 45
# selftests: futex: run.sh
# TAP version 13
# 1..1
# # Testing something
# ok 1 futex_wait
# # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0
# TAP version 13
# 1..2
# #  RUN           global.requeue ...
# #            OK  global.requeue
# ok 1 global.requeue
# # wait.c:12:wait:Expected 1 (1) == 2 (2)
# not ok 2 global.wait
ok 1 selftests: futex: run.sh
# selftests: timers: posix_timers
# ok so far
not ok 2 selftests: timers: posix_timers # exit=1
# selftests: timers: rtctest
# 1..0 # SKIP no clock
ok 3 selftests: timers: rtctest # SKIP
# selftests: timers: nanosleep
#
not ok 4 selftests: timers: nanosleep # TIMEOUT 45 seconds`;
  assert.deepEqual(cases(report), [
    "ok selftests: futex: run.sh: futex_wait",
    "ok selftests: futex: run.sh: global.requeue",
    "failed selftests: futex: run.sh: global.wait (not ok)",
    "failed selftests: timers: posix_timers (not ok: exit=1)",
    "skipped selftests: timers: rtctest (no clock)",
    "failed selftests: timers: nanosleep (timed out: 45 seconds)",
  ]);
  assert.deepEqual(read(report).cases()[2].details?.at(-1), "# # wait.c:12:wait:Expected 1 (1) == 2 (2)");
});

Deno.test("TAP of versions 12 to 14: a plan at the end, no numbers, YAML, subtests, TODO, escapes", () => {
  const report = `TAP version 14
ok - first
not ok - second
  ---
  message: 'ok 7 is not a result'
  ok 9 nor this
  ...
    # Subtest: third
    ok 1 - inner \\# 1
    not ok 2 - inner # TODO later
    1..2
ok 3 - third
ok 4 - # SKIP no net
1..4`;
  assert.deepEqual(cases(report), [
    "ok first",
    "failed second (not ok)",
    "ok third: inner # 1",
    "skipped third: inner (expected to fail: later)",
    "skipped test 4 (no net)",
  ]);
  assert.deepEqual(read(report).cases()[1].details, ["message: 'ok 7 is not a result'"]);
  assert.deepEqual(cases("1..0 # SKIP no device"), ["skipped the report (no device)"]);
  assert.deepEqual(cases("1..2\nok 1 a\nBail out! no memory"), ["ok a", "failed Bail out! (no memory)"]);
});

Deno.test("what contradicts the plan fails, whatever the tests say", () => {
  assert.deepEqual(cases("1..2\nok 1 a\nok 1 a"), ["ok a", "ok a", "failed a (number 1 is there twice)", `failed test 2 (${GAP})`]);
  assert.deepEqual(cases("1..3\nok 1 a\nok 1 b"), ["ok a", "ok b", "failed b (number 1 is there twice)", `failed tests 2 to 3 (${GAP})`]);
  assert.deepEqual(cases("1..1\nok 1 a\nok 2 b"), ["ok a", "ok b", "failed b (number 2 is not in the plan, 1..1)"]);
  assert.deepEqual(cases("1..999999999\nok 3 a\nok 7 b"), [
    "ok a",
    "ok b",
    `failed tests 1 to 2 (${GAP})`,
    `failed tests 4 to 6 (${GAP})`,
    `failed tests 8 to 999999999 (${GAP})`,
  ]);
  assert.deepEqual(cases("TAP version 13\nok 1 a"), ["failed the report (the report has no plan)", "ok a"]);
  const gaveUp = "TAP version 13\n1..1\n# TAP version 13\n# 1..5\n# ok 1 a\n# ok 2 # SKIP no device\nok 1 selftests: x: y # SKIP";
  assert.deepEqual(
    cases(gaveUp),
    ["ok selftests: x: y: a", "skipped selftests: x: y: test 2 (no device)"],
    "a program skips the rest of its plan",
  );
  assert.deepEqual(cases(gaveUp.replace(/# ok.*\n/g, "")), ["skipped selftests: x: y"]);
  assert.ok(cases(gaveUp.replace("y # SKIP", "y")).includes(`failed selftests: x: y: tests 3 to 5 (${GAP})`));
  assert.deepEqual(cases("KTAP version 1\n1..1\n    1..1\n    not ok 1 in\nok 1 out"), ["failed out: in (not ok)"]);
  assert.deepEqual(cases("KTAP version 1\n1..1\n    1..1\n    ok 1 in\nnot ok 1 out"), ["ok out: in", "failed out (not ok)"]);
});

Deno.test("a line that the kernel has torn is whole again, and a suite that was cut off is said", () => {
  const torn = "1..2\nok 1 pu[    1.234567] random: line of printk\nshes\nnot ok 2 pops[    1.500000] another\n\n";
  assert.deepEqual(cases(torn), ["ok pushes", "failed pops (not ok)"]);
  assert.deepEqual(cases("1..1\n# [    1.234567] ok 1 quoted\nok 1 a"), ["ok a"], "a comment is not torn");
  const cut = KUNIT.slice(0, KUNIT.indexOf("    ok 3 peeks"));
  assert.deepEqual(cases(cut).slice(-2), [`failed queues: tests 3 to 4 (${GAP})`, `failed test 2 (${GAP})`]);
});

Deno.test("a report ends with its plan, its last line or the next report", () => {
  const ended = (text: string) => read(text).complete;
  assert.equal(ended(KUNIT), true);
  assert.equal(ended(KUNIT.slice(0, -"not ok 2 queues".length)), false);
  assert.equal(ended("TAP version 13\nok 1 a\n"), false);
  assert.equal(ended("TAP version 13\nok 1 a\n1..1"), true);
  assert.equal(ended("1..2\nok 1 a\nTAP version 13"), true);
  assert.equal(read("ok 1 a\nBail out!\n---\nplan").begun, false, "text that is not a report");
});

/** Lines of which streams are made: those of reports, in any order. */
const WORDS = fc.constantFrom(...KUNIT.split("\n"), "1..999999999", "1..0 # SKIP x", "TAP version 13", "  ---", "  ...", "Bail out!", "# ");
const LINE = fc.oneof(
  WORDS,
  fc.tuple(fc.nat(400), WORDS).map(([depth, text]) => " ".repeat(depth) + text),
  fc.tuple(fc.nat(60), WORDS).map(([depth, text]) => "# ".repeat(depth) + text),
  fc.tuple(WORDS, fc.nat(20), WORDS).map(([a, at, b]) => a.slice(0, at) + b),
  fc.string({ unit: "binary", maxLength: 30 }),
);

/** A report as tests in tests; a leaf is whether it is ok. */
type Tree = readonly (boolean | Tree)[];

const { tree: TREE } = fc.letrec<{ tree: Tree; node: boolean | Tree }>((tie) => ({
  tree: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
  node: fc.oneof({ depthSize: "small" }, fc.boolean(), tie("tree")),
}));

const isWell = (node: boolean | Tree): boolean => typeof node === "boolean" ? node : node.every(isWell);

/** The lines of a report. */
function written(tree: Tree, indent: string, before = ""): string[] {
  const results = tree.flatMap((node, index) => [
    ...typeof node === "boolean" ? [] : written(node, indent, before + indent),
    `${before}${isWell(node) ? "ok" : "not ok"} ${index + 1} t${index + 1}`,
  ]);
  return [`${before}KTAP version 1`, `${before}1..${tree.length}`, ...results];
}

/** The cases of a report. */
function leaves(tree: Tree, path: readonly string[] = []): string[] {
  return tree.flatMap((node, index) => {
    const own = [...path, `t${index + 1}`];
    return typeof node === "boolean" ? [`${node ? "ok" : "failed"} ${caseText(own)}`] : leaves(node, own);
  });
}

Deno.test("each report gives its tests, between and within which the kernel may write, and one without a line of its results is not well", () => {
  const indents = fc.constantFrom("    ", "  ", "\t", "# ");
  fc.assert(
    fc.property(TREE, indents, fc.array(fc.tuple(fc.nat(), fc.nat(30)), { maxLength: 4 }), fc.nat(), (tree, indent, printk, lost) => {
      const lines = written(tree, indent), shown = [...lines];
      // From the last one, so that places stay; one in a line comes after its first letter.
      for (const at of [...new Set(printk.map(([at]) => at % lines.length))].sort((a, b) => b - a)) {
        const words = lines[at].search(/[a-zA-Z1]/) + 1, column = printk.find(([one]) => one % lines.length === at)![1];
        const stamp = "[   12.345678] usb 1-1: reset";
        if (column === 0) shown.splice(at, 0, stamp);
        else {
          const place = Math.min(words + column, lines[at].length);
          shown.splice(at, 1, lines[at].slice(0, place) + stamp, lines[at].slice(place));
        }
      }
      const found = read(shown.join("\n")).cases();
      assert.deepEqual(found.map(({ path, result }) => `${result} ${caseText(path)}`), leaves(tree));
      const results = lines.flatMap((line, index) => /\bok \d/.test(line) ? [index] : []);
      const without = lines.toSpliced(results[lost % results.length], 1);
      assert.ok(read(without.join("\n")).cases().some(({ result }) => result === "failed"), without.join("\n"));
    }),
    { seed: 74, numRuns: LONG ? 100_000 : 1000 },
  );
});

Deno.test("any stream is read: nothing throws, and work and memory have bounds", () => {
  fc.assert(
    fc.property(fc.array(LINE, { maxLength: 60 }), (lines) => {
      assert.ok(read(lines.join("\n")).cases().length <= 120 * lines.length + 1);
    }),
    { seed: 74, numRuns: LONG ? 100_000 : 1000 },
  );
  const begun = cpuTime();
  for (const line of ["not ok 1 a", "    KTAP version 1", "# ".repeat(2000) + "ok 1", "x".repeat(100_000), "# SKIP".repeat(600)]) {
    const reader = new KtapReader();
    reader.add("TAP version 13");
    for (let count = 0; count < (line.length < 100 ? 60_000 : 3000); count++) reader.add(line);
    assert.ok(reader.cases().length <= 100_002, line.slice(0, 20));
  }
  const took = cpuTime() - begun;
  assert.ok(took < 20_000, `${took} ms of CPU time`);
});

Deno.test("programs that do not count their tests have all of them: numbers from 0, or one for all names", () => {
  // As arm64/abi/tpidr2 and arm64/bti of Linux 6.1 print them.
  const fromZero = "TAP version 13\n1..2\nok 0 skipped, TPIDR2 not supported\nok 1 skipped, TPIDR2 not supported";
  assert.deepEqual(cases(fromZero), ["ok skipped, TPIDR2 not supported", "ok skipped, TPIDR2 not supported"]);
  const one = "1..3\nok 1 call_using_br # SKIP\nok 1 call_using_blr\nnot ok 1 call_using_ret";
  assert.deepEqual(cases(one), ["skipped call_using_br", "ok call_using_blr", "failed call_using_ret (not ok)"]);
  const skipped = "1..1\n# 1..1\n# ok 2 # SKIP SME not available\nok 1 za-ptrace # SKIP";
  assert.deepEqual(cases(skipped), ["skipped za-ptrace: test 2 (SME not available)"]);
  assert.ok(read(one).complete);
  assert.ok(!read(one.replace(/\n.*$/, "")).complete);
});
