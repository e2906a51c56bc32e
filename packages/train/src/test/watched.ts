// An executor that a test can look into, or break.

import type { Executor, ExecutorFactory } from "../executor.ts";

/** The executor that `create` makes, with some of its methods replaced. */
export const watched =
  (create: ExecutorFactory, replace: (executor: Executor) => Partial<Executor>): ExecutorFactory =>
  async (options) => {
    const executor = await create(options);
    const replaced = replace(executor);
    return new Proxy(executor, {
      get(target, name) {
        const value = (name in replaced ? replaced : target)[name as keyof Executor];
        return typeof value === "function" ? (value as () => unknown).bind(target) : value;
      },
    });
  };
