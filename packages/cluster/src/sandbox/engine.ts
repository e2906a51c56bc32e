// The client of a container engine: docker or podman, whichever answers. It is the program that people have, not the
// engine's API: so contexts, remote engines and rootless podman work as they do for its user.

import { ConfigError, InterruptedError, RunError } from "@atoll/core";
import { type Captured, capture } from "../exec/capture.ts";
import type { Exec } from "../exec/exec.ts";
import { type Finding, findingOf, remediesOf } from "../exec/probe.ts";
import { describeExit } from "../exitReason.ts";
import { engineProblem } from "./engineProblem.ts";
import { ENGINE_PROGRAMS, type EngineName, type EngineProgram } from "./enginePrograms.ts";

export interface EngineOptions {
  readonly exec: Exec;
  /** The client's: PATH, DOCKER_HOST and what else it reads. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Engine extends EngineOptions {
  readonly name: EngineName;
  /** Of the server. */
  readonly version: string;
  /**
   * Runs the client to its end.
   *
   * @param purpose for the message if it fails, such as "start node 2"
   * @returns standard output
   * @throws RunError in one sentence, with what to do; InterruptedError if the signal came
   */
  run(purpose: string, argv: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs the client to its end, however it ends. */
  try(argv: readonly string[], options?: RunOptions): Promise<Captured>;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** A complaint that is no failure, such as that something to remove has gone already. */
  readonly tolerate?: RegExp;
}

/** Long enough for a client on a cold disk, short enough for someone who waits. */
const PROBE_TIMEOUT_MS = 20_000;

/**
 * The engine that answers; docker if both do.
 *
 * @param only the engine to ask; absent: all
 * @throws ConfigError if none answers, with what to do about each
 */
export async function findEngine(options: EngineOptions, only?: EngineName): Promise<Engine> {
  const findings: Finding[] = [];
  for (const program of ENGINE_PROGRAMS) {
    if (only !== undefined && program.name !== only) continue;
    const finding = await ask(program, options);
    if (finding.status === "ready") return createEngine(program.name, finding.version, options);
    findings.push(finding);
  }
  throw new ConfigError(`No container engine answers: ${remediesOf(findings).join("; ")}.`);
}

/** Engines that answer as well, for whoever has not said which one to use. */
export async function otherEngines(engine: Engine): Promise<readonly EngineName[]> {
  const others = ENGINE_PROGRAMS.filter(({ name }) => name !== engine.name);
  const findings = await Promise.all(others.map((program) => ask(program, engine)));
  return others.flatMap(({ name }, i) => (findings[i]!.status === "ready" ? [name] : []));
}

async function ask(program: EngineProgram, { exec, environment }: EngineOptions): Promise<Finding> {
  const timeoutMs = PROBE_TIMEOUT_MS;
  return findingOf(program, await capture(exec, program.name, program.argv, { environment, timeoutMs }));
}

function createEngine(name: EngineName, version: string, { exec, environment }: EngineOptions): Engine {
  const attempt = (argv: readonly string[], { signal }: RunOptions = {}): Promise<Captured> =>
    capture(exec, name, argv, {
      environment,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    name,
    version,
    exec,
    environment,
    try: attempt,
    async run(purpose, argv, options) {
      const { outcome, stdout, stderr } = await attempt(argv, options);
      if (outcome.kind === "cancelled") throw new InterruptedError(`Interrupted: ${purpose}.`);
      if (outcome.kind === "missing" || outcome.kind === "failed")
        throw new RunError(`Cannot ${purpose}: ${name} cannot be started any more.`);
      if (outcome.kind === "exited" && (outcome.code === 0 || options?.tolerate?.test(stderr))) return stdout;
      throw new RunError(
        `Cannot ${purpose}: ${engineProblem(name, stderr || stdout, describeExit(outcome))}`,
      );
    },
  };
}
