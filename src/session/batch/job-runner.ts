// Starts jobs for commands, in the thread with rights.

import {
  type JobInput,
  type JobMessage,
  type JobNotice,
  type JobOrder,
  JobRefused,
  type JobResult,
  type JobSaid,
  type JobTable,
} from "./job.ts";
import { plannedDevices, type SessionPlan } from "../../model/plans/plan.ts";
import { JOB_NAME, largeFilesOf, newWorker } from "../worker/client.ts";
import { Services } from "../worker/confined-worker.ts";
import { canConfine } from "../worker/rights/worker-rights.ts";

/** A job and its material. */
export interface WantedJob<T extends JobTable, N extends keyof T> {
  readonly name: N & string;
  readonly input: JobInput<T, N>;
  /** The plans of its machines. Their folders are served where the machines are not alone. */
  readonly plans: readonly SessionPlan[];
  /** The command has no more use for the files of the plans: they are moved, not copied. */
  readonly moved?: boolean;
  /** The part of the input of which the same holds. */
  readonly given?: unknown;
  /** Takes the job's messages. */
  readonly hear?: (said: JobSaid<T, N>) => void;
}

/** The worker of the first job, where that has started already. */
let spare: JobWorker | undefined;

/** A worker without rights, for jobs one after the other. */
export class JobRunner<T extends JobTable> implements Disposable {
  #worker: JobWorker | undefined;

  constructor(readonly entry: URL) {}

  /**
   * Starts the worker of the first job, as long as this process has rights that it may need.
   * @param name of the job, if it is known: it is loaded meanwhile
   */
  static startFirst(entry: URL, name?: string): void {
    spare ??= new JobWorker(entry, name);
  }

  /** @throws JobRefused if it cannot be done; an Error for a bug of el2 in it */
  async run<N extends keyof T>(wanted: WantedJob<T, N>): Promise<JobResult<T, N>> {
    // A worker that has worked opens no disks any more.
    if (wanted.plans.some((plan) => plannedDevices(plan).some(({ kind }) => kind === "block"))) this[Symbol.dispose]();
    this.#worker ??= spare ?? new JobWorker(this.entry);
    spare = undefined;
    return await this.#worker.run(wanted);
  }

  [Symbol.dispose](): void {
    this.#worker?.[Symbol.dispose]();
    this.#worker = undefined;
  }
}

class JobWorker implements Disposable {
  readonly #worker: Worker;
  /** Machines of jobs have no sockets: the services are files and folders. */
  readonly #services = canConfine() ? new Services(() => {}, (error) => this.#failed(error)) : undefined;
  readonly #ready = Promise.withResolvers<void>();
  readonly #taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #connected = false;
  #hear: (message: JobMessage) => void = () => {};
  #failed: (error: unknown) => void = this.#ready.reject;

  constructor(entry: URL, first?: string) {
    this.#worker = newWorker(entry, JOB_NAME);
    this.#worker.onerror = (error) => {
      error.preventDefault();
      this.#failed(new Error(error.message));
    };
    this.#worker.onmessage = ({ data }: MessageEvent<JobMessage>) => data.kind === "ready" ? this.#ready.resolve() : this.#hear(data);
    // A message may be lost before the worker listens.
    if (first !== undefined) this.#ready.promise.then(() => this.#worker.postMessage({ loads: first } satisfies JobNotice), () => {});
  }

  async run<T extends JobTable, N extends keyof T>(
    { name, input, plans, moved = false, given, hear }: WantedJob<T, N>,
  ): Promise<JobResult<T, N>> {
    await this.#ready.promise;
    const { promise, resolve, reject } = Promise.withResolvers<JobResult<T, N>>();
    this.#failed = reject;
    this.#hear = (message) => {
      switch (message.kind) {
        case "said":
          try {
            hear?.(message.said as JobSaid<T, N>);
          } catch (error) {
            reject(error);
          }
          Atomics.add(this.#taken, 0, 1);
          return Atomics.notify(this.#taken, 0);
        case "done":
          return resolve(message.result as JobResult<T, N>);
        case "refused":
          return reject(new JobRefused(message.problem, message.isWrong));
        case "failed": {
          const bug = new Error(message.stack.split("\n")[0]);
          bug.stack = message.stack;
          return reject(bug);
        }
      }
    };
    for (const plan of plans) this.#services?.request({ kind: "start", plan });
    const surroundings = this.#connected ? undefined : await this.#services?.begin();
    this.#connected = true;
    const order: JobOrder = { name, input, plans, surroundings, taken: this.#taken.buffer };
    const files = largeFilesOf([moved && plans, given]);
    this.#worker.postMessage(order, { transfer: surroundings ? [surroundings.port, ...files] : files });
    return await promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
    this.#services?.close();
  }
}
