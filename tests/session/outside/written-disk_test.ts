// The past of a disk that guests write through to its file: machines of the past read the bytes of
// their time, and the file is the present's.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { type Again, SessionRun } from "../../../src/session/engine/session-run.ts";
import { alone, PRIMARY_CONSOLE } from "../../../src/model/plans/plan.ts";
import { letIn } from "../../../src/session/recordings/past/input.ts";
import { type Moment, momentOf, Past } from "../../../src/session/recordings/past/past.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { PageFile } from "../../../src/session/state/page-file.ts";
import { type KeptOutside, UnsavableError } from "../../../src/session/state/parts.ts";
import { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { WrittenDisk } from "../../../src/session/outside/written-disk.ts";
import { Page } from "../../../src/session/state/page-map.ts";
import { createQcow2, Qcow2Disk } from "../../../src/kit/formats/qcow2-disk.ts";
import { imageBytes } from "../../../src/kit/formats/image-bytes.ts";
import { KiB, MiB } from "../../../src/kit/support/values/sizes.ts";
import { hashesOf, runTo } from "../snapshots/systems.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { Session } from "../engine/session-in-thread.ts";
import { writerPlan } from "./disk-writer.ts";

/** Random sessions, and steps of each. */
const SESSIONS = LONG ? 200 : 6, STEPS = 60;

/** Makes a disk image with some random bytes, in whole units. */
function makeImage(path: string, random: Random, unit: number): void {
  const size = unit * Math.ceil(512 * (512 + random.below(4096)) / unit), content = random.bytes(random.below(size));
  using file = Deno.openSync(path, { read: true, write: true, create: true });
  if (!path.endsWith(".qcow2")) {
    file.truncateSync(size);
    file.writeSync(content);
    return;
  }
  createQcow2(imageBytes(file), size);
  const disk = new Qcow2Disk(imageBytes(file), false);
  disk.write(0, content);
  disk.flush();
}

/** The bytes of a disk. */
function contentOf(path: string): Uint8Array {
  if (!path.endsWith(".qcow2")) return Deno.readFileSync(path);
  using file = Deno.openSync(path);
  const disk = new Qcow2Disk(imageBytes(file), true), bytes = new Uint8Array(disk.size);
  disk.read(0, bytes);
  return bytes;
}

/** A run of a machine that writes a disk, with the places that it has been at. */
class WriterSession {
  readonly places: { readonly moment: Moment; readonly hashes: string }[] = [];
  readonly lost: string[] = [];
  readonly run: SessionRun;

  private constructor(readonly system: System, again: Again, room: ConstructorParameters<typeof SessionRun>[3]) {
    this.run = new SessionRun(system, again, undefined, room);
    this.run.keepDisks(true);
    this.run.keepStates();
    this.run.observe({ forgotten: (why) => this.lost.push(why), problem: (error) => assert.fail(String(error)) });
  }

  static async of(disk: Parameters<typeof writerPlan>[0], room?: ConstructorParameters<typeof SessionRun>[3]): Promise<WriterSession> {
    const plan = await writerPlan(disk), second = alone(plan);
    const again: Again = (state, left, disks) => state ? loaded(second, state, left, disks) : assemble(second, undefined, false, disks);
    return new WriterSession(assemble(plan), again, room);
  }

  on(instructions: number): void {
    runTo(this.system, this.system.instructions() + instructions);
    this.places.push({ moment: momentOf(this.system), hashes: hashesOf(this.system) });
  }

  type(byte: number): void {
    const { machine } = this.system, input = { kind: "console", console: PRIMARY_CONSOLE, bytes: Uint8Array.of(byte) } as const;
    while (machine.inTurn) machine.run(Infinity, 1);
    this.run.enter({ at: machine.boundary, settled: machine.settled }, input);
    letIn(this.system, input);
  }

  /** Goes back to a place that it has been at. */
  back({ moment, hashes }: this["places"][number]): Past {
    const past = this.run.pastAt(this.run.milestone(moment));
    while (!past.advance(moment, Infinity));
    assert.equal(hashesOf(past.system), hashes);
    return past;
  }

  /** The bytes of the disk after the same run on another image. */
  async onCopy(copy: string, disk: Parameters<typeof writerPlan>[0] = copy): Promise<Uint8Array> {
    const past = new Past(assemble(alone(await writerPlan(disk))), [...this.run.inputs]), moment = momentOf(this.system);
    while (!past.advance(moment, Infinity));
    assert.equal(hashesOf(past.system), hashesOf(this.system));
    past.system.outside.close();
    return contentOf(copy);
  }
}

for (let seed = 0; seed < SESSIONS; seed++) {
  Deno.test(`a random session with a written disk goes back and forward, and its disk has the bytes of the present: seed ${seed}`, () =>
    inFolder(async (folder) => {
      const random = new Random(seed), image = `${folder}/disk.${random.pick(["img", "qcow2"])}`, copy = image.replace("disk", "copy");
      // Each second disk is of three partitions, of which guests write two.
      const isWhole = seed % 2 === 0, other = `${folder}/other.img`;
      makeImage(image, random, isWhole ? 512 : 4096);
      makeImage(other, random, 512);
      Deno.copyFileSync(image, copy);
      const diskWith = (image: string) =>
        isWhole ? image : [
          { label: "fixed", image: other, mode: "ro" } as const,
          { label: "written", image, mode: "rw" } as const,
          { label: "changed", image: other, mode: "overlay" } as const,
        ];
      const file = random.below(2) ? PageFile.inFolder(folder, random.pick([8, 64]) * MiB) : undefined;
      using _file = file?.file;
      // With little memory, states are dropped, and what only they need.
      const session = await WriterSession.of(diskWith(image), { states: file ? random.pick([512, 65_536]) * KiB : 64 * MiB, file }),
        { run } = session;
      let past: Past | undefined, known = 0;
      for (let step = 0; step < STEPS; step++) {
        const before = contentOf(image);
        switch (random.below(5)) {
          case 0:
            session.on(random.below(100_000));
            continue;
          case 1:
            session.type(random.below(256));
            continue;
          case 2:
            session.on(random.below(20_000));
            run.keepNow();
            continue;
          case 3:
            if (session.places.length) past = session.back(random.pick(session.places)), known = session.places.length;
            if (past && random.below(2)) run.keepPast(past);
            if (past && random.below(2)) run.leave(past), past = undefined;
            break;
          case 4: {
            // Forward again, to a place before which nothing has entered since.
            const later = session.places.slice(0, known).filter(({ moment }) => past && isAfter(moment, past));
            if (!past || later.length === 0) continue;
            const { moment, hashes } = random.pick(later);
            while (!past.advance(moment, Infinity));
            assert.equal(hashesOf(past.system), hashes);
          }
        }
        assert.deepEqual(contentOf(image), before);
      }
      session.on(1);
      session.system.outside.close();
      assert.deepEqual(contentOf(image), await session.onCopy(copy, diskWith(copy)));
      assert.deepEqual(session.lost, []);
    }));
}

/** Runs a session on a disk that is full of bytes, and keeps states. */
async function overwriting(folder: string, room: ConstructorParameters<typeof SessionRun>[3], states = 12): Promise<WriterSession> {
  const image = `${folder}/disk.img`;
  Deno.writeFileSync(image, new Uint8Array(2 * MiB).fill(7));
  const session = await WriterSession.of(image, room);
  for (let step = 0; step < states; step++) {
    session.on(50_000);
    session.run.keepNow();
  }
  return session;
}

Deno.test("old bytes that find no room end the past in one sentence, and the machine runs on", () =>
  inFolder(async (folder) => {
    const { run, lost, system } = await overwriting(folder, { states: MiB }), instructions = system.instructions();
    assert.deepEqual(lost, ["the run before now is forgotten: what disks had before takes more than 256KiB (--disk-budget)"]);
    assert.equal(run.lost, lost[0]);
    assert.deepEqual(run.milestones, []);
    runTo(system, instructions + 50_000);
    assert.equal(run.memory().find(({ part }) => part === "history")!.used < 64 * KiB, true);
    assert.throws(() => system.keep(), UnsavableError);
    system.outside.close();
  }));

Deno.test("a full disk of the computer under old bytes ends the past in one sentence", () =>
  inFolder(async (folder) => {
    const path = `${folder}/file`, file = new PageFile(Deno.openSync(path, { read: true, write: true, create: true }), 64 * MiB);
    using _file = file.file;
    file.file.writeSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    const { lost, system } = await overwriting(folder, { states: 64 * MiB, file });
    assert.deepEqual(lost, ["the run before now is forgotten: the file for what disks had before cannot be written"]);
    system.outside.close();
  }));

Deno.test("states are dropped for old bytes, before the past ends", () =>
  inFolder(async (folder) => {
    const file = PageFile.inFolder(folder, 3 * MiB);
    using _file = file.file;
    const session = await overwriting(folder, { states: 64 * MiB, file }, 40), { run } = session;
    assert.deepEqual(session.lost, []);
    assert.ok(run.memory().find(({ part }) => part === "history")!.dropped > 0);
    assert.ok(run.memory().find(({ part }) => part === "history-disk")!.used <= file.room + MiB);
    for (const place of session.places.filter((_, index) => index % 20 === 7)) run.leave(session.back(place));
    session.system.outside.close();
  }));

Deno.test("an error of the computer, which no machine can repeat, ends the past in one sentence", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(MiB));
    const session = await WriterSession.of(image), { system, lost } = session;
    session.on(50_000);
    Deno.truncateSync(image, 1024);
    session.on(50_000);
    assert.deepEqual(lost, [`the run before now is forgotten: disk ${image} could not be read or written`]);
    system.outside.close();
  }));

