// Functions of the core's library that regions expand inline: those that take a few Wasm
// instructions in most cases. Floating point calls the function where the computer's result may not
// be the architecture's (see cpu/core/fp/arithmetic.ts).

import type { FunctionBuilder, ValueType } from "../../wasm/module.ts";

/** Operations that not every computer, or not every V8, has. */
export interface Operations {
  /** The computer's multiply-add is a fused one. */
  readonly fusedMultiplyAdd: boolean;
  /** Products of 128 bits are one instruction. */
  readonly wideMultiplication: boolean;
}

/** The place where a call is expanded. */
interface InlineContext {
  readonly f: FunctionBuilder;
  /** Locals with the operands, and for the result. */
  readonly operands: readonly number[];
  readonly result: number;
  /** A local that is free until the end of the instruction. */
  local(type: ValueType): number;
  /** Calls the function after all. */
  call(): void;
  /** Puts an i32 on the stack that is not zero where the computer's arithmetic may serve. */
  fast(): void;
}

type Inline = (context: InlineContext) => void;

const SMALLEST_NORMAL = { f32: 2 ** -126, f64: 2 ** -1022 } as const;

/**
 * The computer's operation where its result is normal, or at least finite for sums, which do not
 * underflow.
 */
function floatOperation(type: "f32" | "f64", emit: (context: InlineContext) => void, underflows: boolean): Inline {
  return (context) => {
    const { f, result } = context;
    emit(context);
    f.tee(result).op(`${type}.abs`)[type](Infinity).op(`${type}.lt`);
    context.fast();
    f.op("i32.and");
    if (underflows) f.get(result).op(`${type}.abs`)[type](SMALLEST_NORMAL[type]).op(`${type}.gt`).op("i32.and");
    f.ifLikely(true, () => {}, () => context.call());
  };
}

const binary = (type: "f32" | "f64", name: string) => ({ f, operands }: InlineContext) =>
  void f.get(operands[0]).get(operands[1]).op(`${type}.${name}`);

/** FPMulAdd: addend, a, b. */
const fused = (type: "f32" | "f64") => ({ f, operands: [addend, a, b] }: InlineContext) => {
  const lanes = type === "f32" ? "f32x4" : "f64x2";
  for (const operand of [a, b, addend]) f.get(operand).op(`${lanes}.splat`);
  f.op(`${lanes}.relaxed_madd`).lane(`${lanes}.extract_lane`, 0);
};

const FLOATS = (["f32", "f64"] as const).flatMap((type): [string, Inline][] => {
  const width = type === "f32" ? 32 : 64;
  return [
    [`FPAdd${width}`, floatOperation(type, binary(type, "add"), false)],
    [`FPSub${width}`, floatOperation(type, binary(type, "sub"), false)],
    [`FPMul${width}`, floatOperation(type, binary(type, "mul"), true)],
    [`FPDiv${width}`, floatOperation(type, binary(type, "div"), true)],
    [`FPSqrt${width}`, floatOperation(type, ({ f, operands }) => void f.get(operands[0]).op(`${type}.sqrt`), true)],
  ];
});

const FUSED: readonly [string, Inline][] = [
  ["FPMulAdd32", floatOperation("f32", fused("f32"), true)],
  ["FPMulAddBF", floatOperation("f32", fused("f32"), true)],
  ["FPMulAdd64", floatOperation("f64", fused("f64"), true)],
];

/** Arrangements: lanes, and whether all of them count. */
const VECTORS: readonly [string, Inline][] = [["4S", "f32x4", "f32"], ["2D", "f64x2", "f64"]].flatMap(([arrangement, lanes, type]) => {
  const operation = (name: string, underflows: boolean): Inline => (context) => {
    const { f, operands, result } = context;
    const magnitude = context.local("v128");
    const splat = (value: number) => (type === "f32" ? f.f32(value) : f.f64(value)).op(`${lanes}.splat`);
    for (const operand of operands) f.get(operand);
    f.op(`${lanes}.${name}`).tee(result).op(`${lanes}.abs`).tee(magnitude);
    splat(Infinity).op(`${lanes}.lt`);
    if (underflows) {
      f.get(magnitude);
      splat(SMALLEST_NORMAL[type as "f32" | "f64"]).op(`${lanes}.gt`).op("v128.and");
    }
    f.op(type === "f32" ? "i32x4.all_true" : "i64x2.all_true");
    context.fast();
    f.op("i32.and").ifLikely(true, () => {}, () => context.call());
  };
  return [
    [`FPAdd${arrangement}`, operation("add", false)],
    [`FPSub${arrangement}`, operation("sub", false)],
    [`FPMul${arrangement}`, operation("mul", true)],
    [`FPDiv${arrangement}`, operation("div", true)],
  ] as [string, Inline][];
});

