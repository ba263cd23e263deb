// Files are made in one way, `src/kit/support/files/whole-file.ts`: whole or not at all, mode 0600,
// and gone with the program that has not completed them.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";

/** Calls that make, change or rename files. */
const WRITES = new RegExp(
  [
    String.raw`\bDeno\.(?:writeFile|writeTextFile|create|truncate|copyFile|rename|link)(?:Sync)?\(`,
    String.raw`\bDeno\.open(?:Sync)?\([^;]*?\b(?:write|append|create|createNew|truncate)\b`,
    String.raw`\bfs\.(?:writeFile|appendFile|createWriteStream|truncate|copyFile|rename|link|cp)(?:Sync)?\(`,
    String.raw`\bO_(?:WRONLY|RDWR|CREAT)\b[^;]*\bfs\.constants\b`,
    String.raw`\bfs\.constants\b[^;]*\bO_(?:WRONLY|RDWR|CREAT)\b`,
  ].join("|"),
);

/** Those that do it otherwise, and why. */
const OTHERS: Readonly<Record<string, string>> = {
  "src/kit/support/files/whole-file.ts": "it is the way",
  "src/kit/support/files/open-target.ts": "pipes and devices of that way",
  "src/kit/support/files/own-files.ts": "locks, and files that only el2 reads, in folders that are its user's alone",
  "src/kit/support/files/own-socket.ts": "a socket gets its name",
  "src/kit/support/files/cache.ts": "locks, and a link that is replaced",
  "src/app/catalog/added-files.ts": "unpacks into a folder that gets its name when it is complete",
  "src/app/catalog/catalog.ts": "fills a folder to which a link leads when it is complete",
  "src/app/catalog/deb.ts": "unpacks a package into a folder that is removed",
  "src/app/catalog/debian.ts": "names files in a folder that is removed",
  "src/app/catalog/debian-disk.ts": "moves files in a folder that is removed",
  "src/app/catalog/debian-root.ts": "moves files in a folder that is removed",
  "src/app/catalog/ext4-image.ts": "a script for a program, in a folder that is removed",
  "src/app/catalog/mirror-archive.ts": "moves a download that is complete",
  "src/app/catalog/transfer.ts": "a download that a later one continues",
  "src/app/cli/commands/machines/bench.ts": "a temporary file",
  "src/app/cli/common/computer.ts": "tries whether programs run from a folder",
  "src/app/configuration/files.ts": "asks whether a file can be written, and writes nothing",
  "src/session/outside/console-log.ts": "a full log gets another name",
  "src/session/outside/disk-file.ts": "a guest's disk, which it writes in place",
  "src/session/outside/shared-folder.ts": "a folder's files, which a guest writes",
  "src/session/outside/sockets.ts": "a socket gets its name",
  "src/session/state/page-file.ts": "pages of a machine: a file without a name",
};

Deno.test("files are made by one writer; others have a reason", () => {
  const found = [...repositoryFiles("src/", ".ts")].filter((file) => WRITES.test(Deno.readTextFileSync(new URL(file, ROOT))));
  assert.deepEqual(found.filter((file) => !Object.hasOwn(OTHERS, file)), [], "use writeWhole, begun or NamedFile");
  assert.deepEqual(Object.keys(OTHERS).filter((file) => !found.includes(file)), [], "a reason that nothing needs");
});
