// The programs of other people that Atoll can work with: how each is asked for its version, what it serves, and how to
// get it. Nothing here uses the network: clients are asked about themselves, and a container engine over its socket.

import type { Captured, ExecOptions } from "@atoll/cluster";

export interface Program {
  readonly name: string;
  /** Asks for the version without doing anything. */
  readonly argv: readonly string[];
  /** What it serves: a row of the second table. */
  readonly purpose: Purpose;
  readonly howToGet: string;
  /** What to do when it is installed and does not answer. */
  readonly howToRepair: string;
}

/** Any one of a purpose's programs is enough. */
export type Purpose = "containers" | "ssh" | "slurm" | "kubernetes" | "skypilot" | "gpu";

export const PURPOSES: Readonly<Record<Purpose, string>> = {
  containers: "real runs and sandboxes in containers",
  ssh: "real runs on machines that are reached by ssh",
  slurm: "real runs on a Slurm cluster",
  kubernetes: "real runs on a Kubernetes cluster",
  skypilot: "real runs on clouds through SkyPilot",
  gpu: "real runs on NVIDIA GPUs; simulated runs compute on the cores",
};

export const PROGRAMS: readonly Program[] = [
  {
    name: "docker",
    argv: ["version", "--format", "{{.Server.Version}}"],
    purpose: "containers",
    howToGet:
      "on Debian and Ubuntu: apt-get install docker.io; on macOS: Docker Desktop from docker.com; or podman instead",
    howToRepair:
      "start the engine (systemctl start docker, or dockerd as root), and add yourself to the group docker",
  },
  {
    name: "podman",
    argv: ["version", "--format", "{{.Client.Version}}"],
    purpose: "containers",
    howToGet:
      "on Debian and Ubuntu: apt-get install podman; on macOS: brew install podman; or docker instead",
    howToRepair: "run podman info, which says what it lacks; on macOS: podman machine start",
  },
  {
    name: "ssh",
    argv: ["-V"],
    purpose: "ssh",
    howToGet: "on Debian and Ubuntu: apt-get install openssh-client",
    howToRepair: "run ssh -V, which says what it lacks",
  },
  {
    name: "sinfo",
    argv: ["--version"],
    purpose: "slurm",
    howToGet: "work on a login node of the cluster, or apt-get install slurm-client and copy its slurm.conf",
    howToRepair: "run sinfo, which says what it lacks: often slurm.conf",
  },
  {
    name: "kubectl",
    argv: ["version", "--client"],
    purpose: "kubernetes",
    howToGet: "see kubernetes.io/docs/tasks/tools; a cluster's config goes into ~/.kube/config",
    howToRepair: "run kubectl version --client, which says what it lacks",
  },
  {
    name: "sky",
    argv: ["--version"],
    purpose: "skypilot",
    howToGet: 'pip install "skypilot[aws]", or with another cloud\'s name, then sky check',
    howToRepair: "run sky --version, which says what it lacks",
  },
  {
    name: "nvidia-smi",
    argv: ["--query-gpu=name,memory.total", "--format=csv,noheader"],
    purpose: "gpu",
    howToGet: "install NVIDIA's driver if the machine has such a GPU",
    howToRepair:
      "run nvidia-smi, which says what it lacks: often a driver of another version than the kernel's",
  },
];

/** What a program answered. `version`: its first line. `problem`: why it does not serve, as a phrase. */
export type Finding =
  | { readonly program: string; readonly status: "ready"; readonly version: string }
  | {
      readonly program: string;
      readonly status: "missing" | "broken";
      readonly problem: string;
      readonly remedy: string;
    };

/** Long enough for a client that is a Python program on a cold disk. */
const PROBE_TIMEOUT_MS = 10_000;

/** Runs a program and keeps what it prints. */
export type Probe = (
  program: string,
  argv: readonly string[],
  options: Pick<ExecOptions, "environment" | "timeoutMs">,
) => Promise<Captured>;

/** Asks all programs at once. */
export const findPrograms = (
  probe: Probe,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly Finding[]> =>
  Promise.all(
    PROGRAMS.map(async (program) =>
      findingOf(
        program,
        await probe(program.name, program.argv, { environment, timeoutMs: PROBE_TIMEOUT_MS }),
      ),
    ),
  );

export function findingOf(
  { name, howToGet, howToRepair }: Program,
  { outcome, stdout, stderr }: Captured,
): Finding {
  // OpenSSH tells its version on standard error.
  const output = stdout.trim() || stderr.trim();
  const broken = (problem: string): Finding => ({
    program: name,
    status: "broken",
    problem,
    remedy: howToRepair,
  });
  switch (outcome.kind) {
    case "missing":
      return { program: name, status: "missing", problem: "not installed", remedy: howToGet };
    case "exited":
      if (outcome.code === 0 && output !== "")
        return { program: name, status: "ready", version: firstLine(output) };
      return broken(`ended with code ${outcome.code}: ${lastLine(output) || "it says nothing"}`);
    case "killed":
      return broken(`was ended by ${outcome.signal}`);
    case "timedOut":
      return broken(`gave no answer within ${outcome.afterMs / 1000} s`);
    case "failed":
      return broken(`cannot be started: ${outcome.message}`);
    case "cancelled":
    case "lost":
      return broken("was not asked to the end");
    default:
      return outcome satisfies never;
  }
}

const linesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const firstLine = (text: string): string => linesOf(text)[0] ?? "";

/** Programs that fail say why at the end. */
const lastLine = (text: string): string => linesOf(text).at(-1) ?? "";
