// `el2 dap --listen`: clients that connect. Every local user can connect to a port, so that clients
// there must bring a token; a socket is open to its owner alone.

import { resolve } from "node:path";
import { serveDap } from "./dap-link.ts";
import { Failure } from "../../common/failure.ts";
import { requireUnix } from "../../common/platform.ts";
import { report } from "../../common/print.ts";
import { NotOurs, readOwnText, writeOwnText } from "../../../../kit/support/files/own-files.ts";
import { OwnListener } from "../../../../kit/support/files/own-socket.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65_535;
/** Clients at a time; others wait to be accepted. */
const CLIENTS = 16;
const TOKEN_BYTES = 16;
const GONE = [Deno.errors.ConnectionReset, Deno.errors.BrokenPipe, Deno.errors.Interrupted];
/** A token of a file that somebody wrote. */
const TOKEN = /^[\x21-\x7e]{16,256}$/;

/**
 * Serves clients until this process is interrupted.
 * @param where a port, or the path of a socket
 * @throws Failure if nothing can listen there
 */
export async function listenDap(
  entry: URL,
  where: string,
  { tokenFile, allowHost }: { readonly tokenFile: string | undefined; readonly allowHost: readonly string[] },
): Promise<void> {
  const { listener, name, token } = listen(where, tokenFile);
  const serving = new Set<Promise<void>>();
  report(`el2: editors connect to ${name}${token === undefined || tokenFile !== undefined ? "" : ` with "token": "${token}"`}`);
  for (;;) {
    const connection = await listener.accept();
    const served: Promise<void> = serveDap(entry, connection, { allowHost, token }).catch((error) => {
      // The machines of other clients continue.
      const gone = GONE.some((kind) => error instanceof kind);
      report(`el2: a client of ${name} ${gone ? "is gone" : `ended: ${error instanceof Error ? error.message : error}`}`);
    }).finally(() => serving.delete(served));
    serving.add(served);
    if (serving.size >= CLIENTS) await Promise.race(serving);
  }
}

interface Listening {
  readonly listener: Deno.TcpListener | OwnListener;
  readonly name: string;
  readonly token: string | undefined;
}

function listen(where: string, tokenFile: string | undefined): Listening {
  try {
    if (where.includes("/")) {
      if (tokenFile !== undefined) throw new Failure("dap: a socket needs no --token-file: nobody else can connect");
      requireUnix("sockets that only their user can open");
      return { listener: new OwnListener(resolve(where)), name: where, token: undefined };
    }
    const port = /^\d{1,5}$/.test(where) ? Number(where) : NaN;
    if (!(port <= PORT_MAX)) {
      throw new Failure(`--listen: "${where}" is neither a port nor a path with a /`, "use for example 4711 or ./dap.sock");
    }
    const token = tokenOf(tokenFile), listener = Deno.listen({ hostname: LOOPBACK, port });
    return { listener, name: `${LOOPBACK}:${listener.addr.port}`, token };
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new Failure(`--listen: ${where} is in use`, "use another one, or 0 for any free port");
    }
    if (error instanceof NotOurs) throw new Failure(problemOf(error, "--listen"));
    throw error;
  }
}

function tokenOf(file: string | undefined): string {
  const fresh = () => crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
  if (file === undefined) return fresh();
  const known = readOwnText(file)?.trim();
  if (known === undefined) {
    const token = fresh();
    writeOwnText(file, `${token}\n`);
    return token;
  }
  if (!TOKEN.test(known)) throw new Failure(`${file} has no token: 16 to 256 printable characters without spaces are needed`);
  return known;
}
