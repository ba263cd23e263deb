// The worker of a page in which a recording replays, or its machine runs anew: the machine's side
// of the protocol, in a thread that has no right to anything and shares no memory with the page.

import "../host/page-modules.ts";
import { type Opened, type OpenMessage, type PackedFiles, RECORDING } from "./messages.ts";
import { unpacked } from "./unpacked.ts";
import { bringCore } from "./packed-core.ts";
import { giveUpServices, pageComputer } from "./page-computer.ts";
import { placeIn, recordingOf } from "../../replays/planned-recording.ts";
import { readLink } from "../../../model/commands/link.ts";
import type { Request } from "../../../model/protocol/protocol.ts";
import { useComputer } from "../../../session/outside/computer.ts";
import { INSIDE_MAX } from "../../../session/recordings/file/pack.ts";
import { SHARED } from "../../../session/recordings/file/plan-files.ts";
import { MachineServer } from "../../../session/worker/machine-server.ts";
import { Outbox } from "../../../session/worker/outbox.ts";
import { otherEngine } from "../../../kit/support/files/maker.ts";
import { isTold, problemOf, UserError } from "../../../kit/support/problem.ts";

/**
 * Wall time (ms) of the run that going back in a page repeats at most: at a program's reach, states
 * take 13 to 30 % of a Debian's replay.
 */
const REACH = 2500;

/** The bytes of a file of the run, if it has one of that name. */
async function fileOf(packed: PackedFiles, name: string, shown = name): Promise<Uint8Array | undefined> {
  const bytes = packed.get(name);
  return bytes && await unpacked(shown, bytes, INSIDE_MAX);
}

giveUpServices();
useComputer(pageComputer);
const server = new MachineServer(new Outbox((events) => globalThis.postMessage(events)), () => false);

// A page hears errors of its worker, but not of its promises.
globalThis.onunhandledrejection = ({ reason }) => {
  throw reason;
};

globalThis.onmessage = ({ data }: MessageEvent<OpenMessage | readonly Request[]>) => {
  if (!("kind" in data)) return server.receive(data, () => {});
  open(data).then((opened) => globalThis.postMessage(opened));
};

async function open({ name, packed, live, fragment }: OpenMessage): Promise<Opened> {
  try {
    const { place: { to, ...screens } } = readLink(`${name}#${fragment}`, (path) => path === name);
    await bringCore(server);
    const { plan, ...recording } = await recordingOf(name, await fileOf(packed, RECORDING, name), (maker) => {
      const what = otherEngine(name, maker);
      return what === undefined ? undefined : { what };
    }, (sha256) => fileOf(packed, `${SHARED}/${sha256}`));
    if (live && to) throw new UserError(`${name} runs anew, and has no places yet`, "open its address without to=");
    const whole = { ...recording, plan };
    const replay = live ? undefined : { recording: whole, verify: true, to: to && placeIn(whole, name, to), reach: REACH };
    server.receive([{ kind: "start", plan: { ...plan, history: true, replay } }], () => {});
    return { kind: "opened", linked: screens };
  } catch (error) {
    if (!isTold(error)) throw error;
    return { kind: "refused", problem: problemOf(error) };
  }
}
