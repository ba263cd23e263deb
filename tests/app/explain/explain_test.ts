// The cause of each reported log comes first, without a hint; also where its lines are torn, in
// another order, or among others. Logs that are not about VMs yield nothing.

import assert from "node:assert/strict";
import { CAUSES } from "../../../src/app/explain/causes.ts";
import { explain, type Explanation } from "../../../src/app/explain/explain.ts";
import { FORMS } from "../../../src/app/explain/forms/messages.ts";
import { explanationText } from "../../../src/app/explain/text.ts";
import type { LogFile } from "../../../src/app/explain/read.ts";
import { bytesOfText, logFiles, REPORTED, type ReportedLog, SPOKEN } from "./logs.ts";
import { ROOT } from "../../support/files.ts";
import { UNRELATED } from "./unrelated.ts";

/** @throws AssertionError if another cause comes first, or as many points has */
function assertFirst({ causes, ...explanation }: Explanation, first: string): void {
  const isAhead = causes[0]?.points > (causes[1]?.points ?? 0);
  assert.deepEqual([causes[0]?.cause.id, isAhead], [first, true], explanationText({ causes, ...explanation }));
}

for (const { report, files, first } of REPORTED) {
  Deno.test(`the cause of ${report} comes first`, async () => assertFirst(await explain(logFiles(files)), first));
}

/** All files of a log as one, in another order. */
function mixed({ files }: ReportedLog): LogFile[] {
  const noise = Object.values(UNRELATED).filter((text) =>
    !/android|SM8|CONFIG_|Max locked|SIGBUS|page allocation|panic|swiotlb|net\/tun|tun device|acl file|tap interface|EXT4-fs/.test(text)
  );
  return [{ name: "all.txt", bytes: bytesOfText([...Object.values(files).reverse(), ...noise].join("\n")) }];
}

Deno.test("the cause comes first where all files are one, in another order, among other logs", async () => {
  for (const log of REPORTED.filter(({ files }) => !("tree" in files))) assertFirst(await explain(mixed(log)), log.first);
});

Deno.test("the cause comes first where a terminal has torn each line at 100 columns", async () => {
  const torn = (text: string) => text.split("\n").map((line) => line.replaceAll(/(.{100})(?=.)/g, "$1\n")).join("\n");
  for (const { files, first, report } of REPORTED) {
    // A line of strace is not put together: it has no format string.
    if (Object.keys(files).some((name) => name.startsWith("strace")) || /limit|Android|exit|sandbox|cgroup|memory-refused/.test(report)) {
      continue;
    }
    assertFirst(await explain(logFiles(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, torn(text)])))), first);
  }
});

Deno.test("the cause comes first as loggers, terminals, chats and other systems write the lines", async () => {
  const b7 = REPORTED.find(({ report }) => report === "B7")!.files["dmesg.txt"];
  const forms: Readonly<Record<string, string | Uint8Array>> = {
    "logcat": b7.replaceAll(/^\[.*?\] /gm, "03-01 10:00:00.123     0     0 W kernel  : "),
    "journal": b7.replaceAll(/^\[.*?\] /gm, "Mar 01 10:00:00 phone kernel: "),
    "quoted": b7.replaceAll(/^/gm, "> "),
    "colors": b7.replaceAll("Failed", "\x1b[31mFailed\x1b[0m"),
    "titles": b7.replaceAll("Failed", "Failed\x1b]0;dmesg\x07"),
    "typographic": b7.replaceAll(" -", " \u2212"),
    "carriage returns": b7.replaceAll("\n", "\r\n"),
    "UTF-16": Uint8Array.from([0xff, 0xfe, ...[...b7].flatMap((one) => [one.charCodeAt(0) & 0xff, one.charCodeAt(0) >> 8])]),
    "names of errors": b7.replaceAll("-12", "-ENOMEM"),
  };
  for (const [name, text] of Object.entries(forms)) {
    const bytes = typeof text === "string" ? bytesOfText(text) : text;
    assertFirst(await explain([{ name, bytes }]), "locked-memory");
  }
});

