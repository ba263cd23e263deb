// Reads and writes private fields (`#name`) of objects by V8's inspector, for tests that read
// every field of an object.

import inspector from "node:inspector";

interface Remote {
  readonly result: { readonly objectId?: string; readonly subtype?: string; readonly description?: string };
  readonly exceptionDetails?: unknown;
}
interface Properties {
  readonly privateProperties?: readonly { readonly name: string }[];
}

/** Where values cross between this program and the inspector. */
const exchange: { object: unknown; value: unknown } = { object: undefined, value: undefined };
Object.assign(globalThis, { __exchange: exchange });

/** A session with the inspector of this program. */
export class PrivateFields {
  readonly #session = new inspector.Session();
  /** Keeps the program alive while the inspector answers. */
  readonly #awake = setInterval(() => {}, 1000);

  constructor() {
    this.#session.connect();
  }

  close(): void {
    clearInterval(this.#awake);
    this.#session.disconnect();
  }

  /** Names of an object's private fields, `#` included, without accessors and methods. */
  async names(object: object): Promise<string[]> {
    exchange.object = object;
    const { objectId } = (await this.#evaluate("__exchange.object")).result;
    const { privateProperties = [] } = await this.#post<Properties>("Runtime.getProperties", { objectId, ownProperties: true });
    return privateProperties.filter((property) => "value" in property).map(({ name }) => name);
  }

  async get(object: object, name: string): Promise<unknown> {
    exchange.object = object;
    await this.#evaluate(`__exchange.value = __exchange.object.${name}, 0`);
    return exchange.value;
  }

  async set(object: object, name: string, value: unknown): Promise<void> {
    exchange.object = object;
    exchange.value = value;
    await this.#evaluate(`__exchange.object.${name} = __exchange.value, 0`);
  }

  async #evaluate(expression: string): Promise<Remote> {
    const answer = await this.#post<Remote>("Runtime.evaluate", { expression, replMode: true });
    if (answer.exceptionDetails) throw new Error(`${expression}: ${answer.result.description}`);
    return answer;
  }

  #post<T>(method: string, parameters: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, parameters, (error: Error | null, answer?: object) => error ? reject(error) : resolve(answer as T));
    });
  }
}
