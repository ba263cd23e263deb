// Floating-point operations on vectors, as functions of the core's library: the scalar functions on
// each lane, with a short cut through Wasm's vector instructions where their results are the
// architecture's. Names are those of the scalar functions with the arrangement after them (2S, 4S,
// 2D) instead of the width: FPAdd4S. In 2S the upper half of the result is zero.

import { Code, type Local, Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { isFast } from "./modes.ts";
import type { SoftFloat } from "./soft-float.ts";

/** An arrangement of single or double precision. */
interface Arrangement {
  readonly name: "2S" | "4S" | "2D";
  readonly width: 32 | 64;
  readonly lanes: number;
  readonly type: "f32" | "f64";
  /** Wasm's vector instructions. */
  readonly float: "f32x4" | "f64x2";
  readonly integer: "i32x4" | "i64x2";
  readonly smallestNormal: number;
}

const SINGLES = { width: 32, type: "f32", float: "f32x4", integer: "i32x4", smallestNormal: 2 ** -126 } as const;
const ARRANGEMENTS: readonly Arrangement[] = [
  { ...SINGLES, name: "2S", lanes: 2 },
  { ...SINGLES, name: "4S", lanes: 4 },
  { name: "2D", width: 64, lanes: 2, type: "f64", float: "f64x2", integer: "i64x2", smallestNormal: 2 ** -1022 },
];

const extract = (vector: Value, instruction: string, lane: number, type: ValueType): Value =>
  new Value(type, (f) => {
    vector.emit(f);
    f.lane(`${instruction}.extract_lane`, lane);
  });

const replace = (vector: Value, instruction: string, lane: number, value: Value): Value =>
  new Value("v128", (f) => {
    vector.emit(f);
    value.emit(f);
    f.lane(`${instruction}.replace_lane`, lane);
  });

const zero = new Value("v128", (f) => f.v128(0n, 0n));
const splat = (a: Arrangement, value: number): Value => new Value(a.type, (f) => f[a.type](value)).op(`${a.float}.splat`, "v128");

/** Applies `scalar` to each lane; the result's lanes are of type `type`. */
function eachLane(
  code: Code,
  a: Arrangement,
  operands: readonly Value[],
  scalar: (lanes: Value[]) => Value,
  integerResult = false,
  integerOperands = false,
): void {
  const result = code.let(zero);
  for (let lane = 0; lane < a.lanes; lane++) {
    const type = integerOperands ? (a.width === 64 ? "i64" : "i32") : a.type;
    const lanes = operands.map((operand) => extract(operand, integerOperands ? a.integer : a.float, lane, type));
    code.set(result, replace(result, integerResult ? a.integer : a.float, lane, scalar(lanes)));
  }
  code.result(result);
}

/** 1 when the condition, a vector of masks, holds in all lanes of the arrangement. */
function all(a: Arrangement, mask: Value): Value {
  const unused = new Value("v128", (f) => f.v128(0n, -1n));
  return (a.name === "2S" ? mask.op("v128.or", "v128", unused) : mask).op(`${a.integer}.all_true`, "i32");
}

/** Defines the vector functions. */
export function defineVectors(soft: SoftFloat): void {
  const { library } = soft;
  for (const a of ARRANGEMENTS) {
    defineArithmeticVectors(soft, a);
    defineCompareVectors(soft, a);
    defineConversionVectors(library, a);
  }
}

const scalarFunction = (library: Library, a: Arrangement, name: string): FunctionBuilder => library.named(`${name}${a.width}`);

function defineArithmeticVectors({ library, alternate }: SoftFloat, a: Arrangement): void {
  const vectors = (count: number): ValueType[] => Array(count).fill("v128");
  const start = (name: string, operands: ValueType[]): { code: Code; operands: Local[] } => {
    const code = new Code(library.define(`${name}${a.name}`, operands, ["v128"]));
    return { code, operands: operands.map((_, i) => code.parameter(i)) };
  };
  const vectorOp = (name: string, x: Value, ...rest: Value[]) => x.op(`${a.float}.${name}`, "v128", ...rest);

  // Sums do not underflow; products, quotients and roots have to be above the smallest normal
  // number for that.
  const direct: Record<string, { operation: string; operands: number; underflows: boolean }> = {
    FPAdd: { operation: "add", operands: 2, underflows: false },
    FPSub: { operation: "sub", operands: 2, underflows: false },
    FPMul: { operation: "mul", operands: 2, underflows: true },
    FPDiv: { operation: "div", operands: 2, underflows: true },
    FPSqrt: { operation: "sqrt", operands: 1, underflows: true },
  };
  for (const [name, { operation, operands: count, underflows }] of Object.entries(direct)) {
    const { code, operands } = start(name, vectors(count));
    const result = code.let(vectorOp(operation, operands[0], ...operands.slice(1)));
    const magnitude = code.let(vectorOp("abs", result));
    const finite = vectorOp("lt", magnitude, splat(a, Infinity));
    const good = underflows ? finite.op("v128.and", "v128", vectorOp("gt", magnitude, splat(a, a.smallestNormal))) : finite;
    code.if(all(a, good).and(isFast(code, alternate)), () => {
      if (a.name === "2S") code.set(result, replace(result, "i64x2", 1, new Value("i64", (f) => f.i64(0))));
      code.return(result);
    });
    eachLane(code, a, operands, (lanes) => code.call(scalarFunction(library, a, name), ...lanes));
  }

  const counts: Record<string, number> = {
    FPMulX: 2,
    FPMin: 2,
    FPMax: 2,
    FPMinNum: 2,
    FPMaxNum: 2,
    FPRecipStep: 2,
    FPRSqrtStep: 2,
    FPMulAdd: 3,
    FPRecipEstimate: 1,
    FPRSqrtEstimate: 1,
  };
  for (const [name, count] of Object.entries(counts)) {
    const { code, operands } = start(name, vectors(count));
    eachLane(code, a, operands, (lanes) => code.call(scalarFunction(library, a, name), ...lanes));
  }

  // (vector, rounding mode, exact).
  const { code, operands: [x, mode, exact] } = start("FPRoundInt", ["v128", "i32", "i32"]);
  eachLane(code, a, [x], ([lane]) => code.call(scalarFunction(library, a, "FPRoundInt"), lane, mode, exact));
}

/** FPRoundIntN (vector, rounding mode, width of the integers) of FEAT_FRINTTS. */
export function defineRoundIntNVectors(library: Library): void {
  for (const a of ARRANGEMENTS) {
    const code = new Code(library.define(`FPRoundIntN${a.name}`, ["v128", "i32", "i32"], ["v128"]));
    const [x, mode, width] = [0, 1, 2].map((i) => code.parameter(i));
    eachLane(code, a, [x], ([lane]) => code.call(scalarFunction(library, a, "FPRoundIntN"), lane, mode, width));
  }
}

/** FPCompareEQ, GE and GT: lanes of all ones where true. */
function defineCompareVectors(soft: SoftFloat, a: Arrangement): void {
  for (const [name, operation] of [["FPCompareEQ", "eq"], ["FPCompareGE", "ge"], ["FPCompareGT", "gt"]] as const) {
    const code = new Code(soft.library.define(`${name}${a.name}`, ["v128", "v128"], ["v128"]));
    const x = code.parameter(0), y = code.parameter(1);
    const ordered = x.op(`${a.float}.eq`, "v128", x).op("v128.and", "v128", y.op(`${a.float}.eq`, "v128", y));
    if (a.name !== "2S") {
      code.if(all(a, ordered).and(soft.flushes(code).not()), () => code.return(x.op(`${a.float}.${operation}`, "v128", y)));
    }
    const zeroOf = new Value(a.width === 64 ? "i64" : "i32", (f) => a.width === 64 ? f.i64(0) : f.i32(0));
    eachLane(code, a, [x, y], (lanes) => {
      const holds = code.call(scalarFunction(soft.library, a, name), ...lanes);
      return zeroOf.sub(a.width === 64 ? holds.wide() : holds);
    }, true);
  }
}

/** FPToFixedS, U (vector, scale f64, rounding mode) and FixedToFPS, U (vector, fraction bits). */
function defineConversionVectors(library: Library, a: Arrangement): void {
  for (const letter of ["S", "U"] as const) {
    const toFixed = new Code(library.define(`FPToFixed${letter}${a.name}`, ["v128", "f64", "i32"], ["v128"]));
    const scalarToFixed = library.named(`FPToFixed${letter}${a.width}`);
    eachLane(toFixed, a, [toFixed.parameter(0)], ([x]) => {
      const wide = a.width === 64 ? x : x.op("f64.promote_f32", "f64");
      return toFixed.call(scalarToFixed, wide, toFixed.parameter(1), toFixed.parameter(2), a.smallestNormal);
    }, true);

    const fromFixed = new Code(library.define(`FixedToFP${letter}${a.name}`, ["v128", "i32"], ["v128"]));
    const scalarFromFixed = library.named(`FixedToFP${letter}${a.width}`);
    eachLane(
      fromFixed,
      a,
      [fromFixed.parameter(0)],
      ([x]) => {
        const wide = a.width === 64 ? x : letter === "S" ? x.wideSigned() : x.wide();
        return fromFixed.call(scalarFromFixed, wide, fromFixed.parameter(1));
      },
      false,
      true,
    );
  }
}
