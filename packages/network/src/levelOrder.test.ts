import fc from "fast-check";
import { expect, test } from "vitest";
import { LevelOrder, NONE } from "./levelOrder.ts";
import { NumberList } from "./numberList.ts";

test("flows come by level; at the same one in the order of the list, or, if they are many of all, the latest first", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      fc.infiniteStream(fc.nat()),
      (levels, areMany, random) => {
        const keys = levels.map(() => random.next().value as number);
        const added = levels.map((_, flow) => 7 * flow);
        const flows = levels.map((_, flow) => flow).sort((a, b) => keys[a]! - keys[b]!);
        const order = new LevelOrder({ levels, added });
        const list = new NumberList();
        for (const flow of flows) list.push(flow);
        order.start(list, areMany ? 0 : 1000);
        const first = areMany ? flows.toSorted((a, b) => added[b]! - added[a]!) : flows;
        for (const flow of first.toSorted((a, b) => levels[a]! - levels[b]!)) expect(order.next()).toBe(flow);
        expect(order.next()).toBe(NONE);
      },
    ),
  );
});
