// The programs of other people that Atoll can work with: how each is asked for its version, what it serves, and how to
// get it. Nothing here uses the network: clients are asked about themselves, and a container engine over its socket.

import {
  type Captured,
  DOCKER,
  type ExecOptions,
  type Finding,
  findingOf,
  PODMAN,
  type Program,
  SSH,
} from "@atoll/cluster";

export interface DoctorProgram extends Program {
  /** What it serves: a row of the second table. */
  readonly purpose: Purpose;
}

/** Any one of a purpose's programs is enough. */
export type Purpose = "containers" | "ssh" | "slurm" | "kubernetes" | "skypilot" | "gpu";

export const PURPOSES: Readonly<Record<Purpose, string>> = {
  containers: "runs in containers: npx atoll sandbox, npx atoll launch --on docker",
  ssh: "runs on machines reached by ssh: npx atoll launch --on ssh:FILE",
  slurm: "runs on a Slurm cluster: npx atoll node, started by srun",
  kubernetes: "runs on a Kubernetes cluster: npx atoll node, in an indexed job of yours",
  skypilot: "runs on clouds: npx atoll node, in a task of SkyPilot",
  gpu: "your own programs on NVIDIA GPUs: npx atoll launch; Atoll's training computes on the cores",
};

export const PROGRAMS: readonly DoctorProgram[] = [
  { ...DOCKER, purpose: "containers" },
  { ...PODMAN, purpose: "containers" },
  { ...SSH, purpose: "ssh" },
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
