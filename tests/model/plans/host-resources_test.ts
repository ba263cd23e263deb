// A snapshot's plan may be anybody's: whatever it wants of this computer is named, and what no
// archive has is taken from no file.

import assert from "node:assert/strict";
import { outsideResources, resourceText } from "../../../src/model/plans/host-resources.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { DevicePlan } from "../../../src/machine/virtio/plan.ts";
import { bootPlan, demoPlan } from "../../session/snapshots/systems.ts";

const DEVICES: readonly DevicePlan[] = [
  { kind: "block", image: "/disk", mode: "rw" },
  { kind: "9p", folder: "/folder", mode: "ro", tag: "share" },
  { kind: "vsock", cid: 3, path: "/socket" },
  { kind: "net", backend: "user", forward: [{ protocol: "tcp", host: 2222, guest: 22 }], capture: "/capture" },
  { kind: "rng" },
];
const NAMED = [
  ...["disk /disk (rw)", "folder /folder (ro)", "socket /socket (rw)"],
  ...["the network (internet=yes lan=no host=no)", "tcp port 2222 of 127.0.0.1", "capture /capture (rw)"],
];
const texts = (plan: SessionPlan) => outsideResources(plan).map(resourceText);

Deno.test("what a machine wants of the computer is named: of the primary, its firmware, and of each VM", async () => {
  const boot = await bootPlan(), run = await demoPlan();
  assert.ok(boot.what.kind === "boot" && run.what.kind === "run");
  assert.deepEqual(texts(boot), []);
  assert.deepEqual(texts({ ...boot, what: { ...boot.what, devices: DEVICES } }), NAMED);
  const firmware = { code: new Uint8Array(4), vars: { path: "/vars", content: new Uint8Array(4096) } };
  assert.deepEqual(texts({ ...boot, what: { ...boot.what, firmware } }), ["firmware variables /vars (rw)"]);
  assert.deepEqual(texts(run), []);
  const { host } = run.what;
  const vms = host.vms.map((vm, index) => index === 1 ? { ...vm, devices: DEVICES } : vm);
  assert.deepEqual(texts({ ...run, what: { ...run.what, host: { ...host, vms } } }), NAMED);
});