/** NZCV of a comparison of numbers; FPCR.FZ is off where the computer may serve. */
const compareFloats = (type: "f32" | "f64"): Inline => (context) => {
  const { f, operands: [a, b], result } = context;
  f.get(a).get(a).op(`${type}.eq`).get(b).get(b).op(`${type}.eq`).op("i32.and");
  context.fast();
  f.op("i32.and").ifLikely(true, () => {
    f.get(a).get(b).op(`${type}.lt`).tee(result).i32(3).op("i32.shl");
    f.get(a).get(b).op(`${type}.eq`).i32(2).op("i32.shl").op("i32.or");
    f.get(result).i32(1).op("i32.xor").i32(1).op("i32.shl").op("i32.or").set(result);
  }, () => context.call());
};

const divide = (type: "i32" | "i64", signed: boolean): Inline => ({ f, operands: [a, b], result }) => {
  f.get(b).op(`${type}.eqz`).ifLikely(false, () => void f[type](0).set(result), () => {
    if (!signed) {
      f.get(a).get(b).op(`${type}.div_u`).set(result);
      return;
    }
    // The smallest number by -1 gives itself; Wasm would trap.
    f.get(b)[type](-1).op(`${type}.eq`).ifLikely(
      false,
      () => void f[type](0).get(a).op(`${type}.sub`).set(result),
      () => void f.get(a).get(b).op(`${type}.div_s`).set(result),
    );
  });
};

/** The high half of a product, by halves of the factors. */
const multiplyHigh = (signed: boolean): Inline => ({ f, operands: [a, b], result, local }) => {
  const [aLow, aHigh, bLow, bHigh, middle, cross] = Array.from({ length: 6 }, () => local("i64"));
  for (const [value, low, high] of [[a, aLow, aHigh], [b, bLow, bHigh]]) {
    f.get(value).i64(0xffff_ffffn).op("i64.and").set(low).get(value).i64(32).op("i64.shr_u").set(high);
  }
  f.get(aHigh).get(bLow).op("i64.mul").get(aLow).get(bLow).op("i64.mul").i64(32).op("i64.shr_u").op("i64.add").set(middle);
  f.get(aLow).get(bHigh).op("i64.mul").get(middle).i64(0xffff_ffffn).op("i64.and").op("i64.add").set(cross);
  f.get(aHigh).get(bHigh).op("i64.mul").get(middle).i64(32).op("i64.shr_u").op("i64.add").get(cross).i64(32).op("i64.shr_u").op("i64.add");
  if (signed) {
    for (const [sign, value] of [[a, b], [b, a]]) f.get(sign).i64(63).op("i64.shr_s").get(value).op("i64.and").op("i64.sub");
  }
  f.set(result);
};

/** The same, as half of a product of 128 bits. */
const wideMultiplyHigh = (signed: boolean): Inline => ({ f, operands: [a, b], result }) =>
  void f.get(a).get(b).op(signed ? "i64.mul_wide_s" : "i64.mul_wide_u").set(result).op("drop");

const BYTES_REVERSED = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

/** Bits inside of bytes by swapping, then the bytes. */
const reverseBits: Inline = ({ f, operands: [value], result }) => {
  f.get(value).set(result);
  for (const [shift, mask] of [[1, 0x5555555555555555n], [2, 0x3333333333333333n], [4, 0x0f0f0f0f0f0f0f0fn]] as const) {
    f.get(result).i64(shift).op("i64.shr_u").i64(mask).op("i64.and");
    f.get(result).i64(mask).op("i64.and").i64(shift).op("i64.shl").op("i64.or").set(result);
  }
  f.get(result).op("i64x2.splat").get(result).op("i64x2.splat").shuffle(BYTES_REVERSED).lane("i64x2.extract_lane", 0).set(result);
};

const ALWAYS: ReadonlyMap<string, Inline> = new Map<string, Inline>([
  ...FLOATS,
  ...VECTORS,
  ["FPCompare32", compareFloats("f32")],
  ["FPCompare64", compareFloats("f64")],
  ["unsignedDivide32", divide("i32", false)],
  ["unsignedDivide64", divide("i64", false)],
  ["signedDivide32", divide("i32", true)],
  ["signedDivide64", divide("i64", true)],
  ["multiplyHighUnsigned", multiplyHigh(false)],
  ["multiplyHighSigned", multiplyHigh(true)],
  ["reverseBits", reverseBits],
]);
const WHERE_FUSED: ReadonlyMap<string, Inline> = new Map(FUSED);
const WHERE_WIDE: ReadonlyMap<string, Inline> = new Map([
  ["multiplyHighUnsigned", wideMultiplyHigh(false)],
  ["multiplyHighSigned", wideMultiplyHigh(true)],
]);

/** The expansion of a function; undefined if it is called. */
export function inlineCall(name: string, { fusedMultiplyAdd, wideMultiplication }: Operations): Inline | undefined {
  return (wideMultiplication ? WHERE_WIDE.get(name) : undefined) ?? ALWAYS.get(name) ??
    (fusedMultiplyAdd ? WHERE_FUSED.get(name) : undefined);
}
