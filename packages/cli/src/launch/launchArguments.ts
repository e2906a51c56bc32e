// The command line of launch: its own flags, and the command that is to run on every node.

import { ConfigError } from "@atoll/core";
import { parseArguments } from "../arguments.ts";
import { numberOf } from "../numberFlag.ts";

export interface LaunchArguments {
  /** Undefined: as many as the target has. */
  readonly nodes: number | undefined;
  /** "local", "docker" or "ssh:FILE"; undefined: the running sandbox, or this machine. */
  readonly on: string | undefined;
  /** The sandbox's name. */
  readonly name: string | undefined;
  readonly engine: string | undefined;
  readonly port: number | undefined;
  readonly directory: string | undefined;
  readonly graceMs: number | undefined;
  readonly command: LaunchedCommand;
}

export type LaunchedCommand =
  /** After "--": any program. */
  | { readonly kind: "program"; readonly argv: readonly [program: string, ...argv: string[]] }
  /** Without "--": the nodes' own atoll. */
  | { readonly kind: "atoll"; readonly argv: readonly [subcommand: string, ...argv: string[]] };

const flags = {
  nodes: { type: "string" },
  on: { type: "string" },
  name: { type: "string" },
  engine: { type: "string" },
  port: { type: "string" },
  dir: { type: "string" },
  grace: { type: "string" },
} as const;

/** These may stand behind an atoll command, too, which has none of them. */
const ANYWHERE = ["--nodes", "--on"];

/** @throws ConfigError for a wrong flag, or if there is no command */
export function parseLaunch(argv: readonly string[]): LaunchArguments {
  const { own, command } = split(argv);
  const { values } = parseArguments(own, flags);
  const text = (name: keyof typeof flags): string | undefined => values[name] as string | undefined;
  const asked = numberOf("--nodes", text("nodes"), { least: 1, whole: true });
  const port = numberOf("--port", text("port"), { least: 1, whole: true });
  const grace = numberOf("--grace", text("grace"), { least: 0 });
  if (port !== undefined && port > 65_535)
    throw new ConfigError(`Flag "--port": expected a port from 1 to 65535, got ${port}.`);
  return {
    nodes: agreedNodes(asked, command),
    on: text("on"),
    name: text("name"),
    engine: text("engine"),
    port,
    directory: text("dir"),
    graceMs: grace === undefined ? undefined : grace * 1000,
    command,
  };
}

function split(argv: readonly string[]): {
  readonly own: readonly string[];
  readonly command: LaunchedCommand;
} {
  const start = argv.findIndex(
    (argument, i) => argument === "--" || (!argument.startsWith("-") && !takesValue(argv[i - 1])),
  );
  const [first, ...rest] = start < 0 ? [] : argv.slice(start);
  if (first === "--") {
    const [program, ...more] = rest;
    if (program !== undefined)
      return { own: argv.slice(0, start), command: { kind: "program", argv: [program, ...more] } };
  } else if (first !== undefined) {
    const taken = takeFlags(rest);
    return {
      own: [...argv.slice(0, start), ...taken.own],
      command: { kind: "atoll", argv: [first, ...taken.others] },
    };
  }
  throw new ConfigError(
    "Expected a command to launch, got nothing. Write it after --, as in npx atoll launch --nodes 2 -- hostname, or an atoll command without it.",
  );
}

const takesValue = (argument: string | undefined): boolean =>
  Object.keys(flags).some((name) => argument === `--${name}`);

function takeFlags(argv: readonly string[]): {
  readonly own: readonly string[];
  readonly others: readonly string[];
} {
  const own: string[] = [];
  const others: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (ANYWHERE.includes(argument)) own.push(argument, ...argv.slice(++i, i + 1));
    else if (ANYWHERE.some((flag) => argument.startsWith(`${flag}=`))) own.push(argument);
    else others.push(argument);
  }
  return { own, others };
}

/** `launch train mnist nodes=3` needs no `--nodes 3`, and must not contradict one. */
function agreedNodes(asked: number | undefined, { kind, argv }: LaunchedCommand): number | undefined {
  const text = kind === "atoll" ? argv.findLast((argument) => /^nodes=\d+$/.test(argument)) : undefined;
  if (text === undefined) return asked;
  const nodes = Number(text.slice("nodes=".length));
  if (asked === undefined || asked === nodes) return nodes;
  throw new ConfigError(
    `--nodes is ${asked}, and the command says ${text}: expected the same. Leave --nodes away.`,
  );
}
