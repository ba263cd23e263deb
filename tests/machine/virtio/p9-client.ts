// A 9P client for tests: requests by name to a server, or through a device.

import assert from "node:assert/strict";
import { Errno } from "../../../src/machine/virtio/p9/folder.ts";
import {
  P9,
  P9_HEADER_SIZE,
  type P9Answer,
  type P9Name,
  type P9Request,
  readFields,
  RLERROR,
  writeFields,
  writeMessage,
} from "../../../src/machine/virtio/p9/messages.ts";

const TAG = 7;
const ROOM = 1 << 16;

/** An Rlerror. */
export class P9Refusal extends Error {
  constructor(readonly code: number) {
    super(Object.entries(Errno).find(([, number]) => number === code)?.[0] ?? String(code));
  }
}

/** The bytes of a request. */
export function p9Request<N extends P9Name>(name: N, fields: P9Request<N>): Uint8Array {
  return writeMessage(P9[name].type, TAG, writeFields(P9[name].request as (typeof P9)[N]["request"], fields));
}

/** Asks, by whatever carries a request to its answer. */
export class P9Client {
  constructor(readonly carry: (request: Uint8Array, room: number) => Uint8Array | undefined) {}

  /** The answer's fields. @throws P9Refusal */
  ask<N extends P9Name>(name: N, fields: P9Request<N>): P9Answer<N> {
    const bytes = this.carry(p9Request(name, fields), ROOM);
    assert.ok(bytes, "an answer");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    assert.equal(view.getUint32(0, true), bytes.length);
    assert.equal(view.getUint16(5, true), TAG);
    if (view.getUint8(4) === RLERROR) throw new P9Refusal(view.getUint32(P9_HEADER_SIZE, true));
    assert.equal(view.getUint8(4), P9[name].type + 1);
    return readFields(P9[name].answer as (typeof P9)[N]["answer"], bytes.subarray(P9_HEADER_SIZE)) as P9Answer<N>;
  }

  /** Why a request is refused. */
  refusal<N extends P9Name>(name: N, fields: P9Request<N>): string {
    try {
      this.ask(name, fields);
    } catch (error) {
      if (error instanceof P9Refusal) return error.message;
      throw error;
    }
    return "done";
  }

  /** Version and attach: fid 0 is the folder. */
  begin(size = 65_536): void {
    assert.deepEqual(this.ask("version", { size, version: "9P2000.L" }), { size, version: "9P2000.L" });
    this.ask("attach", { fid: 0, authFid: 0xffff_ffff, user: "root", tree: "", uid: 0 });
  }

  /** A new fid for a path below the folder. */
  walk(newFid: number, ...names: string[]): void {
    assert.equal(this.ask("walk", { fid: 0, newFid, names }).qids.length, names.length);
  }

  /** Names in a folder, read in pieces. */
  list(fid: number, count: number): string[] {
    const names: string[] = [];
    for (let offset = 0n;;) {
      const { entries } = this.ask("readdir", { fid, offset, count });
      if (entries.length === 0) return names;
      const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
      for (let at = 0; at < entries.length;) {
        offset = view.getBigUint64(at + 13, true);
        const length = view.getUint16(at + 22, true);
        names.push(new TextDecoder().decode(entries.subarray(at + 24, at + 24 + length)));
        at += 24 + length;
      }
    }
  }
}
