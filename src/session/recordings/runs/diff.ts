// Two recordings side by side: both runs again, and the first instruction after which they are not
// the same.

import type { VmSample } from "../../../model/protocol/protocol.ts";
import type { RunningSystem, System } from "../../assembly/system/system.ts";
import { beginAgain } from "./replay.ts";
import type { Recording } from "../file/recording.ts";
import { vcpuId, vcpuName } from "../../../model/queries/ids.ts";

/**
 * Instructions between comparisons, coarse to fine: each level looks closer at where the one before
 * found a difference.
 */
const STRIDES = [1_000_000, 1_000, 1];

/** Where two runs part. */
interface RunDifference {
  /** First count of retired instructions, of all vCPUs, at which they differ. */
  readonly instructions: number;
  /** Virtual time (ns) of the first and of the second run there. */
  readonly times: readonly [number, number];
  /**
   * vCPUs whose program counters or states differ there: `vcpu:debian/0` with both. Empty where
   * other registers do.
   */
  readonly vcpus: readonly { readonly id: string; readonly first: string; readonly second: string }[];
}

/** How far two runs were compared, and where they part, if they do. */
interface DiffResult {
  readonly compared: number;
  /** Whether one of them was cut off: it is compared up to the last thing that it says. */
  readonly cut: boolean;
  readonly difference: RunDifference | undefined;
}

/**
 * Compares the runs of two recordings from their start to the end of the shorter.
 * @param progress is called with the count compared so far
 */
export function diffRecordings(first: Recording, second: Recording, progress: (instructions: number) => void): DiffResult {
  const cut = !first.end || !second.end;
  let from = 0;
  let compared = 0;
  for (const stride of STRIDES) {
    const runs = [beginAgain(first), beginAgain(second)] as const;
    for (let count = from;; count += stride) {
      const there = runs.map((run) => run.advance(count, Infinity) && run.system.instructions() >= count);
      compared = Math.max(compared, Math.min(...runs.map(({ system }) => system.instructions())));
      progress(compared);
      const systems = [runs[0].system, runs[1].system] as const;
      if (systems[0].instructions() !== systems[1].instructions() || systems[0].hashes.registers() !== systems[1].hashes.registers()) {
        if (stride === 1 || count === from) return { compared, cut, difference: describe(systems) };
        from = count - stride;
        break;
      }
      if (!there.every(Boolean)) return { compared, cut, difference: undefined };
    }
  }
  throw new Error("runs that differ at a stride are equal at the finer one");
}

type Compared = RunningSystem & Pick<System, "samples">;

function describe([first, second]: readonly [Compared, Compared]): RunDifference {
  const seconds = new Map(vcpusOf(second.samples.sample(0)));
  const vcpus = vcpusOf(first.samples.sample(0)).map(([id, text]) => ({ id, first: text, second: seconds.get(id) ?? "none" }));
  return {
    instructions: Math.min(first.instructions(), second.instructions()),
    times: [first.machine.time, second.machine.time],
    vcpus: vcpus.filter((vcpu) => vcpu.first !== vcpu.second),
  };
}

function vcpusOf(vms: readonly VmSample[]): [id: string, text: string][] {
  return vms.flatMap(({ name, vcpus }) =>
    vcpus.map(({ index, state, pc }): [string, string] => [vcpuId(vcpuName(name, index)), `${state} ${pc}`.trim()])
  );
}
