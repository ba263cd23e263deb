// src/ shows its floors: few folders with a page each, no folder that is too full to look through,
// and a test where its file is.

import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { repositoryFiles, ROOT } from "../support/files.ts";

const FLOORS_MAX = 8;
const PAGE_LINES_MAX = 40;
const FILES_MAX = 25;

const SOURCES = [...repositoryFiles("src/", ".ts")];
const floors = [...Deno.readDirSync(new URL("src/", ROOT))];

Deno.test("src/ is at most eight floors and nothing else", () => {
  assert.ok(floors.length > 1 && floors.length <= FLOORS_MAX, `${floors.length}`);
  assert.deepEqual(floors.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name), []);
});

Deno.test("each floor has a page of at most forty lines: its face, what is never there, where to begin, and every room", () => {
  for (const { name } of floors) {
    const page = Deno.readTextFileSync(new URL(`src/${name}/README.md`, ROOT));
    assert.ok(page.trimEnd().split("\n").length <= PAGE_LINES_MAX, name);
    for (const part of ["**Face.**", "**Never here.**", "**Begin with**"]) assert.ok(page.includes(part), `${name}: ${part}`);
    const rooms = [...Deno.readDirSync(new URL(`src/${name}/`, ROOT))].filter(({ isDirectory }) => isDirectory);
    assert.deepEqual(rooms.filter((room) => !page.includes(`| \`${room.name}\` `)).map((room) => room.name), [], name);
  }
});

Deno.test("what a floor's page names is there", () => {
  const missing = floors.flatMap(({ name }) => {
    const page = Deno.readTextFileSync(new URL(`src/${name}/README.md`, ROOT));
    const paths = [...page.matchAll(/`([\w-]+\/[\w./-]*)`/g)].map(([, path]) => path);
    return paths.filter((path) => !SOURCES.some((file) => [`src/${name}/${path}`, `src/${path}`, path].some((full) => starts(file, full))));
  });
  assert.deepEqual(missing.filter((path) => !path.startsWith("tests/")), []);
});

/** Whether a path is this file, or a folder above it. */
function starts(file: string, path: string): boolean {
  return file === path || file.startsWith(path.endsWith("/") ? path : `${path}/`);
}

/** Folders with more files than one can look through, those of folders inside not counted. */
function fullFolders(files: readonly string[]): string[] {
  const counts = Map.groupBy(files, dirname);
  return [...counts].filter(([, inside]) => inside.length > FILES_MAX).map(([folder, inside]) => `${folder}: ${inside.length} files`);
}

Deno.test("no folder of src/ has more than 25 files beside its folders", () => {
  assert.deepEqual(fullFolders(SOURCES), []);
  const many = Array.from({ length: FILES_MAX }, (_, index) => `src/x/room/${index}.ts`);
  assert.deepEqual(fullFolders([...many, "src/x/room/inner/more.ts"]), []);
  assert.deepEqual(fullFolders([...many, "src/x/room/more.ts"]), ["src/x/room: 26 files"]);
});

/** Tests in a folder above the only file of their room that has their name. */
function strayTests(tests: readonly string[], sources: readonly string[]): string[] {
  const roomOf = (path: string) => path.split("/").slice(1, 3).join("/");
  const byName = Map.groupBy(sources, (file) => `${roomOf(file)}/${basename(file)}`);
  return tests.flatMap((test) => {
    const name = basename(test).replace("_test.ts", ".ts");
    const [file, other] = byName.get(`${roomOf(test)}/${name}`) ?? [];
    const place = file === undefined || other !== undefined ? dirname(test) : dirname(file).replace("src", "tests");
    return place.startsWith(`${dirname(test)}/`) ? [`${test}: ${place}/`] : [];
  });
}

Deno.test("a test with the name of a file is at that file's path, below tests/", () => {
  const names = floors.map(({ name }) => name);
  const tests = [...repositoryFiles("tests/", "_test.ts")].filter((test) => names.includes(test.split("/")[1]));
  assert.ok(tests.length > 0);
  assert.deepEqual(strayTests(tests, SOURCES), []);
  const sources = ["src/x/room/a.ts", "src/x/room/inner/b.ts", "src/x/other/b.ts"];
  assert.deepEqual(
    strayTests(["tests/x/room/a_test.ts", "tests/x/room/inner/b_test.ts", "tests/x/room/c_test.ts"], sources),
    [],
  );
  assert.deepEqual(strayTests(["tests/x/room/b_test.ts"], sources), ["tests/x/room/b_test.ts: tests/x/room/inner/"]);
});

Deno.test("tests of floors are in folders of rooms that there are", () => {
  const rooms = new Set(SOURCES.map((file) => file.split("/").slice(1, 3).join("/")));
  const strange = floors.flatMap(({ name }) =>
    [...Deno.readDirSync(new URL(`tests/${name}/`, ROOT))].map((room) => `${name}/${room.name}`).filter((room) => !rooms.has(room))
  );
  assert.deepEqual(strange, []);
});
