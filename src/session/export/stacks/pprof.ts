// Sampled stacks for pprof: a message of its profile.proto, compressed with gzip. The VM is the
// label `vm` of a sample, and its outermost frame. Field numbers are those of the .proto file.

import { beginMessage, endMessage, putNumber, putText } from "../../../kit/formats/protobuf.ts";
import type { SampledStack } from "../../inspection/execution/stack-samples.ts";
import { Bytes } from "../../../kit/support/values/bytes.ts";
import { node } from "../../../kit/support/node-modules.ts";

const Profile = { sampleType: 1, sample: 2, location: 4, function: 5, string: 6, periodType: 11, period: 12 } as const;
const ValueType = { type: 1, unit: 2 } as const;
const Sample = { location: 1, value: 2, label: 3 } as const;
const Label = { key: 1, text: 2 } as const;
const Location = { id: 1, line: 4 } as const;
const Line = { function: 1 } as const;
const Function = { id: 1, name: 2 } as const;

/** @param every execution time (ns) between two samples */
export function pprof(stacks: readonly SampledStack[], every: number): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(), texts = new Map([["", 0]]), functions = new Map<string, number>();
  const indexIn = (known: Map<string, number>, text: string, first: number) => {
    const index = known.get(text) ?? known.size + first;
    known.set(text, index);
    return index;
  };
  const text = (value: string) => indexIn(texts, value, 0);
  const message = (field: number, fields: () => void) => {
    const place = beginMessage(bytes, field);
    fields();
    endMessage(bytes, place);
  };
  const numbers = (field: number, values: Readonly<Record<number, number>>) =>
    message(field, () => {
      for (const [one, value] of Object.entries(values)) putNumber(bytes, Number(one), value);
    });
  const time = { [ValueType.type]: text("execution"), [ValueType.unit]: text("nanoseconds") };
  numbers(Profile.sampleType, { [ValueType.type]: text("samples"), [ValueType.unit]: text("count") });
  numbers(Profile.sampleType, time);
  for (const { frames, samples } of stacks) {
    message(Profile.sample, () => {
      for (const name of frames.toReversed()) putNumber(bytes, Sample.location, indexIn(functions, name, 1));
      for (const value of [samples, samples * every]) putNumber(bytes, Sample.value, value);
      numbers(Sample.label, { [Label.key]: text("vm"), [Label.text]: text(frames[0]) });
    });
  }
  for (const [name, id] of functions) {
    message(Profile.location, () => {
      putNumber(bytes, Location.id, id);
      numbers(Location.line, { [Line.function]: id });
    });
    numbers(Profile.function, { [Function.id]: id, [Function.name]: text(name) });
  }
  for (const value of texts.keys()) putText(bytes, Profile.string, value);
  numbers(Profile.periodType, time);
  putNumber(bytes, Profile.period, every);
  return new Uint8Array(node.zlib.gzipSync(bytes.view));
}