Deno.test("a state of the past has the bytes of its place after the run has let that go, and when it goes, too", () => {
  const file = new OverlayBacking({ size: MiB, read() {} }), disk = new WrittenDisk("disk.img", Object.assign(file, { close() {} }));
  let kept = 0;
  disk.keepOld({ keep: (content) => (kept++, new Page(content.slice())), forget: (blocks) => kept -= blocks, lose: assert.fail });
  const write = (byte: number) => disk.write(0, new Uint8Array(KiB).fill(byte)), holds: KeptOutside[] = [];
  const keep = () => (holds.push(disk.kept()), holds.length);
  const byteAt = (state: ReturnType<WrittenDisk["save"]>) => {
    const past = disk.past(), bytes = new Uint8Array(1);
    past.restore(state);
    past.read(0, bytes);
    return { byte: bytes[0], past };
  };
  write(1);
  const [first, second] = [2, 3].map((byte) => {
    const point = keep();
    write(byte);
    return { point, changes: undefined };
  });
  // The run goes back to the first place, keeps a state there, and lets its own go.
  const { past } = byteAt(first), state = past.save(), ofPast = past.kept();
  holds[0].release();
  keep();
  write(4);
  assert.deepEqual([byteAt(state).byte, byteAt(second).byte], [1, 2]);
  ofPast.release();
  assert.throws(() => byteAt(state), /no bytes of place 1/);
  assert.equal(byteAt(second).byte, 2);
  // A machine of the past that still runs may keep a place that has gone.
  const late = past.kept();
  assert.equal(byteAt(past.save()).byte, 1);
  for (const one of [late, ...holds.slice(1)]) one.release();
  disk.kept();
  // The start had zeros there.
  assert.equal(kept, 0);
});

