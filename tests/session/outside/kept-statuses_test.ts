import assert from "node:assert/strict";
import fc from "fast-check";
import { KeptStatuses } from "../../../src/session/outside/kept-statuses.ts";
import { Outside } from "../../../src/session/outside/outside.ts";
import { OutsideShare } from "../../../src/session/outside/share.ts";
import { letIn } from "../../../src/session/recordings/past/input.ts";
import { P9Server } from "../../../src/machine/virtio/p9/server.ts";
import { type FileStatus, type FolderFile, type SharedFolder, ShareError, type SharePath } from "../../../src/machine/virtio/p9/folder.ts";
import { p9Request } from "../../machine/virtio/p9-client.ts";

const NAMES = Array.from({ length: 12 }, (_, index) => `f${String(index).padStart(2, "0")}`);

/** A folder of the computer whose files change; each change is a step of one clock. */
class ChangingFolder {
  /** By file: the times of its changes, of which the latest is what `status` says. */
  readonly changes = new Map(NAMES.map((name) => [name, [0]]));
  readonly calls: string[] = [];
  time = 0;
  /** Files that change while the statuses of several are taken, one after each. */
  during: string[] = [];

  change(name: string): void {
    this.changes.get(name)!.push(++this.time);
  }

  readonly folder: SharedFolder = {
    status: (path) => this.#called("status", () => this.#status(path)),
    look: (_folder, names) =>
      this.#called("look", () =>
        names.map((name) => {
          const status = this.#status([name]), changed = this.during.pop();
          if (changed) this.change(changed);
          return status;
        })),
    list: () => this.#called("list", () => ({ names: [...NAMES], hidden: 0 })),
    open: (path) => this.#called("open", () => ({ status: () => this.#status(path), close: () => {} }) as unknown as FolderFile),
  } as Partial<SharedFolder> as SharedFolder;

  #called<T>(name: string, work: () => T): T {
    this.calls.push(name);
    return work();
  }

  #status([name]: SharePath): FileStatus {
    const changes = this.changes.get(name ?? NAMES[0]);
    if (!changes) throw new ShareError("ENOENT", name);
    const common = {
      device: 0n,
      inode: 1n,
      mode: 0,
      uid: 0,
      gid: 0,
      links: 1n,
      size: 0n,
      blockSize: 1n,
      blocks: 0n,
      accessed: 0n,
      changed: 0n,
    };
    return { ...common, kind: "file", modified: BigInt(changes.at(-1)!) };
  }
}

const file = fc.integer({ min: 0, max: NAMES.length - 1 });
const step = fc.oneof(
  { weight: 3, arbitrary: file.map((at) => ({ kind: "change", at } as const)) },
  { weight: 6, arbitrary: file.map((at) => ({ kind: "look", at } as const)) },
  { weight: 3, arbitrary: file.map((at) => ({ kind: "through", at } as const)) },
  file.map((at) => ({ kind: "open", at } as const)),
  fc.constant({ kind: "list" } as const),
  fc.constant({ kind: "input" } as const),
  fc.array(file).map((files) => ({ kind: "during", files } as const)),
  fc.integer({ min: 1, max: 12 }).map((ms) => ({ kind: "wait", ms } as const)),
);

Deno.test("what a guest sees of a folder is what it could have seen without statuses that are kept, at times that never go back", () => {
  let kept = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const source = new ChangingFolder();
      let now = 0, earliest = 0;
      const folder = new KeptStatuses(source.folder, () => now);
      /** The guest has seen this: there was a time for it, not before all that it knows. */
      const seen = (name: string, { modified }: FileStatus) => {
        const changes = source.changes.get(name)!, at = changes.indexOf(Number(modified)), end = changes[at + 1] ?? Infinity;
        assert.ok(at >= 0 && earliest < end, `${name} of ${modified}, which ended at ${end}, after ${earliest}`);
        earliest = Math.max(earliest, Number(modified));
      };
      const look = (at: number) => {
        const { length } = source.calls;
        seen(NAMES[at], folder.status([NAMES[at]]));
        if (source.calls.length === length) kept++;
      };
      for (const step of steps) {
        if (step.kind === "change") source.change(NAMES[step.at]);
        else if (step.kind === "look") look(step.at);
        else if (step.kind === "through") { for (let at = step.at; at < NAMES.length; at++) look(at); }
        else if (step.kind === "open") {
          seen(NAMES[step.at], folder.open([NAMES[step.at]], { read: true, write: false, truncate: false }).status());
        } else if (step.kind === "list") folder.list([]);
        else if (step.kind === "during") source.during = step.files.map((at) => NAMES[at]);
        else if (step.kind === "input") {
          // It can tell the guest of everything before it.
          folder.drop();
          earliest = source.time;
        } else now += step.ms;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(kept > 1000, `${kept} answers from statuses that were kept`);
});

Deno.test("statuses are kept for some milliseconds only", () => {
  const source = new ChangingFolder();
  let now = 0;
  const folder = new KeptStatuses(source.folder, () => now);
  const version = () => folder.status([NAMES[3]]).modified;
  assert.equal(version(), 0n);
  source.change(NAMES[3]);
  assert.equal(version(), 0n);
  now = 11;
  assert.equal(version(), 1n);
});

Deno.test("a guest that goes through a folder causes a call for many names, and one that opens each file no needless looks", () => {
  const source = new ChangingFolder(), folder = new KeptStatuses(source.folder, () => 0);
  folder.list([]);
  for (let round = 0; round < 3; round++) for (const name of NAMES) for (let again = 0; again < 3; again++) folder.status([name]);
  assert.deepEqual(source.calls.splice(0), ["list", "look", "look", "look"]);
  for (const name of NAMES) {
    folder.status([name]);
    folder.open([name], { read: true, write: false, truncate: false });
  }
  const looks = source.calls.filter((call) => call === "look").length;
  assert.ok(looks <= NAMES.length / 2, source.calls.join(" "));
  assert.equal(source.calls.length, 2 * NAMES.length);
  assert.throws(() => folder.status(["absent"]), /ENOENT/);
});

Deno.test("an input of any kind ends what a share keeps, and its own answers do not", async () => {
  const source = new ChangingFolder();
  const statuses = new KeptStatuses(source.folder, () => 0), outside = new Outside();
  const system = { outside, consoles: { type: () => {} } } as unknown as Parameters<typeof letIn>[0];
  outside.takeOver((source, data) => void letIn(system, { kind: "outside", source, data }));
  const share = new OutsideShare(outside, new P9Server(statuses, true), statuses);
  let answers = 0;
  share.answer = () => answers++;
  const ask = async (request: Uint8Array) => {
    share.request(0, request, 8192);
    assert.equal(outside.enterSoon(), true);
    await Promise.resolve();
  };
  await ask(p9Request("version", { size: 8192, version: "9P2000.L" }));
  await ask(p9Request("attach", { fid: 0, authFid: 0xffff_ffff, user: "", tree: "", uid: 0 }));
  await ask(p9Request("walk", { fid: 0, newFid: 1, names: [NAMES[3]] }));
  source.calls.length = 0;
  await ask(p9Request("getattr", { fid: 1, mask: 0x7ffn }));
  assert.deepEqual(source.calls, []);
  letIn(system, { kind: "console", console: "c", bytes: new Uint8Array(1) });
  await ask(p9Request("getattr", { fid: 1, mask: 0x7ffn }));
  assert.deepEqual(source.calls, ["status"]);
  await ask(p9Request("getattr", { fid: 1, mask: 0x7ffn }));
  assert.deepEqual(source.calls, ["status"]);
  assert.equal(answers, 6);
});
