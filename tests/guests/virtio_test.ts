// Debian's own drivers on the virtio devices of the primary VM: a disk that survives the end of the
// program, and the NAT.

import assert from "node:assert/strict";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";

/** MiB of the file that the guest writes. */
const FILE = LONG ? 64 : 8;
const BOOT = 120;
const COMMAND = 120;

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("Debian writes to a disk what survives kill -9 after sync, and fetches over the NAT from a server on the host", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const work = await Deno.makeTempDir({ prefix: "el2-virtio-" });
  try {
    const disk = `${work}/disk.img`;
    await Deno.writeFile(disk, new Uint8Array(0));
    await Deno.truncate(disk, 2 * FILE << 20);
    const page = crypto.getRandomValues(new Uint8Array(60_000));
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(page));
    const port = (server.addr as Deno.NetAddr).port;

    const args = [
      "--append",
      `console=ttyAMA0 ${NO_SELF_TESTS}`,
      "--memory",
      "512MiB",
      "--stdio",
      "--turbo",
      "--disk",
      disk,
      "--net",
      "user,host=yes",
    ];
    await using console = new ConsoleProgram(el2Command("boot", `${folder}/Image`, "--initrd", `${folder}/initrd-virtio`, ...args));
    await console.expect(/inet 10\.0\.2\.15\/24/, BOOT);
    await console.expect(PROMPT, COMMAND);
    await console.type(`wget -q -O- http://10.0.2.2:${port}/ | sha256sum; wget -O- http://10.0.2.2:${await closedPort()}/`);
    await console.expect(new RegExp(`^${await digest(page)} `, "m"), COMMAND);
    await console.expect(/Connection refused/, COMMAND);
    await console.expect(PROMPT, COMMAND);

    await console.type(
      `mke2fs -q /dev/vda && mkdir /m && mount -t ext4 /dev/vda /m && dd if=/dev/urandom of=/m/f bs=1M count=${FILE} 2>&1`,
    );
    await console.expect(/records out/, COMMAND);
    await console.type("sync; sha256sum /m/f");
    const [, written] = await console.expect(/^([0-9a-f]{64}) {2}\/m\/f$/m, COMMAND);
    await console[Symbol.asyncDispose]();

    const fsck = await new Deno.Command(await nativeProgram("e2fsck"), { args: ["-p", disk] }).output();
    assert.ok(fsck.code === 0 || fsck.code === 1, new TextDecoder().decode(fsck.stdout));
    const dump = await new Deno.Command(await nativeProgram("debugfs"), { args: ["-R", `dump f ${work}/f`, disk] }).output();
    assert.equal(dump.code, 0, new TextDecoder().decode(dump.stderr));
    assert.equal(await digest(await Deno.readFile(`${work}/f`)), written);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

/** A port of the host on which nobody listens. */
async function closedPort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await Promise.resolve();
  return port;
}
