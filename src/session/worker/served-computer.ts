// The main thread's services to the worker that runs guests and has no rights: the other end of
// `remote-computer.ts`. Code in the worker gets no more than the plan names (`grants.ts`).

import { ConsoleLog } from "../outside/console-log.ts";
import { holdFolder } from "../outside/held-folders.ts";
import { ComputerFolder } from "../outside/shared-folder.ts";
import { OWN_FILES, type PendingFile } from "../../kit/support/files/files.ts";
import { WholeFile } from "../../kit/support/files/whole-file.ts";
import { type FolderFile, ShareError } from "../../machine/virtio/p9/folder.ts";
import { type Answer, AnsweringEnd, type Call, errorData, PIECE, REST } from "./calls.ts";
import { FILE_METHODS, FOLDER_METHODS } from "./computer-methods.ts";
import type { Grants } from "./grants.ts";
import { ServedSockets } from "./served-sockets.ts";
import type { SocketCommand, SocketEvent } from "./socket-words.ts";
import { node } from "../../kit/support/node-modules.ts";

/** Objects of a worker at a time: more than a machine has open. */
const MOST = 65_536;
/** Reports of bugs of one worker. */
const REPORTS = 4;

type Method = (...args: never[]) => unknown;
/** An object's methods. */
type Methods = Readonly<Record<string, Method>>;

/** The computer for one worker. */
export class ServedComputer {
  readonly #answers: AnsweringEnd;
  readonly #objects = new Map<number, Methods>();
  #made = 0;
  #reports = 0;
  #sockets: ServedSockets | undefined;

  /**
   * @param tell sends a word of a socket to the worker
   */
  constructor(
    readonly grants: Grants,
    mailbox: SharedArrayBuffer,
    readonly tell: (event: SocketEvent, moved: ArrayBuffer[]) => void,
  ) {
    this.#answers = new AnsweringEnd(mailbox);
    this.#objects.set(0, this.#computer());
  }

