// A scripted client of `el2 mcp`.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import assert from "node:assert/strict";
import { el2Command } from "../../support/el2.ts";

/** Calls that a job may take. */
export const CALLS_MAX = 8;
const ANSWER_MAX = 26_000;

export type Row = Record<string, unknown>;
/** The used fields of lists; the package's own types of them do not resolve here. */
export type Listed = readonly { readonly name: string; readonly uri: string; readonly annotations?: { readonly readOnlyHint?: boolean } }[];

/** A client with its own server, in its own folder. */
export class Agent implements AsyncDisposable {
  readonly client = new Client({ name: "tests", version: "1" });
  calls = 0;
  /** Its session is the demo's, for several jobs. */
  isShared: true | undefined;

  private constructor(readonly folder: string) {}

  static async start(...args: string[]): Promise<Agent> {
    const agent = new Agent(await Deno.makeTempDir({ prefix: "el2-mcp-" }));
    const [command, ...rest] = el2Command("mcp", ...args);
    const env = { ...Deno.env.toObject(), XDG_RUNTIME_DIR: agent.folder, EL2_SESSION: "" };
    await agent.client.connect(new StdioClientTransport({ command, args: rest, env, cwd: agent.folder }));
    return agent;
  }

  /** The text of a tool's answer, whether it failed or not. */
  async answer(name: string, args: Record<string, unknown> = {}): Promise<{ text: string; failed: boolean }> {
    this.calls++;
    const { content, isError } = await this.client.callTool({ name, arguments: args }, undefined, { timeout: 300_000 });
    const [{ text }] = content as { text: string }[];
    assert.ok(text.length <= ANSWER_MAX, `${name} answers ${text.length} characters`);
    return { text, failed: isError === true };
  }

  /** The text of an answer that must not be a failure. */
  async call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const { text, failed } = await this.answer(name, args);
    assert.equal(failed, false, `${name}: ${text}`);
    return text;
  }

  async rows(table: string, args: Record<string, unknown> = {}): Promise<Row[]> {
    return JSON.parse(await this.call("table", { table, ...args })).rows;
  }

  /** The first row of a table once it is as wanted; only the last question counts as a call. */
  async rowOnce(table: string, args: Record<string, unknown>, isWanted: (row: Row) => boolean): Promise<Row> {
    for (const calls = this.calls;; this.calls = calls) {
      const [row] = await this.rows(table, args);
      if (isWanted(row)) return row;
    }
  }

  /** Ends its sessions. */
  async downAll(): Promise<void> {
    for (const { name } of JSON.parse(await this.call("ls")).data) await this.answer("down", { session: name });
    this.isShared = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.downAll();
    await this.client.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Something to find out or do, as calls. */
export interface Job {
  readonly name: string;
  /** It does not matter what others have done to the session of the demo before. */
  readonly shares?: true;
  /** With the full numbers alone: other jobs have the same tools. */
  readonly long?: true;
  readonly work: (agent: Agent) => Promise<void>;
}
