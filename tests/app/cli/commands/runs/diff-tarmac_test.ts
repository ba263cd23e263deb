// Traces of others: their work is bounded before a machine runs.

import assert from "node:assert/strict";
import { diffTarmac } from "../../../../../src/app/cli/commands/runs/diff-tarmac.ts";
import { Failure } from "../../../../../src/app/cli/common/failure.ts";
import type { Recording } from "../../../../../src/session/recordings/file/recording.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("a trace of more processors than a VM can have, and a line of no trace, are refused before anything runs", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.tarmac`, line = (cpu: number) => `1 clk cpu${cpu} IT (1) 8000 d503201f O EL1h_n : nop\n`;
    const diff = (text: string) => {
      Deno.writeTextFileSync(file, text);
      return diffTarmac(new URL(import.meta.url), {} as Recording, file, { vm: "a" });
    };
    const many = Array.from({ length: 1000 }, (_, cpu) => line(cpu)).join("");
    await assert.rejects(diff(many), (error) => error instanceof Failure && /has more than 8 processors/.test(error.message));
    const long = `${line(0)}${"x".repeat(100_000)}\n${line(0)}`;
    await assert.rejects(
      diff(long),
      (error) => error instanceof Failure && /a\.tarmac:2: a line of more than 65536 characters/.test(error.message),
    );
  }));
