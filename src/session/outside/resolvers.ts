// The resolvers that this computer names (resolv.conf(5)). A query goes to the one that answered
// last; where it does not answer, to the next.

import { type Address, addressText } from "../../kit/formats/ip-addresses.ts";
import { ANSWER_MS, RESOLV_CONF } from "../../kit/formats/resolv-conf.ts";

/** Queries of a flow that may be without an answer; those beyond are sent once. */
const PENDING_MAX = 64;

/** A query that has no answer yet. */
interface Query {
  readonly bytes: Uint8Array;
  /** Resolvers that are still to be asked. */
  readonly others: Address[];
  asked: Address;
  forget: () => void;
}

/** Queries to one resolver, or to any. */
interface Queries {
  send(bytes: Uint8Array): void;
  close(): void;
}

type OpenSocket = (address: Address, receive: (bytes: Uint8Array) => void) => Queries;

/** The resolvers as one that answers if any of them does. */
export class Resolvers {
  /** The one that answered last. */
  #answers: Address | undefined;
  /** Reported already: resolvers that do not answer. */
  readonly #silent = new Set<Address>();

  /**
   * @param named the resolvers, the first to ask first
   * @param later calls back after some milliseconds; gives what takes that back
   */
  constructor(readonly named: () => Address[], readonly later: (milliseconds: number, action: () => void) => () => void) {}

  /** The one to ask first. */
  get first(): Address {
    return this.#firstOf(this.named());
  }

  #firstOf(named: Address[]): Address {
    return named.find((address) => address === this.#answers) ?? named[0];
  }

  /**
   * A flow of queries.
   * @param problem reports each resolver that does not answer, once
   */
  datagrams(open: OpenSocket, receive: (bytes: Uint8Array) => void, problem: (message: string) => void): Queries {
    const sockets = new Map<Address, Queries>();
    /** Queries by their number (RFC 1035 section 4.1.1). */
    const queries = new Map<number, Query>();
    const answered = (from: Address) => (bytes: Uint8Array) => {
      const query = queries.get(idOf(bytes));
      if (query) {
        query.forget();
        queries.delete(idOf(bytes));
      }
      this.#answers = from;
      this.#silent.delete(from);
      receive(bytes);
    };
    const ask = (address: Address, bytes: Uint8Array) => {
      const socket = sockets.get(address) ?? open(address, answered(address));
      sockets.set(address, socket);
      socket.send(bytes);
    };
    const later = (id: number, query: Query) => {
      query.forget = this.later(ANSWER_MS, () => {
        const next = query.others.shift();
        this.#tell(query.asked, next, problem);
        if (next === undefined) return queries.delete(id);
        query.asked = next;
        later(id, query);
        ask(next, query.bytes);
      });
    };
    return {
      send: (bytes) => {
        const id = idOf(bytes), before = queries.get(id), named = this.named(), asked = this.#firstOf(named);
        before?.forget();
        if (before || queries.size < PENDING_MAX) {
          const query: Query = { bytes, asked, others: named.filter((address) => address !== asked), forget: () => {} };
          queries.set(id, query);
          later(id, query);
        }
        ask(asked, bytes);
      },
      close: () => {
        for (const { forget } of queries.values()) forget();
        queries.clear();
        for (const socket of sockets.values()) socket.close();
      },
    };
  }

  #tell(silent: Address, next: Address | undefined, problem: (message: string) => void): void {
    if (this.#silent.has(silent)) return;
    this.#silent.add(silent);
    const asked = next === undefined ? "no other is named" : `${addressText(next)} is asked`;
    problem(`the resolver ${addressText(silent)} of ${RESOLV_CONF} does not answer; ${asked}`);
  }
}

/** The number that a query and its answer share; -1 for what is not DNS. */
function idOf(bytes: Uint8Array): number {
  return bytes.length < 12 ? -1 : bytes[0] << 8 | bytes[1];
}