Deno.test("an error while the old bytes are read ends the past, too", () => {
  const lost: string[] = [], file = new OverlayBacking({ size: MiB, read() {} });
  const unreadable = () => {
    throw new Error("Input/output error (os error 5)");
  };
  const disk = new WrittenDisk("disk.img", Object.assign(file, { read: unreadable, close() {} }));
  for (const change of [() => disk.write(0, new Uint8Array(512)), () => disk.zero(0, 512)]) {
    lost.length = 0;
    disk.keepOld({ keep: (content) => new Page(content.slice()), forget() {}, lose: (why) => lost.push(why) });
    assert.throws(change, /Input\/output error/);
    assert.deepEqual(lost, ["disk disk.img could not be read or written"]);
  }
});

Deno.test("a session goes back, is asked who, and returns to a present that has not moved; then it runs on", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(MiB).fill(7));
    const session = new Session(await writerPlan(image)), { engine } = session;
    await session.runOn(400_000);
    engine.pause(true);
    await session.event("paused");
    const present = session.hashes, content = Deno.readFileSync(image), count = engine.present.instructions();
    for (const to of [200_000, 300_000, 100_000]) assert.equal(await session.move({ kind: "instructions", count: to }), undefined);
    const answer = await session.ask({ table: "who", args: { at: "pa:0x40211000", size: 4096, limit: 3 } });
    assert.equal(answer.error, undefined);
    assert.deepEqual(Deno.readFileSync(image), content);
    assert.equal(await session.move({ kind: "now" }), undefined);
    assert.equal(session.hashes, present);
    engine.pause(false);
    await session.runOn(100_000);
    engine.pause(true);
    await session.event("paused");
    assert.notDeepEqual(Deno.readFileSync(image), content);
    assert.equal(await session.move({ kind: "instructions", count }), undefined);
    engine.stop();
    assert.equal(session.heard("failed"), false);
  }));

