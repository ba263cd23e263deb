// The content of the start screen: configurations here, sessions, guests of the cache, recordings
// and snapshots.

import { catalogEntries } from "../../../catalog/catalog.ts";
import { NoPlace, sessionNames, socketPath } from "../../../../session/control/places.ts";
import { NoSession, sessionInfo } from "../../../../session/control/remote.ts";
import type { SessionInfo } from "../../../../session/control/conversation.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { NoCacheFolder } from "../../../../kit/support/files/cache.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { VERSION } from "../../../../kit/support/version.ts";
import type { StartOffers, StartRow } from "../../../tui/app/start/start-screen.ts";

/** Folders that are searched for configurations, recordings and snapshots. */
const FOLDERS = [".", "examples"] as const;

/** The tutorials in their order: a low terminal shows some. */
const LEARN = [
  ["01-why.md", "START returns EINVAL: from an ioctl down to the rule"],
  ["02-who-holds-a-page.md", "reclaim is busy: who holds the page"],
  ["03-limits.md", "map returns NOMEM with gigabytes free"],
  ["04-a-guest-hangs.md", "a guest hangs: where each vCPU waits"],
  ["05-interrupts.md", "which interrupt storms: rates, sources, findings"],
  ["06-rpc.md", "what the Resource Manager and a VM said"],
  ["07-boot.md", "boot a kernel and use its console"],
  ["08-compare.md", "compare two runs"],
  ["09-gdb.md", "attach gdb, also backward"],
  ["10-ci.md", "reproduce in CI"],
  ["11-inside-linux.md", "look inside Linux without an agent"],
  ["12-who-wrote-this.md", "find who wrote a word in memory"],
  ["13-where-does-the-time-go.md", "where the time goes: functions, call stacks, coverage"],
  ["14-good-runs-and-bad-runs.md", "a test fails sometimes: what only bad runs have"],
  ["15-does-not-come-up.md", "a Linux does not come up: from nothing to the cause"],
  ["16-selftests-in-ci.md", "selftests of a kernel in CI, each a case of the report"],
  ["17-send-the-place.md", "send a colleague the place: links, marks and packed recordings"],
  ["18-pasted-log.md", "somebody pasted a log: what it says, why, and what to try"],
  ["19-a-dump-from-a-phone.md", "a dump from a phone: why it crashed, what ran"],
  ["20-my-driver.md", "my driver: stop in a module, and go back to a call that is over"],
  ["21-own-hypervisor.md", "write your own hypervisor: vectors, stage 2, a vCPU, an interrupt"],
] as const;

/** Sessions that answer. */
export async function runningSessions(): Promise<readonly SessionInfo[]> {
  try {
    const found = await Promise.all(sessionNames().map((name) => sessionInfo(socketPath(name)).catch(nobody)));
    return found.filter((info) => info !== undefined);
  } catch (error) {
    if (error instanceof NoPlace) return [];
    throw error;
  }
}

function nobody(error: unknown): undefined {
  if (!(error instanceof NoSession)) throw error;
  return undefined;
}

/** The present content. `from`: the session to return to. */
export async function startOffers(from?: string): Promise<StartOffers> {
  const sessions = (await runningSessions()).filter(({ name }) => name !== from);
  return {
    version: VERSION,
    from,
    learn: LEARN,
    sections: [
      {
        key: "e",
        title: "Run",
        command: hint("run", "WHAT"),
        rows: [
          { name: "demo", detail: "three VMs that communicate: hello, ping, pong", deed: { kind: "run", what: "demo" } },
          { name: "tour", detail: "learn the screens: it says what to press, and waits", deed: { kind: "tour" } },
          ...filesOf(/(?<!\.test)\.toml$/).map(({ path }): StartRow => ({
            name: path,
            detail: "configuration",
            deed: { kind: "run", what: path },
          })),
        ],
        empty: ["", ""],
      },
      {
        key: "s",
        title: "Sessions",
        command: hint("ls"),
        rows: sessions.map(({ name, what, started, paused, ended }): StartRow => ({
          name,
          detail: ended === undefined ? `${what}, ${paused ? "paused" : "runs"}` : `${what}, ended: ${ended}`,
          right: ageText(Date.now() - Date.parse(started)),
          deed: { kind: "attach", session: name },
        })),
        empty: ["No other session runs.", `${hintText(hint("up", "WHAT"))} starts one in the background.`],
      },
      {
        key: "g",
        title: "Guests",
        command: hint("guests ls"),
        rows: await guestRows(),
        empty: ["No guest is in the cache.", `${hintText(hint("guests fetch", "debian"))} fetches an unmodified Debian.`],
      },
      {
        key: "r",
        title: "Recordings and snapshots",
        command: hint("replay", "FILE"),
        rows: [
          ...filesOf(/\.rec$/).map(({ path, size }): StartRow => ({
            name: path,
            detail: "recording",
            right: sizeText(size),
            deed: { kind: "replay", recording: path },
          })),
          ...filesOf(/\.snap$/).map(({ path, size }): StartRow => ({
            name: path,
            detail: "snapshot",
            right: sizeText(size),
            deed: { kind: "load", snapshot: path },
          })),
        ],
        empty: [
          "No recording or snapshot is in this folder.",
          `${hintText(hint("run", "demo", { record: "demo.rec" }))} makes one; t s saves a snapshot of what is shown.`,
        ],
      },
    ],
  };
}

async function guestRows(): Promise<StartRow[]> {
  try {
    return (await catalogEntries()).map(({ manifest: { name, about, files } }) => ({
      name,
      detail: about,
      right: sizeText(files.reduce((sum, { size }) => sum + size, 0)),
      deed: { kind: "run", what: name },
    }));
  } catch (error) {
    if (error instanceof NoCacheFolder || error instanceof Error && isOfSystem(error)) return [];
    throw error;
  }
}

/** Files whose names match, of the folders that exist. */
function filesOf(name: RegExp): { readonly path: string; readonly size: number }[] {
  return FOLDERS.flatMap((folder) => {
    try {
      const names = [...Deno.readDirSync(folder)].filter((entry) => entry.isFile && name.test(entry.name)).map((entry) => entry.name);
      return names.sort().map((one) => {
        const path = folder === "." ? one : `${folder}/${one}`;
        return { path, size: Deno.statSync(path).size };
      });
    } catch (error) {
      if (!(error instanceof Error) || !isOfSystem(error)) throw error;
      return [];
    }
  });
}

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/** How long ago: `5 min`, `2 h`, `3 d`. */
function ageText(ms: number): string {
  if (ms < HOUR) return `${Math.max(Math.floor(ms / MINUTE), 0)} min`;
  return ms < DAY ? `${Math.floor(ms / HOUR)} h` : `${Math.floor(ms / DAY)} d`;
}
