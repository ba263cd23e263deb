// Commands that write a file, with a fault somewhere in it: a disk that is full, a signal, a pipe
// whose reader ends. The old file stays, or there is a whole new one.

import assert from "node:assert/strict";
import { el2, el2Process } from "./program.ts";
import { el2Command } from "../../support/el2.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { PARTIAL } from "../../../src/kit/support/files/whole-file.ts";

/**
 * Commands, for a file, a recording and a snapshot. All but a picture write the same bytes in every
 * run.
 */
const COMMANDS: readonly ((file: string, recording: string, snapshot: string) => readonly string[])[] = [
  (file) => ["run", "demo", "--headless", "--turbo", "--for", "2ms", "--record", file],
  (file, recording) => ["profile", recording, "--stacks", `${file}.svg`, "--every", "10us"],
  (file, recording) => ["coverage", recording, "--lcov", file],
  (file, recording) => ["coverage", recording, "--drcov", file],
  (file, recording) => ["trace", "export", `${file}.json`, "--recording", recording],
  (file, recording) => ["trace", "export", `${file}.pftrace`, "--recording", recording],
  (file, recording) => ["trace", "export", `${file}.tarmac`, "--recording", recording],
  (file, recording) => ["screenshot", `${file}.svg`, "--recording", recording],
  (file, _, snapshot) => ["snapshot", "vmcore", snapshot, file, "--vm", "hello"],
];
/** The recording of a run that ends sooner is a recording. */
const RUN = 0;

const FAULTS = ["full", "killed by the limit", "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "pipe", "stdout"] as const;
type Fault = typeof FAULTS[number];
const CASES = LONG ? 500 : FAULTS.length;
/** Bytes of a block of `ulimit -f`. */
const BLOCK = 512;

/** Runs a command with a fault. */
async function faulty(args: readonly string[], fault: Fault, folder: string, out: string, size: number, random: Random): Promise<number> {
  const [program, ...rest] = el2Command(...args), blocks = random.below(Math.max(Math.ceil(size / BLOCK), 1));
  const limits = fault === "full" ? `trap '' XFSZ; ulimit -f ${blocks};` : fault === "killed by the limit" ? `ulimit -f ${blocks};` : "";
  const quoted = fault === "stdout" ? 'exec "$@" >&-' : 'exec "$@"';
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `${limits} ${quoted}`, "sh", program, ...rest],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  if (fault.startsWith("SIG")) {
    let over = false;
    child.status.then(() => over = true);
    const begun = () => Array.from(Deno.readDirSync(folder)).some(({ name }) => name.includes(PARTIAL));
    while (!over && !begun()) await new Promise((resolve) => setTimeout(resolve, 2));
    await new Promise((resolve) => setTimeout(resolve, random.below(100)));
    if (!over) child.kill(fault as Deno.Signal);
  }
  if (fault === "pipe") {
    const reader = new Deno.Command("head", { args: ["-c", String(random.below(Math.max(size, 1))), out], stdout: "null" }).spawn();
    const { code } = await child.status;
    await reader.status;
    return code;
  }
  return (await child.status).code;
}

Deno.test(`${CASES} commands that write a file, and a fault: the old file stays, or there is a whole new one`, () =>
  inFolder(async (folder) => {
    const [recording, snapshot, work] = [`${folder}/demo.rec`, `${folder}/demo.snap`, `${folder}/work`];
    Deno.mkdirSync(work);
    const made = await el2("run", "--record", recording, "demo", "--headless", "--turbo", "--for", "2ms");
    assert.equal(made.code, 0, made.stderr);
    const env = { XDG_RUNTIME_DIR: folder };
    assert.equal((await el2Process(["up", "demo", "--name", "s"], env)).code, 0);
    try {
      assert.equal((await el2Process(["snapshot", "save", snapshot, "--session", "s"], env)).code, 0);
    } finally {
      await el2Process(["down", "s"], env);
    }
    const right = new Map<number, Uint8Array>(), random = new Random(78);
    for (let round = 0; round < CASES; round++) {
      const fault = LONG ? FAULTS[random.below(FAULTS.length)] : FAULTS[round];
      // A core file has parts at offsets, which a pipe has not.
      const index = random.below(COMMANDS.length - (fault === "pipe" ? 1 : 0)), args = COMMANDS[index](`${work}/out`, recording, snapshot);
      const out = args.find((word) => word.startsWith(`${work}/out`))!, what = `${round}: ${fault}: ${args.join(" ")}`;
      if (!right.has(index)) {
        const { code, stderr } = await el2Process(args);
        assert.equal(code, 0, `${what}: ${stderr}`);
        right.set(index, Deno.readFileSync(out));
        Deno.removeSync(out);
      }
      const whole = right.get(index)!, old = random.bytes(100);
      if (fault === "pipe") await new Deno.Command("mkfifo", { args: [out] }).output();
      else Deno.writeFileSync(out, old, { mode: 0o644 });
      const code = await faulty(args, fault, work, out, whole.length, random);
      const left = Array.from(Deno.readDirSync(work), ({ name }) => name).filter((name) => !out.endsWith(`/${name}`));
      if (!["SIGKILL", "killed by the limit"].includes(fault)) assert.deepEqual(left, [], what);
      for (const name of left) Deno.removeSync(`${work}/${name}`);
      if (fault === "pipe") assert.ok(Deno.statSync(out).isFifo, what);
      else {
        const now = Deno.readFileSync(out),
          stays = text(now) === text(old),
          isNew = text(now) === text(whole) || out.endsWith(".svg") && isPicture(text(now));
        const isRun = index === RUN && isRecording(text(now), text(whole));
        const why = `${what}: exit ${code}, ${now.length} of ${whole.length} bytes`;
        assert.ok(stays || isNew || isRun, why);
        if (code === 0) assert.ok(isNew, why);
        if (!stays) assert.equal(Deno.statSync(out).mode! & 0o777, 0o600, why);
      }
      Deno.removeSync(out);
    }
  }));

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

/** A screen also shows what depends on the time of the computer. */
const isPicture = (text: string) => text.startsWith("<svg") && text.endsWith("</svg>\n");

/** Whether a text has whole lines, of which the first is that of a recording. */
function isRecording(text: string, recording: string): boolean {
  const lines = text.split("\n");
  return lines.pop() === "" && lines[0] === recording.split("\n")[0] && lines.every((line) => typeof JSON.parse(line) === "object");
}