for (const [name, text] of Object.entries(UNRELATED)) {
  Deno.test(`nothing is explained of a log that is not about VMs: ${name}`, async () => {
    const explanation = await explain([{ name, bytes: bytesOfText(text) }]);
    assert.deepEqual([explanation.lines.length, explanation.causes.length], [0, 0], explanationText(explanation));
  });
}

Deno.test("a failure in words that no form has is shown with its speaker, call and errno, and never called no failure", async () => {
  for (const [line, call, errno] of SPOKEN) {
    const explanation = await explain([{ name: "log", bytes: bytesOfText(line) }]), [one] = explanation.lines;
    assert.deepEqual(
      [explanation.lines.length, one?.sign.values.call, one?.sign.values.errno, one?.quiet],
      [1, call, errno, undefined],
      line,
    );
    assert.match(one.says, /el2 does not know this message$/);
    assert.doesNotMatch(explanationText(explanation), /none of the lines that el2 knows is a failure/);
    for (const { points } of explanation.causes.filter(({ cause }) => cause.evidence.length > 0)) assert.ok(points < 20, line);
  }
  const healthy = await explain([{ name: "log", bytes: bytesOfText("[ 0.5] Running under Gunyah hypervisor 0/v1\n") }]);
  assert.match(explanationText(healthy), /none of the lines that el2 knows is a failure$/);
});

Deno.test("each form is found in a line that its program prints, with all its values", async () => {
  for (const { format, by, only, names = [], sign } of FORMS) {
    if (only) continue;
    const line = format.replaceAll(
      /%%|%[-#0-9]*(?:ll|l|z)?([duxs])|\{[^}]*\}/g,
      (_, kind) => kind === "d" || kind === "u" ? "-7" : kind === "x" ? "1a" : "word",
    );
    const { lines } = await explain([{
      name: "log",
      bytes: bytesOfText(`Hypervisor cold boot, version: gunyah-1 perf\n[ 1.0] ${by}: ${line}\n`),
    }]);
    const found = lines.filter(({ at }) => at.line === 2);
    assert.ok(found.some((one) => one.sign.kind === sign && !one.cut), `${format}: ${line}: ${JSON.stringify(found)}`);
    assert.equal(
      names.length,
      format.replaceAll("%%", "").match(/%[-#0-9]*(?:ll|l|z)?[duxs]|\{[^}]*\}/g)?.length ?? 0,
      `${format}: its values have names`,
    );
  }
});

Deno.test("each cause of a report is first in one of the logs; its mystery and its section are there", () => {
  const first = new Set(REPORTED.map((one) => one.first));
  assert.deepEqual(CAUSES.map(({ id }) => id).filter((id) => !first.has(id)), []);
  for (const { id, mystery, book } of CAUSES) {
    if (mystery) Deno.statSync(new URL(`examples/mysteries/${mystery}/mystery.test.toml`, ROOT));
    if (!book) continue;
    const text = Deno.readTextFileSync(new URL(`docs/spec/${book[0]}.md`, ROOT));
    assert.ok(
      text.split("\n").some((line) => new RegExp(`^#+ ${book[1].replaceAll(".", "\\.")}[. ]`).test(line)),
      `${id}: ${book.join(" ")}`,
    );
  }
});

Deno.test("the errno of crosvm's failure in words that no form has is that of its last cause, and never its exit status", async () => {
  const log = `[2026-03-02T10:00:01.000000000+00:00 ERROR crosvm] exiting with error 1: failed to set up a device of tomorrow

Caused by:
    0: failed to bind port 38
    1: Operation not permitted (os error 1)
[2026-03-02T10:00:02.000000000+00:00 ERROR crosvm] exiting with error 22: failed to set up another device
`;
  const { lines } = await explain([{ name: "log", bytes: bytesOfText(log) }]);
  assert.deepEqual(lines.map(({ sign }) => [sign.values.errno, sign.values.guess]), [["EPERM", "yes"], [undefined, "yes"]]);
});
