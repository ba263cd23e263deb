// Facts of a file's syntax, as a plugin of `deno lint`, whose parser it uses. Each diagnostic is a
// fact, as JSON in its message; counts.ts adds them up.

/** A function. */
export interface FunctionFact {
  readonly kind: "function";
  readonly name: string;
  /** From its first line to its last, with the functions inside it. */
  readonly lines: number;
  readonly parameters: number;
  /** At least three quarters of its lines are one literal. */
  readonly table: boolean;
}

export type Fact = FunctionFact | { readonly kind: "non-null" } | { readonly kind: "cast" };

type FunctionNode = Deno.lint.FunctionDeclaration | Deno.lint.FunctionExpression | Deno.lint.ArrowFunctionExpression;
type Literal = Deno.lint.ArrayExpression | Deno.lint.ObjectExpression | Deno.lint.TemplateLiteral;

export default {
  name: "structure",
  rules: {
    facts: {
      create(context) {
        /** Lines of the largest literal of each function that the walk is inside of. */
        const literals: number[] = [];
        const report = (node: Deno.lint.Node, fact: Fact) => context.report({ node, message: JSON.stringify(fact) });
        const linesOf = (node: Deno.lint.Node) => context.sourceCode.text.slice(...node.range).split("\n").length;
        const enter = () => void literals.push(0);
        const leave = (node: FunctionNode) => {
          const lines = linesOf(node);
          const table = literals.pop()! >= 0.75 * lines;
          report(node, { kind: "function", name: nameOf(node), lines, parameters: node.params.length, table });
        };
        const literal = (node: Literal) => {
          if (literals.length) literals.push(Math.max(literals.pop()!, linesOf(node)));
        };
        return {
          FunctionDeclaration: enter,
          FunctionExpression: enter,
          ArrowFunctionExpression: enter,
          "FunctionDeclaration:exit": leave,
          "FunctionExpression:exit": leave,
          "ArrowFunctionExpression:exit": leave,
          ArrayExpression: literal,
          ObjectExpression: literal,
          TemplateLiteral: literal,
          TSNonNullExpression: (node) => report(node, { kind: "non-null" }),
          TSTypeAssertion: (node) => report(node, { kind: "cast" }),
          TSAsExpression(node) {
            if (!isConst(node.typeAnnotation)) report(node, { kind: "cast" });
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;

function isConst(type: Deno.lint.TypeNode): boolean {
  return type.type === "TSTypeReference" && type.typeName.type === "Identifier" && type.typeName.name === "const";
}

/** The name of a function, or of the variable or the key whose value it is. */
function nameOf(node: FunctionNode): string {
  if (node.type !== "ArrowFunctionExpression" && node.id) return node.id.name;
  const { parent } = node;
  const key = parent.type === "VariableDeclarator" ? parent.id : "key" in parent ? parent.key : undefined;
  return key && typeof key === "object" && "name" in key ? String(key.name) : "(anonymous)";
}
