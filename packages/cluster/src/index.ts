export type { Container, ContainerHost } from "./containerHost.ts";
export { type Captured, capture } from "./exec/capture.ts";
export { describeOutcome } from "./exec/describeOutcome.ts";
export type { Exec, ExecOptions, ExecOutcome, Execution, LineSink, OutputStream } from "./exec/exec.ts";
export { exec } from "./exec/exec.ts";
export { type Finding, findingOf, type Program, remediesOf } from "./exec/probe.ts";
export type { ExitReason } from "./exitReason.ts";
export { describeExit, exitCodeOf } from "./exitReason.ts";
export type { Job, JobEvent, JobSpec, Launcher, LogLine } from "./launcher.ts";
export { type DockerOptions, dockerLauncher } from "./launchers/docker.ts";
export { type HostLine, parseHosts } from "./launchers/hostsFile.ts";
export { type LocalOptions, localLauncher } from "./launchers/local.ts";
export { type SshOptions, sshLauncher } from "./launchers/ssh.ts";
export { SSH } from "./launchers/sshProblem.ts";
export { lockPort } from "./locks.ts";
export type { RankEnvironment } from "./rank/index.ts";
export { MASTER_PORT, readRankEnvironment, writeRankEnvironment } from "./rank/index.ts";
export { sandboxHost } from "./sandbox/containerHost.ts";
export { type Engine, type EngineOptions, findEngine, otherEngines } from "./sandbox/engine.ts";
export {
  DOCKER,
  ENGINE_PROGRAMS,
  type EngineName,
  type EngineProgram,
  PODMAN,
} from "./sandbox/enginePrograms.ts";
export { checkSandboxes } from "./sandbox/health.ts";
export { conditionOf, getSandbox, listSandboxes, type Sandbox, type SandboxNode } from "./sandbox/inspect.ts";
export { keysDirectory, sshConfigPath } from "./sandbox/keys.ts";
export { type LogsOptions, readLogs } from "./sandbox/logs.ts";
export { DEFAULT_NAME, rankOf } from "./sandbox/names.ts";
export { type LeaseOptions, leasePort, type PortLease } from "./sandbox/portLease.ts";
export { restartSandbox } from "./sandbox/restart.ts";
export { type SetupOptions, setUpSandbox } from "./sandbox/setup.ts";
export { type Removed, type RemoveOptions, removeSandbox } from "./sandbox/stop.ts";
