// The disks that the worker of guests opens by itself, and the rights that it has before and after.

import assert from "node:assert/strict";
import { imageBytes } from "../../../src/kit/formats/image-bytes.ts";
import { createQcow2 } from "../../../src/kit/formats/qcow2-disk.ts";
import { COMPUTER_FILES, DiskInUse, openDisk } from "../../../src/session/outside/disk-file.ts";
import type { DevicePlan, SessionPlan } from "../../../src/model/plans/plan.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { Bell, BELL_WORDS } from "../../../src/session/worker/bell.ts";
import { newMailbox } from "../../../src/session/worker/calls.ts";
import { type Connection, WORKER_NAME } from "../../../src/session/worker/client.ts";
import { OwnDisks } from "../../../src/session/worker/own-disks.ts";
import { codeOf, workerPermissions } from "../../../src/session/worker/rights/worker-rights.ts";
import { A64, imageOf } from "../../app/cli/program.ts";
import { ROOT } from "../../support/files.ts";
import { inFolder } from "../../support/temporary-folder.ts";

function planOf(devices: readonly DevicePlan[], rest: Partial<SessionPlan> = {}): SessionPlan {
  const what = { kind: "boot", image: imageOf([A64.branch(0)]), initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  return { cpus: 1, memory: 8 << 20, seed: 1, turbo: true, what, ...rest };
}

const opened = (plan: SessionPlan) => {
  const disks = new OwnDisks();
  disks.openAll(plan);
  return (path: string, readOnly: boolean) => openDisk(path, readOnly, disks);
};

Deno.test("a disk is opened in its mode, and again when the machine before has given it back", async () => {
  await inFolder((folder) => {
    const image = `${folder}/disk`, base = `${folder}/base`, other = `${folder}/other`;
    for (const path of [image, base, other]) Deno.writeFileSync(path, new Uint8Array(4096).fill(7));
    const disk = opened(planOf([{ kind: "block", image, mode: "rw" }, { kind: "block", image: base, mode: "overlay" }]));
    const first = disk(image, false), read = disk(base, true), again = disk(base, true), bytes = new Uint8Array(512);
    first.write(512, new Uint8Array(512).fill(9));
    read.read(3584, bytes);
    again.read(0, bytes);
    assert.deepEqual([...new Set(bytes)], [7]);
    assert.equal(Deno.readFileSync(image)[512], 9);
    for (const [path, readOnly] of [[base, false], [image, true], [other, true]] as const) {
      assert.throws(() => disk(path, readOnly), Deno.errors.NotCapable);
    }
    assert.throws(() => disk(image, false), /another session uses disk .*disk; sessions share it only if all use mode "ro" or "overlay"/);
    first.close();
    // The machine that follows has it, and other sessions still do not.
    const second = disk(image, false);
    second.read(512, bytes);
    assert.deepEqual([...new Set(bytes)], [9]);
    assert.throws(() => openDisk(image, false), /another session uses disk/);
    second.close();
    assert.throws(() => COMPUTER_FILES.open(image, false), /another session uses disk/);
  });
});

Deno.test("a disk that a session has just left is waited for, one that a session keeps is refused", async () => {
  await inFolder(async (folder) => {
    for (const [image, script] of [[`${folder}/left`, "echo; sleep 0.2"], [`${folder}/kept`, "echo; read line"]] as const) {
      Deno.writeFileSync(image, new Uint8Array(4096));
      const holder = new Deno.Command("flock", { args: [image, "sh", "-c", script], stdin: "piped", stdout: "piped" }).spawn();
      await holder.stdout.getReader().read();
      const disk = opened(planOf([{ kind: "block", image, mode: "rw" }]));
      if (image.endsWith("left")) assert.equal(disk(image, false).size, 4096);
      else assert.throws(() => disk(image, false), DiskInUse);
      await holder.stdin.close();
      await holder.status;
    }
  });
});

Deno.test("a disk that cannot be opened is reported when the machine needs it, a disk that is too small can be replaced", async () => {
  await inFolder((folder) => {
    const small = `${folder}/small`, none = `${folder}/none`;
    Deno.writeFileSync(small, new Uint8Array(100));
    const disk = opened(planOf([{ kind: "block", image: small, mode: "rw" }, { kind: "block", image: none, mode: "ro" }]));
    assert.throws(() => disk(none, true), /^Error: disk .*none: no such file$/);
    assert.throws(() => disk(small, false), /has 100 bytes, less than a sector/);
    Deno.truncateSync(small, 4096);
    assert.equal(disk(small, false).size, 4096);
  });
});

Deno.test("variables of firmware are written by a machine and read by the one after; a replay leaves them to their owner", async () => {
  await inFolder((folder) => {
    const path = `${folder}/vars.fd`, content = new Uint8Array(4096);
    Deno.writeFileSync(path, content);
    const firmware = { code: content, vars: { path, content } };
    const plan = planOf([]), what = { ...plan.what, firmware } as SessionPlan["what"];
    const replayed = { recording: { inputs: [], checks: [], end: undefined }, verify: false, to: undefined };
    assert.throws(() => opened({ ...plan, what, replay: replayed })(path, false), Deno.errors.NotCapable);
    const disk = opened({ ...plan, what });
    disk(path, false).write(0, Uint8Array.of(1, 2));
    const bytes = new Uint8Array(2);
    disk(path, true).read(0, bytes);
    assert.deepEqual(bytes, Uint8Array.of(1, 2));
  });
});

Deno.test("the worker opens the disks of its plan, and has no right left when its machine begins", async () => {
  await inFolder(async (folder) => {
    const image = `${folder}/disk`, packed = `${folder}/disk.qcow2`;
    Deno.writeFileSync(image, new Uint8Array(4096));
    {
      using file = Deno.openSync(packed, { createNew: true, read: true, write: true });
      createQcow2(imageBytes(file), 1 << 20);
    }
    const permissions = workerPermissions(codeOf(new URL("main.ts", ROOT)));
    const worker = new Worker(new URL("./tried-rights.ts", import.meta.url), { type: "module", name: WORKER_NAME, deno: { permissions } });
    try {
      const { port1, port2 } = new MessageChannel(), rights = new MessageChannel();
      // Nothing but disks would be opened for this machine.
      port1.onmessage = ({ data }) => assert.fail(`a call: ${JSON.stringify(data)}`);
      const machine = Promise.withResolvers<void>(), answer = Promise.withResolvers<readonly string[]>();
      const bell = new Int32Array(new SharedArrayBuffer(BELL_WORDS * Int32Array.BYTES_PER_ELEMENT));
      worker.onmessage = ({ data }: MessageEvent<readonly SessionEvent[]>) => {
        Atomics.add(bell, Bell.Heard, 1);
        for (const event of data) {
          if (event.kind === "failed") machine.reject(new Error(event.message));
          if (event.kind === "ready") {
            const surroundings = { port: port2, mailbox: newMailbox(), folders: { cores: undefined, code: undefined, states: undefined } };
            worker.postMessage({ kind: "connect", processors: 1, bell: bell.buffer, surroundings } satisfies Connection, [port2]);
            worker.postMessage([{ kind: "start", plan: planOf([image, packed].map((image) => ({ kind: "block", image, mode: "rw" }))) }]);
          }
          if (event.kind === "sample") machine.resolve();
        }
      };
      await machine.promise;
      assert.throws(() => openDisk(image, false), /another session uses disk/);
      rights.port1.onmessage = ({ data }) => answer.resolve(data);
      worker.postMessage({ kind: "rights", port: rights.port2 }, [rights.port2]);
      assert.deepEqual(await answer.promise, []);
      port1.close();
      rights.port1.close();
    } finally {
      worker.terminate();
    }
  });
});

Deno.test("readers share a disk, and a writer has it alone, whoever comes first", () =>
  inFolder((folder) => {
    for (const name of ["disk.img", "disk.qcow2"]) {
      const path = `${folder}/${name}`;
      Deno.writeFileSync(path, new Uint8Array(4096));
      if (name.endsWith(".qcow2")) {
        using file = Deno.openSync(path, { read: true, write: true });
        createQcow2(imageBytes(file), 1 << 20);
      }
      const readers = [openDisk(path, true), openDisk(path, true)];
      assert.throws(() => openDisk(path, false), DiskInUse);
      readers.forEach((reader) => reader.close());
      const writer = openDisk(path, false);
      assert.throws(() => openDisk(path, true), DiskInUse);
      writer.close();
      openDisk(path, true).close();
    }
  }));
