// The experiments that come with Atoll. A new one is a file beside this one and a line here.

import type { Experiment } from "@atoll/train";
import { digits } from "./digits.ts";
import { mnist } from "./mnist.ts";
import { nanogpt } from "./nanogpt.ts";

export const builtIns: readonly Experiment[] = [digits, mnist, nanogpt] as readonly Experiment[];