  /**
   * Answers a call, or passes a word on to the sockets.
   * @throws Error if the word is unknown
   */
  receive(message: Call | SocketCommand): void {
    if (message.kind !== "call") return this.#socketsOf().receive(message);
    if (message.method === REST) return this.#answers.rest(Number(message.args[0]));
    let answer: Answer;
    try {
      const methods = this.#objects.get(message.object);
      if (!methods || !Object.hasOwn(methods, message.method)) throw new TypeError("there is no such method");
      answer = { value: methods[message.method](...this.#answers.args(message) as never[]) };
    } catch (error) {
      answer = { error: errorData(error) };
    }
    this.#answers.send(answer);
  }

  /** The machine is over: what it has open is closed. */
  close(): void {
    this.#sockets?.close();
    for (const methods of this.#objects.values()) {
      // A file that was not completed leaves nothing.
      const end = methods.dispose ?? methods.close;
      end?.();
    }
    this.#objects.clear();
  }

  #socketsOf(): ServedSockets {
    return this.#sockets ??= new ServedSockets(this.grants, this.tell);
  }

  /** An object for the worker; without it once it was closed. */
  #object(methods: (forget: () => void) => Methods): number {
    if (this.#objects.size >= MOST) throw new Deno.errors.NotCapable(`more than ${MOST} open files`);
    const number = ++this.#made;
    this.#objects.set(number, methods(() => this.#objects.delete(number)));
    return number;
  }

  #computer(): Methods {
    const { grants } = this;
    const refuse = (path: string): never => {
      throw new Deno.errors.NotCapable(`${path} is not one of this machine's files, or leads elsewhere since it began`);
    };
    const allow = (allowed: boolean, path: string) => allowed || refuse(path);
    return {
      whole: (path: string, options: { durable?: boolean; newest?: number } | undefined) => {
        allow(options?.newest === undefined ? grants.mayWrite(path) : grants.mayCache(path), path);
        return this.#object((forget) => wholeFile(OWN_FILES.whole(path, { ...options, onlyFile: true }), forget));
      },
      begun: (path: string) => {
        const place = grants.growing(path) ?? refuse(path);
        const file = new WholeFile(place, { isPlace: true }),
          sum = grants.keepsStatesOf(path) ? node.crypto.createHash("sha256") : undefined;
        return this.#object((forget) => ({
          write: (bytes: Uint8Array) => {
            const written = file.writeSync(bytes);
            sum?.update(bytes.subarray(0, written));
            return written;
          },
          publish: () => file.publish(),
          close: () => {
            forget();
            if (!file.isPublished) return file[Symbol.dispose]();
            file.close();
            if (sum) grants.sealed(sum.digest("hex"));
          },
        }));
      },
      store: (sha256: string, bytes: Uint8Array) => {
        allow(node.crypto.createHash("sha256").update(bytes).digest("hex") === sha256, sha256);
        OWN_FILES.store(sha256, bytes);
      },
      report: () => {
        allow(++this.#reports <= REPORTS, "one more report");
        const base = OWN_FILES.report();
        if (base !== undefined) grants.report(base);
        return base;
      },
      maker: () => OWN_FILES.maker(),
      folder: (path: string) => {
        const { writable } = grants.folder(path) ?? refuse(path), folder = new ComputerFolder(path);
        holdFolder(path, writable);
        return this.#object(() => this.#folder(folder, writable));
      },
      log: (path: string) => {
        const place = grants.log(path) ?? refuse(path);
        // When it is full, it is renamed at its place: its older files are beside it.
        const log = new ConsoleLog(place, { isPlace: true, allowed: () => grants.log(path) === place });
        const object = this.#object((forget) => ({
          write: (bytes: Uint8Array) => {
            log.write(bytes);
            return log.failed;
          },
          close: () => {
            forget();
            log.close();
          },
        }));
        return { object, failed: log.failed };
      },
      nameServer: () => this.#socketsOf().nameServer,
    };
  }

  /** A shared folder. It repeats the checks of the machine's own server. */
  #folder(folder: ComputerFolder, writable: boolean): Methods {
    return Object.fromEntries(
      Object.entries(FOLDER_METHODS).map(([name, { paths = 0, changes, opens }]) => [name, (...args: unknown[]) => {
        if (changes) checkWritable(writable);
        args.slice(0, paths).forEach(checkPath);
        if (name === "open") checkAccess(args[1], writable);
        const result = (folder[name as keyof ComputerFolder] as Method)(...args as never[]);
        return opens ? this.#object((forget) => fileMethods(result as FolderFile, writable, forget)) : result;
      }]),
    );
  }
}

/** @throws ShareError for writing in a folder that is not writable */
function checkAccess(access: unknown, writable: boolean): void {
  const { write, truncate } = access as { readonly write: unknown; readonly truncate: unknown };
  if (write || truncate) checkWritable(writable);
}

/** @throws ShareError for a change of a folder that is not writable */
function checkWritable(writable: boolean): void {
  if (!writable) throw new ShareError("EROFS", "the share is read-only");
}

/** @throws ShareError unless it is a path within a folder, an array of names */
function checkPath(path: unknown): void {
  if (!Array.isArray(path)) throw new ShareError("EINVAL", "not a path");
  for (const name of path as readonly unknown[]) {
    if (typeof name !== "string" || name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
      throw new ShareError("EINVAL", `${JSON.stringify(name)} is not a file name`);
    }
  }
}

function wholeFile(file: PendingFile, forget: () => void): Methods {
  return {
    write: (bytes: Uint8Array) => file.write(bytes),
    commit: () => {
      file.commit();
      forget();
    },
    dispose: () => {
      forget();
      file[Symbol.dispose]();
    },
  };
}

function fileMethods(file: FolderFile, writable: boolean, forget: () => void): Methods {
  const methods = Object.entries(FILE_METHODS).map(([name, { changes, ends }]) => [name, (...args: never[]) => {
    if (changes) checkWritable(writable);
    if (ends) forget();
    return (file[name as keyof FolderFile] as Method)(...args);
  }]);
  const read = (offset: number, size: number) => {
    const bytes = buffer(size);
    return bytes.subarray(0, file.read(offset, bytes));
  };
  return { ...Object.fromEntries(methods), read };
}

function buffer(size: number): Uint8Array<ArrayBuffer> {
  if (!(size <= PIECE)) throw new RangeError(`${size} bytes in one call, at most ${PIECE}`);
  return new Uint8Array(size);
}
