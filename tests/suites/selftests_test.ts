// Linux's own selftests in Debian's kernels, a scenario for each target: JUnit has as many tests as
// Perl's TAP::Parser finds in what the guest has printed.

import assert from "node:assert/strict";
import { SELFTESTS, selftests } from "../../scripts/selftests.ts";
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

/** Reads a report, and prints how many of its results are ok, failed and skipped. */
const COUNT = `
use TAP::Parser; local $/; my $report = TAP::Parser->new({ tap => scalar <STDIN> }); my %n = (ok => 0, failed => 0, skipped => 0);
while (my $line = $report->next) {
  next unless $line->is_test;
  $n{ $line->has_skip ? "skipped" : $line->has_todo ? ($line->is_actual_ok ? "ok" : "skipped") : $line->is_actual_ok ? "ok" : "failed" }++;
}
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

/** Reports one after another, each from its version on. */
function reportsIn(lines: readonly string[]): string[][] {
  const reports: string[][] = [];
  for (const line of lines) {
    if (/^TAP version \d+$/.test(line)) reports.push([]);
    reports.at(-1)?.push(line);
  }
  return reports;
}

/**
 * The tests in kselftest's output: each program is a test, with the report of the program, if it
 * prints one, as comments before its result.
 */
async function referenceCounts(output: string): Promise<Counts> {
  const lines = output.split(/\r*\n/).filter((line) => !/^(?:<\d+>)?\[ *\d+\.\d{6}\]/.test(line));
  const [programs] = reportsIn(lines), sum = { ok: 0, failed: 0, skipped: 0 };
  const add = ({ ok, failed, skipped }: Counts) => {
    sum.ok += ok;
    sum.failed += failed;
    sum.skipped += skipped;
  };
  let own: string[] = [];
  for (const line of programs) {
    if (line.startsWith("# ")) {
      own.push(line.slice(2));
      continue;
    }
    if (!/^(?:not )?ok /.test(line)) continue;
    const counts = await Promise.all(reportsIn(own).map(parsed)),
      all = counts.reduce((one, { ok, failed, skipped }) => one + ok + failed + skipped, 0);
    counts.forEach(add);
    const failedInside = counts.some(({ failed }) => failed > 0), isOk = line.startsWith("ok ");
    // A program without a report is a test, and so is one that failed although its tests did not.
    if (all === 0 || !isOk && !failedInside) add(await parsed([line]));
    own = [];
  }
  return sum;
}

/** The attributes of the suite in a JUnit file, without the step that boots. */
function junitCounts(xml: string): Counts {
  const number = (name: string) => Number(new RegExp(`<testsuite [^>]*${name}="(\\d+)"`).exec(xml)?.[1]);
  const failed = number("failures"), skipped = number("skipped");
  return { ok: number("tests") - failed - skipped - 1, failed, skipped };
}

for (const selftest of SELFTESTS) {
  const { version, root, target } = selftest;
  longTest(
    `kselftest's ${target} in Debian's kernel ${version}: JUnit has the tests that TAP::Parser counts`,
    () =>
      inFolder(async (folder) => {
        const text = `el2_test = 1
[[step]]
boot = { root = "${root}", overlay = { "/opt/selftests" = "${await selftests(selftest)}" } }
[[step]]
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
        const junit = junitCounts(await Deno.readTextFile(`${folder}/results.xml`)), output = await new Blob(shown).text();
        assert.deepEqual(junit, await referenceCounts(output), output);
        assert.ok(junit.ok > 0, output);
        console.log(`${version} ${target}: ${JSON.stringify(junit)}`);
      }),
  );
}
