// Regenerates packages/tensor/src/onnx/generated/ from onnx.proto (of the ONNX project, release 1.23), as JavaScript and
// declarations. Needs the protobuf compiler: `pip install grpcio-tools` or Debian's protobuf-compiler, given as PROTOC
// (default `protoc`); the plug-in protoc-gen-es comes from the package registry. Run after replacing onnx.proto.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PLUGIN = "@bufbuild/protoc-gen-es@2.17.0";
const source = join(import.meta.dirname, "../src/onnx");
const protoc = (process.env.PROTOC ?? "protoc").split(" ");
const folder = mkdtempSync(join(tmpdir(), "atoll-generate-"));
const plugin = join(folder, "protoc-gen-es");
writeFileSync(plugin, `#!/bin/sh\nexec npx --yes ${PLUGIN} "$@"\n`);
chmodSync(plugin, 0o755);
const { status, error } = spawnSync(
  protoc[0]!,
  [
    ...protoc.slice(1),
    `--proto_path=${source}`,
    `--plugin=protoc-gen-es=${plugin}`,
    `--es_out=${join(source, "generated")}`,
    "--es_opt=target=js+dts",
    "onnx.proto",
  ],
  { stdio: "inherit" },
);
rmSync(folder, { recursive: true });
if (error !== undefined)
  console.error(`Cannot run ${protoc.join(" ")}: ${error.message}. Install protoc or set PROTOC.`);
process.exitCode = status ?? 1;