Deno.test("a session goes back to code and stops at it, while its disk keeps the bytes of the present", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(MiB).fill(7));
    const session = new Session(await writerPlan(image)), { engine } = session;
    await session.runOn(400_000);
    engine.pause(true);
    await session.event("paused");
    const pcOf = (system: System) =>
      Number([...(system as GuestSystem).hypervisor.scheduler.vcpus].find(({ native }) => !native)!.registers.pc);
    const pc = pcOf(engine.present), at = `host:0x${pc.toString(16)}`;
    const present = session.hashes, content = Deno.readFileSync(image), count = engine.present.instructions();
    assert.equal(await session.move({ kind: "place", at }), undefined);
    assert.deepEqual([pcOf(engine.system), engine.system.instructions() < count], [pc, true]);
    // It is set in the past, and stops the present.
    engine.stopRule(2, { kind: "place", at });
    assert.equal((await session.event("acted")).error, undefined);
    assert.deepEqual(Deno.readFileSync(image), content);
    assert.equal(await session.move({ kind: "now" }), undefined);
    assert.equal(session.hashes, present);
    for (let stops = 0; stops < 2; stops++) {
      engine.pause(false);
      while (!(await session.event("paused")).paused);
      assert.equal(pcOf(engine.present), pc);
    }
    assert.ok(engine.present.instructions() > count);
    engine.stop();
    assert.equal(session.heard("failed"), false);
  }));

Deno.test("a run that keeps no states says at once that its disk has no past, and runs on", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(MiB).fill(7));
    const session = new Session(await writerPlan(image, "rw", { history: false })), { engine } = session;
    await session.runOn(100_000);
    assert.equal(await session.move({ kind: "instructions", count: 1000 }), `disk ${image} is written, and this run keeps no past`);
    await session.runOn(100_000);
    engine.stop();
  }));

Deno.test("neither the present nor a machine of the past can be in a snapshot", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(MiB));
    const session = await WriterSession.of(image), { system } = session;
    session.on(50_000);
    const error = new UnsavableError(
      `disk ${image} is written through to its file, and cannot be part of a snapshot`,
      'use mode "overlay"',
    );
    for (const machine of [system, session.back(session.places[0]).system]) assert.throws(() => machine.save(), error);
    system.outside.close();
  }));

/** Whether a place is after that of a machine. */
function isAfter(moment: Moment, { system }: Past): boolean {
  if (typeof moment === "number") return false;
  return ("turn" in moment ? moment.turn : "time" in moment ? moment.time : moment.at) > system.machine.boundary;
}
