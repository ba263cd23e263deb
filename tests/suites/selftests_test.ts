// Linux's own selftests in Debian's kernels, a scenario for each target: JUnit has as many tests as
// Perl's TAP::Parser finds in what the guest has printed.

import assert from "node:assert/strict";
import { bash, SELFTESTS, selftests } from "../../scripts/selftests.ts";
import { tapParserCommand } from "../../scripts/native-tools.ts";
import { junitFile, writeJunit } from "../../src/app/cli/commands/scenarios/test-junit.ts";
import { planScenario } from "../../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../../src/app/scenarios/run.ts";
import { readScenario } from "../../src/app/scenarios/scenario.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { TRUSTED } from "../support/trusted.ts";

/** Numbers of tests. */
interface Counts {
  ok: number;
  failed: number;
  skipped: number;
}

/**
 * Reads a report, and prints how many of its results are ok, failed and skipped. A number that is
 * there twice is a failure; programs that do not count at all have one number.
 */
const COUNT = `
use TAP::Parser; local $/; my $report = TAP::Parser->new({ tap => scalar <STDIN> }); my %n = (ok => 0, failed => 0, skipped => 0);
my %seen;
while (my $line = $report->next) {
  next unless $line->is_test;
  $seen{ $line->number }++;
  $n{ $line->has_skip ? "skipped" : $line->has_todo ? ($line->is_actual_ok ? "ok" : "skipped") : $line->is_actual_ok ? "ok" : "failed" }++;
}
if (keys %seen > 1) { $n{failed} += $_ - 1 for values %seen }
print "$n{ok} $n{failed} $n{skipped}";
`;

async function parsed(report: readonly string[]): Promise<Counts> {
  const [program, ...args] = await tapParserCommand();
  const child = new Deno.Command(program, { args: [...args, "-e", COUNT], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(report.join("\n") + "\n"));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  const [ok, failed, skipped] = new TextDecoder().decode(stdout).split(" ").map(Number);
  return { ok, failed, skipped };
}

/** Reports one after another, each from its version on; one without a version, from its plan on. */
function reportsIn(lines: readonly string[]): string[][] {
  const reports: string[][] = [];
  for (const line of lines) {
    if (/^TAP version \d+$/.test(line) || reports.length === 0 && /^1\.\.\d+/.test(line)) reports.push([]);
    reports.at(-1)?.push(line);
  }
  return reports;
}

/**
 * The tests of a report: the comments before a result may be reports, whose tests count in its
 * place, unless it failed although they did not.
 */
async function countsIn(report: readonly string[]): Promise<Counts> {
  const sum = { ok: 0, failed: 0, skipped: 0 }, alone = [report[0]];
  const add = ({ ok, failed, skipped }: Counts) => {
    sum.ok += ok;
    sum.failed += failed;
    sum.skipped += skipped;
  };
  let own: string[] = [];
  for (const line of report) {
    if (line.startsWith("# ")) own.push(line.slice(2));
    if (!/^(?:not )?ok /.test(line)) continue;
    const counts = await Promise.all(reportsIn(own).map(countsIn)),
      all = counts.reduce((one, { ok, failed, skipped }) => one + ok + failed + skipped, 0);
    counts.forEach(add);
    const failedInside = counts.some(({ failed }) => failed > 0), isOk = line.startsWith("ok ");
    if (all === 0 || !isOk && !failedInside) alone.push(line);
    own = [];
  }
  add(await parsed(alone));
  return sum;
}

/** The tests in kselftest's output, in which each program is a test. */
async function referenceCounts(output: string): Promise<Counts> {
  const lines = output.split(/\r*\n/).filter((line) => !/^(?:<\d+>)?\[ *\d+\.\d{6}\]/.test(line));
  return await countsIn(reportsIn(lines)[0]);
}

/** The attributes of the suite in a JUnit file, without the steps before that of the tests. */
function junitCounts(xml: string, steps: number): Counts {
  const number = (name: string) => Number(new RegExp(`<testsuite [^>]*${name}="(\\d+)"`).exec(xml)?.[1]);
  const failed = number("failures"), skipped = number("skipped");
  return { ok: number("tests") - failed - skipped - steps, failed, skipped };
}

/**
 * Groups of `mm`, whose one program is a script of bash with its own report. The others clear many
 * GiB of large pages, or keep CPUs busy for minutes.
 */
const GROUPS = "mmap mlock mremap madv_populate memfd_secret process_mrelease pagemap mdwe mkdirty cow";
const CHOOSE = `[[step]]
expect_console = "# $"
within = "60s"
[[step]]
send = "export VM_SELFTEST_ITEMS='${GROUPS}'\\r"
`;

for (const selftest of SELFTESTS) {
  const { version, root, target } = selftest;
  longTest(
    `kselftest's ${target} in Debian's kernel ${version}: JUnit has the tests that TAP::Parser counts`,
    () =>
      inFolder(async (folder) => {
        const overlays = [`"/opt/selftests" = "${await selftests(selftest)}"`];
        if (target === "mm") overlays.push(`"/" = "${await bash(selftest)}"`);
        const text = `el2_test = 1
[[step]]
boot = { root = "${root}", memory = "1GiB", overlay = { ${overlays.join(", ")} } }
${target === "mm" ? CHOOSE : ""}[[step]]
run = { kselftest = ["${target}"] }
within = "3000s"
`;
        const planned = await planScenario(readScenario(`${folder}/a.test.toml`, text), undefined, TRUSTED.consent);
        const run = new ScenarioRun(planned), { consoles } = run.system, drain = consoles.drain.bind(consoles);
        const shown: Uint8Array<ArrayBuffer>[] = [];
        consoles.drain = () => {
          const taken = drain();
          for (const { bytes } of taken) shown.push(new Uint8Array(bytes));
          return taken;
        };
        const result = await run.run();
        using file = junitFile(`${folder}/results.xml`);
        assert.ok(file);
        // As results come from the process of a scenario.
        writeJunit(file, [JSON.parse(JSON.stringify(result))]);
        const junit = junitCounts(await Deno.readTextFile(`${folder}/results.xml`), planned.scenario.steps.length - 1),
          output = await new Blob(shown).text();
        assert.deepEqual(junit, await referenceCounts(output), output);
        assert.ok(junit.ok > 0, output);
        console.log(`${version} ${target}: ${JSON.stringify(junit)}`);
      }),
  );
}
