// Every example of every help is run: those that ask a session, change something there or need none
// on the demo and in this process, those of Linux on Debian with EL2_LONG. The others start
// machines, wait, fetch or serve: they are named here with the test that runs the same command.

import assert from "node:assert/strict";
import { partsOfHelp } from "../../../src/app/cli/common/command.ts";
import { type CommandNode, commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { runsInProcess } from "./in-process.ts";
import { Place } from "./place.ts";
import { LONG } from "../../support/long.ts";

const ROOT = new URL("../../../", import.meta.url);

/** Examples of a command and of those below it, each once. */
function examplesOf(node: CommandNode): string[] {
  return [...new Set([...partsOfHelp(node.after).examples.map(({ line }) => line), ...node.commands.flatMap(examplesOf)])];
}

const EXAMPLES = examplesOf(commandTree(makeProgram(new URL(import.meta.url), () => {})));

/** Beginnings of examples of a guest that runs Linux. */
const LINUX = [
  ...[
    "el2 who debian:",
    "el2 who print jiffies",
    "el2 who print 'debian:",
    "el2 linux ",
    "el2 console debian --",
    "el2 symbols debian ",
    "el2 disasm debian:",
    "el2 vcpu vars debian/0",
    "el2 vcpu tables debian/0",
  ],
  ...["el2 break --at debian:", "el2 back --at debian:"],
];

/** Beginnings of examples that are not run here, and the test that runs such a command. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "el2 tour": "tests/app/cli/commands/screens/tour_test.ts",
  "el2 guests fetch": "tests/app/catalog/mirror-archive_test.ts",
  "el2 guests add": "tests/app/cli/commands/machines/guests_test.ts",
  "el2 guests export": "tests/app/cli/commands/machines/guests_test.ts",
  "el2 guests ls": "tests/app/cli/commands/machines/guests_test.ts",
  "el2 consent": "tests/app/cli/commands/machines/consent_test.ts",
  "el2 boot ": "tests/app/cli/commands/machines/boot_test.ts",
  "el2 run ": "tests/app/cli/commands/machines/run_test.ts",
  "el2 up ": "tests/app/cli/commands/machines/up_test.ts",
  "el2 attach": "tests/app/cli/commands/screens/attach_test.ts",
  "el2 serve": "tests/app/cli/commands/screens/serve_test.ts",
  "el2 down": "tests/app/cli/commands/machines/down_test.ts",
  "el2 mcp": "tests/app/cli/commands/clients/mcp_test.ts",
  "el2 vm lint": "tests/app/cli/commands/session/vm-lint_test.ts",
  "el2 who print ping:total": "tests/app/cli/commands/session/print_test.ts",
  "el2 vm balloon": "tests/app/cli/commands/session/vm_test.ts",
  "el2 vcpu vars rt/0": "tests/app/cli/commands/session/vcpu_test.ts",
  "el2 disasm guest.elf": "tests/app/cli/commands/session/disasm_test.ts",
  "el2 disasm rt:main.c": "tests/app/cli/commands/session/disasm_test.ts",
  "el2 input ": "tests/app/cli/commands/session/input_test.ts",
  "el2 gdb ": "tests/app/cli/commands/clients/gdb_test.ts",
  "gdb-multiarch ": "tests/docs/tutorials_test.ts",
  "el2 dap": "tests/app/cli/commands/clients/dap_test.ts",
  "el2 record ": "tests/app/cli/commands/runs/record_test.ts",
  "el2 replay ": "tests/app/cli/commands/runs/replay_test.ts",
  "el2 diff ": "tests/app/cli/commands/runs/diff_test.ts",
  "el2 coverage": "tests/app/cli/commands/runs/coverage_test.ts",
  "el2 profile": "tests/app/cli/commands/runs/coverage_test.ts",
  "el2 compare-runs ": "tests/app/cli/commands/runs/compare-runs_test.ts",
  "el2 snapshot ": "tests/app/cli/commands/runs/snapshot_test.ts",
  "el2 screenshot ": "tests/app/cli/commands/screens/screenshot_test.ts",
  "el2 test merge": "tests/app/cli/commands/scenarios/test-merge_test.ts",
  "el2 test ": "tests/app/cli/commands/scenarios/test_test.ts",
  "el2 bench": "tests/app/cli/commands/machines/bench_test.ts",
  "el2 doctor": "tests/app/cli/commands/reference/doctor_test.ts",
  "el2 explain": "tests/app/cli/commands/reference/explain_test.ts",
  "el2 trace export": "tests/app/cli/commands/runs/trace-export_test.ts",
  "el2 trace start; ": "tests/app/cli/commands/runs/trace-export_test.ts",
  "el2 trace calls": "tests/app/cli/commands/trace-calls_test.ts",
  "el2 trace dissector > el2.lua &&": "tests/dist/abilities.ts",
  "el2 logs -f": "tests/app/cli/commands/session/logs_test.ts",
  "el2 console debian": "tests/app/cli/commands/session/console_test.ts",
  "el2 break 'kind=rpc refused=yes' --wait": "tests/app/cli/commands/session/break_test.ts",
  "el2 on --event": "tests/app/cli/commands/session/on_test.ts",
  "el2 irq top": "tests/app/cli/commands/session/irq_test.ts",
};

/** Examples that do not end with 0, and why. */
const CODES: Readonly<Record<string, number>> = {
  // The fields of a request are listed where some are missing.
  "el2 rpc send MEM_LEND": 2,
  // The demo has no disk.
  "el2 inject 'dev=host/blk0 op=write nth=1000.. -> IOERR'": 1,
  // The demo's hello still holds its memory.
  "el2 rpc send MEM_RECLAIM handle=0x3 flags=0": 1,
  // The example before it goes back to instruction 120000, before which nothing is refused.
  "el2 back --event 'kind=rpc refused=yes'": 1,
};

/** Commands after which the demo is another one: they come last. */
const LATE = [
  /^el2 (vcpu (set|kill)|irq (raise|clear)|mem write|queue (send|flush|ring)|rpc send)/,
  /^el2 (vm (start|create|reset|stop|kill)|inject|break)/,
  /^el2 (vcpu step|pause|resume)/,
  /^el2 (back|on)\b/,
];
/** They write text for a file, in another place of the home. */
const TO_FILE = / *(?<!-)> *[^'"\s]+$/;
/** They wait for what may not come on the demo. */
const WAITING = /(?<= )(?:--(?:watch|follow|expect|read-only|timeout|wait)|-f)(?= |$)/;
/** Programs that read what is printed. */
const PIPED = / *\| (jq|notify-send) .*$/;

const starts = (beginnings: readonly string[]) => (line: string) => beginnings.some((beginning) => line.startsWith(beginning));
const isLinux = starts(LINUX), isElsewhere = starts(Object.keys(ELSEWHERE));

/** Words of a command line; quotes as the shell has them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"));
}

/** Runs examples in a place with a session; returns those that do not end as they should. */
async function failing(place: Place, examples: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const example of examples) {
    for (const part of example.replace(PIPED, "").split(" && ")) {
      const line = part.trim().replace(TO_FILE, "");
      // Folders for the files of other programs.
      if (/^(D=\S+; )?mkdir -p /.test(line)) continue;
      const words = wordsOf(line).slice(1).map((word) => /^[\w-]+\.dtb$/.test(word) ? `${place.folder}/${word}` : word);
      const { code, stderr } = await place.el2(...words);
      if (code !== (CODES[line] ?? 0)) failed.push(`${line}: ${code} ${stderr.trim()}`);
    }
  }
  return failed;
}

Deno.test("each example that does not end with 0 is one", () => {
  assert.deepEqual(Object.keys(CODES).filter((line) => !EXAMPLES.includes(line)), [], "no longer needed");
});

Deno.test("each example that no test here runs has its own test, and each beginning is that of an example", () => {
  for (const [beginning, file] of Object.entries(ELSEWHERE)) {
    assert.ok(EXAMPLES.some((line) => line.startsWith(beginning)), beginning);
    const text = Deno.readTextFileSync(new URL(file, ROOT)), words = wordsOf(beginning).slice(0, 3);
    assert.ok(words.some((word) => word !== "el2" && text.includes(word)), `${file} has no ${beginning}`);
  }
  for (const beginning of LINUX) assert.ok(EXAMPLES.some((line) => line.startsWith(beginning)), beginning);
  for (const line of Object.keys(CODES)) assert.ok(EXAMPLES.includes(line), line);
});

Deno.test("examples that ask a session, change it or read no session do what they say on the demo", async () => {
  await using place = new Place();
  const own = EXAMPLES.filter((line) => !isLinux(line) && !isElsewhere(line) && !line.includes("--config phone.toml"));
  const stage = (line: string) => LATE.findIndex((pattern) => pattern.test(line));
  const ordered = own.toSorted((a, b) => stage(a) - stage(b));
  // A process each is too much for every run of the tests.
  const run = ordered.filter((line) =>
    LONG || !WAITING.test(line) && runsInProcess(wordsOf(line.replace(TO_FILE, "").replace(PIPED, "")).slice(1))
  );
  assert.ok(run.length > 0);
  await place.up("phone");
  assert.deepEqual(await failing(place, run), []);
});

if (LONG) {
  Deno.test("examples of a guest that runs Linux do what they say on Debian", async () => {
    await using place = new Place();
    await place.up("phone", "debian-bookworm");
    assert.equal((await place.el2("console", "debian", "--expect", "# $", "--timeout", "120s")).code, 0);
    assert.deepEqual(await failing(place, EXAMPLES.filter(isLinux)), []);
  });
}
