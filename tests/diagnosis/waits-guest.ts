// A Linux whose process 1 starts children that wait, or work, as a line on its console names.

import assert from "node:assert/strict";
import { writeCpio } from "../../src/kit/formats/cpio.ts";
import { guestProgram } from "../guests/programs.ts";
import { Debian } from "../inside/linux/debian.ts";
import { CONSOLE } from "./broken-linux.ts";

export const waitingOf = (release: string) => async (): Promise<Debian> => {
  const built = await guestProgram("waits-init");
  assert.ok(built.kind === "file");
  const folder = { kind: "folder", permissions: 0o755 } as const, device = { kind: "device", permissions: 0o600 } as const;
  const initrd = writeCpio([
    { ...folder, path: "dev" },
    CONSOLE,
    { ...device, path: "dev/ttyAMA0", major: 204, minor: 64 },
    { ...built, path: "init" },
  ]);
  const debian = await Debian.start(release, { initrd, append: "console=ttyAMA0" });
  debian.until(/how\?/);
  return debian;
};
