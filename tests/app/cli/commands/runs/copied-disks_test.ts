// Disks that a recorded run opens by their paths, in copies and pages of its recording: by consent
// alone, and only as they were.

import assert from "node:assert/strict";
import { rewrite } from "../recordings.ts";
import { assertSilent, LAPTOP, ROWS } from "./published.ts";
import { el2In, type Outcome } from "../../program.ts";
import { diskWriter } from "../../../../session/outside/disk-writer.ts";
import { Browser } from "../../../../support/browser.ts";
import { eventually } from "../../../../support/eventually.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { createQcow2, Qcow2Disk } from "../../../../../src/kit/formats/qcow2-disk.ts";
import { imageBytes } from "../../../../../src/kit/formats/image-bytes.ts";
import { exists } from "../../../../../src/kit/support/files/cache.ts";
import { openRecording } from "../../../../../mod.ts";

/** Bytes of a disk, which begins with these words. */
const SIZE = 4 << 20, SECRET = "quite-a-secret";

const content = () => {
  const bytes = Uint8Array.from({ length: SIZE }, (_, at) => at * 13 >> 4);
  bytes.set(new TextEncoder().encode(SECRET));
  return bytes;
};

const machine = (disk: string, mode: string) =>
  `el2 = 1\n[machine]\nmemory = "16MiB"\n[host]\nkind = "image"\nimage = "guest.elf"\ndevices = [{ kind = "block", image = "${disk}", mode = "${mode}" }]\n`;

/** A recording in the folder `work`, of a guest that uses the disks in `home`; el2 in `work`. */
async function recorded(folder: string, disk: string, bytes = content()) {
  const path = `${folder}/home/${disk}`, work = `${folder}/work`;
  await Deno.mkdir(`${folder}/home`);
  await Deno.mkdir(work);
  await Deno.writeFile(`${work}/guest.elf`, await diskWriter());
  if (disk.endsWith(".qcow2")) writeQcow2(path, bytes);
  else await Deno.writeFile(path, bytes);
  const run = (...args: string[]): Promise<Outcome> => el2In(work, {}, ...args);
  await Deno.writeTextFile(`${work}/el2.toml`, machine(path, "overlay"));
  const booted = await run("run", "el2.toml", "--headless", "--turbo", "--for", "5ms", "--record", "a.rec", "--allow-host", path);
  assert.equal(booted.code, 0, booted.stderr);
  return { run, path, work, at: (file: string) => `${work}/${file}` };
}

function writeQcow2(path: string, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { read: true, write: true, createNew: true });
  createQcow2(imageBytes(file), bytes.length);
  const disk = new Qcow2Disk(imageBytes(file), false);
  disk.write(0, bytes);
  disk.flush();
}

