import { defaultDevice, init, jit, makeJaxpr } from "@jax-js/jax";
import { beforeAll, expect, test } from "vitest";
import { consuming, dispose, type JaxArray, scoped, type Tensor } from "./borrow.ts";
import { grad, valueAndGrad, valueAndGradWithAux } from "./gradient.ts";
import { add, constant, matmul, mean, multiply, relu, square, subtract, sum } from "./ops.ts";

beforeAll(async () => {
  await init("wasm");
  defaultDevice("wasm");
});

const vector = (...data: number[]): Tensor =>
  constant({ shape: [data.length], data: Float32Array.from(data) });
const valuesOf = (x: Tensor): number[] => [...(x as JaxArray).ref.dataSync()];
const references = (x: Tensor): number => (x as JaxArray).refCount;

test("operations leave their arguments usable", () => {
  const x = vector(1, 2, 3);
  const y = scoped(() => add(multiply(x, x), multiply(x, 2)));
  expect(valuesOf(y)).toEqual([3, 8, 15]);
  expect(references(x)).toBe(1);
  expect(references(y)).toBe(1);
  dispose([x, y]);
});

test("a scope frees what it made and keeps what it returns, also an argument", () => {
  const x = vector(1, 2);
  let inner: Tensor | undefined;
  const [same, result] = scoped(() => {
    inner = add(x, 1);
    return [x, add(inner, 1)] as const;
  });
  expect(references(inner!)).toBe(0);
  expect(references(result)).toBe(1);
  expect(same).toBe(x);
  expect(references(x)).toBe(2);
  dispose([x, x, result]);
});

test("a scope inside a scope hands its result to the outer one", () => {
  let between: Tensor | undefined;
  const result = scoped(() => {
    between = scoped(() => add(vector(1), 1));
    return add(between, 1);
  });
  expect(valuesOf(result)).toEqual([3]);
  expect(references(between!)).toBe(0);
  dispose(result);
});

test("a scope frees what it made when it fails", () => {
  const x = vector(1, 2);
  let inner: Tensor | undefined;
  expect(() =>
    scoped(() => {
      inner = add(x, 1);
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(references(inner!)).toBe(0);
  expect(references(x)).toBe(1);
  dispose(x);
});

const loss = (p: { w: Tensor; b: Tensor }, x: Tensor): Tensor => mean(square(relu(add(matmul(x, p.w), p.b))));

const example = () => ({
  p: { w: constant({ shape: [2, 1], data: Float32Array.of(1, -1) }), b: vector(0.5) },
  x: constant({ shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 6, 5) }),
});

test("gradients come out the same eagerly, under jit, and leave all references as they were", () => {
  const { p, x } = example();
  const [value, gradients] = scoped(() => valueAndGrad(loss)(p, x));
  // Rows give 1 − 2 + .5 < 0, 3 − 4 + .5 < 0, 6 − 5 + .5 = 1.5: only the last one is active; d = 2 · 1.5 / 3 = 1.
  expect(valuesOf(value)).toEqual([0.75]);
  expect(valuesOf(gradients.w)).toEqual([6, 5]);
  expect(valuesOf(gradients.b)).toEqual([1]);
  for (const tensor of [p.w, p.b, x, value, gradients.w, gradients.b]) expect(references(tensor)).toBe(1);

  const compiled = jit(consuming((q: typeof p, y: Tensor) => grad(loss)(q, y)) as never) as unknown as (
    q: unknown,
    y: JaxArray,
  ) => typeof p;
  const again = compiled({ w: (p.w as JaxArray).ref, b: (p.b as JaxArray).ref }, (x as JaxArray).ref);
  expect(valuesOf(again.w)).toEqual([6, 5]);
  for (const tensor of [p.w, p.b, x]) expect(references(tensor)).toBe(1);
});

test("auxiliary results come along undifferentiated", () => {
  const { p, x } = example();
  const [value, gradients, aux] = scoped(() =>
    valueAndGradWithAux((q: typeof p, y: Tensor) => {
      const output = add(matmul(y, q.w), q.b);
      return [sum(output), { output, input: y, half: multiply(output, 0.5) }];
    })(p, x),
  );
  expect(valuesOf(value)).toEqual([0.5]);
  expect(valuesOf(gradients.b)).toEqual([3]);
  expect(valuesOf(aux.output)).toEqual([-0.5, -0.5, 1.5]);
  expect(valuesOf(aux.half)).toEqual([-0.25, -0.25, 0.75]);
  expect(aux.input).toBe(x);
  expect(references(aux.output)).toBe(1);
  expect(references(x)).toBe(2);
});

test("a traced function can be traced again", () => {
  const { p, x } = example();
  const traced = makeJaxpr(
    consuming((q: typeof p, y: Tensor) => {
      const [value, gradients] = valueAndGrad(loss)(q, y);
      return [value, subtract(q.w, multiply(gradients.w, 0.1)), q.b];
    }) as never,
  ) as unknown as (q: unknown, y: unknown) => { jaxpr: { toString(): string } };
  const first = traced(p, x).jaxpr.toString();
  expect(first).toContain("dot");
  expect(traced(p, x).jaxpr.toString()).toBe(first);
});
