// The screens' settings in a configuration, and the place of their state.

import assert from "node:assert/strict";
import { Failure } from "../../../../../src/app/cli/common/failure.ts";
import { checkedUi } from "../../../../../src/app/cli/start/look/file-ui.ts";
import { surroundings, uiOfFile } from "../../../../../src/app/cli/start/look/surroundings.ts";
import { loadUiState, saveUiState } from "../../../../../src/app/cli/start/screens/ui-state-file.ts";
import { DEFAULT_UI } from "../../../../../src/app/configuration/schema.ts";
import type { UiState } from "../../../../../src/app/tui/app/services/ui-state.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const FILE = `el2 = 1
[vm.a]
image = "nowhere.bin"
memory = "4MiB"
[ui]
theme = "mine"
braille = false
background = "terminal"
motion = "off"
keys = { "list.sort" = "O" }
[ui.themes.mine]
based_on = "dark"
accent = "#50c0ff"
`;

Deno.test("screens of a session in the background are as its configuration sets them", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/phone.toml`;
    await Deno.writeTextFile(file, FILE);
    const { theme, themes, braille, painted, motion, keys } = surroundings({}, await uiOfFile(file));
    assert.deepEqual({ theme, braille, painted, motion, keys }, {
      theme: "mine",
      braille: false,
      painted: false,
      motion: false,
      keys: { "list.sort": "O" },
    });
    assert.equal(themes![0].name, "mine");
    await Deno.writeTextFile(file, "el2 = ");
    assert.deepEqual(await uiOfFile(file), DEFAULT_UI, "what is no configuration any more says nothing");
    assert.deepEqual(await uiOfFile(`${folder}/gone.toml`), DEFAULT_UI);
  });
});

Deno.test("a theme that is not known, and one that cannot be read, are refused by name", async () => {
  assert.throws(() => surroundings({ theme: "mime" }), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /^--theme mime: no such theme.*; use one of auto, terminal, dark/);
    return true;
  });
  assert.equal(surroundings({}, { ...DEFAULT_UI, theme: "mime" }).theme, undefined, "el2 run has refused it");
  const themes = { mine: { based_on: "dark", dim: "#404040" } } as const;
  await assert.rejects(checkedUi("phone.toml", { ...DEFAULT_UI, themes }), /^Error: phone\.toml: \[ui\.themes\.mine\]: dim on /);
});

Deno.test("a dumb terminal gets ASCII, whatever its locale is", () => {
  const before = ["TERM", "LC_ALL"].map((name) => [name, Deno.env.get(name)] as const);
  try {
    Deno.env.set("LC_ALL", "C.UTF-8");
    for (const [term, ascii] of [["xterm", false], ["dumb", true]] as const) {
      Deno.env.set("TERM", term);
      assert.equal(surroundings({}).ascii, ascii, term);
    }
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  }
});

Deno.test("beside a running session a theme that only another configuration has is passed over", () => {
  assert.throws(() => surroundings({ theme: "mine" }), Failure);
  assert.equal(surroundings({ theme: "mine" }, DEFAULT_UI, "pass").theme, undefined);
  assert.equal(surroundings({ theme: "mine" }, { ...DEFAULT_UI, theme: "nord" }, "pass").theme, "nord");
});

Deno.test("the state of screens is kept by session and configuration, never taken from another folder's", async () => {
  await inFolder(async (folder) => {
    const before = Deno.env.get("XDG_STATE_HOME");
    Deno.env.set("XDG_STATE_HOME", folder);
    try {
      const state = (screen: string): UiState => ({
        screen,
        sizes: {},
        filters: {},
        folded: [],
        theme: undefined,
        vms: {},
      });
      await saveUiState("phone", "/a/phone.toml", state("2"));
      await saveUiState("phone", "/b/phone.toml", state("3"));
      assert.equal((await loadUiState("phone", "/a/phone.toml"))!.screen, "2");
      assert.equal((await loadUiState("phone", "/b/phone.toml"))!.screen, "3");
      assert.equal(await loadUiState("phone", undefined), undefined);
      assert.equal(await loadUiState("other", "/a/phone.toml"), undefined);
    } finally {
      if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
      else Deno.env.set("XDG_STATE_HOME", before);
    }
  });
});
