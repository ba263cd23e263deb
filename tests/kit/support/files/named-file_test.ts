import assert from "node:assert/strict";
import { beginningOf, cannotRead, cannotWrite, EndlessFile, readToEnd } from "../../../../src/kit/support/files/named-file.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";
import { writeAll, WriteFailure } from "../../../../src/kit/support/files/write-all.ts";

const folder = () => Deno.makeTempDirSync({ prefix: "el2-test-" });
const shell = (command: string) => new Deno.Command("/bin/sh", { args: ["-c", command], stdout: "null" }).spawn();

Deno.test("D10: a pipe into which nobody writes is refused after a while, one that is written is read to its end", async () => {
  const work = folder(), pipe = `${work}/p`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  const writer = shell(`sleep 0.3; printf hello > ${pipe}`);
  assert.equal(new TextDecoder().decode(readToEnd(pipe)), "hello");
  await writer.status;
  const begun = performance.now();
  let reason = "";
  try {
    readToEnd(pipe);
  } catch (error) {
    reason = cannotRead(error).what;
  }
  assert.equal(reason, "is a pipe into which nothing was written for 10 s");
  assert.ok(performance.now() - begun < 20_000);
  Deno.removeSync(work, { recursive: true });
});

Deno.test("the beginning is that of a regular file; a pipe keeps its bytes, and is not waited for", async () => {
  const work = folder(), pipe = `${work}/p`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  Deno.writeTextFileSync(`${work}/file`, "hello");
  try {
    const begins = (path: string, size: number) => {
      const bytes = beginningOf(path, size);
      return bytes && new TextDecoder().decode(bytes);
    };
    assert.deepEqual([begins(`${work}/file`, 2), begins(`${work}/file`, 9)], ["he", "hello"]);
    assert.deepEqual([pipe, work, "/dev/zero", `${work}/none`, ""].map((path) => beginningOf(path, 2)), Array(5).fill(undefined));
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
});

Deno.test("devices, sockets and files that are too large are refused", () => {
  const work = folder();
  const socket = Deno.listen({ transport: "unix", path: `${work}/s` });
  using sparse = Deno.createSync(`${work}/sparse`);
  sparse.truncateSync(3 * 2 ** 30);
  try {
    for (
      const [path, reason] of [["/dev/zero", "is a device"], [`${work}/s`, "is a socket"], [
        `${work}/sparse`,
        "has 3GiB; at most 2GiB can be read",
      ]]
    ) {
      assert.throws(() => readToEnd(path), (error) => error instanceof EndlessFile && error.message === reason, path);
    }
  } finally {
    socket.close();
    Deno.removeSync(work, { recursive: true });
  }
});

Deno.test("files of any size are read whole, into memory that they share with nothing", () => {
  const work = folder();
  try {
    for (const size of [0, 1, 2 ** 20 - 1, 2 ** 20, 3_000_001]) {
      const bytes = Uint8Array.from({ length: size }, (_, index) => index >> 8 ^ index);
      Deno.writeFileSync(`${work}/file`, bytes);
      const read = readToEnd(`${work}/file`);
      assert.ok(read.every((byte, index) => byte === bytes[index]));
      assert.deepEqual([read.length, read.buffer.byteLength], [size, size]);
    }
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
});

Deno.test("who cannot write is told the way out: room only where the disk is full", () => {
  const refused = (work: () => void): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    assert.fail("it was written");
  };
  // As Deno reports it; of a real disk: tests/app/cli/first-runs_test.ts.
  const full = Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
  const noRoom = "out: No space left on device (os error 28); free some space, or name another place";
  assert.equal(problemText(cannotWrite(full, "out")), noRoom);
  const writer = {
    writeSync(): number {
      throw full;
    },
  };
  const failure = refused(() => writeAll(writer, new Uint8Array(1), "out"));
  assert.ok(failure instanceof WriteFailure);
  assert.equal(failure.message, noRoom);
  const long = refused(() => Deno.openSync(`/tmp/${"x".repeat(300)}`, { write: true, createNew: true }));
  assert.equal(problemText(cannotWrite(long, "out")), "out: File name too long (os error 36); name another place");
});
