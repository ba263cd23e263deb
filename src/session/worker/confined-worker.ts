// A worker without rights, and this thread's services to it, which are loaded when it first needs
// them: a machine without network, shared folders and logs never does.

import type { CodeFolders } from "../../kit/support/files/code-folders.ts";
import type { Request, SessionEvent } from "../../model/protocol/protocol.ts";
import type { Call } from "./calls.ts";
import type { ServedComputer } from "./served-computer.ts";
import { LatestRequests } from "./latest-requests.ts";
import type { SocketCommand, SocketEvent } from "./socket-words.ts";

/** The worker's connection to this thread. */
export interface WorkerSurroundings {
  readonly port: MessagePort;
  /** Memory that its calls share with this thread. */
  readonly mailbox: SharedArrayBuffer;
  /** Folders of the cache that it may use. */
  readonly folders: CodeFolders;
}

/** This thread's services to one worker. */
export class Services {
  readonly #channel = new MessageChannel();
  /** Plans, requests that name files, and messages, until the services are loaded. */
  readonly #starts: Request[] = [];
  readonly #requests = new LatestRequests<Request>();
  readonly #messages: (Call | SocketCommand)[] = [];
  /** Loaded while the worker starts. */
  readonly #modules = Promise.all([import("../../kit/support/files/code-folders.ts"), import("./calls.ts")]);
  #served: ServedComputer | undefined;
  #closed = false;

  /**
   * @param tell sends a word of a socket to the worker
   * @param failed reports a bug
   */
  constructor(
    readonly tell: (event: SocketEvent, moved: ArrayBuffer[]) => void,
    readonly failed: (error: unknown) => void,
  ) {}

  /** Begins to serve. */
  async begin(): Promise<WorkerSurroundings> {
    const [{ trustedCodeFolders }, { newMailbox }] = await this.#modules;
    const folders = trustedCodeFolders(), mailbox = newMailbox();
    this.#channel.port1.onmessage = ({ data }: MessageEvent<Call | SocketCommand>) => {
      this.#messages.push(data);
      if (this.#served) this.#serve(this.#served);
      else if (this.#messages.length === 1) this.#load(folders, mailbox).catch(this.failed);
    };
    return { port: this.#channel.port2, mailbox, folders };
  }

  /** A client's request goes to the worker. */
  request(request: Request): void {
    if (request.kind !== "start" && request.kind !== "snapshot" && request.kind !== "save-recording") return;
    if (this.#served) this.#served.grants.request(request);
    else if (request.kind === "start") this.#starts.push(request);
    else this.#requests.add(request.id, request);
  }

  /**
   * The worker's event goes to the client: where it ends a request, the file of that request is
   * released.
   */
  event(event: SessionEvent): void {
    switch (event.kind) {
      case "snapshotted":
        if (!event.whole && event.error === undefined) return;
        break;
      case "acted":
      case "answer":
        break;
      default:
        return;
    }
    if (this.#served) this.#served.grants.release(event.id);
    else this.#requests.release(event.id);
  }

  /** Requests that name files and are not done. */
  get requested(): number {
    return this.#served ? this.#served.grants.requested : this.#requests.size;
  }

  close(): void {
    this.#closed = true;
    this.#channel.port1.close();
    this.#served?.close();
  }

  async #load(folders: CodeFolders, mailbox: SharedArrayBuffer): Promise<void> {
    const [{ ServedComputer }, { Grants }] = await Promise.all([import("./served-computer.ts"), import("./grants.ts")]);
    if (this.#closed) return;
    const grants = new Grants(folders);
    for (const start of this.#starts) grants.request(start);
    for (const request of this.#requests.values()) grants.request(request);
    this.#served = new ServedComputer(grants, mailbox, this.tell);
    this.#serve(this.#served);
  }

  #serve(served: ServedComputer): void {
    for (const message of this.#messages.splice(0)) {
      try {
        served.receive(message);
      } catch (error) {
        this.failed(error);
      }
    }
  }
}
