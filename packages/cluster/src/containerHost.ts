// What the docker launcher asks of a sandbox: its containers in the order of ranks, and how to run a program in one.

export interface ContainerHost {
  /** For people: `sandbox "atoll"`. */
  readonly description: string;
  /**
   * The nodes in the order of ranks, the master first: all, or the first so many. What the others are like does not matter.
   *
   * @throws ConfigError if one of them does not run
   */
  containers(first?: number): Promise<readonly Container[]>;
  /**
   * Program and arguments after which `/bin/sh -c …` runs in the container with standard input attached, such as
   * `docker exec -i <id>`. The environment is the engine client's own.
   */
  execArgv(container: Container): readonly [program: string, ...argv: string[]];
  /** The atoll command inside the containers: `["node", "/opt/atoll/packages/cli/bin/atoll.mjs"]`. */
  readonly atoll: readonly [program: string, ...argv: string[]];
}

export interface Container {
  /** The engine's own id or name. */
  readonly id: string;
  /** The host name by which the other containers reach it. */
  readonly hostName: string;
  /** On the sandbox's network. */
  readonly address: string;
  readonly gpus: number;
}