Deno.test("a packed recording has the disk of its run by consent alone, and replays without it", () =>
  inFolder(async (folder) => {
    const { run, path, at } = await recorded(folder, "disk.img");
    const bare = await run("recording", "pack", "a.rec", "bare.rec");
    assert.deepEqual([bare.code, bare.stderr.split("\n")], [0, [
      "el2: bare.rec: a copy of a.rec",
      `el2: bare.rec: without disk ${path}; el2 recording pack a.rec copy.rec --allow-host ${path} puts it into a copy`,
      "",
    ]]);
    assert.match((await run("recording", "pack", "a.rec", "b.rec", "--redact", "paths")).stderr, /the path \S+ has to stay/);
    const packed = await run("recording", "pack", "a.rec", "b.rec", "--redact", "paths", "--allow-host", path);
    assert.deepEqual([packed.code, packed.stderr], [0, "el2: b.rec: a copy of a.rec\n"]);
    assert.ok(!(await Deno.readTextFile(at("b.rec"))).includes(folder), "no path of this computer");
    const shown = JSON.parse((await run("recording", "show", "b.rec", "--json")).stdout);
    const { kind, name, bytes } = shown.files.find((one: { kind: string }) => one.kind === "disk");
    assert.deepEqual([kind, name, bytes, shown.uses], ["disk", "disk.img", (await Deno.stat(path)).size, []]);

    await Deno.remove(path);
    const missing = await run("replay", "bare.rec", "--allow-host", "all");
    assert.deepEqual([missing.code, missing.stderr.includes(`disk ${path}: no such file`)], [2, true], missing.stderr);
    const replayed = await run("replay", "b.rec", "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
    // A copy of the copy has it, too, beside it in a folder.
    const again = await run("recording", "pack", "b.rec", "shared/");
    assert.deepEqual([again.code, again.stderr], [0, "el2: shared/b.rec: a copy of b.rec\n"]);
    assert.equal((await run("replay", "shared/b.rec", "--verify")).code, 0);
    await using recording = await openRecording(await Deno.readFile(at("b.rec")));
    assert.ok(recording.end.instructions > 1000);
    await assert.rejects(openRecording(await Deno.readFile(at("bare.rec"))), /its machine uses disk \S+ of the computer/);
    // The run is that of the disk in the copy.
    await rewrite(at("b.rec"), (line) => {
      if (!line.startsWith('{"schema"')) return line;
      const header = JSON.parse(line);
      header.plan.table.disks["disk.img"] = { $bytes: new Uint8Array(SIZE).toBase64() };
      return JSON.stringify(header);
    });
    const other = await run("replay", "b.rec", "--verify");
    assert.deepEqual([other.code, other.stderr.includes("the replay differs")], [1, true], other.stderr);
  }));

Deno.test("a disk that was written since the run, or is too large, is in no copy", () =>
  inFolder(async (folder) => {
    const { run, path, at } = await recorded(folder, "disk.img");
    const refused = async (says: RegExp) => {
      const { code, stderr } = await run("recording", "pack", "a.rec", "b.rec", "--allow-host", "all");
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    };
    const later = ((await Deno.stat(at("a.rec"))).mtime?.getTime() ?? NaN) + 1000;
    await Deno.utime(path, new Date(later), new Date(later));
    await refused(/a\.rec: disk \S+disk\.img was written after the run, which has read other bytes/);
    await Deno.truncate(path, 257 << 20);
    await refused(/disk \S+ has 257MiB, and 256MiB fit into one recording/);
    assert.equal(await exists(at("b.rec")), false);
    // One that guests write through is in no recording, as its beginning is gone.
    const through = await run("boot", "guest.elf", "--disk", path, "--record", "c.rec");
    assert.deepEqual([through.code, await exists(at("c.rec"))], [2, false]);
    assert.match(through.stderr, /--record: disk \S+disk\.img is writable, and would differ at the replay; use --disk \S+,overlay/);
  }));

longTest("the page of a run with a disk (qcow2) replays with it, or says that it is missing", () =>
  inFolder(async (folder) => {
    const { run, path, work } = await recorded(folder, "disk.qcow2");
    const bare = await run("publish", "a.rec", "bare");
    assert.equal(bare.code, 0, bare.stderr);
    assert.ok(
      bare.stderr.includes(`el2: bare: without disk ${path}; el2 recording pack a.rec copy.rec --allow-host ${path} puts`),
      bare.stderr,
    );
    assert.equal((await run("recording", "pack", "a.rec", "copy.rec", "--allow-host", path)).code, 0);
    const whole = await run("publish", "copy.rec", "whole");
    assert.deepEqual([whole.code, whole.stderr.includes("without")], [0, false], whole.stderr);
    await using browser = await Browser.start();
    await using server = serveFolder(work);
    const page = await browser.open(`${server.url}whole/`, LAPTOP);
    await page.shows(ROWS, /ended: .*identical to the recording \(state hashes compared: 1\)/);
    assertSilent(page, server.url);
    const without = await browser.open(`${server.url}bare/`, LAPTOP);
    const said = async () => `${await without.text(ROWS)}${await without.text("#message")}`;
    await eventually(said, (text) => /disk \S+ is not in the page/.test(text.replaceAll("\n", "")));
    assertSilent(without, server.url);
  }));
