// The embedded session's end of the line.

import assert from "node:assert/strict";
import { connectEmbedded, keepSpare, startWorker } from "../../../src/session/worker/client.ts";
import type { Call } from "../../../src/session/worker/calls.ts";
import { Services } from "../../../src/session/worker/confined-worker.ts";
import { REQUESTS_MAX } from "../../../src/session/worker/latest-requests.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";

/**
 * A worker that reports the number of requests in each message, and of the plan that it gets the
 * length and the beginning of its files.
 */
const WORKER = new URL(
  `data:application/javascript,${
    encodeURIComponent(`
      onmessage = ({ data }) => {
        if (data.kind === "connect") return;
        const said = ["requests: " + data.length];
        for (const { kind, plan } of data) {
          if (kind !== "start") continue;
          const { image, initrd, dtb } = plan.what;
          said.push([image, initrd, dtb].map((file) => file.length + ":" + file[0]).join());
        }
        postMessage(said.map((message) => ({ kind: "failed", message })));
      };
      postMessage([{ kind: "ready" }]);
    `)
  }`,
);

Deno.test("large files of a plan go to the machine without a copy; small ones, and parts of what others have, stay", async () => {
  const image = new Uint8Array(2 << 20).fill(1), initrd = new Uint8Array(1000).fill(2), shared = new Uint8Array(4 << 20).fill(3);
  const dtb = shared.subarray(2 << 20);
  const what: SessionPlan["what"] = { kind: "boot", image, initrd, dtb, append: undefined };
  const client = connectEmbedded(WORKER);
  try {
    const said = new Promise((resolve) =>
      client.onEvent = (event) => event.kind === "failed" && event.message.includes(",") && resolve(event.message)
    );
    client.send({ kind: "start", plan: { cpus: 1, memory: 8 << 20, seed: 1, turbo: true, what } });
    assert.equal(await said, `${2 << 20}:1,1000:2,${2 << 20}:3`);
    assert.deepEqual([image.length, initrd.length, dtb.length, shared.length], [0, 1000, 2 << 20, 4 << 20]);
  } finally {
    client.close();
  }
});

Deno.test("requests of one turn go to the machine in one message, later ones in another; each of the events that come together is heard", async () => {
  const client = connectEmbedded(WORKER);
  try {
    const heard: string[] = [];
    const second = Promise.withResolvers<void>();
    client.onEvent = (event) => {
      heard.push(event.kind === "failed" ? event.message : event.kind);
      if (heard.length === 2) {
        client.send({ kind: "pause" });
        client.send({ kind: "resume" });
      }
      if (heard.length === 3) second.resolve();
    };
    for (let count = 0; count < 3; count++) client.send({ kind: "pause" });
    await second.promise;
    assert.deepEqual(heard, ["ready", "requests: 3", "requests: 2"]);
  } finally {
    client.close();
  }
});

Deno.test("a worker that is started early and cannot be loaded is told to whoever listens first", async () => {
  keepSpare(startWorker(new URL(`data:application/javascript,${encodeURIComponent('import "./none.js";')}`)));
  // Long enough for the failure to come before the listener; were it not, the test would see what
  // it sees otherwise.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const client = connectEmbedded(WORKER);
  try {
    const told = await new Promise<SessionEvent>((resolve) => client.onEvent = resolve);
    assert.equal(told.kind, "failed");
  } finally {
    client.close();
  }
});

Deno.test("a worker that is started early is connected with its first request: the command line is known only then", async () => {
  const client = startWorker(
    new URL(
      `data:application/javascript,${
        encodeURIComponent(`
          onmessage = ({ data }) => postMessage([{ kind: "failed", message: data.kind ?? "requests" }]);
          postMessage([{ kind: "ready" }]);
        `)
      }`,
    ),
  );
  try {
    const heard: string[] = [], last = Promise.withResolvers<void>(), ready = Promise.withResolvers<void>();
    client.onEvent = (event) => {
      heard.push(event.kind === "failed" ? event.message : event.kind);
      if (event.kind === "ready") ready.resolve();
      if (heard.at(-1) === "requests") last.resolve();
    };
    await ready.promise;
    // Long enough for a connection that does not wait.
    await new Promise((resolve) => setTimeout(resolve, 200));
    heard.push("first request");
    client.send({ kind: "pause" });
    await last.promise;
    assert.deepEqual(heard, ["ready", "first request", "connect", "requests"]);
  } finally {
    client.close();
  }
});

Deno.test("files that requests name are released when the worker has answered, before its services are loaded and after", async () => {
  const services = new Services(() => {}, (error) => assert.fail(String(error)));
  const round = (count: number) => {
    for (let id = 1; id <= count; id++) {
      const path = "/nowhere", snapshot = id % 2 === 0;
      services.request(snapshot ? { kind: "snapshot", id, path, title: "" } : { kind: "save-recording", id, path });
      if (snapshot) services.event({ kind: "snapshotted", id, done: 0, total: 1, whole: false });
      assert.equal(services.requested, 1);
      services.event(snapshot ? { kind: "snapshotted", id, done: 1, total: 1, whole: true } : { kind: "acted", id });
      assert.equal(services.requested, 0);
    }
  };
  round(10_000);
  // Without answers the latest stay, and the services know them when they are loaded.
  for (let id = 1; id <= 10_000; id++) services.request({ kind: "save-recording", id, path: "/nowhere" });
  assert.equal(services.requested, REQUESTS_MAX);
  const { port, mailbox } = await services.begin(), answers = new Int32Array(mailbox, 0, 1);
  port.postMessage({ kind: "call", object: 0, method: "exists", args: ["/nowhere"] } satisfies Call);
  while (Atomics.load(answers, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(services.requested, REQUESTS_MAX);
  for (let id = 1; id <= 10_000; id++) services.event({ kind: "acted", id });
  assert.equal(services.requested, 0);
  round(1000);
  services.close();
});
