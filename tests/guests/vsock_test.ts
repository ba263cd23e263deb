// Debian's own driver on the socket device: a program in the guest calls one of the host, and one
// of the host calls it.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";
import { withPrograms } from "./programs.ts";

const WAIT = 120;
/** Bytes that go there and back: more than the guest's and our buffers together. */
const ECHO = 1 << 20;

/** Takes one connection: gives what came first, answers, and ends it. */
async function answerOnce(listener: Deno.UnixListener, answer: string): Promise<string> {
  using connection = await listener.accept();
  const bytes = new Uint8Array(100);
  const count = await connection.read(bytes);
  await connection.write(new TextEncoder().encode(answer));
  await connection.closeWrite();
  return new TextDecoder().decode(bytes.subarray(0, count ?? 0));
}

/** Calls a port of the guest, sends, and reads until the guest sends no more. */
async function echo(path: string, port: number, sent: Uint8Array): Promise<Uint8Array> {
  using connection = await Deno.connect({ transport: "unix", path });
  const reader = connection.readable.getReader();
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(`CONNECT ${port}\n`));
  const parts: Uint8Array[] = [];
  const written = writer.write(sent as Uint8Array<ArrayBuffer>);
  // A line of the greeting comes first, in one piece.
  const { value: first } = await reader.read();
  const greeting = /^OK \d+\n/.exec(new TextDecoder("latin1").decode(first))?.[0];
  assert.ok(first && greeting, "a greeting");
  parts.push(first.subarray(greeting.length));
  for (let length = first.length - greeting.length; length < sent.length;) {
    const { value, done } = await reader.read();
    assert.ok(!done, `the guest ended after ${length} bytes`);
    parts.push(value);
    length += value.length;
  }
  await written;
  return await new Blob(parts as BlobPart[]).bytes();
}

Deno.test("Debian's sockets reach a program of the host, and a program of the host reaches them and gets back what it sent", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const work = await Deno.makeTempDir({ prefix: "el2-vsock-" });
  try {
    const path = `${work}/vm`;
    using listener = Deno.listen({ transport: "unix", path: `${path}_1234` });
    const asked = answerOnce(listener, "the host answers\n");
    const initrd = `${work}/initrd`;
    await Deno.writeFile(initrd, await withPrograms(await Deno.readFile(`${folder}/initrd-virtio`), "vsock"));
    const args = [
      "--append",
      `console=ttyAMA0 ${NO_SELF_TESTS}`,
      "--memory",
      "256MiB",
      "--stdio",
      "--turbo",
      "--set",
      `host.devices=[{ kind = "vsock", path = "${path}" }]`,
    ];
    await using console = new ConsoleProgram(el2Command("boot", `${folder}/Image`, "--initrd", initrd, ...args));
    await console.expect(PROMPT, WAIT);
    await console.type("vsock");
    await console.expect(/VSOCK-ANSWER the host answers/, WAIT);
    assert.equal(await asked, "guest calls");
    await console.expect(/VSOCK-LISTENS/, WAIT);
    const sent = crypto.getRandomValues(new Uint8Array(ECHO).subarray(0, 65_536));
    const all = Uint8Array.from({ length: ECHO }, (_, index) => sent[index % sent.length] ^ index >> 16);
    assert.deepEqual(await echo(path, 99, all), all);
    await console.expect(/VSOCK-DONE/, WAIT);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
