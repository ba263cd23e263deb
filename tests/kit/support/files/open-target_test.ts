// Pipes and devices as targets.

import assert from "node:assert/strict";
import { OpenTarget } from "../../../../src/kit/support/files/open-target.ts";
import { checkWritable, WholeFile } from "../../../../src/kit/support/files/whole-file.ts";
import { writeFully } from "../../../../src/kit/support/files/write-all.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

/** Where the end of the patience is what is tested, ms. */
const PATIENCE = 100;
/** Where a reader does its part: a busy computer may let it wait for long, ms. */
const LONG_PATIENCE = 120_000;
const PAGE = 4096;

Deno.test("a pipe that nobody reads, or whose reader has ended or takes nothing, is said and keeps nobody waiting", () =>
  inFolder(async (folder) => {
    const path = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const open = (patience?: number) => new OpenTarget(path, Deno.statSync(path), patience);
    assert.throws(() => open(PATIENCE), /^Error: is a pipe that nobody reads; start its reader first$/);
    checkWritable(path); // opens nothing
    assert.throws(() => new WholeFile(path, { onlyFile: true }), /is not a regular file/);
    const reader = new Deno.Command("cat", { args: [path], stdout: "null" }).spawn();
    // The reader comes while it waits, and takes all.
    const patient = open(LONG_PATIENCE);
    // An empty pipe has room for this, whenever it is read.
    const whole = new WholeFile(path);
    whole.write(new Uint8Array(PAGE));
    assert.throws(() => whole.file, /is not a regular file/);
    whole.commit();
    writeFully(patient, new Uint8Array(1 << 20));
    const target = open(PATIENCE);
    patient.close();
    reader.kill("SIGSTOP");
    const fill = () => {
      for (let written = 0; written < 1 << 20;) written += target.writeSync(new Uint8Array(1 << 16));
    };
    assert.throws(fill, /^Error: its reader takes nothing; name another file$/);
    reader.kill("SIGKILL");
    await reader.status;
    assert.throws(() => target.writeSync(new Uint8Array(1)), /^Error: its reader has ended; name another file$/);
    target.close();
  }));

Deno.test("a folder and a socket take no data, and a device takes it as it is", () =>
  inFolder((folder) => {
    const path = `${folder}/socket`, listener = Deno.listen({ transport: "unix", path });
    assert.throws(() => new WholeFile(path), /^Error: is a socket; name another file$/);
    listener.close();
    assert.throws(() => new WholeFile(folder), Deno.errors.IsADirectory);
    // Deno gives it only to programs with all rights, which el2 has not.
    if (Deno.permissions.querySync({ name: "sys" }).state === "granted") {
      const full = new WholeFile("/dev/full");
      assert.equal(full.isFile, false);
      assert.throws(() => full.write(new Uint8Array(1)), /No space left/i);
      full.close();
    } else assert.throws(() => new WholeFile("/dev/full"), /^Error: is a device to which el2 has no right; name another file$/);
    const none = new WholeFile("/dev/null");
    none.write(new Uint8Array(10));
    none.commit();
    assert.ok(Deno.statSync("/dev/null").isCharDevice, "a device is not replaced");
  }));
