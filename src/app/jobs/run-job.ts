// Starts jobs for commands, in the thread with rights.

import type { JobInput, JobMessage, JobName, JobOrder, JobResult, JobSaid } from "./jobs.ts";
import { Failure } from "./failure.ts";
import { plannedDevices, type SessionPlan } from "../../model/plans/plan.ts";
import { JOB_NAME, largeFilesOf, newWorker } from "../../session/worker/client.ts";
import { Services } from "../../session/worker/confined-worker.ts";
import { canConfine } from "../../session/worker/worker-rights.ts";

/** A job and its material. */
interface WantedJob<N extends JobName> {
  readonly name: N;
  readonly input: JobInput<N>;
  /** The plans of its machines. Their folders are served where the machines are not alone. */
  readonly plans: readonly SessionPlan[];
  /** The command has no more use for the files of the plans: they are moved, not copied. */
  readonly moved?: boolean;
  /** Takes the job's messages. */
  readonly hear?: (said: JobSaid<N>) => void;
}

/** The worker of the first job, where that has started already. */
let spare: JobWorker | undefined;

/** Starts the worker of the first job, as long as this process has rights that it may need. */
export function startJobWorker(entry: URL): void {
  spare ??= new JobWorker(entry);
}

/**
 * Does a job in a worker without rights.
 * @param entry the module of the worker
 * @throws Failure if it cannot be done; an Error for a bug of el2 in it
 */
export async function runJob<N extends JobName>(entry: URL, wanted: WantedJob<N>): Promise<JobResult<N>> {
  using jobs = new Jobs(entry);
  return await jobs.run(wanted);
}

/** A worker without rights, for jobs one after the other. */
export class Jobs implements Disposable {
  #worker: JobWorker | undefined;

  constructor(readonly entry: URL) {}

  /** @throws as `runJob` */
  async run<N extends JobName>(wanted: WantedJob<N>): Promise<JobResult<N>> {
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

  constructor(entry: URL) {
    this.#worker = newWorker(entry, JOB_NAME);
    this.#worker.onerror = (error) => {
      error.preventDefault();
      this.#failed(new Error(error.message));
    };
    this.#worker.onmessage = ({ data }: MessageEvent<JobMessage>) => data.kind === "ready" ? this.#ready.resolve() : this.#hear(data);
  }

  async run<N extends JobName>({ name, input, plans, moved = false, hear }: WantedJob<N>): Promise<JobResult<N>> {
    await this.#ready.promise;
    const { promise, resolve, reject } = Promise.withResolvers<JobResult<N>>();
    this.#failed = reject;
    this.#hear = (message) => {
      switch (message.kind) {
        case "said":
          try {
            hear?.(message.said as JobSaid<N>);
          } catch (error) {
            reject(error);
          }
          Atomics.add(this.#taken, 0, 1);
          return Atomics.notify(this.#taken, 0);
        case "done":
          return resolve(message.result as JobResult<N>);
        case "refused":
          return reject(new Failure(message.problem, undefined, message.code));
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
    const files = moved ? largeFilesOf(plans) : [];
    this.#worker.postMessage(order, { transfer: surroundings ? [surroundings.port, ...files] : files });
    return await promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
    this.#services?.close();
  }
}
